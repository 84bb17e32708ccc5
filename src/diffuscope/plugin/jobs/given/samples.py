"""Samples that are simulated when somebody asks for them, and kept in the user's folder of results."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from diffuscope.plugin.forms import out
from diffuscope.plugin.jobs.job import Job, verb
from diffuscope.plugin.jobs.session import Session
from diffuscope.sample_data import sample_path

#: What a section is registered from, and two draws of one rule to hold against each other, in its folder.
SECTION, DRAWS = ("he.ome.tif", "restained.ome.tif"), ("first-draw.ome.tif", "second-draw.ome.tif")
#: µm/px of the pairs, which are PNG and do not say it.
PAIRS_MPP = 0.5
# Slides that ship, each with a region that is computed soon, level-0 px.
_SLIDES = {"CMU-1-Small-Region.svs": "1000,860,256,256", "OS-1-detail.ome.tif": "400,400,480,480"}


def with_sample(session: Session, name: str, then: Callable[[Path], None]) -> None:
    """Call something with the folder of a sample, once that is made.

    Parameters
    ----------
    session : Session
        Whose dock asks; it makes the sample where it is not there yet.
    name : str
        One of those of `diffuscope.plugin.jobs.verbs.make_sample`.
    then : callable
        Takes it into the dock.
    """
    folder = out.results_folder() / "samples" / name
    if folder.is_dir():
        then(folder)
        return

    def end(made: Path | None) -> str | None:
        if made is None:
            return None
        then(made)
        return ""

    session.submit(
        Job(
            text="make the sample",
            doing="Making the sample: a simulation, kept for the next time…",
            work=verb("make_sample", which=name, folder=folder),
            out=folder,
            on_end=end,
        )
    )


def write_slides() -> Path:
    """Write a table of slides that ship, for a run over many."""
    path = out.results_folder() / "samples" / "slides.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "region"])
        table.writerows([str(sample_path(name)), region] for name, region in _SLIDES.items())
    return path
