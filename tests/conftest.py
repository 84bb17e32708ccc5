"""What several rooms share: data beside the repository, a tiny model, a small slide, the rule on GUI tests."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import typer.testing
from hypothesis import HealthCheck, settings

# Seldom until all tests are imported (see `pytest_collection_finish`): it is a quarter of what that takes.
COLLECTED = gc.get_threshold()
gc.set_threshold(10_000, *COLLECTED[1:])
# Modules that hold so many objects that it pays to look through all once more, and no more.
MANY = 200

IN_CI = os.environ.get("CI", "").lower() == "true"
# A busy machine slows a test, and fails none; CI says the same of one commit twice, and who develops looks farther.
settings.register_profile("patient", deadline=None, derandomize=IN_CI, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    """Give each of several processes a screen of its own: on one, a menu of either takes the mouse from the other's."""
    server, ends_with_us = shutil.which("Xvfb"), shutil.which("setpriv")
    if not (hasattr(config, "workerinput") and server and ends_with_us and os.environ.get("DISPLAY")):
        return
    told, tells = os.pipe()
    # However this process ends, and a worker does so without a word: the screen goes with it.
    command = [ends_with_us, "--pdeathsig", "KILL", server, "-displayfd", str(tells), "-screen", "0", "1280x800x24"]
    subprocess.Popen([*command, "-nolisten", "tcp"], pass_fds=[tells], stderr=subprocess.DEVNULL)
    os.close(tells)
    with os.fdopen(told) as answer:
        number = answer.readline().strip()
    if number:  # else it did not start, and all share the one that there is
        os.environ["DISPLAY"] = f":{number}"


MPP = 0.499
"""µm/px of the sample slide that `small_slide` is cut from."""


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Generator[None]:
    """Leave out what only a loss of power could tell from the rest: hundreds of waits a test, of milliseconds each.

    Tests of what is told to the disk and when, or of a disk that fails at it, put their own in its place.
    """
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(os, "fsync", lambda _file: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _commands_are_put_together_once() -> Generator[None]:
    """Have `CliRunner` keep the commands that it makes of the program: as much work as many a command."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(typer.testing, "_get_command", cache(typer.testing._get_command))
        yield


@pytest.fixture(autouse=True)
def _nothing_is_known_of_slides() -> None:
    """Forget what an earlier test measured of the same slide, where what measures has been imported."""
    if (scaling := sys.modules.get("diffuscope.jobs.scaling")) is not None:
        for measured in (scaling._tissue, scaling._stains, scaling._measure_together):
            measured.cache.clear()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real test data that lies beside the repository."""
    folder = Path(__file__).resolve().parents[1] / "../shared"
    if not (folder / "data").is_dir():
        pytest.skip("there is no shared/ beside the repository")
    return folder.resolve()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model folder of an untrained StainDiffuser, the smallest there is; the same weights each time."""
    import torch
    from model_card import CARD

    from diffuscope.model.folder import save_model
    from diffuscope.systems.registry import build_system

    folder = tmp_path_factory.mktemp("models") / "untrained"
    config = {"stain": "CD3", "size": "tiny", "T": 1000}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("staindiffuser", config)
    save_model(folder, system, "staindiffuser", config, CARD)
    return folder


@pytest.fixture(scope="session")
def small_slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a 512 x 512 px tiled pyramidal OME-TIFF of real tissue at 0.499 µm/px."""
    import tifffile

    from diffuscope.sample_data import sample_path

    finest = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[900:1412, 900:1412]
    coarse = finest.reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)).round().astype("uint8")
    path = tmp_path_factory.mktemp("slides") / "small.ome.tif"
    size = {"PhysicalSizeX": MPP, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": MPP, "PhysicalSizeYUnit": "µm"}
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        options = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib"}
        file.write(finest, subifds=1, metadata={"axes": "YXS", **size}, **options)
        file.write(coarse, subfiletype=1, **options)
    return path


@pytest.fixture(scope="session")
def assert_same() -> Callable[[Path, Path], None]:
    """Return what compares two finished results: every level of every image, and the table of figures."""
    from diffuscope.results.result import open_result

    def compare(out: Path, expected: Path) -> None:
        got, want = open_result(out), open_result(expected)
        assert got.complete
        for key, levels in want.images.items():
            for level, other in zip(levels, got.images[key], strict=True):
                np.testing.assert_array_equal(np.asarray(other), np.asarray(level), err_msg=key)
        assert got.table == want.table

    return compare


@pytest.fixture
def rng() -> np.random.Generator:
    """Return draws that are the same whichever tests ran before."""
    return np.random.default_rng(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip GUI tests where there is no display: Qt would end the whole run."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        for item in items:
            if item.get_closest_marker("gui"):
                item.add_marker(pytest.mark.skip(reason="no display: say `make test`, which brings a virtual one"))


_imported = 0


def pytest_collection_finish() -> None:
    """Have the garbage collector leave alone what was imported by now, a million objects that stay."""
    _spare_what_is_there()
    gc.set_threshold(*COLLECTED)


def pytest_runtest_logfinish(nodeid: str) -> None:
    """Have it leave alone what a test imported as well, and all of it again after tests of what undoes that."""
    # To ask how much is spared would count all of it, a tenth of a second after every test.
    if len(sys.modules) > _imported + MANY or "/test_spared.py" in nodeid:
        _spare_what_is_there()


def _spare_what_is_there() -> None:
    """Hide what is there from the collector, which napari has look through all at each layer and viewer that goes."""
    global _imported  # noqa: PLW0603
    gc.collect()
    gc.freeze()
    _imported = len(sys.modules)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI a skipped GUI test has shown nothing, and counts as failed."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("gui"):
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """In CI a file that skips itself has shown nothing: all that tests import is installed there."""
    report = yield
    if IN_CI and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI does not accept: {report.longrepr}"


_outcome = 0


def pytest_sessionfinish(exitstatus: int) -> None:
    """Remember how the tests went."""
    global _outcome  # noqa: PLW0603
    _outcome = int(exitstatus)


@pytest.hookimpl(tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End without taking Qt apart where windows were open.

    What Qt and Python do at exit deletes what is left of Qt in no particular order, which once in some ten sessions
    ends in a segmentation fault after the last test, and would stand for the outcome of all of them. PySide's part of
    it is one of `atexit`'s functions, so these are not run either; of what they do, only children matter here.
    """
    if "napari" in sys.modules and not hasattr(config, "workerinput"):
        for child in multiprocessing.active_children():
            child.kill()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_outcome)
