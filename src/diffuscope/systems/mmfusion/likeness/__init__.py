"""Whether a case is like those that a model was trained on."""
