"""What was drawn in another program, as a region to run in."""
