"""Samples that open from napari's menu with more than one layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

import diffuscope.errors
from diffuscope.plugin.layers.samples import oesophagus

napari = pytest.importorskip("napari")


def test_the_simulated_patient_opens_as_a_ct_with_named_outlines_on_it():
    (voxels, about, kind), (mask, outlined, other) = oesophagus()
    ct = napari.layers.Image(voxels, **about)
    outlines = napari.layers.Labels(mask, **outlined)
    assert (kind, other) == ("image", "labels")
    assert ct.data.shape == outlines.data.shape == (48, 64, 64)
    np.testing.assert_array_equal(ct.extent.world, outlines.extent.world)
    named = dict(zip(outlines.features["index"], outlines.features["name"], strict=True))
    assert named == {1: "tumour", 2: "node 1", 3: "node 2"}
    assert set(np.unique(mask)) == {0, *named}
    # What is outlined is in the patient, at soft tissue's HU.
    assert 20 < np.median(voxels[mask > 0]) < 120


def test_no_name_of_a_menu_has_what_napari_doubles_in_its_palette():
    manifest = yaml.safe_load(Path(diffuscope.errors.__file__).with_name("napari.yaml").read_text(encoding="utf-8"))
    given = manifest["contributions"]
    named = [*(one["title"] for one in given["commands"]), *(one["display_name"] for one in given["sample_data"])]
    assert len(named) > 30 and [name for name in named if "&" in name] == []
