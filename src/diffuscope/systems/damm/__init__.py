"""DAMM-Diffusion: an image from a main and auxiliary modalities, which are used only where they agree with it."""

from diffuscope.systems.damm.config import DammConfig, Modality
from diffuscope.systems.damm.system import Damm

__all__ = ["Damm", "DammConfig", "Modality"]
