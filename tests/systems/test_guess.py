"""Channels told by their names: what laboratories write, and what must not be mistaken."""

from __future__ import annotations

import pytest

from diffuscope.ports.matching import guess_channels, guess_each
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


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["p7_t1.tif", "p7_t2.tif", "p7_ct.tif"], {"t1": 0, "t2": 1, "ct": 2}),
        (["p7_t1_fast.tif"], {"t1_fast": 0}),
        (["p7_t1_fast.tif", "p7_t1.tif"], {"t1_fast": 0, "t1": 1}),
        (["x-ray of the chest.png", "photo.png"], {"xray": 0}),
        # which of the two it is nobody can say
        (["ct first.tif", "ct last.tif", "T2"], {"t2": 2}),
        (["t1ce.tif"], {}),
        ([], {}),
    ],
)
def test_as_many_inputs_as_names_tell(names: list[str], found: dict[str, int]):
    ports = [port("CT", "ct"), port("T1", "t1"), port("T2", "t2"), port("T1, fast", "t1_fast"), port("X-ray", "xray")]
    assert guess_each(names, ports) == found
