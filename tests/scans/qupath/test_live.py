"""A QuPath that runs, over the protocol of its gateway: what it shows, what is selected, what is added."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_qupath import FakeQuPath, Gateway, running

from diffuscope.errors import InputError
from diffuscope.scans.qupath.live import (
    OF_RESULT,
    TOKEN,
    Shown,
    connected,
    is_live,
    put_objects,
    read_selected,
    read_shown,
)

protocol = pytest.importorskip("py4j.protocol")

RING = [[0, 0], [10, 0], [10.5, 20], [0, 0]]


def feature(name: str = "a", *, key: str = "x", kind: str = "Polygon", rings: Any = (RING,)) -> dict[str, Any]:
    about = {"objectType": "annotation", "name": name, "classification": {"name": "Tumour", "color": [200, 0, 0]}}
    return {"type": "Feature", "id": key, "geometry": {"type": kind, "coordinates": list(rings)}, "properties": about}


def refused(qupath: FakeQuPath, *, token: str | None = None) -> str:
    with running(qupath, token) as port, pytest.raises(InputError) as error:
        read_all(port)
    return str(error.value)


def read_all(port: int) -> None:
    with connected(f"qupath:{port}") as gateway:
        read_shown(gateway)
        read_selected(gateway)


@pytest.mark.parametrize(("text", "meant"), [("qupath:", True), ("qupath:25334", True), ("qupath", False), ("", False)])
def test_what_means_the_qupath_that_runs(text: str, meant: bool) -> None:
    assert is_live(text) is is_live(Path(text)) is meant
    assert not is_live(f"{text}/a.svs")


def test_what_is_shown_and_selected() -> None:
    qupath = FakeQuPath("file:/slides/a%20b.svs", (2967, 2220))
    qupath.selected = [feature("a"), feature("b", kind="Point", rings=[3, 4])]
    with running(qupath) as port, connected(f"qupath:{port}") as gateway:
        assert read_shown(gateway) == Shown(name="a b.svs", path=Path("/slides/a b.svs"), shape=(2967, 2220))
        found = read_selected(gateway)
    (one,) = found.found
    assert (one.name, one.category, one.color) == ("a", "Tumour", (200, 0, 0))
    assert one.outline.bounds == (0, 0, 10.5, 20)
    assert found.notices == ("QuPath: 1 × Point left out, which bounds no area.",)


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_name_comes_and_goes_as_it_is(name: str) -> None:
    gateway = Gateway(None)
    told = gateway.told(name)
    assert "\n" not in told and protocol.get_return_value(told, None) == name
    assert gateway.meant(protocol.get_command_part(name).removesuffix("\n")) == name


def test_only_what_is_missing_is_added() -> None:
    qupath = FakeQuPath("file:/a.svs")
    # More than go in one message.
    many = [feature(key=str(number)) for number in range(2300)]
    with running(qupath) as port, connected(f"qupath:{port}") as gateway:
        assert put_objects(gateway, many[:3]) == (3, 0)
        assert qupath.calls == ["resolveHierarchy", "fireHierarchyUpdate"]
        assert put_objects(gateway, many) == (2297, 0)
        assert put_objects(gateway, many) == (0, 0)
    assert qupath.objects == many
    assert len(qupath.calls) == 4


def test_other_objects_of_the_same_result_go() -> None:
    qupath = FakeQuPath("file:/a.svs")
    one, other = "a" * OF_RESULT, "b" * OF_RESULT
    others = [feature(key=f"{other}-1"), feature(key="of the user")]
    with running(qupath) as port, connected(f"qupath:{port}") as gateway:
        put_objects(gateway, [*others, *(feature(key=f"{one}-{number}") for number in range(5))])
        now = [feature(key=f"{one}-{number}") for number in (3, 4, 5)]
        assert put_objects(gateway, now) == (1, 3)
        assert [item["id"] for item in qupath.objects] == [item["id"] for item in (*others, *now)]
        # Told to QuPath at once, and when all is there.
        assert qupath.calls[2:] == ["fireHierarchyUpdate", "resolveHierarchy", "fireHierarchyUpdate"]
        assert put_objects(gateway, now[:2]) == (0, 1)
    assert len(qupath.objects) == 4 and qupath.calls[5:] == ["fireHierarchyUpdate"]


def test_an_image_that_is_not_its_file() -> None:
    turned = FakeQuPath("file:/a.svs", classes=("RotatedImageServer", "TransformingImageServer", "Object"))
    assert refused(turned) == (
        "QuPath shows a.svs otherwise than its file is (RotatedImageServer): open the image itself."
    )
    plain = FakeQuPath("file:/a.svs", classes=("OpenslideImageServer", "AbstractTileableImageServer", "Object"))
    with running(plain) as port, connected(f"qupath:{port}") as gateway:
        assert read_shown(gateway).name == "a.svs"


def test_nothing_that_can_be_run_over() -> None:
    assert refused(FakeQuPath(None)) == "no image is open in QuPath: open one."
    assert "is not one file of this machine" in refused(FakeQuPath("https://server/a.svs"))
    damaged = FakeQuPath("file:/a.svs")
    damaged.raw = "{"
    assert "cannot be read" in refused(damaged)
    damaged.raw = '{"features": [{"geometry": {"type": "Polygon", "coordinates": [[["a", 1]]]}}]}'
    assert "QuPath has an outline that cannot be read (feature 1)" in refused(damaged)


@pytest.mark.parametrize("given_token", [None, "another"])
def test_a_token(monkeypatch: pytest.MonkeyPatch, given_token: str | None) -> None:
    qupath = FakeQuPath("file:/a.svs")
    if given_token:
        monkeypatch.setenv(TOKEN, given_token)
    assert refused(qupath, token="secret") == (
        "QuPath asks for its token: set DIFFUSCOPE_QUPATH_TOKEN to the one of its Py4J gateway."
    )
    monkeypatch.setenv(TOKEN, "secret")
    with running(qupath, "secret") as port, connected(f"qupath:{port}") as gateway:
        assert read_shown(gateway).name == "a.svs"


def test_nobody_answers() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(InputError, match=f"no answer from QuPath at port {port} .*Start Py4J Gateway"):
            read_all(port)
    with pytest.raises(InputError, match="99999 is no port"), connected("qupath:99999"):
        pass
