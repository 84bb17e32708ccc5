"""StainDiffuser: virtual IHC from H&E by diffusion U-Nets that share one H&E encoder, and its variants."""

from diffuscope.systems.staindiffuser.bidirectional import BidirectionalStainDiffuser
from diffuscope.systems.staindiffuser.config import BidirectionalConfig, MultiStainDiffuserConfig, StainDiffuserConfig
from diffuscope.systems.staindiffuser.multi import MultiStainDiffuser
from diffuscope.systems.staindiffuser.system import StainDiffuser

__all__ = [
    "BidirectionalConfig",
    "BidirectionalStainDiffuser",
    "MultiStainDiffuser",
    "MultiStainDiffuserConfig",
    "StainDiffuser",
    "StainDiffuserConfig",
]
