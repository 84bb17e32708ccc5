"""A result as a picture that explains itself, for slides and papers."""
