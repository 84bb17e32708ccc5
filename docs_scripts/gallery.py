"""Make the pictures of the demonstration weights: the teacher's steps, and the models on every slide that ships.

::

    python -m docs_scripts.gallery
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.segmentation import find_boundaries

from benchmarks.shared.scores import MPP, restained_data, shipped_recipe
from benchmarks.shared.slide import as_taken, sample
from diffuscope import DEMO_SLIDE, load_model
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.cells import describe, find_nuclei
from diffuscope.simulation.restaining.sources import Source, read_source
from diffuscope.simulation.restaining.teacher import Stain, paint, prepare

IMAGES = Path(__file__).parents[1] / "docs/images" / "weights"
SIDE = 448  # px of 0.5 µm
SHOWN = 336  # px of a panel
MODELS: dict[Stain, str] = {"CD3": "stain-cd3-demo", "CK8/18": "stain-ck818-demo"}
#: Upper left corners (y, x) of what is shown of the large slides; chosen on the H&E alone, before any model ran.
PLACES = {
    DEMO_SLIDE: [(640, 800), (1900, 1000), (2400, 700)],
    "TCGA-CR-7395.svs": [(640, 2720), (2000, 1400), (2700, 1200)],
}


def sheet(panels: dict[str, NDArray[np.uint8]], path: Path) -> None:
    """Write panels side by side, each under its name."""
    font = ImageFont.load_default(15)
    picture = Image.new("RGB", (len(panels) * (SHOWN + 6) - 6, SHOWN + 22), "white")
    draw = ImageDraw.Draw(picture)
    for number, (name, pixels) in enumerate(panels.items()):
        left = number * (SHOWN + 6)
        draw.text((left + 2, 1), name, fill="black", font=font)
        picture.paste(Image.fromarray(pixels).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (left, 22))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=88)


def grey(values: NDArray[np.floating], high: float) -> NDArray[np.uint8]:
    """Show 0 … high as white … black."""
    shade = 255 * (1 - np.clip(values / high, 0, 1))
    return np.repeat(shade.astype(np.uint8)[..., None], 3, axis=-1)


def square(pixels: NDArray[np.uint8], y: int, x: int) -> NDArray[np.uint8]:
    """Cut `SIDE` px; white where a source is smaller."""
    part = pixels[y : y + SIDE, x : x + SIDE]
    missing = [(0, SIDE - n) for n in part.shape[:2]]
    return np.pad(part, [*missing, (0, 0)], constant_values=255)


def teach(he: NDArray[np.uint8], path: Path) -> None:
    """Show the teacher's steps on one crop of the held-out slide."""
    y, x = PLACES[DEMO_SLIDE][0]
    window = np.s_[y : y + SIDE, x : x + SIDE]
    panels = {"H&E": he[window]}
    for stain in MODELS:
        teacher_sample = prepare(he, stain, mpp=MPP)
        if stain == "CD3":
            # the counterstain is 0.8 of the common haematoxylin
            haematoxylin = teacher_sample.counterstain / 0.8
            labels = find_nuclei(haematoxylin, mpp=MPP)
            outlined = he.copy()
            outlined[find_boundaries(labels, mode="inner")] = (0, 255, 0)
            cells = describe(labels, haematoxylin, mpp=MPP)
            panels["nuclei"] = outlined[window]
            for name, score in (("lymphocyte-like", cells.lymphocyte), ("epithelial-like", cells.epithelial)):
                panels[name] = grey(np.concatenate([[0.0], score])[labels][window], 1.0)
        panels[f"P({stain} is painted)"] = grey(teacher_sample.probability()[window], 1.0)
        panels[f"one draw of {stain}"] = paint(teacher_sample, np.random.default_rng(0), window).ihc
    sheet(panels, path)


def main() -> None:
    """Write every sheet."""
    sources = [
        Source(file=DEMO_SLIDE, mpp=MPP, evidence="0.499 stated"),
        *restained_data(shipped_recipe(MODELS["CD3"])).sources,
    ]
    models = {stain: load_model(name) for stain, name in MODELS.items()}
    for source in sources:
        he = read_source(source, sample_path(), MPP)
        if source.file == DEMO_SLIDE:
            teach(he, IMAGES / "teacher.jpg")
        stem = Path(source.file).name.split(".")[0]
        for number, (y, x) in enumerate(PLACES.get(source.file, [(0, 0)]), start=1):
            panels = {"H&E": square(he, y, x)}
            for stain, model in models.items():
                taught = prepare(he, stain, mpp=MPP)
                drawn = paint(taught, np.random.default_rng(0), np.s_[y : y + SIDE, x : x + SIDE])
                given = square(as_taken(model, taught), y, x)[None]
                out = sample(model, given, [(y, x)], next(iter(model.system.presets.values())))
                panels[f"{stain}: teacher's draw"] = square(drawn.ihc, 0, 0)
                panels[f"{stain}: model"] = out["ihc"][0].round().astype(np.uint8)
                panels[f"{stain}: uncertainty to 0.3 OD"] = grey(out["uncertainty"][0, ..., 0], 0.3)
            sheet(panels, IMAGES / f"{stem}-{number}.jpg")


if __name__ == "__main__":
    main()
