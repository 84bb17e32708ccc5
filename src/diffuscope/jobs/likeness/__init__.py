"""Whether what a model is given looks like what it was trained on: the same few numbers of both, compared."""
