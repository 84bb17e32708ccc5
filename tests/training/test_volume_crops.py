"""Training on volumes: crops are what a run gives to a network, patients stay apart, a target alone is enough."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from scipy import ndimage
from standins import SYSTEMS, row

import diffuscope as verbs
from diffuscope.api.check_data import check_data
from diffuscope.cases import Case, find_cases, split
from diffuscope.cases.patients import lay_out
from diffuscope.cases.volumes import volume_report
from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.jobs.extent import find_extent
from diffuscope.jobs.inputs import Frame, open_inputs
from diffuscope.jobs.likeness.looks import MANY, look
from diffuscope.jobs.scaling import find_foreground
from diffuscope.model.folder import save_model
from diffuscope.ports.seen import unlike
from diffuscope.results.result import open_result
from diffuscope.scans import open_volume
from diffuscope.scans.intensity import PERCENTILES
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system
from diffuscope.tiling.plan import Tile
from diffuscope.training.data.crops import crops_of, open_sampler, read_cases
from diffuscope.training.events import TrainingFinished
from diffuscope.training.recipe import Optimisation, Recipe, load_recipe
from diffuscope.training.recipe_data import Cases

sitk = pytest.importorskip("SimpleITK")

CARD = {
    "title": "a stand-in",
    "what_it_is": "A test.",
    "what_it_is_not": "Anything else.",
    "data": "none",
    "licence": "CC0-1.0",
    "trained_on": "nothing",
    "simulated": True,
}
RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"
OF_VOLUMES = ("ms-flair-demo", "t1-to-flair-ms", "flair-to-t1-ms", "mr-to-ct-sarcoma", "ct-to-mr-sarcoma")
SIDE = 16
PLAIN = Cases(path="cases")
SHAPE = (9, 40, 36)
GUIDED = {
    "target": {"name": "CT", "low": -200.0, "high": 300.0, "unit": "HU"},
    "source": {"name": "MR"},
    "size": "tiny",
    "patch": 32,
    "tile": 32,
    "overlap": 8,
}


def mr(key: str) -> dict:
    return {"key": key, "range": [0.0, 1.0], "dtype": "float32", "scale": "percentile"}


@pytest.fixture(scope="module")
def damm():
    config = {"main": mr("t1"), "auxiliaries": [mr("t2")], "output": mr("flair"), "size": "tiny", "T": 20}
    return build_system("damm", {**config, "spacing": [None, 1.0, 1.0], "patch": 32})


def head(shape=SHAPE, *, air: float = 0.0, scale: float = 100.0, seed: int = 0) -> np.ndarray:
    """An ellipsoid of texture, as bright as `scale` at the most, in air."""
    rng = np.random.default_rng(seed)
    voxels = np.full(shape, air, np.float32)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = (z / 0.7) ** 2 + (y / 0.8) ** 2 + (x / 0.8) ** 2 < 1
    voxels[inside] = rng.uniform(0.3 * scale, scale, int(inside.sum()))
    return voxels


def write(path: Path, voxels: np.ndarray, *, spacing=(3.0, 1.0, 1.0), flipped: bool = True) -> Path:
    """Write a volume, its rows kept the other way round as many NIfTI files keep them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(voxels[:, ::-1] if flipped else voxels)
    image.SetSpacing(spacing[::-1])
    if flipped:
        image.SetDirection([1, 0, 0, 0, -1, 0, 0, 0, 1])
    else:  # at the same place
        image.SetOrigin((0.0, -(voxels.shape[1] - 1) * spacing[1], 0.0))
    sitk.WriteImage(image, str(path))
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return three patients with T1, T2 and FLAIR in ``cases/``, each scan with a scale of its own."""
    folder = tmp_path_factory.mktemp("patients")
    for number, name in enumerate(("p1", "p2", "p3")):
        for place, key in enumerate(("t1", "t2", "flair")):
            voxels = head(scale=100.0 * (place + 1) * (number + 1), seed=10 * number + place)
            write(folder / "cases" / key / f"{name}.nii.gz", voxels)
    return folder


def dilated(mask: np.ndarray) -> np.ndarray:
    """Grow a mask by two voxels in the plane of its slices."""
    return ndimage.binary_dilation(mask, np.ones((1, 3, 3)), iterations=2)


def files_of(folder: Path, name: str, *keys: str) -> dict[str, Path]:
    return {key: folder / "cases" / key / f"{name}.nii.gz" for key in keys}


def recipe_of(**data) -> Recipe:
    return Recipe(name="x", system="x", data={"path": "cases", **data}, optimisation=Optimisation(steps=1))


def test_inputs_are_what_a_run_reads_and_the_target_has_percentiles_of_the_same_foreground(folder: Path, damm):
    [case] = [case for case in find_cases(folder / "cases", ["t1", "t2", "flair"]) if case.name == "p2"]
    sampler = open_sampler(case, PLAIN, damm, side=SIDE)
    inputs = open_inputs(files_of(folder, "p2", "t1", "t2"), damm.inputs, "m", mpp=None)
    run = find_extent(inputs, damm, region=None, slices=None, ranges={})
    for corner in (sampler.corners[0], sampler.corners[len(sampler.corners) // 2], sampler.corners[-1]):
        crop = sampler.read(corner, SIDE)
        tile, frame = Tile((0, 0, 0), tuple(int(v) for v in corner)), Frame(shape=(1, SIDE, SIDE), factors=(1, 1, 1))
        for one in run.inputs:
            np.testing.assert_array_equal(crop[one.port.key], one.read(tile, frame)[0])
    z, y, x = (int(v) for v in corner)
    voxels = open_volume(case.files["flair"]).voxels[:]
    low, high = np.percentile(voxels[find_foreground(run.inputs).mask], PERCENTILES)
    expected = np.clip((voxels[z, y : y + SIDE, x : x + SIDE] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(crop["flair"][..., 0], expected, atol=1e-4)
    assert crop["flair"].max() > 0.9  # not that of another patient, twice as bright


def test_what_a_run_s_network_saw_is_what_training_gives(folder: Path, tmp_path: Path, monkeypatch):
    """Through a whole run: the stand-in's answer is the sum of its inputs' middle slices."""
    monkeypatch.setitem(registry._ROWS, "brain", row(SYSTEMS["brain"]))
    system = SYSTEMS["brain"]()
    model = save_model(tmp_path / "brain", system, "brain", {}, CARD)
    files = files_of(folder, "p1", "t1", "t2")
    list(verbs.run(model, files, tmp_path / "out", device="cpu", threads=1, slices="0:9", region="0,0,36,40"))
    image = np.asarray(open_result(tmp_path / "out").images["flair"][0])[..., 0]
    [case] = [case for case in find_cases(folder / "cases", ["t1", "t2", "flair"]) if case.name == "p1"]
    sampler = open_sampler(case, PLAIN, system, side=SIDE)
    for corner in sampler.corners[:: len(sampler.corners) // 20]:
        z, y, x = corner
        crop = sampler.read(corner, SIDE)
        assert crop["t1"].shape == (SIDE, SIDE, 3) and crop["flair"].shape == (SIDE, SIDE, 1)
        np.testing.assert_allclose(
            crop["t1"][..., 1] + 2 * crop["t2"][..., 1], image[z, y : y + SIDE, x : x + SIDE], atol=1e-5
        )


def test_what_is_stated_of_inputs_is_what_a_run_finds_in_them(folder: Path, damm):
    parts = read_cases(recipe_of(validate_on=["p1"]), recipe_of(validate_on=["p1"]).data, damm, folder)
    seen = crops_of(parts, PLAIN, damm, seed=0, batch=2, side=SIDE).seen()
    assert seen.keys() == {"t1", "t2"}  # the target is none
    assert seen["t1"].images == len(parts["train"])
    case = parts["train"][0]
    inputs = open_inputs(files_of(folder, case.name, "t1", "t2"), damm.inputs, "m", mpp=None)
    run = find_extent(inputs, damm, region=None, slices=None, ranges={})
    alone = crops_of(parts | {"train": [case]}, PLAIN, damm, seed=0, batch=2, side=SIDE).seen()
    for one in run.inputs:
        found = look(one, run.foreground, (1, 1, 1), number=MANY).traits
        assert {key: spread[1] for key, spread in alone[one.port.key].traits.items()} == pytest.approx(found, rel=1e-3)
        assert unlike(found, seen[one.port.key]) == ""
        assert "width of the body" in unlike(found | {"size": 3 * found["size"]}, seen[one.port.key])


def test_a_batch_is_a_function_of_seed_and_number_mirrored_left_to_right_only(tmp_path: Path):
    system = build_system("midiffusion", {**GUIDED, "target": {"name": "CT", "low": 0, "high": 4000, "unit": "HU"}})
    place = np.arange(40 * 36, dtype=np.float32).reshape(40, 36)
    for name in ("a", "b"):
        write(tmp_path / "cases/ct" / f"{name}.nii.gz", np.stack([place] * 3) + 1)
    parts = read_cases(recipe_of(validate_on=["b"]), recipe_of(validate_on=["b"]).data, system, tmp_path)
    draw = [crops_of(parts, PLAIN, system, seed=seed, batch=4, side=SIDE).batch_at for seed in (0, 0, 1)]
    assert torch.equal(draw[0](3)["ct"], draw[1](3)["ct"]) and not torch.equal(draw[0](3)["ct"], draw[2](3)["ct"])
    steps = {
        (float(crop[0, 1, 0] - crop[0, 0, 0]), float(crop[0, 0, 1] - crop[0, 0, 0]))
        for number in range(10)
        for crop in draw[0](number)["ct"]
    }
    assert steps == {(36.0, 1.0), (36.0, -1.0)}


def test_crops_have_enough_foreground_and_slices_without_any_none(folder: Path, damm):
    [case, *_] = find_cases(folder / "cases", ["t1", "t2", "flair"])
    voxels = open_volume(case.files["t1"]).voxels[:]
    sampler = open_sampler(case, Cases(path="x", tissue=0.6), damm, side=SIDE)
    # The foreground is smoothed, so that it reaches up to two voxels beyond the ellipsoid.
    inside = dilated(voxels > 0)
    parts = [inside[z, y : y + SIDE, x : x + SIDE].mean() for z, y, x in sampler.corners]
    assert 0.6 <= min(parts) < 0.7 and max(parts) == 1
    assert not {0, 8} & set(sampler.corners[:, 0])
    assert [len(np.unique(sampler.spread(n)[:, 0])) for n in (1, 3)] == [1, 3]
    thin = {key: write(folder / f"thin-{key}.nii", head() * (np.arange(36) < 9)) for key in case.files}
    with pytest.raises(InputError, match="no crop of 16 px of which 100% is foreground"):
        open_sampler(Case("thin", "thin", thin), Cases(path="x", tissue=1.0), damm, side=SIDE)


def test_a_volume_smaller_than_a_crop_lies_anywhere_in_it_with_air_around(tmp_path: Path):
    system = build_system("midiffusion", GUIDED)
    write(tmp_path / "cases/ct/small.nii.gz", np.full((3, 20, 24), 100, np.int16))
    [case] = find_cases(tmp_path / "cases", ["ct"])
    sampler = open_sampler(case, PLAIN, system, side=32)
    assert sampler.corners[:, 1].min() == -12 and sampler.corners[:, 1].max() == 0
    crop = sampler.read(np.array([1, -12, -8]), 32)["ct"][..., 0]
    assert (crop[12:, 8:] == 100).all() and (crop[:12] == -200).all() and (crop[:, :8] == -200).all()


def test_a_coarse_slice_is_resampled_as_a_run_resamples_it(tmp_path: Path):
    system = build_system("midiffusion", GUIDED)
    path = write(tmp_path / "cases/ct/fine.nii.gz", head(air=-1000.0, scale=250.0), spacing=(3.0, 0.5, 0.5))
    [case] = find_cases(tmp_path / "cases", ["ct"])
    sampler = open_sampler(case, PLAIN, system, side=SIDE)
    means = np.clip(open_volume(path).voxels[:].reshape(9, 20, 2, 18, 2).mean(axis=(2, 4)), -200, 300)
    z, y, x = sampler.corners[len(sampler.corners) // 2]
    crop = sampler.read(np.array([z, y, x]), SIDE)["ct"][..., 0]
    np.testing.assert_allclose(crop, means[z, y : y + SIDE, x : x + SIDE], atol=1e-3)


def test_groups_that_a_recipe_names_are_held_out_and_test_files_are_never_read(folder: Path, tmp_path: Path, damm):
    for path in (folder / "cases").rglob("*.nii.gz"):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(b"damaged" if path.name == "p3.nii.gz" else path.read_bytes())
    recipe = recipe_of(validate_on=["p2"], test_on=["p3"])
    parts = read_cases(recipe, recipe.data, damm, tmp_path)
    assert {part: [case.name for case in cases] for part, cases in parts.items()} == {
        "train": ["p1"], "validation": ["p2"], "test": ["p3"],
    }  # fmt: skip
    data = crops_of(parts, recipe.data, damm, seed=0, batch=2, side=32)
    assert data.batch_at(0).keys() == {"t1", "t2", "flair"} and data.validation
    with pytest.raises(InputError, match="holds p4 out, which is no group of the data: did you mean p"):
        read_cases(recipe_of(test_on=["p4"]), recipe_of(test_on=["p4"]).data, damm, tmp_path)


def test_volumes_of_another_lattice_or_model_are_refused(folder: Path, tmp_path: Path, damm):
    [case, *_] = find_cases(folder / "cases", ["t1", "t2", "flair"])
    moved = write(tmp_path / "moved.nii.gz", head(), spacing=(3.0, 1.0, 1.1))
    with pytest.raises(InputError, match="do not lie on one lattice"):
        open_sampler(Case("a", "a", {**case.files, "flair": moved}), PLAIN, damm, side=SIDE)
    slides = build_system("damm", {"size": "tiny", "T": 20, "patch": 32})
    keys = dict(zip(("vessels", "nuclei", "nanoparticles"), case.files.values(), strict=True))
    with pytest.raises(InputError, match=r"p1\.nii\.gz"):
        open_sampler(Case("a", "a", keys), PLAIN, slides, side=SIDE)


def test_a_target_alone_trains_and_the_model_translates(tmp_path: Path):
    """The folder holds nothing but CT; the model then takes an MR."""
    for number in range(3):
        write(tmp_path / "cases/ct" / f"p{number}.nii.gz", head(air=-1000.0, scale=200.0, seed=number))
    recipe = {
        "name": "ct",
        "system": "midiffusion",
        "config": GUIDED,
        "data": {"path": "cases", "validate_on": ["p2"]},
        "optimisation": {"steps": 4, "batch": 2, "learning_rate": 1e-3, "warmup": 1, "validations": 1},
    }
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    *_, end = verbs.train(tmp_path / "recipe.yaml", tmp_path / "model", device="cpu", threads=1)
    assert isinstance(end, TrainingFinished) and end.complete
    # There is no source, so nothing is measured: PSNR of a target with itself as a source would say nothing.
    assert end.figures == {}
    assert list((tmp_path / "model.training/validation").glob("*.png"))
    mr_file = write(tmp_path / "mr.nii.gz", head(scale=900.0))
    list(verbs.run(tmp_path / "model", mr_file, tmp_path / "out", device="cpu", threads=1, slices="4:5", steps=2))
    image = np.asarray(open_result(tmp_path / "out").images["ct"][0])
    assert -200 <= image.min() < image.max() <= 300


@pytest.mark.parametrize("name", OF_VOLUMES)
def test_recipes_of_volumes_take_a_step_on_what_they_name(name: str, tmp_path: Path):
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert recipe.name == name and recipe.card and recipe.data and recipe.optimisation.keep == "last"
    system = build_system(recipe.system, {**recipe.config, "size": "tiny"})
    keys, _ = system.training_keys()
    assert keys == ["t1", "t2", "flair"] if recipe.system == "damm" else len(keys) == 1
    held = (*recipe.data.validate_on, *recipe.data.test_on)
    for number, patient in enumerate((*held, "another")):
        for place, key in enumerate(keys):
            write(tmp_path / recipe.data.path / key / f"{patient}.nii.gz", head(seed=10 * number + place))
    parts = read_cases(recipe, recipe.data, system, tmp_path)
    assert [case.name for case in parts["train"]] == ["another"]
    batch = crops_of(parts, recipe.data, system, seed=0, batch=2, side=64).batch_at(0)
    loss = system.loss(batch, torch.Generator().manual_seed(0))["loss"]
    assert torch.isfinite(loss) and loss.requires_grad


def test_the_report_tells_sizes_leaks_and_lattices(folder: Path, tmp_path: Path):
    report = finish(check_data(folder / "cases", keys=["t1", "flair"], validation=0.34)).report
    assert sum(part.cases for part in report.parts.values()) == 3 and report.problems == ()
    voxels = [open_volume(path).voxels[:] for path in sorted((folder / "cases/t1").iterdir())]
    expected = [int((one > 0).any(axis=(1, 2)).sum()) for one in voxels]
    assert sum(part.slices for part in report.parts.values()) == sum(expected)
    least, most = (sum(float(grow(one > 0).sum()) for one in voxels) * 3 / 1000 for grow in (np.asarray, dilated))
    assert least <= sum(part.foreground_cm3 for part in report.parts.values()) <= most
    assert report.volumes["t1"].slices_mm == (3.0, 3.0) and report.volumes["t1"].values[-1] == max(
        float(one.max()) for one in voxels
    )
    assert any("3" in line for line in report.lines())
    # The same voxels as NRRD, rows the other way round, are the same volume.
    write(tmp_path / "t1/p1.nii.gz", head(seed=0))
    write(tmp_path / "t1/copy.nrrd", head(seed=0), flipped=False)
    write(tmp_path / "t1/blank.nii", np.zeros(SHAPE, np.float32))
    for name in ("p1", "copy", "blank"):
        write(tmp_path / f"flair/{name}.nii", head(seed=len(name) + 50), spacing=(3.0, 1.0, 1.0 + 0.1 * (name == "p1")))
    cases = {case.name: case for case in find_cases(tmp_path, ["t1", "flair"])}
    found = finish(volume_report({"train": [cases["p1"], cases["blank"]], "validation": [cases["copy"]]})).problems
    assert {(one.kind, one.cases) for one in found} == {
        ("leak", ("p1", "copy")), ("lattice", ("p1",)), ("blank", ("blank",)),
    }  # fmt: skip


def test_patients_become_cases_with_nothing_but_what_was_named(tmp_path: Path):
    for name in ("a", "b"):
        write(tmp_path / f"source/{name}/FLAIR.nii.gz", head())
    write(tmp_path / "source/a/T1.nii.gz", head())
    assert lay_out(tmp_path / "source", tmp_path / "flair", {"flair": "FLAIR.nii.gz"}) == 2
    assert sorted(str(p.relative_to(tmp_path / "flair")) for p in (tmp_path / "flair").rglob("*.gz")) == [
        "flair/a.nii.gz", "flair/b.nii.gz",
    ]  # fmt: skip
    assert len(find_cases(tmp_path / "flair", ["flair"])) == 2
    assert lay_out(tmp_path / "source", tmp_path / "one", {"flair": "FLAIR.nii.gz"}, only=["b"]) == 1
    assert lay_out(tmp_path / "source", tmp_path / "both", {"t1": "T1.nii.gz", "flair": "FLAIR.nii.gz"}) == 1
    for files, only, words in (
        ({"ct": "CT.nii"}, (), "no folder"),
        ({"flair": "FLAIR.nii.gz"}, ("c",), "no patient c"),
    ):
        with pytest.raises(InputError, match=words):
            lay_out(tmp_path / "source", tmp_path / "no", files, only=only)
    with pytest.raises(InputError, match="exists already"):
        lay_out(tmp_path / "source", tmp_path / "one", {"flair": "FLAIR.nii.gz"})
    assert not (tmp_path / "no").exists()


def test_a_folder_of_dicom_series_is_cases_too(shared: Path, tmp_path: Path):
    """A real CT series and its MR; HU in the port's window."""
    lay_out(shared / "data/dicom", tmp_path / "cases", {"ct": "CT/image"})
    [case] = find_cases(tmp_path / "cases", ["ct"])
    assert case.name == "STS_025" and split([case], validation=0)["train"] == [case]
    sampler = open_sampler(case, PLAIN, build_system("midiffusion", GUIDED), side=32)
    crop = sampler.read(sampler.corners[len(sampler.corners) // 2], 32)["ct"]
    assert crop.min() >= -200 and crop.max() <= 300 and np.ptp(crop) > 100
