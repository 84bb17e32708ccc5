"""Diffusion systems behind one contract (`diffuscope.systems.base`)."""
