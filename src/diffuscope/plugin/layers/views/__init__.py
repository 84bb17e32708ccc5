"""A result held against what it was made from: which layers these are, and ways to see both."""
