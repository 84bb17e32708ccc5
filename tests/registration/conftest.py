"""A piece of the shipped slide, and its restain by the teacher's rule, warped in known ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from known_pair import MPP, Known, bent, turned, warp, write_slide

from diffuscope.events import finish
from diffuscope.registration.find import Found, find_transform
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan
from diffuscope.simulation.restaining.teacher import paint, prepare

# Epidermis, dermis and glass, 599 µm a side.
PIECE = np.s_[700:1900, 400:1600]


@pytest.fixture(scope="session")
def he() -> np.ndarray:
    return tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[PIECE]


@pytest.fixture(scope="session")
def he_path(tmp_path_factory, he) -> Path:
    return write_slide(tmp_path_factory.mktemp("fixed") / "he.ome.tif", he)


@pytest.fixture(scope="session")
def restained(tmp_path_factory, he, he_path):
    """Return what makes a known pair: the restain of the piece, warped by a map from moving to fixed."""
    ihc = paint(prepare(he, "CD3", mpp=MPP), np.random.default_rng(0)).ihc
    folder = tmp_path_factory.mktemp("moving")

    def make(name: str, to_fixed: Callable[[np.ndarray], np.ndarray]) -> Known:
        path = write_slide(folder / f"{name}.ome.tif", warp(ihc, to_fixed))
        return Known(open_scan(he_path), open_scan(path), to_fixed)

    return make


@pytest.fixture(scope="session")
def affine_pair(restained) -> Known:
    return restained("turned", turned)


@pytest.fixture(scope="session")
def bent_pair(restained) -> Known:
    return restained("bent", bent)


@pytest.fixture(scope="session")
def found_bent(bent_pair) -> Found:
    return finish(find_transform(bent_pair.fixed, bent_pair.moving))
