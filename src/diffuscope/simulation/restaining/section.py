"""A section that was stained twice: the H&E of the shipped slide, and what the teacher's rule makes of it.

To register, and to hold two pictures against each other. **A rule, not an antibody.**
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from diffuscope.cases.find import SIMULATED
from diffuscope.files.place import FOLDER, check_place
from diffuscope.files.put import in_place_of
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.scans.region import in_memory
from diffuscope.simulation.restaining.teacher import paint, prepare

SLIDE = "CMU-1-Small-Region.svs"
#: The H&E; its restain as a second scan has it, turned and shifted; and two draws of the rule where the H&E lies.
HE, RESTAINED, FIRST, SECOND = "he.ome.tif", "restained.ome.tif", "first-draw.ome.tif", "second-draw.ome.tif"
#: How the second scan lies to the first: degrees, and px along (y, x).
DEGREES, SHIFT = 6.0, (24.0, -15.0)
# Dermis and epidermis, px along y and x; and the glass beside what was scanned.
_WINDOW, _GLASS = np.s_[600:1560, 500:1460], 245


def write_section(folder: Path) -> None:
    """Write the four pictures.

    Parameters
    ----------
    folder : Path
        Empty, or is made.

    Raises
    ------
    InputError
        The folder is not empty.
    """
    check_place(folder, FOLDER, way_out="choose another folder")
    scan = open_scan(sample_path(SLIDE))
    he = in_memory(scan.levels[0][_WINDOW])
    assert scan.mpp is not None  # the slide states it
    sample = prepare(he, "CD3", mpp=scan.mpp)
    first, second = (paint(sample, np.random.default_rng(seed)).ihc for seed in (0, 1))
    with in_place_of(folder, replace=False) as part:
        part.mkdir()
        for name, pixels in ((HE, he), (RESTAINED, moved(first)), (FIRST, first), (SECOND, second)):
            _write(part / name, pixels, scan.mpp)
        (part / SIMULATED).write_text(f"CD3 painted on {SLIDE} by a written rule.\n", encoding="utf-8")


def moved(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture as a second scan has it: turned about its middle, and shifted."""
    turned = ndimage.rotate(pixels, DEGREES, axes=(0, 1), reshape=False, order=1, cval=_GLASS)
    return np.asarray(ndimage.shift(turned, (*SHIFT, 0), order=1, cval=_GLASS))


def _write(path: Path, pixels: NDArray[np.uint8], mpp: float) -> None:
    size = {"PhysicalSizeX": mpp, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": mpp, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(
        path,
        pixels,
        tile=(256, 256),
        photometric="rgb",
        compression="adobe_deflate",
        ome=True,
        metadata={"axes": "YXS", "Name": path.stem, **size},
    )
