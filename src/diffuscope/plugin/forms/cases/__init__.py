"""A case that is more than an image: outlines on it, tables, and the row of a patient."""
