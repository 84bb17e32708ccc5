"""Real H&E, restained by the teacher, held out by slide."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reproduce.study import Batches, digest, sampled
from benchmarks.shared.scores import (
    MPP,
    THRESHOLD,
    HeldOut,
    Tiles,
    colour_transfer,
    restained_data,
    shipped_recipe,
    slide_tiles,
    stain_word,
)
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.crops import batch_at
from diffuscope.simulation.restaining.sources import Pair, Restaining, Source, make_pairs, read_source
from diffuscope.simulation.restaining.teacher import Stain, paint, prepare

#: The slides that are tested on, from another source than those that are trained on.
TEST_SLIDES = (Source(file="CMU-1-Small-Region.svs"), Source(file="OS-1-detail.ome.tif"))


@dataclass(frozen=True)
class Restained:
    """Real H&E, restained by the teacher; held out by slide.

    Attributes
    ----------
    stains : tuple of {"CD3", "CK8/18"}
    quick : bool
        One small source and one tile a slide, to try the machinery.
    """

    stains: tuple[Stain, ...]
    quick: bool = False

    @property
    def name(self) -> str:
        """Name of the study."""
        return "restained-" + "-".join(stain_word(stain) for stain in self.stains)

    def facts(self) -> dict[str, Any]:
        """See `Study.facts`."""
        data = _data()
        files = [source.file for source in (*_sources(quick=self.quick), *TEST_SLIDES)]
        return {
            "study": self.name,
            "quick": self.quick,
            "files": {file: digest(sample_path(file)) for file in files},
            "sources": [source.model_dump() for source in _sources(quick=self.quick)],
            "tests": [source.model_dump() for source in TEST_SLIDES],
            "phantoms": [_phantoms(quick=self.quick), data.phantom_weight],
            "positive_share": data.positive_share,
            "mpp": MPP,
            "threshold": THRESHOLD,
        }

    def batches(self, *, seed: int, batch: int, patch: int) -> Batches:
        """See `Study.batches`."""
        share = _data().positive_share
        draws = [
            partial(
                batch_at,
                _pairs(stain, self.quick),
                seed=seed,
                size=batch,
                patch=patch,
                positive_share=share,
                dab_threshold=THRESHOLD,
            )
            for stain in self.stains
        ]
        if len(draws) == 1:
            return draws[0]

        def in_turns(step: int) -> dict[str, Tensor]:
            turn = step % len(draws)
            found = draws[turn](step // len(draws))
            return {f"ihc_{stain_word(self.stains[turn])}": found.pop("ihc"), **found}

        return in_turns

    def tests(self, stain: str) -> list[Tiles]:
        """See `Study.tests`."""
        return _restained_tests(stain, self.quick)

    def methods(self, stain: str, tiles: Tiles) -> dict[str, NDArray[np.uint8]]:
        """H&E itself, colour transfer, and two answers of the teacher: without DAB, and asked a second time."""
        assert isinstance(tiles, HeldOut)
        painted = [paint(pair.sample, np.random.default_rng(9)).ihc for pair in _pairs(stain, self.quick)]
        return {
            "identity": tiles.he,
            "colour-transfer": colour_transfer(tiles.he, sampled(painted)),
            "no-dab": tiles.repainted(0, scale=0.0)[0],
            "teacher-again": tiles.repainted(1)[0],
        }


def _data() -> Restaining:
    return restained_data(shipped_recipe("stain-cd3-distance"))


def _sources(*, quick: bool) -> tuple[Source, ...]:
    tested = {source.file for source in TEST_SLIDES}
    sources = tuple(source for source in _data().sources if source.file not in tested)
    return sources[-1:] if quick else sources


def _phantoms(*, quick: bool) -> int:
    return 1 if quick else _data().phantoms


@cache
def _pairs(stain: Stain, quick: bool) -> list[Pair]:
    data = restained_data(shipped_recipe(f"stain-{stain_word(stain)}-demo"))
    changes = {"sources": _sources(quick=quick), "phantoms": _phantoms(quick=quick)}
    return make_pairs(data.model_copy(update=changes), sample_path(), mpp=MPP)


@cache
def _restained_tests(stain: Stain, quick: bool) -> list[Tiles]:
    tests = []
    for source in TEST_SLIDES:
        places = slide_tiles(prepare(read_source(source, sample_path(), MPP), stain, mpp=MPP))
        tests.append(HeldOut.of(source.file.split(".")[0], places[:1] if quick else places))
    return tests
