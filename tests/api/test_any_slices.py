"""Any contrasts of a volume from any others, slice by slice: only some are given, only some are made."""

from __future__ import annotations

import shlex
from itertools import islice
from pathlib import Path

import any_toys
import numpy as np
import pytest
from model_card import CARD
from typer.testing import CliRunner

import diffuscope
from diffuscope.cli import app
from diffuscope.engine.events import TileDone
from diffuscope.errors import InputError
from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.prepare import prepare
from diffuscope.model.folder import save_model
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

nibabel = pytest.importorskip("nibabel")
SHAPE = (40, 36, 5)
AFFINE = np.array([[-1.0, 0, 0, 20], [0, 1.0, 0, -18], [0, 0, 4.0, 7], [0, 0, 0, 1]])


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the toy's model and two contrasts of one head: a bright ball in each."""
    monkeypatch.setitem(registry._ROWS, "any-slices", any_toys.ROWS["any-slices"])
    save_model(tmp_path / "toy", build_system("any-slices", {}), "any-slices", {}, CARD)
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("a", "b")):
        volume(tmp_path / f"{name}.nii.gz", seed)
    return tmp_path


def volume(path: Path, seed: int, affine: np.ndarray = AFFINE) -> None:
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, side) for side in SHAPE), indexing="ij")
    voxels = np.random.default_rng(seed).uniform(100, 200, SHAPE) * ((x**2 + y**2) < 0.7) * (np.abs(z) < 0.9)
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), affine), path)


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words])


def scaled(path: Path, result: diffuscope.results.result.Result, key: str) -> np.ndarray:
    """What the network sees of a file, (x, y, z): the recorded values become 0 and 1."""
    low, high = result.record["inputs"][key]["values"]
    return ((nibabel.load(path).get_fdata() - low) / (high - low)).clip(0, 1)


def test_one_contrast_is_made_of_two_and_exported_where_they_lie(inside: Path):
    given = ("--input", "t1=a.nii.gz", "--input", "t2=b.nii.gz")
    done = call("run", "toy", *given, "--want", "flair", "-o", "out.ome.zarr", "--device", "cpu")
    assert done.exit_code == 0, done.output
    result = diffuscope.open_result("out.ome.zarr")
    assert result.complete and list(result.images) == ["flair"] and list(result.record["inputs"]) == ["t1", "t2"]
    assert call("export", "out.ome.zarr", "-o", "flair.nii.gz").exit_code == 0
    written = nibabel.load("flair.nii.gz")
    np.testing.assert_allclose(written.affine, AFFINE)
    assert written.header["descrip"].item().decode() == "generated FLAIR: computed by a model, not for diagnosis"
    expected = scaled(inside / "a.nii.gz", result, "t1") + scaled(inside / "b.nii.gz", result, "t2") + 0.3
    found = written.get_fdata()
    assert np.isfinite(found).mean() > 0.5
    np.testing.assert_allclose(found[np.isfinite(found)], expected[np.isfinite(found)], atol=1e-5)


def test_what_is_not_given_is_made_on_the_lattice_of_what_is(inside: Path):
    diffuscope.finish(diffuscope.run("toy", {"t2": "b.nii.gz"}, "out.ome.zarr", device="cpu"))
    result = diffuscope.open_result("out.ome.zarr")
    assert list(result.images) == ["t1", "flair"] and result.place.spacing == (4.0, 1.0, 1.0)
    t1, flair = (np.asarray(result.images[key][0]) for key in ("t1", "flair"))
    assert result.coverage is not None
    np.testing.assert_allclose((flair - t1)[2], 0.2, atol=1e-5)
    command = shlex.split(result.record["command"])
    command[command.index("-o") + 1] = "again.ome.zarr"
    assert call(*command[1:]).exit_code == 0
    np.testing.assert_array_equal(np.asarray(diffuscope.open_result("again.ome.zarr").images["flair"][0]), flair)


def test_a_run_that_was_broken_off_goes_on_with_the_same(inside: Path):
    source = {"t1": "a.nii.gz", "t2": "b.nii.gz"}
    whole, broken = inside / "whole.ome.zarr", inside / "broken.ome.zarr"
    diffuscope.finish(diffuscope.run("toy", source, whole, device="cpu", batch=1))
    events = diffuscope.run("toy", source, broken, device="cpu", batch=1)
    list(islice((event for event in events if isinstance(event, TileDone)), 2))
    events.close()
    assert not diffuscope.open_result(broken).complete
    with pytest.raises(InputError, match=r"was begun with (wanted|input)"):
        diffuscope.run("toy", source, broken, device="cpu", batch=1, want=("flair",), resume=True)
    with pytest.raises(InputError, match="was begun with input"):
        diffuscope.run("toy", {"t1": "a.nii.gz"}, broken, device="cpu", batch=1, resume=True)
    diffuscope.finish(diffuscope.run("toy", source, broken, device="cpu", batch=1, resume=True))
    got, expected = (np.asarray(diffuscope.open_result(one).images["flair"][0]) for one in (broken, whole))
    np.testing.assert_array_equal(got, expected)


def test_a_contrast_elsewhere_in_the_patient_is_refused(inside: Path):
    moved = AFFINE.copy()
    moved[0, 3] += 3
    volume(inside / "moved.nii.gz", 2, moved)
    with pytest.raises(InputError, match=r"T1 .* and FLAIR .* do not lie on one lattice"):
        diffuscope.run("toy", {"t1": "a.nii.gz", "flair": "moved.nii.gz"}, "no", device="cpu")
    with pytest.raises(InputError, match="all that it makes is given"):
        diffuscope.run("toy", dict.fromkeys(any_toys.KEYS, "a.nii.gz"), "no", device="cpu")
    with pytest.raises(InputError, match="one of T1, T2, FLAIR is needed"):
        diffuscope.run("toy", {}, "no", device="cpu")


def test_a_worker_elsewhere_computes_the_same_of_what_is_given(inside: Path):
    request = {"mpp": None, "seed": 0, "request": ComputeRequest(device="cpu"), "overwrite": False, "resume": False}
    job = prepare("toy", {"t1": "a.nii.gz"}, Path("out.ome.zarr"), want=("t2",), **request)
    tiles = list(job.plan.tiles())[: job.work.batch]
    answer = job.work(tiles)
    assert [list(one.outputs) for one in answer.computed] == [["t2"]] * len(tiles)
    for one in answer.computed:
        [expected] = [array[..., 0] + 0.2 for array in job.read(one.tile).values()]
        np.testing.assert_allclose(one.outputs["t2"], expected, atol=1e-6)


def test_what_makes_anything_is_not_evaluated_as_what_makes_one_thing(inside: Path):
    with pytest.raises(InputError, match="toy takes any of its images"):
        diffuscope.evaluate("toy", ".", "report")
