"""File → Open Sample → Diffuscope: pictures and scans that came with the package."""

from __future__ import annotations

import numpy as np

from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.sample_data import sample_path


def cmu_1() -> list[LayerTuple]:
    """H&E, Aperio SVS, 2220×2967 px at 0.499 µm/px (OpenSlide test data, CC0)."""
    return read_layers(str(sample_path("CMU-1-Small-Region.svs")))


def tcga_cr_7395() -> list[LayerTuple]:
    """H&E, two-level Aperio SVS without µm/px in its header (TCGA, open access)."""
    return read_layers(str(sample_path("TCGA-CR-7395.svs")))


def os_1() -> list[LayerTuple]:
    """H&E, OME-TIFF, 1101² px, a detail of OS-1 (OpenSlide test data)."""
    return read_layers(str(sample_path("OS-1-detail.ome.tif")))


def tumour() -> list[LayerTuple]:
    """Simulated: tumour section, OME-TIFF, 1024² px at 1 µm/px, CD31, DAPI and the nanoparticles that were there."""
    return read_layers(str(sample_path("tumour-simulated.ome.tif")))


def head() -> list[LayerTuple]:
    """T1, T2 and FLAIR of 24 slices of a head with multiple sclerosis (Lesjak et al. 2017, CC BY)."""
    return read_layers([str(sample_path(f"head-patient19-{name}.nii.gz")) for name in ("T1", "T2", "FLAIR")])


def sarcoma() -> list[LayerTuple]:
    """MR (T1-weighted) and CT around a soft-tissue sarcoma, on one lattice (TCIA, IBSI; CC BY 3.0)."""
    return read_layers([str(sample_path(f"sarcoma-STS_010-{name}.nii.gz")) for name in ("MR", "CT")])


def thorax() -> list[LayerTuple]:
    """Radiograph and CT slice of a simulated chest with a nodule, 64² px of 4 mm."""
    found = read_layers([str(sample_path(f"thorax-simulated/{key}/chest-0000.ome.tif")) for key in ("ct", "xray")])
    return [(data, about | {"name": f"simulated {about['name']}"}, kind) for data, about, kind in found]


def oesophagus() -> list[LayerTuple]:
    """A simulated tumour of the oesophagus with two nodes in a real neck CT, outlined (OpenKBP, MIT)."""
    [(voxels, about, kind)] = read_layers(str(sample_path("oesophagus-simulated/ct/P0000.nii.gz")))
    [(mask, placed, _)] = read_layers(str(sample_path("oesophagus-simulated/masks/P0000.nii.gz")))
    names = {"index": [1, 2, 3], "name": ["tumour", "node 1", "node 2"]}
    outlines = placed | {"name": "P0000, simulated: outlines", "features": names, "opacity": 0.4}
    for only_of_images in ("contrast_limits", "colormap"):
        del outlines[only_of_images]
    return [(voxels, about | {"name": "P0000, simulated: CT"}, kind), (mask.astype(np.uint8), outlines, "labels")]
