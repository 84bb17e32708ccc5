"""Small valid results, models, recipes, tables and records, made from nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz.pictures import big_tiff
from benchmarks.fuzz.volumes import by_itk

# Px of a picture that takes two tiles, and the part that does.
_WIDE, _TWO_TILES = 320, "0,0,320,64"
OUT = "out.ome.zarr"
_OPTIONS: dict[str, Any] = {"steps": 1, "device": "cpu", "threads": 1}
RECIPES = Path("src/diffuscope/training/recipes")
_CARD = {
    "title": "Made",
    "what_it_is": "Untrained.",
    "what_it_is_not": "A model.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": False,
}
_MASKS: dict[str, Any] = {"stain": "CD3", "size": "tiny", "T": 1000, "patch": 64}
_SLICES: dict[str, Any] = {"target": {"name": "CT"}, "source": {"name": "MR"}, "size": "tiny", "tile": 32, "overlap": 8}


def model(folder: Path, system: str = "staindiffuser", config: dict[str, Any] | None = None) -> Path:
    """Write the folder of an untrained model."""
    import torch

    from diffuscope.model.folder import save_model
    from diffuscope.systems.registry import build_system

    config = _MASKS if config is None else config
    torch.manual_seed(0)
    return save_model(folder / "model", build_system(system, config), system, config, _CARD)


def result(folder: Path) -> Path:
    """Run an untrained model over a picture."""
    return _run(folder, model(folder), big_tiff(folder), region="32,32,64,64")


def unfinished(folder: Path) -> Path:
    """Cancel a run after its first tile."""
    return _run(folder, model(folder), big_tiff(folder, side=_WIDE), region=_TWO_TILES, most=1)


def gone_on_with(folder: Path) -> Path:
    """Cancel a run after its first tile, with model and picture beside it."""
    work = folder / "work"
    work.mkdir()
    _run(work, model(work), big_tiff(work, side=_WIDE), keep=True, region=_TWO_TILES, most=1)
    return work


def go_on(work: Path) -> None:
    """Go on with that run to its end."""
    from diffuscope.api.run import run

    for _ in run(work / "model", work / "big.ome.tif", work / OUT, region=_TWO_TILES, resume=True, **_OPTIONS):
        pass


def volume_result(folder: Path) -> Path:
    """Run an untrained model over two slices of a volume."""
    config = _SLICES | {"mpp": 1000.0, "patch": 32}
    return _run(folder, model(folder, "midiffusion", config), by_itk("head.nii.gz")(folder), slices="2:4")


def _run(
    folder: Path, model: Path, source: Path, *, most: int | None = None, keep: bool = False, **options: Any
) -> Path:
    from diffuscope.api.run import run
    from diffuscope.engine.events import TileDone

    out, done = folder / OUT, 0
    asked = {"cancelled": lambda: most is not None and done >= most, **_OPTIONS, **options}
    for event in run(model, source, out, **asked):
        done += isinstance(event, TileDone)
    for other in () if keep else (model, source):
        shutil.rmtree(other) if other.is_dir() else other.unlink()
    return out


def recipe(folder: Path) -> Path:
    """Copy a shipped recipe with most kinds of entries."""
    return Path(shutil.copy(RECIPES / "stain-cd3-learned-masks.yaml", folder / "recipe.yaml"))


def recipe_of_cases(folder: Path) -> Path:
    """Copy a shipped recipe of a user's own cases."""
    return Path(shutil.copy(RECIPES / "t1-to-flair-ms.yaml", folder / "recipe.yaml"))


def cases(folder: Path) -> Path:
    """Write a table of cases, and empty files that it names."""
    data = folder / "data"
    data.mkdir()
    lines = ["case,group,part,he,ihc"]
    for number in range(6):
        for key in ("he", "ihc"):
            (data / f"{key}{number}.png").touch()
        lines.append(
            f"case{number},patient{number // 2},{'train' if number else 'test'},he{number}.png,ihc{number}.png"
        )
    (data / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return data


def rows(folder: Path) -> Path:
    """Write a table of rows that a run is given."""
    path = folder / "cohort.csv"
    path.write_text("case,age,sex\nP1,63,f\nP2,41,m\nP3,,f\n", encoding="utf-8")
    return path


def landmarks(folder: Path) -> Path:
    """Write a table of landmarks."""
    path = folder / "landmarks.csv"
    points = "\n".join(",".join(map(str, row)) for row in np.random.default_rng(0).integers(0, 128, (9, 4)))
    path.write_text(f"x_fixed,y_fixed,x_moving,y_moving\n{points}\n", encoding="utf-8")
    return path


def transform(folder: Path) -> Path:
    """Write a transform as a registration does."""
    from diffuscope.registration.transform import Bend, Transform

    path = folder / "transform.json"
    bend = Bend(origin=(0.0, 0.0), spacing=(30.0, 30.0), coefficients=np.zeros((2, 6, 6)))
    Transform(matrix=np.eye(2), shift=np.array([1.0, 2.0]), bend=bend).save(path, {"fixed": "a", "moving": "b"})
    return path


def report(folder: Path) -> Path:
    """Write a report as an evaluation does, as far as it is read again."""
    path = folder / "report.json"
    case = {"case": "a", "group": "a", "outputs": {"ihc": {"psnr": 20.0, "ssim": 0.5}}}
    about = {"format": 1, "model": {"name": "made", "hash": "0" * 64}, "cases": [case], "settings": {"seed": 0}}
    path.write_text(json.dumps(about, indent=1), encoding="utf-8")
    return path
