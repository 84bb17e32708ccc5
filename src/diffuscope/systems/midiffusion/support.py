"""Where a translation is supported by its source: LMI of the two, after the fact."""

from __future__ import annotations

from torch import Tensor

from diffuscope.systems.midiffusion.lmi import LMI, local_information

#: Larger patches than guidance has, for there is no time to save; a kernel wide enough for an MR's noise to be flat,
#: and a floor of information below which two patches count as flat both.
SUPPORT = LMI(patch=7, windows=3, bandwidth=0.2, floor=0.1)


def support(source: Tensor, result: Tensor) -> Tensor:
    """Return the support of each pixel of a result by its source, in [0, 1].

    Normalised LMI: 1 where either image tells all of the other's patch, or both are flat; near 0 where one of them has
    structure of which the other has nothing: painted into the result, or left out of it. Contrast that the two
    modalities do not share lowers it too.

    Parameters
    ----------
    source, result : Tensor of shape (n, 1, h, w)
        In [−1, 1].
    """
    return local_information(source, result, SUPPORT).normalised
