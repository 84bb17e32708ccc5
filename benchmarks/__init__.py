"""What Diffuscope measures about itself: each runs as ``python -m benchmarks.NAME [--json FILE]``."""
