"""A run killed again and again at random moments, and a dask worker killed on the way: the result is always the same.

Each of 20 runs of nine tiles is killed (SIGKILL) after a random number of tiles and a random time, and gone on with,
up to three times, before it may end. Compared is every pixel of every image and level, and the table. Two network
steps a tile, so that kills fall on reading, writing and blending as often as on the network. A tile is done again if
it had been computed before a kill and was not in the ledger; each run logs what it computed, so that they can be
counted.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil

from benchmarks.shared.figures import Goal
from diffuscope import open_result
from diffuscope.engine.tiles import BEHIND
from diffuscope.results.ledger import Ledger

RUNS, KILLS, TILES = 20, 3, 9
# As many tiles.
REGION = "640,1856,600,700"
GOALS = {
    "kills": Goal(low=RUNS),
    "identical": Goal(low=RUNS),
    "cluster_identical": Goal(low=1),
    # Computed, and waiting behind the writer or with it, when the kill came.
    "tiles_redone_max": Goal(high=BEHIND + 1),
}


def start(out: Path, log: Path, workers: int = 0, region: str = REGION) -> subprocess.Popen[bytes]:
    """Start a run that logs its tiles, in a process group of its own."""
    line = [sys.executable, "-m", "benchmarks.speed._logged_run", str(out), str(log), str(workers), region]
    return subprocess.Popen(line, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603


def result_hash(out: Path) -> str:
    """Return one hash of all pixels of a complete result, and of its table."""
    result = open_result(out)
    if not result.complete:
        return "incomplete"
    digest = hashlib.sha256(repr(result.table).encode())
    for key in sorted(result.images):
        for level in result.images[key]:
            digest.update(np.asarray(level).tobytes())
    return digest.hexdigest()


def tiles(file: Path) -> list[tuple[int, ...]]:
    """Return the places in a log."""
    return [tuple(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []


def tiles_of(folder: Path) -> list[tuple[int, ...]]:
    """Return the places in all logs of a run."""
    return [place for log in folder.glob("log*") for place in tiles(log)]


def killed_run(folder: Path, chance: np.random.Generator, seconds: float) -> tuple[str, int, int]:
    """Run to the end through kills; return the hash, how many kills met the run, and the tiles done again."""
    out, kills, again = folder / "out.ome.zarr", 0, 0
    for attempt in range(KILLS + 1):
        log = folder / f"log{attempt}"
        process = start(out, log)
        if attempt == KILLS:
            process.wait()
        else:
            # By what it has done, not by the clock: a machine that is busy now and idle later would miss every run.
            done = chance.integers(0, max(TILES - len(set(tiles_of(folder))), 1))
            while process.poll() is None and len(tiles(log)) < done:
                time.sleep(0.01)
            with suppress(subprocess.TimeoutExpired):
                process.wait(chance.uniform(0.0, 2.0) * seconds / TILES)
        if process.poll() == 0:
            break
        if process.poll() is not None:
            raise RuntimeError("a run that was gone on with failed")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
        again = max(again, len(set(tiles(log)) - set(Ledger(out / "tiles" / "ledger"))))
    return result_hash(out), kills, again


def cluster_run(folder: Path) -> str:
    """Run on two workers and kill one when the first tile is computed."""
    log = folder / "log"
    process = start(folder / "out.ome.zarr", log, workers=2)
    while process.poll() is None and not tiles(log):
        time.sleep(0.02)
    workers = [
        one for one in psutil.Process(process.pid).children(recursive=True) if "spawn_main" in " ".join(one.cmdline())
    ]
    workers[0].kill()
    if process.wait() != 0:
        raise RuntimeError("the run with a killed worker failed")
    return result_hash(folder / "out.ome.zarr")


def measure() -> dict[str, float]:
    """Compare every killed run with one that nobody disturbed."""
    chance = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        begun = time.monotonic()
        if start(folder / "whole.ome.zarr", folder / "log").wait() != 0:
            raise RuntimeError("the undisturbed run failed")
        seconds = time.monotonic() - begun
        whole = result_hash(folder / "whole.ome.zarr")
        found = []
        for number in range(RUNS):
            (folder / str(number)).mkdir()
            found.append(killed_run(folder / str(number), chance, seconds))
        (folder / "cluster").mkdir()
        on_cluster = cluster_run(folder / "cluster")
    return {
        "runs": RUNS,
        "kills": sum(kills for _, kills, _ in found),
        "identical": sum(one == whole for one, _, _ in found),
        "tiles_redone_max": max(again for _, _, again in found),
        "cluster_identical": int(on_cluster == whole),
    }
