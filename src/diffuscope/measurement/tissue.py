"""The tissue of a result that was computed: what a run has not come to is no tissue without DAB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diffuscope.results.coverage import Covered
    from diffuscope.results.result import Result
    from diffuscope.results.tissue import TissueMap


@dataclass(frozen=True, eq=False)
class ComputedTissue:
    """Where tissue lies and something was computed.

    Attributes
    ----------
    tissue : TissueMap
        All of it.
    covered : Covered or None
        What was computed; None: all.
    """

    tissue: TissueMap
    covered: Covered | None

    def read(self, y: int, x: int, height: int, width: int) -> NDArray[np.bool_]:
        """Return it in a box on the canvas, (height, width), as `TissueMap.read` does."""
        inside = self.tissue.read(y, x, height, width)
        if self.covered is None:
            return inside
        return inside & self.covered.mask((range(y, y + height), range(x, x + width)), (1, 1))


def computed_tissue(result: Result, tissue: TissueMap) -> ComputedTissue:
    """Return the tissue of a result that was computed: of a complete one all, as of one that does not know."""
    is_part = not result.complete and result.coverage is not None
    return ComputedTissue(tissue, result.coverage.read() if is_part and result.coverage is not None else None)
