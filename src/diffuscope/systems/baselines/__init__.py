"""Baselines of virtual staining, to be trained and measured as StainDiffuser is: same blocks, widths, data and loop."""
