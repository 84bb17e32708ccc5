"""Small valid slides as scanners write them, and what QuPath writes about slides."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tifffile

from benchmarks.fuzz import texts
from benchmarks.fuzz.pictures import picture
from tests.standins.made_scanner import write_ndpi, write_qptiff, write_scn

_CHANNELS = ["DAPI", "CD3"]
_PHILIPS = (
    '<?xml version="1.0"?><DataObject ObjectType="DPUfsImport"><Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028"'
    ' Element="0x0030" PMSVR="IDoubleArray">&quot;0.00025&quot; &quot;0.00025&quot;</Attribute></DataObject>'
)


def _grey() -> np.ndarray:
    return np.moveaxis(picture(len(_CHANNELS)), -1, 0)


def ndpi(folder: Path) -> Path:
    """Write a Hamamatsu NDPI of two levels, with a macro."""
    return write_ndpi(folder / "slide.ndpi", picture())


def scn(folder: Path) -> Path:
    """Write a Leica SCN of two channels."""
    return write_scn(folder / "slide.scn", _grey())


def qptiff(folder: Path) -> Path:
    """Write a QPTIFF of two channels, with a thumbnail and a label."""
    return write_qptiff(folder / "slide.qptiff", _grey(), _CHANNELS)


def philips(folder: Path) -> Path:
    """Write a Philips TIFF."""
    path = folder / "slide.tiff"
    with tifffile.TiffWriter(path) as file:
        file.write(
            picture(), photometric="rgb", tile=(64, 64), description=_PHILIPS, software="Philips DP v1.0", metadata=None
        )
    return path


def dicom_slide(folder: Path) -> Path:
    """Export a result as a DICOM slide: what is written without loss is read again."""
    from diffuscope.api.export import export
    from diffuscope.results.result import open_result

    made = texts.result(folder)
    colours = next(port.key for port in open_result(made).ports if port.kind == "rgb")
    for _ in export(made, folder / "slide.dicom", colours):
        pass
    return folder / "slide.dicom"


def annotations(folder: Path) -> Path:
    """Write annotations as QuPath exports them: a polygon, several, one with a hole, a point, classes of all kinds."""

    def feature(kind: str, coordinates: object, **about: object) -> dict[str, object]:
        geometry = {"type": kind, "coordinates": coordinates}
        return {
            "type": "Feature", "id": "b2b0b4a6-54d0-4f30-8a8c-2e6a7a3c1a11", "geometry": geometry,
            "properties": {"objectType": "annotation", **about},
        }  # fmt: skip

    ring, hole = [[10, 10], [90, 12], [80, 90], [10, 10]], [[40, 30], [50, 30], [50, 40], [40, 30]]
    found = [
        feature("Polygon", [ring], name="Core", classification={"name": "Tumour", "color": [200, 0, 0]}),
        feature("Polygon", [ring, hole], classification={"names": ["Stroma", "Dense"], "colorRGB": -3670016}),
        feature("MultiPolygon", [[ring], [hole]], measurements={"Area": 12.5}, isLocked=True),
        feature("Point", [5, 5]),
    ]
    path = folder / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": found}), encoding="utf-8")
    return path


def project(folder: Path) -> Path:
    """Write a QuPath project of two slides, one of them rotated."""
    side = {"value": 0.5, "unit": "µm"}
    plain = {
        "builderType": "uri",
        "uri": "file:/slides/a.svs",
        "args": [],
        "metadata": {"width": 128, "height": 128, "pixelCalibration": {"pixelWidth": side, "pixelHeight": side}},
    }
    builders = (plain, {"builderType": "rotated", "builder": plain, "rotation": "ROTATE_90"})
    images = [
        {"serverBuilder": one, "entryID": number, "imageName": f"Slide {number}", "metadata": {}}
        for number, one in enumerate(builders, start=1)
    ]
    path = folder / "project.qpproj"
    path.write_text(json.dumps({"version": "0.6.0", "uri": path.as_uri(), "images": images}), encoding="utf-8")
    return path
