"""Formats of one maker of scanners each."""
