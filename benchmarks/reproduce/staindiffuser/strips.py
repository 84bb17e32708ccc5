"""Real haematoxylin and IHC of the same sections: strips of DeepLIIF's test data (Ghahremani et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.reproduce.study import Batches, digest, sampled
from benchmarks.shared.places import DATA
from benchmarks.shared.scores import MPP, THRESHOLD, Tiles, colour_transfer
from diffuscope.stains import HDAB, augment_stain, dab_density

STRIPS = DATA / "deepliif-strips"
# A strip's tile holds 512 px at what its nuclei (about 30 px) show to be 0.25 µm/px.
_STRIP_SIDE, _STRIP_REDUCTION = 512, 2


@dataclass(frozen=True)
class Strips:
    """Real haematoxylin and IHC of the same section; one strip is tested on, the others are trained on.

    Attributes
    ----------
    held : str
        The strip that is tested on.
    folder : Path
        Of the strips.
    """

    held: str
    folder: Path = STRIPS
    stains: tuple[str, ...] = ("IHC",)

    @property
    def name(self) -> str:
        """Name of the study."""
        return f"strips-{self.held.lower()}"

    def facts(self) -> dict[str, Any]:
        """See `Study.facts`."""
        files = {name: digest(self.folder / f"{name}.png") for name in usable_strips(self.folder)}
        return {"study": self.name, "files": files, "mpp": MPP, "threshold": THRESHOLD}

    def batches(self, *, seed: int, batch: int, patch: int) -> Batches:
        """See `Study.batches`."""
        strips = [read_strip(self.folder / f"{name}.png") for name in usable_strips(self.folder) if name != self.held]
        return partial(_strip_batch, strips, seed=seed, size=batch, patch=patch)

    def tests(self, stain: str) -> list[Tiles]:  # noqa: ARG002  there is one
        """See `Study.tests`."""
        he, ihc, _ = read_strip(self.folder / f"{self.held}.png")
        return [Tiles(name=self.held, places=[(0, 0)], he=he[None], ihc=ihc[None], dab=dab_density(ihc)[None])]

    def methods(self, stain: str, tiles: Tiles) -> dict[str, NDArray[np.uint8]]:  # noqa: ARG002
        """The haematoxylin itself, and colour transfer."""
        others = [name for name in usable_strips(self.folder) if name != self.held]
        like = sampled([read_strip(self.folder / f"{name}.png")[1] for name in others])
        return {"identity": tiles.he, "colour-transfer": colour_transfer(tiles.he, like)}


def usable_strips(folder: Path = STRIPS) -> list[str]:
    """Return the strips whose haematoxylin is another picture than their IHC."""
    return [path.stem for path in sorted(folder.glob("*.png")) if not _is_copy(path)]


def copied_strips(folder: Path = STRIPS) -> list[str]:
    """Return the strips that hold one picture six times: an answer that is its own question."""
    return [path.stem for path in sorted(folder.glob("*.png")) if _is_copy(path)]


def read_strip(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return haematoxylin and IHC (256, 256, 3) at 0.5 µm/px, and the mask of its positive cells (256, 256).

    A strip's six tiles: IHC, haematoxylin, DAPI, Lap2, marker, segmentation (positive cells red, others blue).
    """
    with Image.open(path) as strip:
        tiles = [strip.convert("RGB").crop((i * _STRIP_SIDE, 0, (i + 1) * _STRIP_SIDE, _STRIP_SIDE)) for i in (1, 0, 5)]
    he, ihc = (np.array(tile.reduce(_STRIP_REDUCTION)) for tile in tiles[:2])
    red, _, blue = np.moveaxis(np.asarray(tiles[2].reduce(_STRIP_REDUCTION)).astype(int), -1, 0)
    return he, ihc, (red > blue) & (red > 127)


@cache
def _is_copy(path: Path) -> bool:
    he, ihc, _ = read_strip(path)
    return np.array_equal(he, ihc)


def _strip_batch(
    strips: list[tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]],
    step: int,
    *,
    seed: int,
    size: int,
    patch: int,
) -> dict[str, Tensor]:
    """Crops, turned and flipped, the haematoxylin's stain changed as `augment_stain` does."""
    rng = np.random.default_rng([seed, step])
    crops = []
    for index in rng.integers(len(strips), size=size):
        he, ihc, mask = strips[index]
        y, x = rng.integers(0, np.array(mask.shape) - patch + 1)
        window = np.s_[y : y + patch, x : x + patch]
        parts = (augment_stain(he[window], HDAB, rng), ihc[window], mask[window][..., None])
        turn, flip = int(rng.integers(4)), bool(rng.integers(2))
        crops.append([np.rot90(part, turn)[:: -1 if flip else 1] for part in parts])
    stacks = zip(("he", "ihc", "mask"), zip(*crops, strict=True), strict=True)
    return {key: torch.from_numpy(np.stack(parts)).permute(0, 3, 1, 2).float() for key, parts in stacks}
