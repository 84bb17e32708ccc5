"""Figures of arrays against a truth."""
