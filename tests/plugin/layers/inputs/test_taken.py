"""What of a layer is computed: its file only while it shows it, else what it shows, from pixels and their meaning."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
import zarr

from diffuscope.errors import InputError
from diffuscope.jobs.drawn.copied import LayerCopy
from diffuscope.jobs.inputs import open_inputs
from diffuscope.plugin.forms.out import suggest_out
from diffuscope.plugin.jobs import scratch as written_to
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.given import source as given_source
from diffuscope.plugin.jobs.given.source import Stopped, input_of
from diffuscope.plugin.jobs.process import Returned
from diffuscope.plugin.jobs.resume import find_layer
from diffuscope.plugin.jobs.run import Given, Request, _source, carry_out
from diffuscope.plugin.jobs.scratch import write_scratch, write_scratch_volume
from diffuscope.plugin.layers.facts import finest, slide_facts
from diffuscope.plugin.layers.inputs.orientation import ENDS, is_orientation, say_orientation
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.ports.raster import Raster
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_input, open_volume

napari = pytest.importorskip("napari")
sitk = pytest.importorskip("SimpleITK")
layer_source = pytest.importorskip("napari.layers._source").layer_source

VESSELS, NUCLEI = (
    Raster(name=name, key=key, kind="map", channels=(channel,), mpp=2.0, range=(0.0, 255.0))
    for name, key, channel in (("Vessels", "vessels", "CD31"), ("Nuclei", "nuclei", "DAPI"))
)


def request(**layers: Any) -> Request:
    given = []
    for key, layer in layers.items():
        facts = slide_facts(layer)
        pixels = None if facts.path else finest(layer)
        given.append(Given(key=key, facts=facts, pixels=pixels, channel=facts.channel))
    return Request(inputs=tuple(given), placement=None, region=None, settings={}, overwrite=False)


@pytest.fixture
def taken():
    """Opens what a run takes of layers, by port key."""
    scratch: list[Path] = []

    def take(**layers: Any) -> dict[str, Any]:
        source = _source(request(**layers), scratch, threading.Event())
        ports = [port for port in (VESSELS, NUCLEI) if port.key in layers]
        source = source if isinstance(source, dict) else {ports[0].key: source}
        return {one.port.key: one for one in open_inputs(source, ports, "m", mpp=None)}

    yield take
    for path in scratch:
        shutil.rmtree(path.parent)


def fluorescence(path: Path, stack: np.ndarray, names: tuple[str, ...]) -> Path:
    """An OME-Zarr of 2 µm/px, a channel a name."""
    root = zarr.open_group(path, mode="w", zarr_format=2)
    root.create_array("0", shape=stack.shape, dtype="u1", chunks=(1, 64, 64))[:] = stack
    axes = [{"name": "c", "type": "channel"}, *({"name": a, "type": "space", "unit": "micrometer"} for a in "yx")]
    scale = [{"type": "scale", "scale": [1, 2, 2]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    root.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    root.attrs["omero"] = {"channels": [{"label": name, "color": "FFFFFF"} for name in names]}
    return path


def test_the_chosen_channel_of_another_reader_is_what_is_computed(tmp_path: Path, taken: Callable[..., Any]):
    stack = np.random.default_rng(0).integers(0, 255, (3, 256, 256)).astype(np.uint8)
    path = fluorescence(tmp_path / "fluo.ome.zarr", stack, ("CD31", "DAPI", "aSMA"))
    with layer_source(path=str(path), reader_plugin="napari-ome-zarr"):
        foreign = [napari.layers.Image(one, scale=(2, 2), units=("um", "um"), name=name)
                   for one, name in zip(stack, ("CD31", "DAPI", "aSMA"), strict=True)]  # fmt: skip
    ours = [napari.layers.Image(data, **about) for data, about, _ in read_layers(str(path))]
    for cd31, dapi, asma in (foreign, ours):
        for vessels, number in ((asma, 2), (cd31, 0)):
            found = taken(vessels=vessels, nuclei=dapi)
            np.testing.assert_array_equal(np.asarray(found["vessels"].scan.levels[0])[..., 0], stack[number])
            np.testing.assert_array_equal(np.asarray(found["nuclei"].scan.levels[0])[..., 0], stack[1])
            about = found["vessels"].to_json()
            told = about.get("channel", about["name"])  # a channel of the file, or the layer's own name
            assert ("aSMA", "CD31")[number == 0] in told and found["vessels"].scan.mpp == 2


EDITS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mirrored": lambda pixels: pixels[:, ::-1],
    "turned": np.rot90,
    "transposed": lambda pixels: pixels.swapaxes(0, 1),
    "cropped": lambda pixels: pixels[16:80, 8:],
    "thinned": lambda pixels: pixels[::2, ::2],
    "recoloured": lambda pixels: 255 - pixels,
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
@pytest.mark.parametrize("ours", [True, False], ids=["our reader", "another"])
def test_a_layer_edited_in_place_is_what_is_computed(tmp_path: Path, edit: Callable[..., Any], ours: bool):
    path, pixels = tmp_path / "he.ome.tif", np.random.default_rng(0).integers(0, 255, (96, 96, 3)).astype(np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(32, 32), metadata={"PhysicalSizeX": 0.5})
    if ours:
        [(data, about, _)] = read_layers(str(path))
        layer = napari.layers.Image(data, **about)
        assert slide_facts(layer).path == path
    else:
        with layer_source(path=str(path), reader_plugin="napari"):
            layer = napari.layers.Image(pixels, rgb=True)
    layer.data = np.ascontiguousarray(edit(pixels))
    facts = slide_facts(layer)
    assert facts.path is None
    written = write_scratch(finest(layer), name=facts.name, mpp=0.5)
    np.testing.assert_array_equal(np.asarray(open_input(written).levels[0]), edit(pixels))
    shutil.rmtree(written.parent)


@pytest.fixture
def picture(tmp_path: Path) -> tuple[Any, Path]:
    """A picture that napari's own reader opened, and its file."""
    path = tmp_path / "mine.jpg"
    pixels = np.random.default_rng(0).integers(0, 255, (96, 80, 3)).astype(np.uint8)
    PIL.Image.fromarray(pixels).save(path)
    with layer_source(path=str(path), reader_plugin="napari"):
        return napari.layers.Image(np.array(PIL.Image.open(path)), rgb=True, name="mine"), path


def test_a_picture_that_napari_opened_is_its_file_as_long_as_it_shows_that(picture: tuple[Any, Path]):
    layer, path = picture
    facts, scratch = slide_facts(layer), []
    assert (facts.path, facts.file) == (None, path)
    assert input_of(facts, finest(layer), scratch, threading.Event()) == path and not scratch
    assert suggest_out(facts, "stain").parent == path.parent  # beside its input
    stated = {"name": "mine.jpg"}
    assert find_layer(stated, [layer], "to go on")[0] is layer
    layer.data[40, 30] ^= 1  # nothing but the pixels tells
    copy = input_of(slide_facts(layer), finest(layer), scratch, threading.Event())
    assert isinstance(copy, LayerCopy) and copy.layer == "mine" and scratch == [copy.path]
    opened = copy.open(open_input)
    assert (opened.name, opened.format) == ("mine", "copy of a layer")
    np.testing.assert_array_equal(np.asarray(opened.levels[0]), layer.data)
    assert find_layer({"name": "mine"}, [layer], "to go on")[0] is layer
    shutil.rmtree(copy.path.parent)


@pytest.mark.parametrize("is_file", [True, False], ids=["compared", "copied"])
def test_cancel_is_heard_while_pixels_are_read(
    picture: tuple[Any, Path], is_file: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for place, name in ((given_source, "_BAND"), *((written_to, one) for one in ("_TILE", "_BAND", "_AT_ONCE"))):
        monkeypatch.setattr(place, name, 16)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layer, path = picture
    facts, stop, asked = slide_facts(layer), threading.Event(), []

    class Slow:
        """Whose user cancels at the third band of six."""

        shape = layer.data.shape

        def __getitem__(self, part: Any) -> Any:
            asked.append(part)
            if len(asked) == 3:
                stop.set()
            return layer.data[part]

    facts = replace(facts, file=path if is_file else None)
    with pytest.raises(Stopped):
        input_of(facts, Slow(), [], stop)
    assert len(asked) == 3 and list(tmp_path.iterdir()) == [path]
    stop.clear()
    asked.clear()
    given = Given(key="he", facts=facts, pixels=Slow(), channel=None)
    request = Request(inputs=(given,), placement=None, region=None, settings={"out": "o"}, overwrite=False)
    [message] = carry_out(Child(), stop, request=request)
    assert message == Returned(None)


def test_transparency_and_another_shape_make_a_picture_no_other_file(picture: tuple[Any, Path]):
    layer, path = picture
    layer.data = np.dstack([layer.data, np.full(layer.data.shape[:2], 255, np.uint8)])
    assert input_of(slide_facts(layer), finest(layer), [], threading.Event()) == path
    layer.data = layer.data[:64]
    assert slide_facts(layer).file is None and suggest_out(slide_facts(layer), "stain").parent != path.parent


def test_the_scale_that_the_user_gave_a_picture_is_told_to_the_run(picture: tuple[Any, Path]):
    layer, _ = picture
    assert slide_facts(layer).changed_mpp is None
    layer.scale, layer.units = (0.5, 0.5), ("um", "um")
    assert slide_facts(layer).mpp == slide_facts(layer).changed_mpp == 0.5  # the file does not say it


def test_an_edit_of_the_array_itself_is_seen(tmp_path: Path):
    voxels = np.arange(8 * 12 * 10, dtype=np.int16).reshape(8, 12, 10)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "v.nii.gz"))
    [(data, about, _)] = read_layers(str(tmp_path / "v.nii.gz"))
    layer = napari.layers.Image(data, **about)
    assert slide_facts(layer).path == tmp_path / "v.nii.gz"
    layer.data[:] = layer.data[:, ::-1].copy()
    facts = slide_facts(layer)
    assert facts.path is None and facts.problem == ""
    written = write_scratch_volume(layer.data, name=facts.name, lies=facts.lies)
    assert written.name == "v.nii.gz.nii"
    again = open_volume(written)
    np.testing.assert_array_equal(again.voxels[:], layer.data)
    assert again.lattice.is_same(open_volume(tmp_path / "v.nii.gz").lattice)  # edited where it lies
    shutil.rmtree(written.parent)


def test_a_copy_of_a_channel_says_nothing_of_its_file():
    [(data, about, _), *_] = read_layers(str(sample_path("tumour-simulated.ome.tif")))
    layer = napari.layers.Image(data, **about)
    assert slide_facts(layer).channel == 0
    # plugins hand the metadata on
    copied = napari.layers.Image(np.asarray(data)[::-1], metadata=layer.metadata)
    assert slide_facts(copied).path is None and slide_facts(copied).channel is None
    layer.data = np.asarray(data)
    assert slide_facts(layer).path is None


def test_a_scale_that_the_user_set_is_the_one_of_the_run(tmp_path: Path):
    path = tmp_path / "he.ome.tif"
    about = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5, "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(path, np.zeros((64, 64, 3), np.uint8), photometric="rgb", metadata=about, tile=(32, 32))
    [(data, about, _)] = read_layers(str(path))
    layer = napari.layers.Image(data, **about)
    assert (slide_facts(layer).mpp, slide_facts(layer).changed_mpp) == (0.5, None)
    layer.scale = (-0.25, 0.25)  # mirrored too, which is no size
    assert slide_facts(layer).path == path and slide_facts(layer).changed_mpp == 0.25
    layer.scale, layer.units = (0.0005, 0.0005), ("mm", "mm")
    assert slide_facts(layer).changed_mpp is None
    layer.scale = (0.0005, 0.00025)
    assert "0.5 µm high and 0.25 µm wide" in slide_facts(layer).problem


QUARTER_TURN = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
TENTH_TURN = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]])


@pytest.mark.parametrize(
    ("scale", "unit", "affine", "mpp"),
    [
        (1.0, "um", np.diag([0.25, 0.25, 1.0]), 0.25),
        (0.25, "um", np.diag([2.0, 2.0, 1.0]), 0.5),
        (0.25, "um", QUARTER_TURN, 0.25),
        (0.25, "um", TENTH_TURN @ np.diag([2.0, -2.0, 1.0]), 0.5),
        (0.001, "mm", np.diag([0.25, 0.25, 1.0]), 0.25),
        (1.0, "pixel", np.diag([0.25, 0.25, 1.0]), None),
    ],
)
def test_a_scale_in_the_affine_of_a_layer_is_one(scale: float, unit: str, affine: np.ndarray, mpp: float | None):
    """Against how far apart napari shows two px."""
    layer = napari.layers.Image(np.zeros((8, 9)), scale=(scale, scale), units=(unit, unit), affine=affine)
    facts = slide_facts(layer)
    assert facts.problem == ""
    if mpp is None:
        assert facts.mpp is None  # of what size a pixel is nobody says
        return
    step = np.subtract(layer.data_to_world((3, 4)), layer.data_to_world((3, 3)))
    assert facts.mpp == pytest.approx(np.linalg.norm(step) * {"um": 1, "mm": 1000}[unit]) == pytest.approx(mpp)


def test_what_a_user_stretched_or_sheared_is_as_large_as_its_px_are_shown():
    place = {"scale": (0.5, 0.5), "units": ("um", "um")}
    stretched = np.diag([1.0, 1.21, 1.0])
    for about, mpp in (({"affine": stretched}, 0.55), ({"shear": (0.3,)}, 0.5), ({"rotate": 30}, 0.5)):
        layer = napari.layers.Image(np.zeros((8, 9)), **place, **about)
        corners = [layer.data_to_world(one) for one in ((0, 0), (0, 1), (1, 1), (1, 0))]
        (y, x), (v, u) = np.subtract(corners[1], corners[0]), np.subtract(corners[3], corners[0])
        assert slide_facts(layer).problem == ""
        assert slide_facts(layer).mpp == pytest.approx(abs(y * u - x * v) ** 0.5) == pytest.approx(mpp)


def test_px_that_an_affine_alone_makes_oblong_are_refused():
    layer = napari.layers.Image(np.zeros((8, 9)), units=("um", "um"), affine=np.diag([0.5, 0.25, 1.0]))
    assert "0.5 µm high and 0.25 µm wide" in slide_facts(layer).problem


def test_what_our_reader_opened_is_as_large_as_its_file_says_wherever_it_is_moved():
    for name in ("tumour-simulated.ome.tif", "head-patient19-T1.nii.gz"):
        [(data, about, _), *_] = read_layers(str(sample_path(name)))
        layer = napari.layers.Image(data, **about)
        before = slide_facts(layer)
        layer.affine = np.diag([2.0] * layer.ndim + [1.0])
        assert slide_facts(layer) == before and before.path is not None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.linspace(0, 1, 27).reshape(3, 3, 3), np.rint(255 * np.linspace(0, 1, 27)).reshape(3, 3, 3)),
        (np.eye(3) > 0, np.eye(3)),
        (np.eye(3, dtype=np.float16) / 2, np.eye(3) / 2),
        (np.eye(3, dtype=np.int64) * -70000, np.eye(3) * -70000),
        (np.eye(3, dtype=">u2") * 700, np.eye(3) * 700),
    ],
    ids=["rgb fractions", "a mask", "half precision", "int64", "big-endian"],
)
def test_pixels_of_every_type_come_through(values: np.ndarray, expected: np.ndarray):
    path = write_scratch(values, name="a", mpp=0.5)
    np.testing.assert_array_equal(np.asarray(open_input(path).levels[0]).reshape(expected.shape), expected)
    shutil.rmtree(path.parent)


@pytest.mark.parametrize("values", [np.full((3, 3, 3), 200.0), np.ones((3, 3, 3), np.int64), np.eye(3) * 1j])
def test_what_is_no_picture_is_refused(values: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError, match="“a” holds"):
        write_scratch(values, name="a", mpp=0.5)
    assert not list(tmp_path.iterdir())


# --- a volume of another reader ---


def foreign(voxels: np.ndarray, spacing: tuple[float, ...] = (3.0, 0.75, 0.5), **about: Any) -> Any:
    return napari.layers.Image(voxels, name="T1", scale=spacing, units=("mm",) * 3, **about)


@pytest.mark.parametrize("units", [("pixel",) * 3, ("s", "um", "um")], ids=["pixels", "a time axis"])
def test_a_volume_without_mm_is_refused(units: tuple[str, ...]):
    layer = napari.layers.Image(np.zeros((4, 5, 6)), name="T1", units=units)
    say_orientation(layer, "IAR")
    assert "“T1” does not state its mm" in slide_facts(layer).problem


def test_how_a_foreign_volume_lies_is_asked():
    layer = foreign(np.zeros((4, 5, 6)))
    assert "does not say how it lies in the patient" in slide_facts(layer).problem
    say_orientation(layer, "IA")
    assert slide_facts(layer).problem
    say_orientation(layer, "IAR")
    assert slide_facts(layer).problem == "" and slide_facts(layer).slices == 4


def test_the_mm_of_a_volume_may_stand_in_its_affine():
    """Against SimpleITK, by the volume that is written for the run."""
    layer = napari.layers.Image(np.zeros((4, 5, 6), np.int16), units=("mm",) * 3, affine=np.diag([5.0, 0.75, 0.5, 1.0]))
    say_orientation(layer, "IAR")
    facts = slide_facts(layer)
    written = write_scratch_volume(layer.data, name="T1", lies=facts.lies)
    assert facts.spacing == sitk.ReadImage(str(written)).GetSpacing()[::-1] == (5.0, 0.75, 0.5)
    shutil.rmtree(written.parent)


ALL = ["".join(letters) for letters in itertools.permutations(ENDS, 3) if is_orientation("".join(letters))]


@pytest.mark.parametrize("letters", ALL)
def test_a_foreign_volume_is_computed_as_the_user_says_that_it_lies(letters: str):
    """Against SimpleITK's own turning of an array whose axes run so."""
    voxels = np.random.default_rng(0).integers(0, 99, (4, 5, 6)).astype(np.int16)
    layer = foreign(voxels)
    say_orientation(layer, letters)
    facts = slide_facts(layer)
    written = write_scratch_volume(layer.data, name="T1", lies=facts.lies)
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.5, 0.75, 3.0))
    # ITK names axes x, y, z by where they begin; arrays are z, y, x
    filter_ = sitk.DICOMOrientImageFilter()
    starts = {"R": "L", "L": "R", "A": "P", "P": "A", "I": "S", "S": "I"}
    image.SetDirection(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation(
        "".join(starts[letter] for letter in letters[::-1])
    ))  # fmt: skip
    filter_.SetDesiredCoordinateOrientation("LPS")
    upright = filter_.Execute(image)
    np.testing.assert_array_equal(open_volume(written).voxels[:], sitk.GetArrayFromImage(upright))
    np.testing.assert_allclose(open_volume(written).spacing, upright.GetSpacing()[::-1])
    assert facts.slices == upright.GetSize()[2]
    shutil.rmtree(written.parent)


def test_a_foreign_volume_claims_no_place_in_a_patient():
    nib = pytest.importorskip("nibabel")
    layer = foreign(np.zeros((4, 5, 6), np.int16))
    say_orientation(layer, "IPL")
    written = write_scratch_volume(layer.data, name="T1", lies=slide_facts(layer).lies)
    header = nib.load(written).header
    assert (int(header["qform_code"]), int(header["sform_code"])) == (0, 0)
    shutil.rmtree(written.parent)


def test_the_sample_as_nibabel_has_it_is_the_sample():
    nib = pytest.importorskip("nibabel")
    file = sample_path("head-patient19-T1.nii.gz")
    image = nib.load(file)
    starts = {"R": "L", "L": "R", "A": "P", "P": "A", "I": "S", "S": "I"}
    letters = "".join(starts[letter] for letter in nib.aff2axcodes(image.affine))
    for voxels, said in ((np.asarray(image.dataobj), letters), (np.asarray(image.dataobj).T, letters[::-1])):
        layer = foreign(voxels, (1.0, 1.0, 1.0))
        say_orientation(layer, said)
        written = write_scratch_volume(layer.data, name="T1", lies=slide_facts(layer).lies)
        np.testing.assert_array_equal(open_volume(written).voxels[:], open_volume(file).voxels[:])
        shutil.rmtree(written.parent)


def test_a_scale_below_zero_turns_what_the_user_says_of_the_world():
    voxels = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    layer = foreign(voxels, (3.0, -0.75, 0.5))
    say_orientation(layer, "IAR")  # as it is seen: the last row is above the first
    written = write_scratch_volume(layer.data, name="T1", lies=slide_facts(layer).lies)
    np.testing.assert_array_equal(open_volume(written).voxels[:], voxels[:, ::-1])
    shutil.rmtree(written.parent)
