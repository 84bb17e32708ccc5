"""What Diffuscope costs, in time, memory, launches, and what it survives: `python -m benchmarks NAME`."""
