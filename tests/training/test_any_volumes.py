"""Any of some contrasts from any others, over volumes: trained on a user's own cases, run with what there is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import diffuscope

sitk = pytest.importorskip("SimpleITK")
KEYS = ("t1", "t2", "flair")
CONFIG = {
    "images": [{"key": key, "name": key.upper(), "modality": "mri", "scale": "percentile"} for key in KEYS],
    "size": 16,
    "mpp": 1000.0,
    "autoencoder": {"widths": [8, 8, 8], "latent": 4, "groups": 4},
    "unet": {"widths": [8, 16], "heads": 2, "groups": 4},
    "context": {"width": 16, "adaptation": 3},
}


def write_volumes(folder: Path) -> None:
    """Write three patients: an ellipsoid in air, brighter from contrast to contrast."""
    z, y, x = np.mgrid[-1:1:5j, -1:1:24j, -1:1:20j]
    inside = (z**2 + y**2 + x**2) < 0.9
    for patient in range(3):
        for place, key in enumerate(KEYS, start=1):
            texture = np.random.default_rng((patient, place)).uniform(0.5, 1, inside.shape)
            image = sitk.GetImageFromArray((100 * place * inside * texture).astype(np.float32))
            image.SetSpacing((1.0, 1.0, 3.0))
            (folder / key).mkdir(exist_ok=True, parents=True)
            sitk.WriteImage(image, str(folder / key / f"p{patient}.nii.gz"))


@pytest.mark.slow
def test_trained_on_volumes_it_makes_the_contrast_that_is_asked_for(tmp_path: Path):
    write_volumes(tmp_path / "cases")
    brief = {"steps": 2, "batch": 4, "learning_rate": 1e-3, "warmup": 1, "validations": 1}
    given = {
        "name": "contrasts",
        "system": "medm2g-slices",
        "config": CONFIG,
        "data": {"path": "cases"},
        "rounds": [{"name": one, "objective": one} for one in ("encode-mri", "generate-mri", "cross-mri-mri")],
        "optimisation": brief,
    }
    (tmp_path / "any.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(given))), encoding="utf-8")
    model, out = tmp_path / "model", tmp_path / "made.ome.zarr"
    diffuscope.finish(diffuscope.train(tmp_path / "any.yaml", model, device="cpu"))
    source = {key: str(tmp_path / "cases" / key / "p0.nii.gz") for key in ("t1", "t2")}
    diffuscope.finish(diffuscope.run(model, source, out, device="cpu", steps=2, want=["flair"]))
    result = diffuscope.open_result(out)
    # How far the samples differ goes with the image; of one it is not known.
    assert [port.key for port in result.ports] == ["flair", "flair_sd"]
    made = np.asarray(result.images["flair"][0])
    assert made.shape == (5, 24, 20, 1)
    assert made.min() >= 0 and made.max() <= 1 and np.ptp(made) > 0
