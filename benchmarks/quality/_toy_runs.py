"""Runs of a system of three lines in processes of their own, which others may meet, or a kill: each ends in a second.

The parent only forks: what it imported is there in each child at once, and it starts no thread that a child would lack.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import signal
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats  # noqa: F401  of what is evaluated: else each child would load it
from PIL import Image
from pydantic import BaseModel

from diffuscope.api.evaluate import evaluate
from diffuscope.api.export import export
from diffuscope.api.run import run
from diffuscope.errors import InputError
from diffuscope.model.folder import save_model
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems import registry
from diffuscope.systems.base import Estimate, Tiled
from diffuscope.systems.registry import Row

SIDE = 300
# Of what is evaluated: as little as five scales of similarity take.
_JUDGED = 180
_RGB: dict[str, Any] = {"kind": "rgb", "channels": ("R", "G", "B"), "mpp": 0.5, "range": (0.0, 255.0)}
_DECLARED = Declaration(
    task="photography",
    inputs=(Raster(name="H&E", key="he", **_RGB),),
    outputs=(Raster(name="negative", key="negative", **_RGB),),
    presets={"fast": SampleSettings(sampler="direct", steps=1)},
    tile=128,
    overlap=16,
)
_CARD = {
    "title": "Photographic negative",
    "what_it_is": "Every value taken from 255, and noise.",
    "what_it_is_not": "A stain.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": False,
}
#: Calls that change a disk, or open a file: a kill is aimed at one of them.
_CALLS = ("open", "mkdir", "fsync", "rename", "replace", "link", "unlink", "rmdir", "utime")


class _Config(BaseModel):
    """Nothing to configure."""


class _Slow(Tiled):
    """Slow enough that two meet."""

    def sample(self, inputs: Mapping[str, Any], noise: Any, settings: SampleSettings) -> Any:
        del settings
        time.sleep(0.03)
        yield Estimate(1, 1, {"negative": 255.0 - inputs["he"]})
        drawn = noise("negative", sample=0, step=0, channels=3)
        return {"negative": (255.0 - inputs["he"] + 4.0 * drawn).clamp(0.0, 255.0)}


def prepare(folder: Path) -> None:
    """Put a model, a picture and a data set of two pairs into a folder; the system is known from now on."""
    registry._ROWS["slow-negative"] = Row(_Config, lambda _: _DECLARED, lambda _: _Slow(_DECLARED))
    save_model(folder / "model", _Slow(_DECLARED), "slow-negative", {}, _CARD)
    chance = np.random.default_rng(0)
    pairs = dict.fromkeys(("data/he/one", "data/he/two", "data/negative/one", "data/negative/two"), _JUDGED)
    for name, side in {"picture": SIDE, **pairs}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        small = chance.integers(0, 255, (side // 20, side // 20, 3), np.uint8)
        Image.fromarray(small).resize((side, side)).save(folder / f"{name}.png")


def run_toy(folder: Path, out: Path, *, tiles: int | None = None, **options: Any) -> None:
    """Run to the end, or up to a number of tiles."""
    done = 0
    region = f"0,0,{SIDE},{SIDE}"
    fixed: dict[str, Any] = {"region": region, "mpp": 0.5, "device": "cpu", "threads": 1, "batch": 1}
    picture = folder / "picture.png"
    events = run(
        folder / "model", picture, out, **fixed, **options, cancelled=lambda: tiles is not None and done >= tiles
    )
    for event in events:
        done += type(event).__name__ == "TileDone"


def export_toy(result: Path, out: Path) -> None:
    """Export, in place of what is there."""
    for _ in export(result, out, overwrite=True):
        pass


def evaluate_toy(folder: Path, out: Path, *, resume: bool) -> None:
    """Evaluate the two pairs."""
    for _ in evaluate(folder / "model", folder / "data", out, mpp=0.5, resume=resume):
        pass


def begin(job: Callable[[], None], told: Path, *, kill_at: int = 0, count: Path | None = None) -> int:
    """Do a job in a child; return its process.

    Parameters
    ----------
    job : callable
        What is done. The child ends with 0, with 2 where it was refused in a sentence, else with 1.
    told : Path
        File for the sentence, or for the traceback.
    kill_at : int
        Which of its calls (see `_CALLS`) kills it; 0: none.
    count : Path, optional
        File for the number of calls.
    """
    child = os.fork()
    if child:
        return child
    status, calls = 1, [0]
    try:
        _watch(calls, kill_at)
        job()
        status = 0
    except InputError as error:
        told.write_text(str(error), encoding="utf-8")
        status = 2
    except BaseException:  # noqa: BLE001  whatever it is, the parent's work must not go on here
        told.write_text(traceback.format_exc(), encoding="utf-8")
    finally:
        if count is not None:
            count.write_text(str(calls[0]), encoding="utf-8")
        os._exit(status)


def end_of(child: int) -> int:
    """Wait for a child; return how it ended, -9 where it was killed."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(folder: Path) -> str:
    """Return a hash of all that a complete result holds but its record; why not, of one that is not complete."""
    if not (folder / ".zattrs").exists():
        return "missing"
    if not json.loads((folder / ".zattrs").read_text(encoding="utf-8"))["diffuscope"]["complete"]:
        return "incomplete"
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = file.relative_to(folder).as_posix()
        if name != ".zattrs":
            digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _watch(calls: list[int], kill_at: int) -> None:
    """Count the calls that change a disk, and end at one of them, as a plug that is pulled would."""

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **options: Any) -> Any:
            calls[0] += 1
            if calls[0] == kill_at:
                # Before it is done, or after.
                if random.random() < 0.5:  # noqa: S311
                    function(*given, **options)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*given, **options)

        return call

    for name in _CALLS:
        setattr(os, name, watched(getattr(os, name)))
    io.open = watched(io.open)
