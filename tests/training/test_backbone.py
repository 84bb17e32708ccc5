"""A recipe's image encoder begins with published weights, from a file or from a copy of a hub's repository."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch

from diffuscope.errors import InputError
from diffuscope.systems.mmfusion.config import ImagesConfig
from diffuscope.training.backbone import find_backbone
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import Recipe

IMAGES = {"backbone": "resnet10", "planes": 4, "stem": "small", "tumour": [16, 16, 16], "node": [8, 8, 8]}
RECIPE = {
    "name": "nodes",
    "system": "mmfusion",
    "config": {"width": 8, "images": IMAGES, "tables": [{"name": "b", "key": "blood", "columns": [{"name": "x"}]}]},
    "data": {"cohort": ["cohort.csv"], "label": "metastasis", "above": 0},
    "optimisation": {"steps": 2},
    "backbone": "published.pth",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = "\n".join(f"p{number},{number / 9},{number % 2}" for number in range(20))
    (tmp_path / "cohort.csv").write_text(f"patient_id,x,metastasis\n{rows}\n", encoding="utf-8")
    return tmp_path


def published(path: Path) -> dict[str, torch.Tensor]:
    from diffuscope.systems.mmfusion.maps import make_resnet

    torch.manual_seed(5)
    state = make_resnet(ImagesConfig.model_validate(IMAGES))[0].state_dict()
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, path)
    return state


def test_both_encoders_begin_with_the_weights_of_a_file(folder: Path):
    pytest.importorskip("monai")
    want = published(folder / "published.pth")
    (one,) = prepare(Recipe.model_validate(RECIPE), folder)
    for which in ("tumour", "nodes"):
        found = one.start.system.images.backbones[which].features.state_dict()
        assert found.keys() == want.keys() and all(torch.equal(found[key], want[key]) for key in want)
    other = copy.deepcopy(RECIPE)
    other["config"]["images"]["planes"] = 8
    with pytest.raises(InputError, match=r"published\.pth holds weights of another network"):
        prepare(Recipe.model_validate(other), folder)


def test_what_cannot_be_begun_with_is_one_sentence(folder: Path):
    with pytest.raises(InputError, match=r"published\.pth does not exist"):
        prepare(Recipe.model_validate(RECIPE), folder)
    with pytest.raises(InputError, match="write hub:owner/name/file"):
        find_backbone("hub:owner", folder)
    (folder / "published.pth").write_bytes(b"")
    without = copy.deepcopy(RECIPE)
    del without["config"]["images"]
    with pytest.raises(InputError, match="sees no images"):
        prepare(Recipe.model_validate(without), folder)


def test_a_hub_s_cache_serves_without_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    repository = tmp_path / "models--lab--net"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0" * 40)
    (repository / "snapshots" / ("0" * 40)).mkdir(parents=True)
    (repository / "snapshots" / ("0" * 40) / "r18.pth").write_bytes(b"weights")
    (repository / "snapshots" / ("0" * 40) / "unet").mkdir()
    (repository / "snapshots" / ("0" * 40) / "unet" / "config.json").write_text("{}")
    fetch = huggingface_hub.snapshot_download
    monkeypatch.setattr(
        huggingface_hub,
        "snapshot_download",
        lambda address, **options: fetch(address, cache_dir=tmp_path, local_files_only=True, **options),
    )
    assert find_backbone("hub:lab/net/r18.pth", tmp_path).read_bytes() == b"weights"
    with pytest.raises(InputError, match=r"has no file other\.pth"):
        find_backbone("hub:lab/net/other.pth", tmp_path)
    assert (find_backbone("hub:lab/net", tmp_path) / "unet" / "config.json").read_text() == "{}"
    (repository / "snapshots" / ("0" * 40) / "unet" / "config.json").unlink()
    with pytest.raises(InputError, match="hub:lab/net is no Stable Diffusion"):
        find_backbone("hub:lab/net", tmp_path)
