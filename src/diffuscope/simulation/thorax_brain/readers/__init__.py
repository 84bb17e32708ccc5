"""Readers of images: classical, without training, none exact."""
