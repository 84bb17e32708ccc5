"""What a training is given: batches as a function of (seed, step)."""
