"""The fuzzer: mutants are the same again from their seed, and each way in which one can end is told apart."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

import pytest
from hostile import KINDS, make

from benchmarks.fuzz import bytes as raw
from benchmarks.fuzz import pool
from benchmarks.fuzz.child import Mutant, listing
from benchmarks.fuzz.openers import KINDS as FORMATS
from benchmarks.fuzz.openers import make_samples
from benchmarks.fuzz.pictures import zarr_4
from benchmarks.quality import fuzz
from benchmarks.quality.fuzz import GOALS, measure

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are read from /proc")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a valid one of all that is read, each opened once."""
    return make_samples(tmp_path_factory.mktemp("samples"))


def contents(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in map(Path, listing(folder)):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = path.readlink()
        elif path.is_file() and path.stat().st_size < 1e7:
            found[name] = path.read_bytes()
    return found


def test_a_mutant_is_the_same_again_from_its_seed_and_another_from_another(tmp_path: Path):
    (tmp_path / "made").mkdir()
    made = zarr_4(tmp_path / "made")
    found = []
    for number, seed in enumerate((1, 1, 2)):
        place = tmp_path / str(number)
        place.mkdir()
        Mutant("OME-Zarr 0.4", seed, made).write(place)
        found.append(contents(place))
    assert found[0] == found[1] != found[2]


def test_mutations_of_bytes_change_them():
    data = bytes(range(256)) * 8 + b"width 640 height 480"
    changed = [raw.mutate(data, Random(seed)) for seed in range(200)]
    assert sum(one != data for one in changed) > 190 and len(set(changed)) > 180


@linux
@pytest.mark.slow
def test_each_end_of_a_mutant_is_told_apart_and_the_next_one_is_served(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pool, "SECONDS", 2.0)
    monkeypatch.setattr(pool, "_WAITING", 2.0)
    made = make(tmp_path)
    jobs = [Mutant(name, 0, made) for name in (*KINDS, "opened")]
    found = list(pool.run(jobs, tmp_path / "scratch", 1, kinds="hostile"))
    assert [mutant for mutant, _ in found] == jobs
    for mutant, outcome in found:
        assert outcome.word == {"noise": "opened", "wait": "hang"}.get(mutant.kind, mutant.kind), outcome
        assert bool(outcome.noise) == (mutant.kind == "noise")
    assert not list((tmp_path / "scratch").iterdir())


@pytest.mark.slow
def test_what_is_right_opens(samples: dict[str, Path]):
    assert len(samples) > 25
    assert all(made.exists() for made in samples.values())


@linux
@pytest.mark.slow
def test_a_few_mutants_of_all_that_is_read_are_opened_or_refused(
    samples: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(fuzz, "make_samples", lambda _, kinds: {name: samples[name] for name in kinds})
    figures = measure(mutants=4 * len(FORMATS), seed=2, processes=2)
    said = capsys.readouterr().out
    assert figures["mutants"] == 4 * len(FORMATS) >= 140
    assert [word for word in GOALS if figures[word]] == [], said
