"""What is measured of a slide is measured once, and anew where the slide or what is asked is another."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from diffuscope import load_model, stains
from diffuscope.jobs import scaling
from diffuscope.jobs.inputs import PortInput, open_inputs
from diffuscope.scans import Scan
from diffuscope.stains import StainStatistics, measure_stains


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count what is measured."""
    counted: list[int] = []
    monkeypatch.setattr(stains, "measure_stains", lambda *of, **how: counted.append(1) or measure_stains(*of, **how))
    return counted


def opened(path: Path, *, mpp: float | None = None) -> PortInput:
    ports = load_model("stain-cd3-demo").system.input_rasters
    return open_inputs({ports[0].key: path}, ports, "stain-cd3-demo", mpp=mpp)[0]


def stains_of(one: PortInput) -> StainStatistics | None:
    factors = one.scan.factors(one.port)
    return scaling.with_statistics([one], scaling.find_foreground([one]), factors=factors)[0].stains


def test_a_slide_is_measured_once_however_often_it_is_opened(small_slide, measured):
    first, again = stains_of(opened(small_slide)), stains_of(opened(small_slide))
    scan = opened(small_slide).scan
    assert first is not None and first == again == scan.stains(
        scan.foreground(), factors=scan.factors(opened(small_slide).port)
    )
    assert len(measured) == 2  # and the one that this test compares with


def test_another_scale_other_content_and_another_foreground_are_measured_anew(small_slide, measured, tmp_path):
    one = opened(small_slide)
    told = stains_of(one)
    assert stains_of(opened(small_slide, mpp=0.3)) != told and len(measured) == 2
    path = tmp_path / small_slide.name
    pixels = tifffile.imread(small_slide)
    tifffile.imwrite(path, pixels // 2, resolution=(20040, 20040), resolutionunit="CENTIMETER", photometric="rgb")
    assert stains_of(opened(path, mpp=one.scan.mpp)) != told and len(measured) == 3
    inside = scaling.find_foreground([one])
    half = replace(inside, mask=inside.mask & (np.arange(inside.mask.shape[0]) < inside.mask.shape[0] // 2)[:, None])
    scaling.with_statistics([one], half, factors=one.scan.factors(one.port))
    assert len(measured) == 4


def test_what_is_not_read_from_a_disk_is_never_taken_for_known(small_slide, measured):
    one = opened(small_slide)
    assert isinstance(one.scan, Scan)
    for nameless in (replace(one.scan, fingerprint=""), replace(one.scan, path=Path("s3:/bucket/slide.zarr"))):
        before = len(measured)
        for _ in range(2):
            stains_of(replace(one, scan=nameless))
        assert len(measured) == before + 2
