"""Labels beside an image, and a whole case that gives an image back on its lattice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from model_card import CARD
from pydantic import BaseModel

import diffuscope
from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.model.folder import save_model
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems import registry
from diffuscope.systems.base import Estimate, Whole
from diffuscope.systems.registry import Row, build_system

sitk = pytest.importorskip("SimpleITK")

CT = {
    "kind": "map",
    "channels": ("CT",),
    "mpp": 1000.0,
    "range": (-1000.0, 1000.0),
    "dtype": "float32",
    "fill": -1000.0,
}
SPACING = (None, 1.0, 1.0)
DECLARED = Declaration(
    task="cutting out",
    inputs=(
        Raster(name="CT", key="ct", spacing=SPACING, **CT),
        Mask(name="outlines", key="outlines", on="ct", roles=("tumour", "node")),
    ),
    outputs=(
        Raster(name="tumour alone", key="alone", spacing=SPACING, **CT),
        Score(name="share", key="share", classes=("none", "tumour")),
    ),
    presets={"fast": SampleSettings(sampler="direct", steps=1)},
)


class NoConfig(BaseModel):
    """Nothing to configure."""


class CutOut(Whole):
    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {})
        tumour = inputs["outlines"] == 1
        return {
            "alone": torch.where(tumour, inputs["ct"], -1000.0),
            "share": tumour.float().mean().reshape(1),
        }


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(registry._ROWS, "cut-out", Row(NoConfig, lambda _: DECLARED, lambda _: CutOut(DECLARED)))
    return save_model(tmp_path / "cut-out", build_system("cut-out", {}), "cut-out", {}, CARD)


def write(path: Path, voxels: np.ndarray, spacing: float = 1.0) -> Path:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((spacing, spacing, 3.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture
def voxels() -> np.ndarray:
    return np.random.default_rng(0).integers(-200, 300, (4, 20, 24)).astype(np.int16)


def test_labels_lie_on_their_image_and_an_image_comes_back_on_its_lattice(model, voxels, tmp_path: Path):
    labels = np.zeros(voxels.shape, np.uint8)
    labels[1:3, 5:12, 7:9], labels[0, 2, 2] = 1, 2
    source = {"ct": write(tmp_path / "ct.nii.gz", voxels), "outlines": write(tmp_path / "labels.nii.gz", labels)}
    diffuscope.finish(diffuscope.run(model, source, tmp_path / "out.ome.zarr", device="cpu"))
    result = diffuscope.open_result(tmp_path / "out.ome.zarr")
    expected = np.where(labels == 1, voxels, -1000)
    # As the run sees a volume, and so the result: upright; through a file it comes back as it was.
    diffuscope.finish(diffuscope.export(result.path, tmp_path / "alone.nii.gz"))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "alone.nii.gz"))), expected)
    assert result.scores["share"].mean == pytest.approx((labels == 1).mean())
    assert result.record["inputs"]["outlines"]["roles"] == ["tumour", "node"]
    assert "outlines=labels.nii.gz" in result.record["command"]
    # What was outlined in a window is no file.
    source["outlines"] = LayerCopy(path=source["outlines"], layer="Labels")
    diffuscope.finish(diffuscope.run(model, source, tmp_path / "again.ome.zarr", device="cpu"))
    drawn = diffuscope.open_result(tmp_path / "again.ome.zarr").record
    assert drawn["inputs"]["outlines"]["name"] == "Labels" and drawn["command"] == ""


@pytest.mark.parametrize(
    ("labels", "spacing", "message"),
    [
        (np.full((4, 20, 24), 3, np.uint8), 1.0, "the label 3 without a role.*1 for tumour.*#3=tumour"),
        (np.full((4, 20, 24), 0.5, np.float32), 1.0, "fractions and no labels"),
        (np.full((4, 20, 24), -700, np.int16), 1.0, "values from -700 to -700.*no labels"),
        (np.zeros((4, 20, 24), np.uint8), 1.0, "nothing is outlined in labels.nii.gz"),
        (np.zeros((4, 20, 23), np.uint8), 1.0, "23 x 20 x 4 voxels of 1 x 1 x 3 mm from .* does not lie on ct.nii.gz"),
        (np.zeros((4, 20, 24), np.uint8), 1.2, "does not lie on"),
    ],
)
def test_labels_that_do_not_fit_are_refused(model, voxels, tmp_path: Path, labels, spacing: float, message: str):
    source = {
        "ct": write(tmp_path / "ct.nii.gz", voxels),
        "outlines": write(tmp_path / "labels.nii.gz", labels, spacing),
    }
    with pytest.raises(InputError, match=message):
        diffuscope.finish(diffuscope.run(model, source, tmp_path / "out.ome.zarr", device="cpu"))
    assert not (tmp_path / "out.ome.zarr").exists()
