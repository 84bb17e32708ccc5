"""What the dock for volumes says, offers and ties, without a window."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.exports.table import ALL, FORMATS, formats_of
from diffuscope.jobs.settings import choose_settings
from diffuscope.model.find import model_info
from diffuscope.plugin.docks.kinds import TRANSLATION
from diffuscope.plugin.forms.card_text import card_text
from diffuscope.plugin.forms.planes import acquired_text
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.jobs.given.patient import open_series, source_of, whose
from diffuscope.plugin.jobs.whole_volume import open_inputs, take_settings
from diffuscope.plugin.layers.facts import KEY, ModelFacts, SlideFacts, model_facts
from diffuscope.plugin.layers.inputs.origin import Origin, remember
from diffuscope.plugin.panels.files.export_choices import (
    default_layer,
    note,
    resolved,
    stem_of,
)
from diffuscope.plugin.panels.files.saving import write_ome_zarr
from diffuscope.plugin.panels.results import ResultsWidget
from diffuscope.plugin.panels.translation_view import description, is_part, views, visible
from diffuscope.ports.raster import Raster
from diffuscope.results.canvas import Canvas
from diffuscope.results.result import Result, open_result
from diffuscope.scans import open_volume
from diffuscope.scans.lattice import Lattice
from diffuscope.tiling.plan import make_plan

pytest.importorskip("napari")

import napari
from napari.components import ViewerModel

from diffuscope.plugin.forms.region_choice import chosen_region, chosen_slices, region_text
from diffuscope.plugin.layers.links import LayerLinks, alike
from diffuscope.plugin.layers.results import result_layers
from diffuscope.plugin.layers.slides import add_region_layer

SHAPE, SPACING = (6, 12, 10), (3.0, 1.0, 0.5)
LATTICE = Lattice(SHAPE, SPACING, (5.0, 7.0, -9.0), ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)))
MR = Raster(name="MR", key="mr", kind="map", channels=("MR",), mpp=500.0, range=(0.0, 1.0), dtype="float32")
CT = replace(MR, name="CT", key="ct", range=(-200.0, 300.0), unit="HU", fill=-200.0)
OUTPUTS = (
    CT,
    replace(CT, name="CT, mean of samples", key="mean"),
    replace(CT, name="uncertainty", key="uncertainty", range=(0.0, 125.0), fill=0.0, colormap="magma"),
    replace(MR, name="support by the source", key="support", fill=1.0),
)
MODEL = ModelFacts(
    name="models/mr-to-ct",
    title="MR to CT",
    what_it_is="a <guess>.",
    what_it_is_not="a scan.",
    trained_on="CT of legs",
    task="modality translation",
    inputs=(replace(MR, spacing=(None, 0.5, 0.5)),),
    presets={"fast": ("sde-dpmsolver++", 25)},
)


def translated(folder: Path, *, samples: int = 1, steps: int = 9, region: str | None = None, **asked: Any) -> Result:
    """Slices 2 and 3 of six, uncertainty unknown where there is one sample."""
    plan = make_plan(shape=SHAPE, spacing=SPACING, factors=(1.0, 1.0, 1.0), tile=12, overlap=0, slices=(2, 4))
    storage = {"order": [0, 1, 2], "flipped": [False] * 3}
    about = {"name": "mr.nii.gz", "format": "NIfTI", "fingerprint": "", "shape": SHAPE, "mpp_stated": 500.0, **asked}
    record = {
        "model": {"name": "mr-to-ct", "title": "MR to CT"},
        "inputs": {"mr": {"lattice": LATTICE.to_json(), "storage": storage, **about}},
        "parameters": {
            "quality": "fast",
            "sampler": "sde-dpmsolver++",
            "steps": steps,
            "samples": samples,
            "seed": 3,
            "region": region,
            "slices": "2:4",
            "options": {"guidance": 2.0},
        },
    }
    folder.mkdir(exist_ok=True)
    canvas = Canvas(folder / "out.ome.zarr", plan=plan, ports=OUTPUTS, record=record)
    spread = np.nan if samples == 1 else 4.0
    for tile in plan.tiles():
        of = {"ct": 40.0, "mean": 50.0, "uncertainty": spread, "support": 0.25}
        canvas.write_tile(tile, {key: np.full((1, 12, 12), value, np.float32) for key, value in of.items()})
    assert canvas.finish()
    return open_result(canvas.path)


def viewer_with_mr() -> tuple[ViewerModel, Any]:
    """A viewer without a window, with the volume where the reader puts it."""
    viewer = ViewerModel()
    layer = viewer.add_image(
        np.random.default_rng(0).random(SHAPE, np.float32),
        name="mr.nii.gz",
        scale=SPACING,
        translate=(-9.0, 7.0, 5.0),
        units=("mm",) * 3,
        metadata={KEY: {"source": "/scans/mr.nii.gz", "lattice": LATTICE.to_json()}},
    )
    remember(layer.data, Origin(path=Path("/scans/mr.nii.gz")))
    return viewer, layer


# --- export ---

NAMED = {form.module: form for form in FORMATS}
NIFTI, DICOM, ZARR, STACK = (NAMED[name] for name in ("nifti", "dicom", "ome_zarr", "ome_stack"))
OF_SLIDES = [
    "ome_tiff", "qupath.folder", "report.slide_pdf", "report.slide_html", "ome_zarr", "ngff.v05", "lossy.jpeg",
    "lossy.jpeg_xl", "view.png", "view.pdf",
]  # fmt: skip


def test_every_format_is_offered_of_one_image_and_two_of_all(tmp_path, result_folder):
    result = translated(tmp_path)
    assert default_layer(result) == "ct" and [form.name for form in formats_of(result, "ct")] == [
        "NIfTI", "NRRD", "MetaImage", "DICOM series", "OME-Zarr", "OME-TIFF stack", "OME-Zarr 0.5",
    ]  # fmt: skip
    assert (
        formats_of(result, ALL) == (ZARR, STACK, NAMED["ngff.v05"])
        and "choose one" in note(result, ALL)
        and not note(result, "ct")
    )
    assert stem_of(result, "ct") == "out.ct"
    # not after the case: nor are images that an export for QuPath names after its folder
    assert stem_of(result, "ct", anonymous=True) == "anonymous.mr-to-ct.ct"
    for layer in (ALL, *(port.key for port in result.ports[:2])):
        for form in formats_of(result, layer):
            path = resolved(tmp_path / f"as-{layer}", form, result.path)
            assert path.name == f"as-{layer}{form.endings[0]}" and export(result, path, layer=layer).exists()
    slide = open_result(result_folder)
    assert (
        default_layer(slide) == ALL
        and [form.module for form in formats_of(slide, ALL)] == OF_SLIDES
        and not note(slide, ALL)
    )


def test_what_a_dialog_answers_becomes_one_file(tmp_path):
    own = tmp_path / "out.ome.zarr"
    own.mkdir()
    for path, form, name in (
        ("out.ct.nii.gz", NIFTI, "out.ct.nii.gz"),
        ("out.ct.nii.gz", DICOM, "out.ct.dicom"),
        ("mine.nii", NIFTI, "mine.nii"),  # the type's other ending
        ("mine.nii", DICOM, "mine.dicom"),
        ("mine.v05.ome.zarr", ZARR, "mine.ome.zarr"),
        ("mine.ome.zarr", NAMED["ngff.v05"], "mine.v05.ome.zarr"),
        ("MINE.OME.TIF", STACK, "MINE.OME.TIF"),
        ("mine.tif", STACK, "mine.ome.tif"),
        ("mine.pdf", NAMED["view.pdf"], "mine.view.pdf"),
        ("mine.view.pdf", NAMED["report.slide_pdf"], "mine.report.pdf"),
        ("out", ZARR, "out.export.ome.zarr"),  # out.ome.zarr is the result itself
        ("mine", ZARR, "mine.ome.zarr"),
        ("mine.v2", STACK, "mine.v2.ome.tif"),
    ):
        assert resolved(tmp_path / path, form, own).name == name
    # what the dialog never saw is not replaced, what it saw is
    for name in ("mine.nii.gz", "out.ct.nii.gz"):
        (tmp_path / name).touch()
    assert resolved(tmp_path / "mine", NIFTI, own).name == "mine-2.nii.gz"
    assert resolved(tmp_path / "out.ct.nii.gz", NIFTI, own) == tmp_path / "out.ct.nii.gz"


def test_dicom_cannot_say_unknown(tmp_path):
    pytest.importorskip("pydicom")
    result = translated(tmp_path)
    with pytest.raises(InputError, match=r"uncertainty of out\.ome\.zarr is unknown \(NaN\)"):
        export(result, tmp_path / "out.dicom", layer="uncertainty")
    assert not (tmp_path / "out.dicom").exists()


def test_a_series_that_is_open_gives_its_patient(shared, tmp_path):
    pytest.importorskip("pydicom")
    ct, mr = (open_volume(shared / "data/dicom/STS_025" / name) for name in ("CT", "MR_T1"))
    layers = [
        napari.layers.Image(np.zeros((2, 2, 2)), metadata={KEY: {"source": str(path), "format": form}})
        for path, form in ((ct.path, ct.format), (mr.path, mr.format), ("/gone/CT", "DICOM CT"), ("a.nii", "NIfTI"))
    ]
    series = open_series(layers)
    assert series == (ct.path, mr.path, Path("/gone/CT"))
    result = translated(tmp_path, name="MR_T1", format=mr.format, fingerprint=mr.fingerprint)
    assert source_of(result, series[::-1]) == mr.path
    assert whose(result, mr.path) == "patient and study are those of MR_T1"
    assert source_of(result, (ct.path,)) is None and whose(result, None).endswith("since MR_T1 is not open")


# --- what is said ---


def test_the_card_says_on_what_a_model_was_trained():
    text = card_text(MODEL)
    assert "a &lt;guess&gt;. <b>Trained on:</b> CT of legs. <b>What it is not:</b> a scan." in text
    assert "Trained on" not in card_text(replace(MODEL, trained_on=""))


def test_an_open_layer_that_is_not_chosen_is_asked_for_and_none_is_opened_first():
    form = RunForm(kind=TRANSLATION, model=MODEL)
    assert form.problem() == TRANSLATION.empty
    form.unfit = "“slide” is a slide or picture, which no model of this dock takes."
    assert form.problem() == f"{form.unfit} {TRANSLATION.empty}"
    form.any_open = True
    assert form.problem() == f"Choose a layer for {MODEL.inputs[0].name}."


def test_another_acquisition_is_told():
    assert acquired_text((5.0, 1.0, 1.0)) == acquired_text((1.0, 1.2, 1.0)) == acquired_text((1.0, 1.0, 1.0)) == ""
    assert acquired_text((1.0, 1.0, 5.0)).startswith("Acquired in sagittal slices 5 mm apart")
    assert "coronal" in acquired_text((0.9, 4.0, 0.9))
    volume = SlideFacts(name="mr", path=Path("mr.nii.gz"), mpp=None, spacing=(1.0, 1.0, 5.0), slices=9)
    assert "sagittal" in RunForm(kind=TRANSLATION, slide=volume, model=MODEL).resolution_text()


def test_one_sample_has_no_mean_to_look_at(tmp_path):
    one = translated(tmp_path)
    several = translated(tmp_path / "k", samples=4)
    assert views(one) == {"ct": "CT, one sample"} and "set Samples to 2 or more" in description(one)
    assert list(views(several).values()) == ["CT, one sample", "mean of 4 samples", "spread of 4 samples"]
    assert "Samples" not in description(several) and "mr.nii.gz does not explain" in description(several)
    shown = visible(several, "mean", with_support=True)
    assert shown == {"ct": False, "mean": True, "uncertainty": False, "support": True}
    assert is_part(one)
    # of one step none is a sample
    mean, means = (translated(tmp_path / f"m{count}", samples=count, steps=1) for count in (1, 4))
    assert views(mean) == {"ct": "CT, posterior mean"} and "and no sample" in description(mean)
    assert list(views(means).values()) == ["CT, posterior mean", "mean of 4 posterior means"]
    assert "how far these would differ is unknown" in description(means)


@pytest.mark.gui
def test_what_one_sample_does_not_have_is_no_layer_and_is_not_offered(tmp_path, qapp):
    for samples, keys in ((1, ["ct", "support"]), (4, ["ct", "mean", "uncertainty", "support"])):
        result = translated(tmp_path / str(samples), samples=samples)
        layers = result_layers(result)
        assert [about["metadata"][KEY]["port"] for _, about, _ in layers] == keys
        widget = ResultsWidget()
        widget.show_result(result)
        assert [widget.layer.itemData(number) for number in range(widget.layer.count())] == [ALL, *keys]
    [saved] = write_ome_zarr(str(tmp_path / "all"), result_layers(open_result(tmp_path / "1" / "out.ome.zarr")))
    assert [port.key for port in open_result(saved).ports] == ["ct", "mean", "uncertainty", "support"]


# --- slices, rectangles ---


def test_the_slice_is_told_however_the_volume_is_looked_at():
    viewer, layer = viewer_with_mr()
    form = RunForm(kind=TRANSLATION)
    viewer.dims.set_point(0, layer.data_to_world((4, 0, 0))[0])
    assert region_text(viewer, form, layer) == "Slice 4 (0 to 5)" and chosen_slices(viewer, form, layer) == "4:5"
    viewer.dims.roll()  # z comes to be a side of the picture
    for plane in ("sagittal", "coronal"):
        assert f"slice 4 (0 to 5). You look at {plane} cuts" in region_text(viewer, form, layer)
        assert chosen_slices(viewer, form, layer) == "4:5"
        with pytest.raises(InputError, match=f"You look at {plane} cuts: go back"):
            form.kind.scope.check_seen(viewer, None)
        viewer.dims.roll()
    assert region_text(viewer, form, layer) == "Slice 4 (0 to 5)"
    viewer.dims.ndisplay = 3
    assert "switch to 2D" in region_text(viewer, form, layer)
    form.region = "volume"
    assert region_text(viewer, form, layer) == "" and chosen_slices(viewer, form, layer) is None


def test_a_rectangle_drawn_on_a_slice_is_a_region_of_every_slice():
    viewer, layer = viewer_with_mr()
    form = RunForm(kind=TRANSLATION)
    assert chosen_region(viewer, form, layer) is None
    form.within = True
    assert "Nothing is drawn yet: press Draw… and draw a rectangle." in region_text(viewer, form, layer)
    shapes = add_region_layer(viewer, layer)
    # voxels 2 to 5 of the rows and 1 to 7 of the columns, from edge to edge
    shapes.add_rectangles(np.array([[1.5, 0.5], [5.5, 7.5]]))
    region = chosen_region(viewer, form, layer)
    assert region is not None and (region.x, region.y, region.width, region.height) == (1, 2, 7, 4)
    assert region_text(viewer, form, layer).endswith("<br>7 × 4 px at x 1, y 2")
    shapes.add_ellipses(np.array([[1.5, 0.5], [5.5, 7.5]]))
    shapes.selected_data = {1}
    with pytest.raises(InputError, match="only an upright rectangle"):
        chosen_region(viewer, form, layer)


# --- from a slice to the volume ---


def test_the_volume_goes_on_with_the_settings_of_the_slice(tmp_path):
    result = translated(tmp_path, samples=2)
    form = RunForm(kind=TRANSLATION, model=MODEL, samples=1, options={"t0": 0.5}, steps=70, quality="fast")
    take_settings(form, result)
    assert (form.region, form.steps, form.sampler, form.samples, form.seed) == ("volume", 9, "", 2, 3)
    assert form.options == {"guidance": 2.0} and not form.within
    with pytest.raises(InputError, match="was made by MR to CT: choose that model"):
        take_settings(RunForm(kind=TRANSLATION, model=replace(MODEL, name="other")), result)


@pytest.mark.parametrize("steps", [25, 50, 1000, 7])
@pytest.mark.parametrize("sampler", ["ancestral", "euler-maruyama", "ddpm"])
def test_the_volume_takes_the_steps_of_the_slice_whatever_its_sampler(sampler, steps):
    info = model_info("mr-to-ct-sarcoma")
    declared = info.declared
    system = SimpleNamespace(presets=declared.presets, samplers=declared.samplers, options=(), check=lambda _: None)
    made = {"quality": "fast", "sampler": sampler, "steps": steps, "samples": 1, "seed": 0, "region": None}
    form = RunForm(kind=TRANSLATION, model=model_facts(info, "mr-to-ct-sarcoma"))
    take_settings(form, SimpleNamespace(record={"model": {"name": info.name}, "parameters": made}))
    run = choose_settings(system, quality=form.quality, sampler=form.sampler or None, steps=form.steps or None)
    assert (run.sampler, run.steps) == (sampler, steps)


def test_an_input_is_found_by_name_and_place(tmp_path):
    viewer, layer = viewer_with_mr()
    result = translated(tmp_path)
    elsewhere = LATTICE.cut((1, 0, 0), SHAPE).to_json()
    twin = viewer.add_image(np.zeros(SHAPE), scale=SPACING, units=("mm",) * 3, metadata={KEY: {"lattice": elsewhere}})
    remember(twin.data, Origin(path=Path("/other/mr.nii.gz")))
    assert open_inputs(result, list(viewer.layers), (twin,)) == [layer]
    viewer.layers.remove(layer)
    with pytest.raises(InputError, match=r"Open mr\.nii\.gz to go on with out\.ome\.zarr"):
        open_inputs(result, list(viewer.layers))
    bare = viewer.add_image(np.zeros(SHAPE), name="mr", scale=SPACING, units=("mm",) * 3)
    assert open_inputs(result, list(viewer.layers)) == [bare]


# --- layers ---


def test_contrast_is_shared_where_values_mean_the_same(tmp_path):
    result = translated(tmp_path, samples=4)
    assert alike(MR, result) == [("ct", "mean")]  # MR has a scale of its own
    assert alike(replace(MR, unit="HU"), result) == [("ct", "mean", "")]
    viewer, source = viewer_with_mr()
    before = source.contrast_limits
    shown = {
        about["metadata"][KEY]["port"]: viewer.add_image(data, **about) for data, about, _ in result_layers(result)
    }
    assert shown["support"].name == "support by the source (low: orange)"
    np.testing.assert_allclose(shown["support"].colormap.map(np.array([0.0, 1.0])), [[1, 0.5, 0, 1], [1, 0.5, 0, 0]])
    links = LayerLinks()
    links.tie(viewer, result, source, MR)
    shown["ct"].contrast_limits = (0, 80)
    assert list(shown["mean"].contrast_limits) == [0, 80] and list(source.contrast_limits) == list(before)
    assert list(shown["uncertainty"].contrast_limits) == [0, 125]

    # what the user unties stays so
    napari.experimental.unlink_layers([shown["ct"], shown["mean"]])
    links.tie(viewer, result, source, MR)
    shown["ct"].contrast_limits = (0, 90)
    assert list(shown["mean"].contrast_limits) == [0, 80]


def test_slices_stay_on_their_volume_where_it_is_moved(tmp_path):
    result = translated(tmp_path)
    viewer, source = viewer_with_mr()
    for data, about, _ in result_layers(result):
        viewer.add_image(data, **about)
    LayerLinks().tie(viewer, result, source, MR)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[0.0, -1.0], [1.0, 0.0]]
    for name, value in (("translate", (1.0, 2.0, 3.0)), ("scale", (6.0, 2.0, 1.0)), ("affine", turn)):
        setattr(source, name, value)
        for layer in viewer.layers[1:]:
            # voxel (0, 4, 5) of the result is voxel (2, 4, 5) of the volume
            np.testing.assert_allclose(layer.data_to_world((0, 4, 5)), source.data_to_world((2, 4, 5)), atol=1e-9)
