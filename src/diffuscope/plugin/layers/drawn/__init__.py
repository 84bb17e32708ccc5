"""What was drawn in another program, as layers."""
