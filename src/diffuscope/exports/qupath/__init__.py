"""A result of a slide as a folder for QuPath: images, objects, and the script that brings both together."""
