"""Channels told by their names: what laboratories write, and what must not be mistaken."""

from __future__ import annotations

import pytest

from diffuscope.ports.matching import guess_channels
from diffuscope.ports.raster import Raster


def port(name: str, key: str, *synonyms: str) -> Raster:
    return Raster(
        name=name, key=key, kind="map", channels=(name,), mpp=0.5, range=(0.0, 1.0), dtype="float32", synonyms=synonyms
    )


VESSELS, NUCLEI = port("Vessels", "vessels"), port("Nuclei", "nuclei")


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["CD31", "DAPI"], (0, 1)),
        (["dapi", "cd31"], (1, 0)),
        (["DAPI (405)", "CD3", "anti-CD31 AF488", "CD8"], (2, 0)),
        (["Hoechst33342", "Vessels"], (1, 0)),
        (["PECAM-1", "nuclear stain"], (0, 1)),
        (["CD31", "HH3", "Nuc"], (0, 2)),
        (["nuclei", "DAPI", "CD31"], (2, 0)),
    ],
)
def test_usual_names_are_understood(names, found):
    assert guess_channels(names, [VESSELS, NUCLEI]) == dict(zip(("vessels", "nuclei"), found, strict=True))


@pytest.mark.parametrize(
    "names",
    [
        ["channel 1", "channel 2"],
        ["CD3", "DAPI"],  # no CD31 in it
        ["CD31", "nucleolin"],
        ["CD31", "CD31", "DAPI"],  # which?
        ["CD310", "DAPI"],
        [],
    ],
)
def test_where_names_do_not_tell_nothing_is_guessed(names):
    assert guess_channels(names, [VESSELS, NUCLEI]) is None


def test_one_channel_is_not_two_inputs():
    assert guess_channels(["DAPI vessels"], [VESSELS, NUCLEI]) is None


def test_a_port_s_own_synonyms_come_before_the_common_ones():
    own = port("Nuclei", "nuclei", "to-pro")
    assert guess_channels(["DAPI", "TO-PRO"], [own]) == {"nuclei": 1}
    assert guess_channels(["T2w", "T1w"], [port("T1", "t1"), port("T2", "t2")]) == {"t1": 1, "t2": 0}
