"""Registration of a slide and its restain: the transform, its error, and one slide seen in the other's frame.

No torch, no Qt. `diffuscope.registration.find` needs SimpleITK; reading, using and judging a transform does not.
"""

from __future__ import annotations

from diffuscope.registration.landmarks import Landmarks, read_landmarks
from diffuscope.registration.transform import Transform, load_transform
from diffuscope.registration.views import checkerboard, curtain
from diffuscope.registration.warp import read_warped, write_warped

__all__ = [
    "Landmarks",
    "Transform",
    "checkerboard",
    "curtain",
    "load_transform",
    "read_landmarks",
    "read_warped",
    "write_warped",
]
