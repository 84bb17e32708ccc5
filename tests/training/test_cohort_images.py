"""A cohort with CT and outlines trains a model that then scores a case from its files."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch

import diffuscope
from diffuscope.errors import InputError
from diffuscope.results.result import open_result
from diffuscope.training.data.cohort import LABEL
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Recipe

pytest.importorskip("monai")

CONFIG = {
    "width": 16,
    "members": 2,
    "tables": [{"name": "blood", "key": "blood", "columns": [{"name": "x"}]}],
    "images": {
        "backbone": "resnet10",
        "planes": 4,
        "stem": "small",
        "norm": "group",
        "spacing": [2, 2, 2],
        "tumour": [16, 16, 16],
        "node": [8, 8, 8],
    },
}


def write_case(folder: Path, name: str, hu: float, *, node: bool = True, mask: bool = True) -> None:
    """Write a CT whose tumour has these HU, with its outlines; (z, y, x) voxels of (3, 1.5, 1.5) mm."""
    labels = np.zeros((12, 24, 24), np.uint8)
    labels[3:7, 6:14, 8:16] = 1
    if node:
        labels[8:10, 18:21, 3:6] = 2
    ct = np.where(labels == 1, hu, 0.0).astype(np.int16)
    affine = np.diag([-1.5, -1.5, 3.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(ct.transpose(2, 1, 0), affine), folder / f"{name}_ct.nii.gz")
    if mask:
        nibabel.save(nibabel.Nifti1Image(labels.transpose(2, 1, 0), affine), folder / f"{name}_mask.nii.gz")


def write_cohort(folder: Path, count: int = 36) -> None:
    """Write patients whose class goes by their tumour's HU; some have no node, some no CT, some no blood."""
    rng = np.random.default_rng(0)
    lines = ["patient_id,ct,mask,x,metastasis"]
    for number in range(count):
        name, label = f"p{number:02d}", number % 2
        pictured = number % 9 != 8
        if pictured:
            write_case(folder, name, 30 + 120 * label + rng.normal() * 5, node=number % 5 != 0)
        files = f"{name}_ct.nii.gz,{name}_mask.nii.gz" if pictured else ","
        lines.append(f"{name},{files},{'' if number % 7 == 6 else round(rng.normal(), 3)},{label}")
    (folder / "cohort.csv").write_text("\n".join(lines), encoding="utf-8")


def recipe(**optimisation: object) -> dict:
    return {
        "name": "nodes",
        "system": "mmfusion",
        "config": CONFIG,
        "data": {"cohort": ["cohort.csv"], "label": "metastasis", "above": 0},
        "optimisation": {"steps": 150, "batch": 12, "learning_rate": 8e-3, "warmup": 5, "validations": 2, "ema": 0.9}
        | optimisation,
    }


def test_crops_are_made_once_and_what_a_patient_lacks_is_nan(tmp_path: Path):
    write_cohort(tmp_path, 20)
    (one,) = prepare(Recipe.model_validate(recipe(batch=16)), tmp_path)
    [held], batch = one.data.validation, one.data.batch_at(0)
    assert batch["tumour"].shape == (16, 1, 16, 16, 16) and batch["nodes"].shape == (16, 3, 1, 8, 8, 8)
    assert len(held[LABEL]) == 4 and set(batch) == {"tumour", "nodes", "blood", "label", "case"}
    # Of a tumour of one grey all that is shown is that grey, of whose HU the class goes.
    hu = [float((crop[crop > -1].mean() + 1) * 200 - 160) for crop in batch["tumour"] if not crop.isnan().any()]
    classes = [
        int(label) for label, crop in zip(batch["label"], batch["tumour"], strict=True) if not crop.isnan().any()
    ]
    assert [int(one > 90) for one in hu] == classes and len(hu) < 16
    lacks = batch["nodes"].isnan().flatten(2).all(2)
    assert lacks[:, 1:].all() and not lacks[:, 0].all()


@pytest.mark.slow
def test_a_model_is_trained_on_ct_and_scores_files(tmp_path: Path):
    write_cohort(tmp_path)
    (tmp_path / "nodes.yaml").write_text(json.dumps(recipe(steps=300)), encoding="utf-8")
    diffuscope.finish(diffuscope.train(tmp_path / "nodes.yaml", tmp_path / "model", device="cpu"))
    means = {}
    for hu in (30, 150):
        write_case(tmp_path, f"new{hu}", hu)
        source = {"ct": tmp_path / f"new{hu}_ct.nii.gz", "mask": tmp_path / f"new{hu}_mask.nii.gz", "blood": {"x": 0.0}}
        out = tmp_path / f"{hu}.ome.zarr"
        diffuscope.finish(diffuscope.run(tmp_path / "model", source, out, device="cpu"))
        result = open_result(out)
        means[hu] = result.scores["metastasis"].mean
        # What is shown lies on the structures and nowhere else, at the most looked at it is 100 %.
        shown = np.asarray(result.images["relevance"][0]).squeeze()
        labels = np.asarray(nibabel.load(source["mask"]).dataobj).transpose(2, 1, 0)
        assert shown.shape == labels.shape and shown.max() == 100 and (shown[labels == 0] == 0).all()
        assert (shown[labels == 1] > 0).all() and (shown[labels == 2] > 0).all()
    assert means[30] < 0.3 and means[150] > 0.7
    # Without images there is nothing to draw on.
    diffuscope.finish(diffuscope.run(tmp_path / "model", {"blood": {"x": 0.0}}, tmp_path / "t.ome.zarr", device="cpu"))
    alone = open_result(tmp_path / "t.ome.zarr")
    assert not alone.images and 0 <= alone.scores["metastasis"].mean <= 1
    with pytest.raises(InputError, match="relevance lies on an image, and none is given"):
        diffuscope.run(tmp_path / "model", {"blood": {"x": 0.0}}, tmp_path / "no.ome.zarr", want=["relevance"])


def test_what_is_wrong_with_a_patient_s_image_names_the_patient(tmp_path: Path):
    write_cohort(tmp_path, 4)
    path = tmp_path / "p01_mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(np.ones((24, 24, 5), np.uint8), np.eye(4)), path)
    with pytest.raises(InputError, match=r"p01.*does not lie on"):
        prepare(Recipe.model_validate(recipe()), tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=r"p01.*does not exist"):
        prepare(Recipe.model_validate(recipe()), tmp_path)


def test_a_cohort_without_any_ct_trains_a_model_that_would_measure_one(tmp_path: Path):
    """What nobody has is missing of all: its scale stays, and the other tables train."""
    rows = "\n".join(f"p{number},{number / 9},{number % 2}" for number in range(20))
    (tmp_path / "cohort.csv").write_text(f"patient_id,x,metastasis\n{rows}\n", encoding="utf-8")
    tables = [*CONFIG["tables"], {"name": "radiomics", "key": "radiomics", "measured": {"features": ["stat_mean"]}}]
    (one,) = prepare(Recipe.model_validate(recipe() | {"config": CONFIG | {"tables": tables}}), tmp_path)
    batch = one.data.batch_at(0)
    assert set(batch) == {"blood", "label", "case"}
    assert float(one.start.system.loss(batch, torch.Generator().manual_seed(0))["loss"]) > 0
