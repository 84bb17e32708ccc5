"""Inputs and results as napari layers."""
