"""MIDiffusion: a scan of one modality from another, trained on the target alone, guided by local mutual information."""

from diffuscope.systems.midiffusion.config import GuidanceConfig, MIDiffusionConfig, ModalityConfig
from diffuscope.systems.midiffusion.lmi import LMI, Guide, local_information
from diffuscope.systems.midiffusion.system import MIDiffusion

__all__ = ["LMI", "GuidanceConfig", "Guide", "MIDiffusion", "MIDiffusionConfig", "ModalityConfig", "local_information"]
