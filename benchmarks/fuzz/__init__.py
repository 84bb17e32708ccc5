"""Hostile files: valid samples of all that is read, seeded mutations of them, and children that open the mutants."""
