"""What a run says of images that are unlike those of training, and that it says nothing of those that are like them."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from skimage import data as pictures
from skimage.draw import disk

from diffuscope.jobs.compute import ComputeRequest
from diffuscope.jobs.likeness import notices
from diffuscope.jobs.likeness.notices import SECONDS, unlike_files
from diffuscope.jobs.likeness.spots import spot_profile, spot_size
from diffuscope.jobs.prepare import prepare
from diffuscope.model.find import BUNDLED, list_models
from diffuscope.sample_data import sample_path
from diffuscope.scans import Volume, windows
from diffuscope.stains.deconvolution import HE, combine

STAIN, MR_TO_CT, CT_TO_MR, NANO = "stain-cd3-demo", "mr-to-ct-sarcoma", "ct-to-mr-sarcoma", "nanoparticles-demo"
MR, CT = "sarcoma-STS_010-MR.nii.gz", "sarcoma-STS_010-CT.nii.gz"
T1, T2, FLAIR = (f"head-patient19-{name}.nii.gz" for name in ("T1", "T2", "FLAIR"))
TUMOUR, SLIDE = "tumour-simulated.ome.tif", "CMU-1-Small-Region.svs"


@pytest.fixture(autouse=True)
def _all_windows_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a look the time that it needs: in a second a busy machine has seen too few windows to tell anything."""
    monkeypatch.setattr(notices, "SECONDS", 600.0)


def told(model: str, files: dict[str, str | Path], mpp: float | None = None) -> str:
    """Return what is told of files; names are those of samples."""
    found = {}
    for key, name in files.items():
        file, mark, channel = str(name).partition("#")
        found[key] = f"{Path(file) if Path(file).is_absolute() else sample_path(file)}{mark}{channel}"
    return " ".join(unlike_files(model, found, mpp=mpp))


def volume(folder: Path, name: str, change=lambda voxels: voxels, spacing: float = 1.0) -> Path:
    """Return a copy of a sample volume with other voxels, or a spacing so many times as wide."""
    image = sitk.ReadImage(str(sample_path(name)))
    made = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    made.CopyInformation(image)
    made.SetSpacing([step * spacing for step in image.GetSpacing()])
    sitk.WriteImage(made, str(folder / "made.nii.gz"))
    return folder / "made.nii.gz"


def fluorescence() -> np.ndarray:
    """Return blue nuclei on black, as a camera's RGB has them."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:512, :512]
    light = sum(np.exp(-((y - b) ** 2 + (x - a) ** 2) / 60) for a, b in rng.integers(0, 512, (150, 2)))
    grey = np.clip(200 * light + rng.normal(8, 3, light.shape), 0, 255)
    return np.stack([0.05 * grey, 0.2 * grey, grey], axis=-1).astype(np.uint8)


def test_every_shipped_model_states_how_its_inputs_look():
    """Those of whole cases tell of the case instead (`Whole.unlike`)."""
    shipped = [info for info in list_models() if info.path.parent == BUNDLED and not info.declared.whole]
    assert len(shipped) == 8
    for info in shipped:
        assert set(info.stated.seen) == {port.key for port in info.declared.input_rasters}, info.name


def test_where_no_looks_are_stated_it_is_told_that_nothing_can_be():
    said = "This model does not state how CT looked in its training, so a run cannot tell whether yours is like it."
    assert unlike_files("lnm-demo", {"ct": sample_path(CT)}) == (said,)
    assert unlike_files("lnm-demo", {"ct": sample_path(CT)}, voxels=1) == (said,)
    assert unlike_files("lnm-hancock", {}) == ()
    both = told("any-to-any-demo", {"t1": T1, "t2": T2})
    assert both.startswith("This model does not state how T1 and T2 looked in its training")


@pytest.mark.parametrize(
    ("model", "files", "mpp"),
    [
        (STAIN, {"he": "CMU-1-Small-Region.svs"}, None),
        (STAIN, {"he": "OS-1-detail.ome.tif"}, None),
        *((STAIN, {"he": f"he-orion-{slide}.jpg"}, 0.325) for slide in ("C01", "C03", "C05")),
        ("stain-ck818-demo", {"he": "he-orion-C05.jpg"}, 0.325),
        (NANO, {"vessels": f"{TUMOUR}#CD31", "nuclei": f"{TUMOUR}#DAPI"}, None),
        (MR_TO_CT, {"mr": MR}, None),
        (CT_TO_MR, {"ct": CT}, None),
        ("t1-to-flair-ms", {"t1": T1}, None),
        ("flair-to-t1-ms", {"flair": FLAIR}, None),
        ("ms-flair-demo", {"t1": T1, "t2": T2}, None),
    ],
)
def test_nothing_is_told_of_the_samples(model, files, mpp):
    assert told(model, files, mpp) == ""


@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (pictures.immunohistochemistry, "hue of what absorbs"),
        (pictures.astronaut, "photograph"),
        (pictures.coffee, "photograph"),
        (fluorescence, "fluorescence picture"),
    ],
)
def test_what_is_no_h_and_e_is_told(tmp_path, make, hint):
    tifffile.imwrite(tmp_path / "made.tif", make(), photometric="rgb")
    sentence = told(STAIN, {"he": tmp_path / "made.tif"}, 0.5)
    assert sentence.startswith("H&E (made.tif) does not look like what this model is for (the 10 H&E pictures")
    assert hint in sentence


@pytest.mark.parametrize(("slide", "mpp"), [(SLIDE, 0.125), (SLIDE, 2.0), ("he-orion-C05.jpg", 4 * 0.325)])
def test_a_scale_that_is_wrong_four_times_is_told(slide, mpp):
    assert "a wrong µm/px" in told(STAIN, {"he": slide}, mpp)


@pytest.mark.parametrize("mpp", [0.25, 0.5])
@pytest.mark.parametrize("diameter", [4.0, 8.0, 16.0])
def test_spots_have_the_diameter_that_they_are_drawn_with(diameter, mpp):
    rng = np.random.default_rng(0)
    side = round(256 / mpp)
    blue = np.zeros((side, side))
    for y, x in rng.integers(0, side, (side * side // round((4 * diameter / mpp) ** 2), 2)):
        rows, columns = disk((y, x), diameter / mpp / 2, shape=blue.shape)
        blue[rows, columns] = 0.6
    pixels = combine(np.stack([blue, np.full_like(blue, 0.1), np.zeros_like(blue)], axis=-1), HE)
    quarters = [pixels[y : y + side // 2, x : x + side // 2] for y in (0, side // 2) for x in (0, side // 2)]
    profiles = [spot_profile(one, np.ones(one.shape[:2], bool), mpp) for one in quarters]
    assert all(profile.sum() == pytest.approx(1) for profile in profiles)
    assert spot_size(profiles) == pytest.approx(diameter, rel=0.15)


def test_ct_for_mr_and_mr_for_ct_are_told():
    assert "part below 0" in (sentence := told(MR_TO_CT, {"mr": CT})) and sentence.endswith("; perhaps a CT.")
    assert told(CT_TO_MR, {"ct": MR}).endswith("; perhaps an MR, or no CT in HU.")


def test_hu_without_their_rescaling_are_told(tmp_path):
    assert "part below 0" in told(CT_TO_MR, {"ct": volume(tmp_path, CT, lambda voxels: voxels + 1024)})


@pytest.mark.parametrize("spacing", [0.5, 2.0])
@pytest.mark.parametrize(("model", "key", "name"), [("t1-to-flair-ms", "t1", T1), ("flair-to-t1-ms", "flair", FLAIR)])
def test_a_wrong_spacing_of_a_head_is_told(tmp_path, model, key, name, spacing):
    assert "width of the body" in told(model, {key: volume(tmp_path, name, spacing=spacing)})


@pytest.mark.parametrize(
    ("model", "key", "name"),
    [(MR_TO_CT, "mr", MR), (CT_TO_MR, "ct", CT), ("t1-to-flair-ms", "t1", T1), ("flair-to-t1-ms", "flair", FLAIR)],
)
def test_inverted_greys_are_told(tmp_path, model, key, name):
    assert told(model, {key: volume(tmp_path, name, lambda voxels: voxels.max() + voxels.min() - voxels)})


def test_another_contrast_is_told_where_it_differs():
    assert "brighter quarter" in told("flair-to-t1-ms", {"flair": T2})
    assert told("ms-flair-demo", {"t1": T2, "t2": T1}).startswith("T2 (head-patient19-T1.nii.gz)")


def test_swapped_channels_are_told():
    sentence = told(NANO, {"vessels": f"{TUMOUR}#DAPI", "nuclei": f"{TUMOUR}#CD31"})
    assert sentence.startswith("vessels (CD31) (tumour-simulated.ome.tif) does not look like")


def test_a_run_tells_it_and_keeps_it_in_its_record(tmp_path):
    job = prepare(
        MR_TO_CT, sample_path(CT), tmp_path / "out.ome.zarr", mpp=None, seed=0, overwrite=False, resume=False,
        request=ComputeRequest(device="cpu"), slices="5:6",
    )  # fmt: skip
    [sentence] = [notice for notice in job.notices if "does not look like" in notice]
    assert sentence in job.record["notices"]
    assert sentence == told(MR_TO_CT, {"mr": CT})


def test_a_model_that_states_nothing_says_that_alone(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    config = json.loads((BUNDLED / MR_TO_CT / "config.json").read_text())
    del config["seen"]
    (folder / "config.json").write_text(json.dumps(config))
    assert told(str(folder), {"mr": CT}).startswith("This model does not state how MR looked in its training")


@pytest.mark.parametrize(
    ("place", "name", "model", "file"),
    [(Volume, "read", MR_TO_CT, {"mr": CT}), (windows, "read_region", STAIN, {"he": "CMU-1-Small-Region.svs"})],
)
def test_a_slow_disk_does_not_keep_a_run(monkeypatch, tmp_path, place, name, model, file):
    read, times = getattr(place, name), []
    # The statistics that an H&E is normalised by are of the whole slide, whatever the disk.
    stated = json.loads((BUNDLED / model / "config.json").read_text())
    stated["config"] |= {"normalise": False} if model == STAIN else {}
    (tmp_path / "config.json").write_text(json.dumps(stated))

    def slow(*args, **more):
        times.append(time.monotonic())
        time.sleep(0.7)
        return read(*args, **more)

    monkeypatch.setattr(place, name, slow)
    monkeypatch.setattr(notices, "SECONDS", SECONDS)
    told(str(tmp_path), file)
    assert len(times) == 2  # of eight: a second is over, and two are looked at in any case


@pytest.mark.parametrize("name", ["slides/OS-2-ndpi.ome.tif", *(f"deepliif-strips/{n}.png" for n in ("22_2", "Lung1"))])
def test_immunostains_of_others_are_told(shared, name):
    assert told(STAIN, {"he": shared / "data" / name}, None if "OS-2" in name else 0.5)


@pytest.mark.parametrize("name", ["flair181_2mm", "scct_2mm", "totalseg_ct", "totalseg_mr"])
def test_other_heads_and_bodies_are_told(shared, name):
    assert told("flair-to-t1-ms", {"flair": shared / "data" / "templates" / f"{name}.nii.gz"})
    assert told("t1-to-flair-ms", {"t1": shared / "data" / "templates" / f"{name}.nii.gz"})


@pytest.mark.slow
def test_patients_of_the_same_data_are_not_told_and_their_other_scans_are(shared):
    for patient in sorted(path for path in (shared / "data" / "sarcoma-ct-mr").iterdir() if path.is_dir()):
        ct, mr = patient / "ct.nii.gz", patient / "mr_t1.nii.gz"
        assert told(MR_TO_CT, {"mr": mr}) == told(CT_TO_MR, {"ct": ct}) == "", patient.name
        assert told(MR_TO_CT, {"mr": ct}) and told(CT_TO_MR, {"ct": mr}), patient.name
