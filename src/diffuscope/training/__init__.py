"""Training: recipes, pairs made by a teacher, and the loop."""
