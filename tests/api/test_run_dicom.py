"""A run over a DICOM slide: the same pixels and the same place as over the SVS of the slide."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from made_slide import JPEG, write_slide

import diffuscope as verbs
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.tiling.region import Region


def test_a_result_of_a_dicom_slide_is_that_of_its_svs_and_lies_on_both(tiny_model, tmp_path, shared) -> None:
    svs = sample_path("CMU-1-Small-Region.svs")
    with tifffile.TiffFile(svs) as tif:
        page = tif.pages[0]
        shape, tile = (page.imagelength, page.imagewidth), (page.tilelength, page.tilewidth)
        frames = []
        for start, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            tif.filehandle.seek(start)
            frames.append(page.jpegtables[:-2] + tif.filehandle.read(count)[2:])
    copied = write_slide(tmp_path / "dicom/a.dcm", frames, shape, tile=tile, syntax=JPEG, mpp=0.499)
    given: dict[str, Path] = {
        "svs": svs,
        "copied": copied.parent,
        "real": shared / "data/slides/CMU-1-Small-Region-dicom",
    }
    results = {}
    for name, slide in given.items():
        out = tmp_path / f"{name}.ome.zarr"
        list(
            verbs.run(
                tiny_model, slide, out, steps=1, device="cpu", precision="fp32", region=Region(700, 1000, 150, 120)
            )
        )
        results[name] = open_result(out)
    first = results["svs"]
    for one in results.values():
        assert (one.window, one.mpp, one.origin, one.factor) == (first.window, first.mpp, first.origin, first.factor)
    for key in first.images:
        np.testing.assert_array_equal(results["copied"].images[key][0], first.images[key][0])
