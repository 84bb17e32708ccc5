"""The dock "Register" in a real viewer: a restain warped in a known way, registered in a real child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from known_pair import MPP, turned, warp, write_slide
from patience import MILLISECONDS

from diffuscope.errors import InputError
from diffuscope.registration import load_transform
from diffuscope.results.layout import chunk_file
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.teacher import paint, prepare

pytest.importorskip("napari")
pytest.importorskip("pytestqt")

from napari.layers import Image, Points

from diffuscope.plugin.docks.register import RegisterDock
from diffuscope.plugin.forms.register import POINTS, RegisterForm
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.layers.marks import clicked_pairs, write_pairs
from diffuscope.plugin.layers.placement import scan_placement
from diffuscope.plugin.layers.veil import CURTAIN, SQUARES, WHOLE, Veil, VeiledSlide

# Epidermis and dermis, 349 µm a side.
PIECE, SIDE = np.s_[800:1500, 700:1400], 700
MIDDLE = np.full(2, SIDE / 2 * MPP)
# (x, y) µm on the restain, on the tissue of both slides.
PLACES = np.array([[120.0, 90.0], [240.0, 110.0], [170.0, 180.0], [110.0, 250.0], [250.0, 240.0]])


def to_fixed(points: np.ndarray) -> np.ndarray:
    return turned(points, middle=MIDDLE)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An H&E, and its restain of unknown µm/px by the teacher's rule, turned and shifted."""
    folder = tmp_path_factory.mktemp("pair")
    he = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[PIECE]
    ihc = paint(prepare(he, "CD3", mpp=MPP), np.random.default_rng(0)).ihc
    return write_slide(folder / "he.ome.tif", he), write_slide(folder / "ihc.ome.tif", warp(ihc, to_fixed), mpp=None)


@pytest.fixture
def shared_dock(compute: Child, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Any:
    """The dock with the process that tests share."""
    monkeypatch.setattr("diffuscope.plugin.jobs.compute.Child", lambda: compute)
    return request.getfixturevalue("dock")


@pytest.fixture
def dock(make_napari_viewer: Callable[..., Any], qtbot: Any, pair: tuple[Path, Path], tmp_path: Path) -> Any:
    """The dock from the menu, with both slides open."""
    viewer = make_napari_viewer()
    viewer.window._qt_window.resize(1280, 800)
    viewer.open([str(path) for path in pair], plugin="diffuscope", stack=False)
    _, dock = viewer.window.add_plugin_dock_widget("diffuscope", "Register")
    assert isinstance(dock, RegisterDock)
    dock.until = lambda condition: qtbot.waitUntil(condition, timeout=MILLISECONDS)
    dock.fields.affine_only.setChecked(True)
    dock.fields.out.setText(str(tmp_path / "new" / "ihc.ome.zarr"))
    yield dock
    dock.session.compute.child.close()


def said(dock: Any) -> str:
    """What the dock says to Run, which refuses."""
    dock.jobs.run.click()
    assert dock.session.state.is_idle
    return dock.session.state.message


@pytest.mark.gui
@pytest.mark.slow
def test_from_two_slides_to_a_curtain(shared_dock: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    dock = shared_dock
    viewer, out = dock.viewer, tmp_path / "new" / "ihc.ome.zarr"
    he, ihc = viewer.layers
    assert (dock.form.fixed.layer, dock.form.moving.layer) == (he, ihc)
    assert "“ihc.ome.tif” does not state its µm/px" in said(dock)
    dock.fields.moving.mpp.setValue(MPP)

    # The H&E is in µm and the restain in px, as the reader lays them; points are clicked on what is seen.
    fixed = viewer.add_points(to_fixed(PLACES)[:, ::-1] - MPP / 2, name="on he")
    moving = viewer.add_points(PLACES[:-1, ::-1] / MPP - 0.5, name="on ihc")
    dock.fields.landmarks.setCurrentIndex(dock.fields.landmarks.findData(POINTS))
    assert (dock.form.fixed.points, dock.form.moving.points) == (fixed, moving)
    assert "“on he” has 5 points and “on ihc” 4" in said(dock)
    moving.add(PLACES[-1, ::-1] / MPP - 0.5)

    dock.jobs.run.click()
    assert dock.session.state.phase == "starting" and dock.jobs.cancel.isVisibleTo(dock)
    assert dock.jobs.run.text() == "Add to queue"
    steps: list[str] = []
    dock.session.state.events.progress_text.connect(steps.append)
    dock.until(lambda: dock.session.state.is_idle)
    assert any(step.startswith("Affine") for step in steps) and dock.session.state.message == f"Wrote {out}"
    assert sorted(path.name for path in out.parent.iterdir()) == ["ihc.landmarks.csv", "ihc.ome.zarr"]

    transform, record = load_transform(out / "transform.json")
    assert np.linalg.norm(transform.to_moving(to_fixed(PLACES)) - PLACES, axis=1).max() < 1
    error = record["figures"]["affine"]["median error (µm)"]
    assert error < 1 and f"{error:.3g}" in dock.compare.figures.text()
    assert "--landmarks ihc.landmarks.csv" in record["command"] and f"--moving-mpp {MPP}" in record["command"]

    layer = viewer.layers["registered ihc.ome.tif"]
    assert [each.name for each in viewer.layers[:3]] == ["he.ome.tif", layer.name, "ihc.ome.tif"]
    assert he.visible and layer.visible and not ihc.visible
    np.testing.assert_allclose(layer.extent.world, he.extent.world)
    assert layer not in dock.fields.fixed.layer._layers  # a result is nobody's input

    seen = shown(layer)
    edge = int(np.flatnonzero(seen.any(axis=0))[0])
    assert not seen[:, :edge].any() and seen[:, edge:].all() and 0 < edge < SIDE
    dock.compare.slider.setValue(dock.compare.slider.value() + 100)
    assert np.flatnonzero(shown(layer).any(axis=0))[0] > edge
    dock.compare.kind.setCurrentIndex(dock.compare.kind.findData(SQUARES))
    assert 0.3 < shown(layer).mean() < 0.7 and not shown(layer)[0, 0]
    dock.compare.kind.setCurrentIndex(dock.compare.kind.findData(WHOLE))
    assert shown(layer).all() and not dock.compare.slider.isVisibleTo(dock.compare)
    pixels = np.asarray(open_result(out).images["registered"][0])
    np.testing.assert_array_equal(np.asarray(layer.data[0] if layer.multiscale else layer.data)[..., :3], pixels)
    assert viewer.window._qt_window.height() <= 800
    assert dock.fields.minimumSizeHint().width() <= dock.area.viewport().width()  # nothing is cut off

    # What is there already is asked about, and kept.
    monkeypatch.setattr("diffuscope.plugin.docks.register.ask_overwrite", lambda *_: "both")
    dock.jobs.run.click()
    dock.jobs.cancel.click()
    assert dock.session.state.phase == "cancelling"
    dock.until(lambda: dock.session.state.is_idle)
    assert dock.session.state.message == "Cancelled: nothing was written." and dock.form.path.name == "ihc-2.ome.zarr"
    assert sorted(path.name for path in out.parent.iterdir()) == ["ihc.landmarks.csv", "ihc.ome.zarr"]


def shown(layer: Any) -> np.ndarray:
    """Which pixels of the finest level are not transparent."""
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)[..., 3] > 0


@pytest.mark.gui
@pytest.mark.slow
def test_pixels_without_a_file_and_a_table_are_taken_and_errors_leave_nothing(
    shared_dock: Any, pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dock = shared_dock
    viewer = dock.viewer
    white = viewer.add_image(np.full((300, 300, 3), 243, np.uint8), name="white", rgb=True)
    dock.fields.choose(dock.fields.moving, white)
    assert "“white” does not state" in said(dock)
    dock.fields.moving.mpp.setValue(0.5)
    dock.jobs.run.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert "white has no tissue" in dock.session.state.message

    table = tmp_path / "points.csv"
    table.write_text("x_fixed,y_fixed\n1,2\n")
    dock.fields.table.setText(str(table))
    dock.fields.landmarks.setCurrentIndex(2)
    dock.jobs.run.click()
    dock.until(lambda: dock.session.state.is_idle)
    assert "points.csv has no column x_moving" in dock.session.state.message

    dock.fields.choose(dock.fields.moving, dock.form.fixed.layer)
    assert "is chosen twice" in said(dock)
    count = len(viewer.layers)
    dock._open(dock.fields.moving, str(table))
    assert "points.csv" in dock.session.state.message and len(viewer.layers) == count
    dock._open(dock.fields.moving, str(pair[1]))
    assert dock.form.moving.layer == viewer.layers[-1] and dock.form.moving.layer.name.startswith("ihc")
    assert dock.fields.moving.mpp.value() == 0 and "does not state" in said(dock)
    dock.fields.moving.mpp.setValue(MPP)
    dock.fields.out.setText(" ")
    assert "which folder" in said(dock)

    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert said(dock) == 'registration needs SimpleITK: pip install "diffuscope[register]".'
    assert [path.name for path in tmp_path.iterdir()] == ["points.csv"]


@pytest.mark.gui
def test_a_closed_dock_leaves_neither_a_process_nor_a_listener(dock: Any, qtbot: Any, tmp_path: Path):
    viewer, child = dock.viewer, dock.session.compute.child
    dock.fields.moving.mpp.setValue(MPP)
    dock.jobs.run.click()
    dock.until(lambda: child.pid is not None)
    child.close()
    qtbot.waitUntil(lambda: child.pid is None, timeout=MILLISECONDS)
    viewer.add_image(np.zeros((5, 5)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"fixed": None}, "Choose the H&E slide"),
        ({"moving": None}, "Choose the restained slide"),
        ({"points": (None, None)}, "Choose a Points layer for each slide"),
        ({"points": "same"}, "“a” is chosen for both slides"),
        ({"points": ([[1, 1]], [[1, 1], [2, 2]])}, "“a” has 1 points and “b” 2"),
        ({"points": ([], [])}, "has 0 points"),
        ({"points": ([[1, 1], [-0.6, 3]], [[1, 1], [2, 2]])}, "Point 2 of “a” lies outside “he”"),
        ({"kept": True}, r"out.landmarks.csv exists already"),
    ],
)
def test_the_form_says_what_is_wrong(tmp_path: Path, changes: dict[str, Any], words: str):
    one, other = (Image(np.zeros((8, 9, 3), np.uint8), name=name, rgb=True) for name in ("he", "ihc"))
    form = RegisterForm(landmarks=POINTS, out=str(tmp_path / "out.ome.zarr"))
    form.fixed.layer, form.moving.layer = changes.get("fixed", one), changes.get("moving", other)
    form.fixed.mpp = form.moving.mpp = 0.5
    given = changes.get("points", ([[1, 1]], [[2, 2]]))
    a = Points(np.array([[1, 1]]), name="a")
    if given == "same":
        form.fixed.points = form.moving.points = a
    elif given[0] is not None:
        form.fixed.points, form.moving.points = (
            Points(np.array(data).reshape(-1, 2), name=name) for data, name in zip(given, "ab", strict=True)
        )
    if changes.get("kept"):
        (tmp_path / "out.landmarks.csv").touch()
    with pytest.raises(InputError, match=words):
        form.request(overwrite=False)


def test_clicked_points_are_px_from_the_corner_as_the_verb_reads_them(tmp_path: Path):
    from diffuscope.registration import read_landmarks

    # The H&E at 0.5 µm/px lies in µm, somewhere else; the points of its layer are in that world.
    one = Image(np.zeros((80, 90, 3), np.uint8), rgb=True, scale=(0.5, 0.5), translate=(100, 200))
    other = Image(np.zeros((80, 90, 3), np.uint8), rgb=True)
    pairs = clicked_pairs((Points(np.array([[102.0, 205.0]])), Points(np.array([[7.0, 3.0]]))), (one, other))
    np.testing.assert_allclose(pairs, [[10.5, 4.5, 3.5, 7.5]])
    write_pairs(tmp_path / "points.csv", pairs)
    scans = [SimpleNamespace(name=name, mpp=mpp, shape=(80, 90)) for name, mpp in (("a", 0.5), ("b", 0.25))]
    read = read_landmarks(tmp_path / "points.csv", *scans)
    np.testing.assert_allclose(read.fixed, [[5.25, 2.25]])
    np.testing.assert_allclose(read.moving, [[0.875, 1.875]])


def test_levels_of_a_pyramid_are_veiled_at_one_place():
    y, x = np.arange(64) + 0.5, np.arange(64) + 0.5
    for veil in (Veil(CURTAIN, edge=24.0), Veil(SQUARES, square=8.0)):
        fine, coarse = veil.seen(y, x), veil.seen(y[::4] + 1.5, x[::4] + 1.5)
        np.testing.assert_array_equal(np.kron(coarse, np.ones((4, 4), bool)), fine)
    assert Veil(CURTAIN, edge=24.0).seen(y, x)[0].tolist() == [False] * 24 + [True] * 40
    assert not Veil(SQUARES, square=8.0).seen(y, x)[0, 0]


def test_glass_hides_what_lies_below(result_folder: Path):
    # What is white throughout has no file, and of another result it would be transparent.
    array = zarr.open_group(result_folder, mode="r", zarr_format=2)["0"]
    chunk_file(array, (0, 0)).unlink()
    slide = VeiledSlide(open_result(result_folder), scan_placement(0.25))
    pixels = np.asarray(slide.data[0] if slide.about["multiscale"] else slide.data)
    assert pixels[0, 0].tolist() == [255] * 4 and pixels[-1, -1].tolist() == [200, 100, 50, 255]
