"""DAMM-Diffusion from files to a result: two channels of a slide, two volumes, γ of a run, resuming, workers."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

import diffuscope as verbs
from diffuscope.cli import app
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.systems.registry import build_system

CARD = dict.fromkeys(("title", "what_it_is", "what_it_is_not", "data", "licence", "trained_on"), "a test")
OPTIONS = {"batch": 1, "device": "cpu", "threads": 1, "precision": "fp32", "steps": 3}


def model(folder: Path, **changes) -> Path:
    config = {"size": "tiny", "T": 50, "patch": 32} | changes
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system("damm", config)
        for parameter in system.parameters():
            if not parameter.any():
                parameter.data.normal_(0.0, 0.1)
    return save_model(folder, system, "damm", config, CARD | {"simulated": True})


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pixels = np.random.default_rng(0).integers(0, 4000, (2, 60, 80)).astype(np.uint16)
    path = tmp_path_factory.mktemp("slides") / "slide.ome.tif"
    about = {"axes": "CYX", "Channel": {"Name": ["DAPI", "CD31"]}, "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
    tifffile.imwrite(path, pixels, photometric="minisblack", tile=(64, 64), metadata=about)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model(tmp_path_factory.mktemp("models") / "nano")


def go(model: Path, source, out: Path, **options) -> dict[str, np.ndarray]:
    list(verbs.run(model, source, out, **{"region": "0,0,80,60", **OPTIONS, **options}))
    return open_result(out).values.arrays


def test_gamma_is_a_number_of_the_run_which_its_record_repeats(tmp_path, slide, folder, assert_same, monkeypatch):
    own = go(folder, slide, tmp_path / "own.ome.zarr")
    gamma = float(np.nanmedian(own["divergence"][..., 0]))
    mixed = go(folder, slide, tmp_path / "mixed.ome.zarr", options={"gamma": gamma})
    # The first step begins with the same noise, so that d is the same: only what it decides is another.
    np.testing.assert_array_equal(mixed["divergence"][..., 0], own["divergence"][..., 0])
    assert 0 < mixed["multimodal"][..., 0].mean() < 1
    record = open_result(tmp_path / "mixed.ome.zarr").record
    assert record["parameters"]["options"] == {"gamma": gamma}
    words = shlex.split(record["command"])[1:]
    words = [str(folder) if word == "nano" else word for word in words]
    monkeypatch.chdir(slide.parent)
    words[words.index("-o") + 1] = str(tmp_path / "again.ome.zarr")
    assert CliRunner().invoke(app, words).exit_code == 0
    assert_same(tmp_path / "again.ome.zarr", tmp_path / "mixed.ome.zarr")
    for option, sentence in (("gamma=x", "is no option"), ("delta=1", "choose one of gamma")):
        refused = CliRunner().invoke(app, ["run", str(folder), str(slide), "-o", "no", "--option", option])
        assert refused.exit_code == 2 and sentence in refused.stderr


@pytest.mark.slow
def test_resumed_or_sent_to_a_worker_the_values_are_the_same(tmp_path, slide, folder, assert_same):
    pytest.importorskip("distributed")
    whole = go(folder, slide, tmp_path / "whole.ome.zarr")
    done: list[object] = []
    begun = verbs.run(
        folder, slide, tmp_path / "part.ome.zarr", region="0,0,80,60", cancelled=lambda: len(done) > 12, **OPTIONS
    )
    done.extend(begun)
    assert not open_result(tmp_path / "part.ome.zarr").complete
    resumed = go(folder, slide, tmp_path / "part.ome.zarr", resume=True)
    sent = go(folder, slide, tmp_path / "sent.ome.zarr", workers=1)
    for key, array in whole.items():
        np.testing.assert_array_equal(resumed[key], array)
        np.testing.assert_array_equal(sent[key], array)
    for other in ("part", "sent"):
        assert_same(tmp_path / f"{other}.ome.zarr", tmp_path / "whole.ome.zarr")


def test_two_volumes_make_a_third_slice_by_slice(tmp_path):
    sitk = pytest.importorskip("SimpleITK")
    inputs = [{"key": key, "dtype": "float32", "range": [0, 1], "scale": "percentile"} for key in ("t1", "t2")]
    folder = model(
        tmp_path / "flair", main=inputs[0], auxiliaries=inputs[1:], output={"key": "flair", "range": [0, 1]},
        spacing=[None, 1.0, 1.0],
    )  # fmt: skip
    files = {}
    for number, key in enumerate(("t1", "t2")):
        image = sitk.GetImageFromArray(np.random.default_rng(number).random((3, 40, 36), np.float32) + 0.5)
        image.SetSpacing((1.0, 1.0, 3.0))
        files[key] = tmp_path / f"{key}.nii.gz"
        sitk.WriteImage(image, str(files[key]))
    arrays = go(folder, files, tmp_path / "out.ome.zarr", region=None, slices="0:3")
    result = open_result(tmp_path / "out.ome.zarr")
    assert result.complete and result.images["flair"][0].shape == (3, 40, 36, 1)
    assert arrays["divergence"].shape == (3, 2, 2, 3) and np.isfinite(arrays["divergence"]).all()
    assert next(result.values.rows()).keys() == {"z", "y", "x", "step", "divergence", "multimodal"}
