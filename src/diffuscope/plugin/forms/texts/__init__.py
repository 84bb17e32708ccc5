"""Texts that a model takes, and what a user chooses to have made."""
