"""Projects as QuPath writes them, where they lie and after they were moved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.scans.qupath.project import ProjectImage, read_project


def entry(uri: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """Write an image as QuPath 0.5 does."""
    side = {"value": 0.499, "unit": "µm"}
    calibration = {"pixelWidth": side, "pixelHeight": side, "zSpacing": {"value": 1.0, "unit": "z-slice"}}
    return {
        "serverBuilder": {
            "builderType": "uri",
            "providerClassName": "qupath.lib.images.servers.openslide.OpenslideServerBuilder",
            "uri": uri,
            "args": [],
            "metadata": {"name": "a.svs", "width": 2220, "height": 2967, "pixelCalibration": calibration},
        },
        "entryID": number,
        "randomizedName": "a6f1ad13-8f5f-4e6c-a2f3-0d6a1f2b3c4d",
        "imageName": f"Slide {number}",
        "metadata": {},
        **more,
    }


def write(folder: Path, *entries: Any, uri: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "project.qpproj"
    told = {"version": "0.5.1", "createTimestamp": 1, "modifyTimestamp": 2, "uri": uri or file.as_uri(), "lastID": 2}
    file.write_text(json.dumps({**told, "images": list(entries)}), encoding="utf-8")
    return file


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    path = tmp_path / "my slides" / "ä 1.svs"
    path.parent.mkdir()
    path.write_bytes(b"slide")
    return path


def test_names_files_and_sizes(tmp_path: Path, slide: Path) -> None:
    file = write(tmp_path / "project", entry(slide.as_uri()), entry("file:/nowhere/b.svs", 2))
    (tmp_path / "project" / "data" / "1").mkdir(parents=True)
    (tmp_path / "project" / "data" / "1" / "data.qpdata").write_bytes(b"\xac\xed")
    first, second = read_project(file).images
    assert first == ProjectImage(
        name="Slide 1", path=slide, uri=slide.as_uri(), mpp=0.499, shape=(2967, 2220), changed="", has_objects=True
    )
    assert first.is_there and not second.is_there
    assert (second.name, second.path, second.has_objects) == ("Slide 2", Path("/nowhere/b.svs"), False)
    assert read_project(tmp_path / "project") == read_project(file)


def test_java_writes_one_slash(tmp_path: Path, slide: Path) -> None:
    uri = slide.as_uri().replace("file:///", "file:/")
    assert read_project(write(tmp_path / "p", entry(uri))).images[0].path == slide


@pytest.mark.parametrize("where", ["project", "project/deep"])
def test_moved_with_its_slides(tmp_path: Path, slide: Path, where: str) -> None:
    before = tmp_path / "before"
    shutil.copytree(slide.parent, before / "my slides")
    file = write(before / where, entry((before / "my slides" / slide.name).as_uri()))
    before.rename(tmp_path / "after")
    (found,) = read_project(tmp_path / "after" / where / file.name).images
    assert found.is_there and found.path is not None
    assert found.path.resolve() == tmp_path / "after" / "my slides" / slide.name


def test_moved_from_windows(tmp_path: Path) -> None:
    (tmp_path / "study" / "slides").mkdir(parents=True)
    (tmp_path / "study" / "slides" / "a b.svs").write_bytes(b"slide")
    uri = "file:/D:/work/study/slides/a%20b.svs"
    file = write(tmp_path / "study" / "project", entry(uri), uri="file:/D:/work/study/project/project.qpproj")
    (found,) = read_project(file).images
    assert found.path is not None and found.path.resolve() == tmp_path / "study" / "slides" / "a b.svs"


def test_relative_to_the_project(tmp_path: Path) -> None:
    file = write(tmp_path / "p", entry("slides/a.svs"))
    assert read_project(file).images[0].path == tmp_path / "p" / "slides" / "a.svs"


def test_the_slide_that_is_there_goes_before_one_that_moved(tmp_path: Path, slide: Path) -> None:
    other = tmp_path / "copy" / "my slides" / slide.name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"another")
    file = write(tmp_path / "copy" / "p", entry(slide.as_uri()), uri=(tmp_path / "p" / "project.qpproj").as_uri())
    assert read_project(file).images[0].path == slide


def test_what_qupath_changes_and_what_is_no_file(tmp_path: Path, slide: Path) -> None:
    inner = entry(slide.as_uri())["serverBuilder"]
    turned = entry("")
    turned["serverBuilder"] = {"builderType": "rotated", "builder": inner, "rotation": "ROTATE_90"}
    pyramid = entry("")
    pyramid["serverBuilder"] = {"builderType": "pyramidize", "builder": inner}
    net = entry("https://omero.example.org/webclient/?show=image-7")
    found = read_project(write(tmp_path / "p", turned, pyramid, net)).images
    assert [one.changed for one in found] == ["rotated", "", ""]
    assert [one.path for one in found] == [slide, slide, None]
    assert not found[2].is_there


@pytest.mark.parametrize(
    ("calibration", "mpp"),
    [
        ({"pixelWidth": {"value": 0.25, "unit": "µm"}, "pixelHeight": {"value": 0.2502, "unit": "µm"}}, 0.2501),
        ({"pixelWidth": {"value": 0.25, "unit": "μm"}, "pixelHeight": {"value": 0.25, "unit": "um"}}, 0.25),
        ({"pixelWidth": {"value": 1.0, "unit": "px"}, "pixelHeight": {"value": 1.0, "unit": "px"}}, None),
        ({"pixelWidth": {"value": 0.25, "unit": "µm"}, "pixelHeight": {"value": 0.5, "unit": "µm"}}, None),
        ({"pixelWidth": {"value": "0.25", "unit": "µm"}}, None),
        ({"pixelWidth": {"value": 0, "unit": "µm"}, "pixelHeight": {"value": 0, "unit": "µm"}}, None),
        (None, None),
    ],
)
def test_sizes_of_px(tmp_path: Path, calibration: Any, mpp: float | None) -> None:
    one = entry("file:/a.svs")
    one["serverBuilder"]["metadata"]["pixelCalibration"] = calibration
    assert read_project(write(tmp_path / "p", one)).images[0].mpp == pytest.approx(mpp)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"project\.qpproj is not a QuPath project \(.*\): open it in QuPath and save it again, or give its"),
        ('{"version": "0.5.1"', "is not a QuPath project"),
        ("[]", "lists no images and is not a QuPath project"),
        ('{"images": 3}', "lists no images"),
        ('{"images": [{"imageName": "a"}]}', r"image 1 of project\.qpproj does not say where it lies"),
        ('{"images": [3]}', "image 1 of project"),
    ],
)
def test_damaged_projects_are_named_with_the_way_out(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "project.qpproj").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=sentence):
        read_project(tmp_path / "project.qpproj")


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no \.qpproj file: give the .qpproj file of a QuPath project"):
        read_project(tmp_path)
    with pytest.raises(InputError, match=r"does not exist: give the \.qpproj file"):
        read_project(tmp_path / "project.qpproj")
    for name in ("a", "b"):
        (tmp_path / f"{name}.qpproj").write_text("{}")
    with pytest.raises(InputError, match=r"holds 2 \.qpproj files"):
        read_project(tmp_path)


@given(uri=st.text(max_size=40), before=st.text(max_size=40), number=st.none() | st.integers() | st.text(max_size=3))
def test_whatever_stands_there_is_an_image(tmp_path_factory: Any, uri: str, before: str, number: Any) -> None:
    file = write(tmp_path_factory.getbasetemp() / "any", entry(uri, number), uri=before or "x")
    (found,) = read_project(file).images
    assert found.name and not found.is_there
