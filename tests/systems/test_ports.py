"""Virtual stains found among ports by their keys."""

from __future__ import annotations

from diffuscope.ports.raster import Raster
from diffuscope.ports.stains import find_stains


def port(key: str, name: str, kind="map") -> Raster:
    return Raster(name=name, key=key, kind=kind, channels=("x",), mpp=0.5, range=(0.0, 1.0))


def test_a_stain_is_a_colour_image_and_a_map_of_one_ending():
    ports = [
        port("ihc_cd3", "virtual CD3", "rgb"), port("dab_cd3", "CD3 DAB"), port("uncertainty_cd3", "CD3 uncertainty"),
        port("dab_ck818", "CK8/18 DAB"), port("dabble", "something else"),
    ]  # fmt: skip
    cd3, ck = find_stains(ports)
    assert (cd3.name, cd3.colour, cd3.dab) == ("CD3", ports[0], ports[1])
    assert (ck.name, ck.colour, ck.dab) == ("CK8/18", None, ports[3])


def test_one_stain_has_keys_without_ending():
    (stain,) = find_stains([port("ihc", "virtual CD3", "rgb"), port("dab", "DAB"), port("segmentation", "cells")])
    assert stain.name == "CD3" and stain.dab is not None
    assert find_stains([port("he", "virtual H&E", "rgb")]) == []
