"""DAMM-Diffusion: an image from a main and auxiliary modalities, which are used only where they agree with it."""
