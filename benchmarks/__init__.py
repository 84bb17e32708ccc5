"""What Diffuscope measures about itself: ``python -m benchmarks NAME [--json FILE]``."""
