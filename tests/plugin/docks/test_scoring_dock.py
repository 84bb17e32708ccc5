"""The dock for lymph nodes in a real viewer, by mouse and keyboard: from a CT, outlines and a table to a report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scorer
from made_dicom import box, write_ct, write_structures
from model_card import CARD

from diffuscope.cases.dictionary import read_dictionary
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
pytest.importorskip("SimpleITK")
pytest.importorskip("pydicom")

import SimpleITK as sitk
from asked_where import answer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFileDialog

from diffuscope.plugin.docks.scoring import ScoringDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.panels.scoring import RESEARCH
from tests.plugin.docks.test_docks import Driver, save

pytestmark = pytest.mark.gui

CLOSED = "CLOSED_PLANAR"


@pytest.fixture
def at(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
) -> Iterator[Any]:
    """The dock with a model whose score a line of code says."""
    monkeypatch.setitem(registry._ROWS, "scorer", scorer.ROW)
    folder = save_model(tmp_path / "scorer", build_system("scorer", {}), "scorer", {}, CARD)
    viewer = make_napari_viewer()
    viewer.window.show()
    driver = Driver(viewer, qtbot, ScoringDock, tmp_path / "case.ome.zarr", compute)
    driver.use(folder)
    yield driver
    viewer.close()


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A CT whose structures overlap none: 2 · 121 voxels of tumour, nodes of 25 and 49."""
    folder = write_ct(tmp_path / "ct")
    write_structures(
        folder,
        [
            ("GTVp", [(CLOSED, box(0, 0, 5, 3.0 * z)) for z in (2, 3)]),
            ("LN left", [(CLOSED, box(-12, 0, 2, 12.0))]),
            ("LN low", [(CLOSED, box(12, 10, 3, 3.0))]),
            ("Heart", [(CLOSED, box(0, 12, 4, 15.0))]),
        ],
    )
    return folder


def open_layers(at: Any, path: Path) -> None:
    at.viewer.open(str(path), plugin="diffuscope")


def cohort(tmp_path: Path, text: str = "patient_id,age,sex,b1,b3\nP1,63,f,4,\nP2,55,m,,7\n") -> Path:
    path = tmp_path / "cohort.csv"
    path.write_text(text)
    return path


def open_table(at: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(path)], ""))
    row = at.fields.given.patient
    at.qtbot.mouseClick(row.open, Qt.MouseButton.LeftButton)
    return row


def pick(at: Any, combo: Any, text: str) -> None:
    """Choose by the keyboard what a box has."""
    combo.setFocus()
    at.qtbot.keyClick(combo, Qt.Key.Key_Home)
    for _ in range(combo.count()):
        if combo.currentText() == text:
            break
        at.qtbot.keyClick(combo, Qt.Key.Key_Down)
    assert combo.currentText() == text
    combo.activated.emit(combo.currentIndex())


def roles(at: Any) -> dict[str, str]:
    table = at.dock.outlines.tables["mask"]
    return {table.item(row, 0).text(): table.cellWidget(row, 1).currentText() for row in range(table.rowCount())}


def score(at: Any) -> Any:
    at.form.out = str(at.out)
    assert not at.form.problem(), at.form.problem()
    at.qtbot.mouseClick(at.dock.run, Qt.MouseButton.LeftButton)
    at.until(lambda: at.dock.session.result is not None or at.state.failed)
    at.finish()
    return open_result(at.dock.session.result.path)


@pytest.mark.slow
def test_a_series_with_its_structures_and_a_row_of_a_table_are_scored(
    at: Any, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert RESEARCH in [
        label.text().replace("<b>", "").replace("</b>", "") for label in at.dock.findChildren(type(at.dock.unknown))
    ]
    assert at.form.problem() == "Give at least one of CT, outlines, clinical data, blood."
    open_layers(at, ct)
    assert roles(at) == {"GTVp": "tumour", "LN left": "node 2", "LN low": "node 1", "Heart": "not used"}
    assert at.dock.unknown.text() == "Not given: node 3, clinical data, blood."
    row = open_table(at, cohort(tmp_path), monkeypatch)
    pick(at, row.patient, "P1")
    assert at.fields.given.fields["clinical.age"].text() == "63"
    assert at.fields.given.boxes["blood"].fold.text() == "Blood: 1 of 16 known"
    assert at.dock.unknown.text() == "Not given: node 3, blood (15 of 16 values)."
    # what is typed stands beside what was read
    fold = at.fields.given.boxes["blood"].fold
    at.qtbot.mouseClick(fold, Qt.MouseButton.LeftButton)
    at.qtbot.keyClicks(at.fields.given.fields["blood.b2"], "5")
    # one looks at a slice with a tumour meanwhile
    tumour = next(np.asarray(layer.data) for layer in at.viewer.layers if layer.name == "rs")
    at.viewer.dims.set_current_step(0, int(np.argwhere(tumour)[0][0]))

    result = score(at)
    shapley = result.found["shapley"].by_name
    assert shapley == pytest.approx({"tumour": 242 / 10_000, "nodes": 74 / 2_000, "clinical": 0.126, "blood": -0.04})
    assert result.record["inputs"]["blood"]["row"]["b2"] == 5.0
    panel = at.dock.score
    assert "P1" in panel.whose.text() and panel.other.isHidden()
    assert panel.isVisibleTo(at.dock) and f"{result.scores['n'].mean:.2f}" in panel.words.text()
    assert [name for name, _ in panel.bars.shown] == ["clinical", "blood", "nodes", "tumour"]
    assert "metastasis" not in at.dock.results.heading.text()  # once is enough
    assert "It is made for 90 % of them" in panel.spread.text() and "draws of the class" in panel.spread.text()
    # the relevance lies on the CT, and is no scan
    [layer] = [layer for layer in at.viewer.layers if layer.name == "relevance"]
    np.testing.assert_allclose(layer.extent.world, at.viewer.layers[0].extent.world)
    # and is seen there at once
    at.until(lambda: np.nanmax(layer._slice.image.raw) > 0)


@pytest.mark.slow
def test_a_layer_that_is_painted_and_one_that_is_drawn_are_outlines(at: Any, ct: Path):
    open_layers(at, ct)
    image = next(layer for layer in at.viewer.layers if layer.name == "ct")
    for layer in [layer for layer in at.viewer.layers if layer is not image]:
        at.viewer.layers.remove(layer)
    assert "Nothing is outlined on “ct”" in at.form.problem()
    place = {"scale": image.scale, "translate": image.translate, "units": image.units}
    labels = at.viewer.add_labels(np.zeros(image.data.shape, np.uint8), name="Tumour", **place)
    labels.data[2:4, 10:20, 10:20] = 1
    labels.events.paint(value=[])
    at.until(lambda: roles(at) == {"Tumour": "tumour"})
    # two squares in slices, and a node by the layer's name; a polygon across slices is refused
    corners = [(5, 30.0, 30.0), (5, 30.0, 34.0), (5, 34.0, 34.0), (5, 34.0, 30.0)]
    shapes = at.viewer.add_shapes([np.array(corners)], shape_type="rectangle", name="LN 1", **place)
    assert roles(at) == {"Tumour": "tumour", "LN 1": "node 1"}
    result = score(at)
    assert result.found["shapley"].by_name["tumour"] == pytest.approx(200 / 10_000)
    assert result.found["shapley"].by_name["nodes"] == pytest.approx(25 / 2_000)
    # what is painted since is in no score
    other = at.dock.score.other
    assert other.isHidden()
    labels.data[2, 10:12, 10:12] = 0
    labels.events.paint(value=[])
    at.until(lambda: not other.isHidden())
    shapes.add([np.array([(1, 10.0, 10.0), (3, 10.0, 14.0), (5, 14.0, 14.0)])], shape_type="polygon")
    at.qtbot.mouseClick(at.dock.run, Qt.MouseButton.LeftButton)
    assert at.state.failed and "lies across the slices of “ct”: draw it within one" in at.state.message


def test_roles_are_chosen_and_stay_and_none_can_be_taken_away(at: Any, ct: Path):
    open_layers(at, ct)
    table = at.dock.outlines.tables["mask"]
    pick(at, table.cellWidget(3, 1), "node 3")
    pick(at, table.cellWidget(0, 1), "not used")
    at.viewer.layers[1].name = "renamed"
    chosen = {"GTVp": "not used", "LN left": "node 2", "LN low": "node 1", "Heart": "node 3"}
    at.until(lambda: roles(at) == chosen)
    assert at.form.masks["mask"].roles == ("node 1", "node 2", "node 3")
    # tables alone: the CT is taken away
    pick(at, at.fields.inputs[0], "none")
    assert roles(at) == {} and at.form.problem() == "Give at least one of CT, outlines, clinical data, blood."
    at.qtbot.keyClicks(at.fields.given.fields["clinical.age"], "63")
    result = score(at)
    assert list(result.record["inputs"]) == ["clinical"]
    assert [name for name, _ in at.dock.score.bars.shown] == ["clinical"]


def test_a_score_says_whose_it_is_and_that_the_fields_hold_something_else_by_now(
    at: Any, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    row, panel = open_table(at, cohort(tmp_path), monkeypatch), at.dock.score
    pick(at, row.patient, "P1")
    score(at)
    assert panel.whose.text() == "<b>P1</b> · <b>case</b>" and panel.other.isHidden()
    assert "#d6483c" in panel.legend.text() and "for metastasis" in panel.legend.text()  # red, as in a report
    age = at.fields.given.fields["clinical.age"]
    at.qtbot.keyClicks(age, "0")
    assert age.text() == "630" and not panel.other.isHidden() and "other values" in panel.other.text()
    at.qtbot.keyClick(age, Qt.Key.Key_Backspace)
    assert panel.other.isHidden()
    row.choose("P2")
    assert not panel.other.isHidden() and panel.whose.text().startswith("<b>P1</b>")
    row.choose("P1")
    assert panel.other.isHidden()
    open_layers(at, ct)  # a CT is chosen by itself
    assert not panel.other.isHidden()
    # and what was painted is let go with its layer
    at.out = tmp_path / "again.ome.zarr"
    kept = at.dock.session.made_of[score(at).path]
    assert kept.inputs and all(one.pixels is None for one in kept.inputs) and kept.masks and not kept.outlines
    assert panel.other.isHidden()
    # whose a score is that this window did not compute, its folder says
    at.dock.session.made_of.clear()
    at.dock.session.show_result(open_result(at.out))
    assert panel.whose.text() == "<b>again</b>" and panel.other.isHidden()


def test_a_wrong_table_is_one_sentence(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for text, sentence in (
        (
            "id,weight\nP1,70\n",
            "cohort.csv has no column of this model (it has id, weight): give a table with age, sex",
        ),
        ("id,age\nP1,300\n", "Age (years) lies between 0 and 120, not at 300."),
        ("id,sex\nP1,x\n", "sex is one of f, m, not “x”."),
        ("id,age\n", "cohort.csv has no row"),
    ):
        open_table(at, cohort(tmp_path, text), monkeypatch)
        assert sentence in at.dock.jobs.status.text()


def test_outlines_of_another_patient_than_the_row_are_told_before_run(
    at: Any, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    open_layers(at, ct)
    image = next(layer for layer in at.viewer.layers if layer.name == "ct")
    for layer in [layer for layer in at.viewer.layers if layer is not image]:
        at.viewer.layers.remove(layer)
    (tmp_path / "masks").mkdir()
    picture = sitk.GetImageFromArray(np.pad(np.ones((2, 4, 4), np.uint8), ((3, 3), (20, 32), (20, 40))))
    picture.SetSpacing((1.0, 1.0, 3.0))
    picture.SetOrigin((-32.0, -28.0, 0.0))
    for name in ("P1", "P2"):
        sitk.WriteImage(picture, str(tmp_path / "masks" / f"{name}.nii.gz"))
    rows = "patient_id,ct,mask,age,sex\nP1,ct,masks/P1.nii.gz,63,f\nP2,ct,masks/P2.nii.gz,55,m\n"
    row = open_table(at, cohort(tmp_path, rows), monkeypatch)
    at.dock.outlines.open(tmp_path / "masks" / "P2.nii.gz", at.dock.outlines.roles["mask"].port)
    assert at.form.masks["mask"].roles == ("tumour",)
    at.form.out = str(tmp_path / "case.ome.zarr")
    row.choose("P2")
    assert not at.form.problem()
    row.choose("P1")
    told = "The row of P1 names P1.nii.gz, and P2.nii.gz is given: take that file, or another row."
    assert at.form.problem() == told and told in at.dock.jobs.status.text()
    # what is drawn in the window is nobody else's
    place = {"scale": image.scale, "translate": image.translate, "units": image.units}
    at.viewer.layers.remove("P2.nii.gz")
    at.viewer.add_labels(np.pad(np.ones((2, 4, 4), np.uint8), ((3, 3), (20, 32), (20, 40))), name="Tumour", **place)
    assert at.form.masks["mask"].files == (None,) and not at.form.problem()


def test_wrong_outlines_are_one_sentence(at: Any, ct: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    open_layers(at, ct)
    image = next(layer for layer in at.viewer.layers if layer.name == "ct")
    for layer in [layer for layer in at.viewer.layers if layer is not image]:
        at.viewer.layers.remove(layer)
    button = at.dock.outlines.opens["mask"]

    def opened(name: str, voxels: np.ndarray) -> str:
        picture = sitk.GetImageFromArray(voxels)
        picture.SetSpacing((1.0, 1.0, 3.0))
        sitk.WriteImage(picture, str(tmp_path / name))
        monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / name), ""))
        at.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        return str(at.dock.jobs.status.text())

    assert "other_ct.nii.gz holds values from -700 to -700" in opened(
        "other_ct.nii.gz", np.full((8, 56, 64), -700, np.int16)
    )
    assert [layer.name for layer in at.viewer.layers] == ["ct"]
    # of another patient: it is shown, and refused for what it is
    said = opened("tumour.nii.gz", np.ones((8, 40, 64), np.uint8))
    assert "“tumour.nii.gz” (64 x 40 x 8 voxels of 1 x 1 x 3 mm from " in said
    assert "does not lie on “ct” (64 x 56 x 8 voxels of 1 x 1 x 3 mm from -32, -28, 0)" in said
    assert at.form.problem()


@pytest.mark.slow
def test_the_sample_from_the_menu_to_a_report_by_an_untrained_mmfusion(
    make_napari_viewer: Any, qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compute: Child
):
    pytest.importorskip("monai")
    folder = sample_path("oesophagus-simulated/cohort.csv").parent
    small = {"backbone": "resnet10", "planes": 4, "stem": "small", "norm": "group", "spacing": (3.0, 3.0, 3.0)}
    config = {
        "tables": read_dictionary(folder / "dictionary.csv"),
        "images": small | {"tumour": (16, 16, 16), "node": (8, 8, 8)},
        "width": 16,
        "members": 2,
        "threshold": 0.5,
    }
    model = save(tmp_path / "untrained", "mmfusion", config)
    viewer = make_napari_viewer()
    viewer.window.show()
    at = Driver(viewer, qtbot, ScoringDock, tmp_path / "case.ome.zarr", compute)
    at.use(model)
    viewer.open_sample("diffuscope", "oesophagus")
    assert roles(at) == {"tumour": "tumour", "node 1": "node 1", "node 2": "node 2"}
    row = open_table(at, folder / "cohort.csv", monkeypatch)
    pick(at, row.patient, "P0000")
    assert at.dock.unknown.text().startswith("Not given: node 3, ")
    result = score(at)
    [scored] = result.scores.values()
    assert len(scored.draws) == 2 and f"{scored.mean:.2f}" in at.dock.score.words.text()
    assert len(at.dock.score.bars.shown) == 4
    assert "relevance (%)" in [layer.name for layer in viewer.layers]
    viewer.close()


def test_a_report_is_asked_for_by_a_button(at: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    at.qtbot.keyClicks(at.fields.given.fields["clinical.age"], "63")
    score(at)
    asked = answer(monkeypatch, tmp_path / "P1", of="Report, HTML (*.html)")
    at.dock.results.anonymous.setChecked(True)
    at.qtbot.mouseClick(at.dock.score.report, Qt.MouseButton.LeftButton)
    at.until(lambda: at.state.is_idle)
    assert not at.state.failed, at.state.message
    at.qtbot.mouseClick(at.dock.results.export, Qt.MouseButton.LeftButton)
    at.until(lambda: at.state.is_idle)
    assert [path.name for path in asked.proposed] == ["anonymous.scorer.pdf"] * 2
    assert "not for diagnosis" in (tmp_path / "P1.html").read_text()
