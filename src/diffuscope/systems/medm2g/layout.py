"""The vector of a report drawn onto places, for heads that look at one place alone.

A report has no places, and the queries of a denoiser know theirs only by what padding tells them: MedM2G's denoisers,
guided by a report's tokens alone, painted its findings on both sides (docs/medm2g.md). The vector of the aligned space
tells kind, side and zone of findings to a linear classifier; this learns where on the lattice that is.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

# Numbers of a place before they become a token: what a place is told is little.
_TOLD = 16
# Places of the lattice that share what they are told, along each axis.
_COARSE = 2


class Layout(nn.Module):
    """Vectors of the aligned space to tokens of the places of a square lattice.

    Parameters
    ----------
    width : int
        Numbers of a vector and of a token.
    side : int
        Places along each axis.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.side, self.drawn = side, max(side // _COARSE, 1)
        self.read = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU())
        self.draw = nn.Linear(2 * width, _TOLD * self.drawn**2)
        self.say = nn.Sequential(nn.Linear(_TOLD, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return tokens (n, side², width), row by row, of vectors (n, width)."""
        drawn = self.draw(self.read(vectors)).unflatten(1, (_TOLD, self.drawn, self.drawn))
        fine = F.interpolate(drawn, size=(self.side, self.side), mode="bilinear", align_corners=False)
        tokens: Tensor = self.say(fine.flatten(2).transpose(1, 2))
        return tokens
