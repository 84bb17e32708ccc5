"""StainDiffuser: virtual IHC from H&E by two diffusion U-Nets that share one H&E encoder."""

from diffuscope.systems.staindiffuser.config import StainDiffuserConfig
from diffuscope.systems.staindiffuser.system import StainDiffuser

__all__ = ["StainDiffuser", "StainDiffuserConfig"]
