"""What is chosen: forms without widgets, and their widgets."""
