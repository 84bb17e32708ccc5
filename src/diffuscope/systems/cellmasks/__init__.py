"""Positive cells of an IHC: a helper that draws the masks which a StainDiffuser learns (supplement §8)."""
