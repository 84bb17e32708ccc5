"""Measure registration on known warps of the shipped slides, and make the picture of registration.md.

    python -m docs_scripts.registration [../shared/data/deepliif-strips]

Prints the rows of the table. The folder holds real restains (IHC, then the same section in haematoxylin alone), which
do not ship; without it their rows are left out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from diffuscope.events import finish
from diffuscope.registration.find import find_transform
from diffuscope.registration.views import picture
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.simulation.restaining.teacher import paint, prepare
from tests.standins.known_pair import Known, bent, turned, warp, write_slide

IMAGES = Path(__file__).parents[1] / "docs/images"
# TCGA-CR-7395 does not say its µm/px; 0.25 is that of its objective (40x).
SLIDES = {"CMU-1-Small-Region.svs": None, "TCGA-CR-7395.svs": 0.25}
WARPS: dict[str, Callable[..., np.ndarray]] = {"turned": turned, "bent": bent}
# What the picture shows: epidermis and dermis, level-0 px.
WINDOW = (500, 700, 1200, 1200)


def pairs(folder: Path) -> Iterator[tuple[str, str, Known]]:
    """Make the slides and their restains by the teacher's rule, warped."""
    for name, given in SLIDES.items():
        fixed = open_scan(sample_path(name), mpp=given)
        he, mpp = np.asarray(fixed.levels[0]), fixed.mpp
        ihc = paint(prepare(he, "CD3", mpp=mpp), np.random.default_rng(0)).ihc
        middle = np.array(fixed.shape[::-1]) * mpp / 2
        for kind, known in WARPS.items():
            to_fixed = partial(known, middle=middle)
            path = write_slide(folder / f"{fixed.path.stem}-{kind}.ome.tif", warp(ihc, to_fixed, mpp=mpp), mpp=mpp)
            yield fixed.name, kind, Known(fixed, open_scan(path), to_fixed)


def restains(strips: Path, folder: Path) -> Iterator[tuple[str, str, Known]]:
    """Cut the real restains out of their strips and turn the second; their own alignment is taken for the truth."""
    for name, mpp in (("Bladder1", 0.25), ("Lung1", 0.25)):
        strip = np.asarray(Image.open(strips / f"{name}.png").convert("RGB"))
        to_fixed = partial(turned, middle=np.full(2, 256 * mpp))
        fixed = write_slide(folder / f"{name}.ome.tif", strip[:, :512], mpp=mpp)
        moving = write_slide(folder / f"{name}-h.ome.tif", warp(strip[:, 512:1024], to_fixed, mpp=mpp), mpp=mpp)
        yield name, "turned", Known(open_scan(fixed), open_scan(moving), to_fixed)


def main() -> None:
    """Print the table and write the picture."""
    print("| slide | warp | stage | median | 95 % | largest | seconds |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        made = [pairs(Path(scratch))]
        if len(sys.argv) > 1:
            made.append(restains(Path(sys.argv[1]), Path(scratch)))
        for slide, kind, known in (pair for some in made for pair in some):
            begun = time.process_time()
            found = finish(find_transform(known.fixed, known.moving))
            spent = time.process_time() - begun
            for stage, transform in found.stages.items():
                errors = known.errors(transform)
                figures = (f"{value:.2f}" for value in (np.median(errors), np.percentile(errors, 95), errors.max()))
                last = f"{spent:.0f}" if transform is found.transform else ""
                print(f"| {slide} | {kind} | {stage} | {' | '.join(figures)} | {last} |", flush=True)
            if (slide, kind) == ("CMU-1-Small-Region.svs", "bent"):
                before = found.stages["before"]
                drawn = picture(known.fixed, known.moving, before=before, after=found.transform, window=WINDOW)
                small = drawn.resize((drawn.width * 2 // 3, drawn.height * 2 // 3), Image.Resampling.LANCZOS)
                small.quantize(256).save(IMAGES / "registration-checkerboard.png", optimize=True)


if __name__ == "__main__":
    main()
