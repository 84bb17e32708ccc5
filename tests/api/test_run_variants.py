"""Runs of StainDiffuser's variants over a real slide: images, a table row a stain, a card that states all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import diffuscope as verbs
from diffuscope.engine.events import Preview
from diffuscope.jobs import prepare
from diffuscope.measurement.measurements import measure
from diffuscope.model.folder import load_model, save_model
from diffuscope.results.own import TABLE
from diffuscope.results.result import open_result
from diffuscope.stains import dab_density
from diffuscope.systems.registry import build_system
from diffuscope.tiling.region import Region

CARD = {
    "title": "Untrained",
    "what_it_is": "Random weights for tests.",
    "what_it_is_not": "A stain.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}
SETTINGS = {"steps": 2, "device": "cpu", "precision": "fp32", "threads": 1, "region": Region(100, 60, 90, 70)}


def untrained(folder: Path, name: str, config: dict) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        system = build_system(name, {"size": "tiny", "T": 20} | config)
    return save_model(folder, system, name, {"size": "tiny", "T": 20} | config, CARD)


@pytest.fixture
def multi(tmp_path: Path) -> Path:
    return untrained(tmp_path / "multi", "multi-staindiffuser", {"stains": ["CD3", "CK8/18"]})


def test_all_stains_come_in_one_run_with_a_row_each(multi: Path, small_slide: Path, tmp_path: Path):
    events = list(verbs.run(multi, small_slide, tmp_path / "out.ome.zarr", samples=2, **SETTINGS))
    previews = [event for event in events if isinstance(event, Preview)]
    assert previews and all(event.steps == 8 for event in previews)
    result = open_result(tmp_path / "out.ome.zarr")
    assert [port.key for port in result.ports] == [
        "ihc_cd3", "dab_cd3", "uncertainty_cd3", "ihc_ck818", "dab_ck818", "uncertainty_ck818",
    ]  # fmt: skip
    assert [(row["region"], row["stain"]) for row in result.table] == [
        ("100,60,90,70", "CD3"), ("100,60,90,70", "CK8/18"),
    ]  # fmt: skip
    for row, key in zip(result.table, ("cd3", "ck818"), strict=True):
        tissue = result.tissue.read(0, 0, 70, 90)
        dab = np.asarray(result.images[f"dab_{key}"][0])[..., 0]
        assert float(row["mean_dab_od"]) == pytest.approx(dab[tissue].mean(), rel=1e-4)
        means = np.asarray(result.samples[f"samples_{key}"][:])[:, tissue].mean(axis=1)
        assert row["samples"] == "2" and result.record["samples"] == 2
        assert float(row["mean_dab_od_low"]) == pytest.approx(means.min(), rel=1e-4)
        assert float(row["mean_dab_od_high"]) == pytest.approx(means.max(), rel=1e-4)
    assert result.table[0]["mean_dab_od"] != result.table[1]["mean_dab_od"]


def test_what_was_begun_without_keeping_samples_is_gone_on_with_without(
    multi: Path, small_slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out, asked = tmp_path / "out.ome.zarr", {"samples": 2, **SETTINGS}
    with monkeypatch.context() as before:
        before.setattr(prepare, "samples_kept", lambda *_: ())
        for event in verbs.run(multi, small_slide, out, cancelled=lambda: True, **asked):
            assert not isinstance(event, Preview)
    list(verbs.run(multi, small_slide, out, resume=True, **asked))
    result = open_result(out)
    assert result.complete and not result.samples and "samples" not in result.table[0]


def test_a_virtual_he_has_no_dab_to_measure(small_slide: Path, tmp_path: Path):
    back = untrained(tmp_path / "back", "bidirectional-staindiffuser", {"stain": "CD3", "direction": "ihc-to-he"})
    list(verbs.run(back, small_slide, tmp_path / "out.ome.zarr", **SETTINGS))
    result = open_result(tmp_path / "out.ome.zarr")
    assert result.complete and list(result.images) == ["he", "uncertainty"]
    assert measure(result) == [] and result.table == [] and not (result.path / TABLE).exists()
    assert list(result.record["inputs"]) == ["ihc"]


def test_the_distance_comes_in_micrometres(small_slide: Path, tmp_path: Path):
    model = untrained(tmp_path / "m", "staindiffuser", {"stain": "CD3", "auxiliary": "distance", "distance_um": 2.0})
    list(verbs.run(model, small_slide, tmp_path / "out.ome.zarr", **SETTINGS))
    result = open_result(tmp_path / "out.ome.zarr")
    distance, share = (np.asarray(result.images[key][0]) for key in ("distance", "segmentation"))
    assert np.abs(distance).max() <= 2.0 and distance.std() > 0.1
    assert {port.key: port.unit for port in result.ports}["distance"] == "µm"
    # blended tiles: the share of a mean is the mean of the shares where a pixel is not cut
    assert ((share > 0.5) == (distance > 0)).mean() > 0.99
    colours = np.asarray(result.images["ihc"][0])
    assert np.abs(np.asarray(result.images["dab"][0])[..., 0] - dab_density(colours)).mean() < 0.05


def test_the_card_states_lambda_and_t_where_the_recipe_left_them_out(tmp_path: Path):
    folder = tmp_path / "m"
    save_model(folder, build_system("staindiffuser", {"stain": "CD3"}), "staindiffuser", {"stain": "CD3"}, CARD)
    stated = load_model(folder).stated.config
    assert (stated["T"], stated["lambda_seg"], stated["auxiliary"]) == (2000, 1.0, "segmentation")
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "| T | 2000 |" in text and "| lambda_seg | 1.0 |" in text


def test_one_set_of_weights_serves_both_directions(tmp_path: Path, small_slide: Path):
    """As docs/staindiffuser.md tells: a copy of the folder whose config.json names the other direction."""
    forth = untrained(tmp_path / "forth", "bidirectional-staindiffuser", {"stain": "CD3"})
    stated = forth / "config.json"
    assert '"direction": "he-to-ihc"' in stated.read_text(encoding="utf-8")
    stated.write_text(stated.read_text(encoding="utf-8").replace("he-to-ihc", "ihc-to-he"), encoding="utf-8")
    assert [port.key for port in load_model(forth).system.outputs] == ["he", "uncertainty"]
