"""Baselines of virtual staining, to be trained and measured as StainDiffuser is: same blocks, widths, data and loop."""

from diffuscope.systems.baselines.bbdm import BBDM
from diffuscope.systems.baselines.config import BaselineConfig, DiffusionBaselineConfig, PaletteConfig
from diffuscope.systems.baselines.palette import Palette
from diffuscope.systems.baselines.pix2pix import Pix2Pix
from diffuscope.systems.baselines.regression import UNetRegression

__all__ = ["BBDM", "BaselineConfig", "DiffusionBaselineConfig", "Palette", "PaletteConfig", "Pix2Pix", "UNetRegression"]
