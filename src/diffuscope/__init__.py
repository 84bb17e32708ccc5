"""Diffusion models for slides and scans, in napari and from a shell.

The verbs are in `diffuscope.run`. Importing this package loads nothing heavy.
"""

__version__ = "0.1.0"
