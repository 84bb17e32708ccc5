"""What is exported, read by Bio-Formats, with which QuPath reads it: ``make check-bioformats BIOFORMATS=….jar``."""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from patience import SECONDS

from diffuscope.exports import export
from diffuscope.results.result import Result


def bioformats(tool: str, *words: str | Path) -> str:
    line = ["java", "-Xmx1g", "-cp", os.environ["BIOFORMATS"], f"loci.formats.tools.{tool}", *map(str, words)]
    return subprocess.run(line, check=True, capture_output=True, text=True, timeout=2 * SECONDS).stdout


@pytest.mark.parametrize("ending", [".ome.tif", ".jpeg.ome.tif"])
def test_every_series_and_level_has_its_pixels_names_and_size(
    make_result: Callable[..., Result], tmp_path: Path, ending: str
) -> None:
    result = make_result()
    path = export(result, tmp_path / f"r{ending}")
    root = ET.fromstring(bioformats("ImageInfo", "-nopix", "-noflat", "-omexml-only", path))
    images = root.findall("{*}Image")
    assert [one.get("Name") for one in images] == [port.name for port in result.ports]
    for one in images:
        assert float(one.find("{*}Pixels").get("PhysicalSizeX")) == pytest.approx(result.mpp)
        assert "not for diagnosis" in one.findtext("{*}Description")
    number = 0
    with tifffile.TiffFile(path) as file:
        for series in file.series:
            for level in series.levels:
                out = tmp_path / f"{number}.ome.tiff"
                bioformats("ImageConverter", "-series", str(number), path, out)
                number += 1
                found, expected = np.squeeze(tifffile.imread(out)), np.squeeze(level.asarray())
                if found.shape != expected.shape:  # colours as planes
                    found = np.moveaxis(found, 0, -1)
                if ending == ".ome.tif":
                    np.testing.assert_array_equal(found, expected)
                else:  # decoders of JPEG round each in its own way
                    assert np.abs(found.astype(float) - expected).max() <= 4
