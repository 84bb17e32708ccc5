"""What the command line exits with where it did not do what it was asked for."""

BAD_INPUT = 2
CANCELLED = 130
