"""What results are worth, each by a number: `python -m benchmarks NAME`."""
