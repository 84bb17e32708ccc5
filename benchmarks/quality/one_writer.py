"""Two processes on one result, and kills in the wrong moment: nothing is wrong, nothing is lost, all can go on.

Each trial starts two runs of one result within a twentieth of a second: two that go on with it, one that goes on and
one that begins it again, or two new ones. One must come to the end with the files, byte for byte, of a run that nobody
disturbed, and the other be refused in a sentence, or come to the same end after it. Each kill (SIGKILL) is aimed at one
of the calls that change the disk while a result is made, one is replaced, one is exported over an older export, or a
data set is evaluated; then the same is asked for once more, with resume or overwrite, and must come to the same end.
Nothing but what was asked for may be left in the folder. Linux only: children are forked.
"""

from __future__ import annotations

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.quality._toy_runs import begin, content, end_of, evaluate_toy, export_toy, prepare, run_toy
from benchmarks.shared.figures import Goal
from diffuscope.evaluation.report.folder import read_report

TRIALS, KILLS = 200, 50
GOALS = {
    "trials": Goal(low=TRIALS),
    "wrong": Goal(high=0),
    "lost": Goal(high=0),
    "kills": Goal(low=KILLS),
    "gone_on_with": Goal(low=KILLS),
    "left_behind": Goal(high=0),
}
_PAIRS = (("resume", "resume"), ("resume", "overwrite"), ("new", "new"))
_SENTENCES = (
    "is being written by",
    "came into being meanwhile",
    "has worked on",
    "nothing to resume",
    "exists already",
)


def measure(*, trials: int = 200, kills: int = 50, seed: int = 0) -> dict[str, float]:
    """Let pairs of runs meet, then kill.

    Parameters
    ----------
    trials : int
        Pairs.
    kills : int
        Kills.
    seed : int
        Of the moments.
    """
    chance = random.Random(seed)  # noqa: S311
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        whole, half = folder / "whole.ome.zarr", folder / "half.ome.zarr"
        _must(partial(run_toy, folder, whole), folder)
        _must(partial(run_toy, folder, half, tiles=1), folder)
        right = content(whole)
        if content(half) != "incomplete":
            raise RuntimeError("the run that was to be cancelled on its way came to its end")
        ends: Counter[str] = Counter()
        begun = time.monotonic()
        for number in range(trials):
            ends.update(_trial(folder, half, right, _PAIRS[number % 3], chance))
        seconds = (time.monotonic() - begun) / max(trials, 1)
        ends.update(_kills(folder, whole, right, kills, chance))
    return {
        "trials": trials,
        "wrong": ends["wrong"],
        "lost": ends["lost"],
        "both_ended_whole": ends["both"],
        "one_refused": ends["refused"],
        "seconds_a_trial": seconds,
        "kills": ends["killed"],
        "gone_on_with": ends["gone on with"],
        "left_behind": ends["left"],
    }


def _must(job: Callable[[], None], folder: Path) -> None:
    if end_of(begin(job, folder / "told")) != 0:
        raise RuntimeError((folder / "told").read_text(encoding="utf-8"))


def _trial(folder: Path, half: Path, right: str, pair: tuple[str, str], chance: random.Random) -> list[str]:
    """Let two runs meet; return what came of it."""
    place = folder / "trial"
    out = place / "out.ome.zarr"
    place.mkdir()
    if pair != ("new", "new"):
        shutil.copytree(half, out)
    children = []
    for number, how in enumerate(pair):
        options = {how: True} if how != "new" else {}
        children.append(begin(partial(run_toy, folder, out, **options), folder / f"told{number}"))
        time.sleep(chance.uniform(0.0, 0.05))
    ended = [end_of(child) for child in children]
    told = [(folder / f"told{number}").read_text("utf-8") for number, status in enumerate(ended) if status]
    found = content(out)
    came = ["both" if ended == [0, 0] else "refused"]
    if 1 in ended or (found != right and found not in ("missing", "incomplete")) or not all(map(_is_told, told)):
        print("wrong:", pair, ended, told, flush=True)
        came.append("wrong")
    elif found != right or 0 not in ended:
        print("lost:", pair, ended, told, found, flush=True)
        came.append("lost")
    came += ["left"] * _left(place, out)
    shutil.rmtree(place)
    return came


def _is_told(text: str) -> bool:
    return "\n" not in text.strip() and any(part in text for part in _SENTENCES)


def _left(place: Path, *known: Path) -> int:
    """Return how many things lie beside or in what was asked for that do not belong there."""
    beside = {one.name for one in place.iterdir()} - {one.name for one in known}
    inside = [one for one in place.rglob(".*") if one.name.startswith((".held", ".part-")) or one.suffix == ".part"]
    if beside or inside:
        print("left:", beside, inside, flush=True)
    return len(beside) + len(inside)


def _kills(folder: Path, whole: Path, right: str, kills: int, chance: random.Random) -> list[str]:
    """Kill what makes, replaces, exports and evaluates, in turns; return what came of it."""
    place = folder / "killed"
    out, exported, report = place / "out.ome.zarr", place / "out.ome.tif", place / "report"
    aims: tuple[tuple[Path, Callable[[], None]], ...] = (
        (out, partial(run_toy, folder, out)),
        (out, partial(run_toy, folder, out, overwrite=True)),
        (exported, partial(export_toy, whole, exported)),
        (report, partial(evaluate_toy, folder, report, resume=False)),
    )
    came, figures = [], ""
    counts = []
    for number, (made, job) in enumerate(aims):
        _put_before(place, whole, number)
        if end_of(begin(job, folder / "told", count=folder / "count")) != 0:
            raise RuntimeError((folder / "told").read_text(encoding="utf-8"))
        counts.append(int((folder / "count").read_text()))
        figures = _figures(made) if made == report else figures
        shutil.rmtree(place)
    for number in range(kills):
        aim = number % len(aims)
        made, job = aims[aim]
        _put_before(place, whole, aim)
        while end_of(begin(job, folder / "told", kill_at=chance.randint(1, counts[aim]))) != -9:
            shutil.rmtree(place)
            _put_before(place, whole, aim)
        came.append("killed")
        again = chance.choice(("resume", "overwrite"))
        if made == out:
            job = partial(run_toy, folder, out, **{again: True})
        elif made == report:
            job = partial(evaluate_toy, folder, report, resume=True)
        status = end_of(begin(job, folder / "told"))
        text = (folder / "told").read_text("utf-8") if status else ""
        if made == out and status == 2 and "nothing to resume" in text:
            status = 0  # killed before the first call of a replacement, or after the last one of a run
        if made == out:
            good = content(out) == right
        else:
            good = made.exists() and (made != report or _figures(report) == figures)
        if status == 0 and good:
            came.append("gone on with")
        else:
            print("not gone on with:", aim, again, status, good, text, flush=True)
        came += ["left"] * _left(place, made)
        shutil.rmtree(place)
    return came


def _put_before(place: Path, whole: Path, aim: int) -> None:
    """Put what the job of a number finds there."""
    place.mkdir()
    if aim == 1:
        shutil.copytree(whole, place / "out.ome.zarr")
    elif aim == 2:
        (place / "out.ome.tif").write_bytes(b"an older export")


def _figures(report: Path) -> str:
    return repr(read_report(report)["sets"])
