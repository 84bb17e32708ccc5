"""Crops of a user's cases: functions of (seed, step), pairs that stay together, tissue, no case in two parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from diffuscope.cases import Case
from diffuscope.errors import InputError
from diffuscope.systems.registry import build_system
from diffuscope.training.data.crops import VALIDATE, batches_of, crops_of, crops_to_validate, read_cases
from diffuscope.training.recipe import Optimisation, Recipe
from diffuscope.training.recipe_data import Cases

SIDE = 16
PLAIN = Cases(path=".", mpp=0.5, stain_augmentation=False, tissue=0.0)


@pytest.fixture(scope="module")
def system():
    return build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 20, "lambda_seg": 0.0})


def written(folder: Path, name: str, key: str, image: np.ndarray) -> Path:
    path = folder / f"{name}-{key}.png"
    Image.fromarray(image).save(path)
    return path


def places(folder: Path, names: str = "abc") -> dict[str, list[Case]]:
    """Cases whose pixels tell where they lie: red = y, green = x, blue = the case; the IHC is 255 less that."""
    cases = []
    for number, name in enumerate(names):
        y, x = np.indices((48, 64))
        he = np.stack([y, x, np.full_like(y, 10 * number)], axis=-1).astype(np.uint8)
        files = {"he": written(folder, name, "he", he), "ihc": written(folder, name, "ihc", 255 - he)}
        cases.append(Case(name, name, files))
    return {"train": cases[:-1], "validation": cases[-1:], "test": []}


def test_a_batch_is_a_function_of_seed_and_number(tmp_path: Path, system):
    parts = places(tmp_path)
    draw = [crops_of(parts, PLAIN, system, seed=seed, batch=3, side=SIDE).batch_at for seed in (0, 0, 1)]
    one, again, later, other = draw[0](7), draw[1](7), draw[0](8), draw[2](7)
    assert one["he"].shape == one["ihc"].shape == (3, 3, SIDE, SIDE) and one["he"].dtype == torch.float32
    assert all(torch.equal(one[key], again[key]) for key in one)
    assert not torch.equal(one["he"], later["he"]) and not torch.equal(one["he"], other["he"])


def test_um_per_px_that_no_picture_says_are_given_in_the_recipe(tmp_path: Path, system):
    """A training has no --mpp."""
    settings = Cases(path=".", stain_augmentation=False, tissue=0.0)
    told = r"-he\.png does not say its µm/px; give that of all such pictures as mpp under data: of the recipe"
    with pytest.raises(InputError, match=told):
        crops_of(places(tmp_path), settings, system, seed=0, batch=1, side=SIDE)


def test_pairs_are_turned_and_mirrored_together_in_all_eight_ways(tmp_path: Path, system):
    draw = crops_of(places(tmp_path), PLAIN, system, seed=0, batch=4, side=SIDE).batch_at
    ways = set()
    for number in range(40):
        batch = draw(number)
        torch.testing.assert_close(batch["ihc"], 255 - batch["he"])
        for crop in batch["he"].numpy():
            y, x = crop[0], crop[1]
            # The gradient of the place says how the crop lies; each pixel is there once.
            ways.add((y[1, 0] - y[0, 0], y[0, 1] - y[0, 0], x[1, 0] - x[0, 0], x[0, 1] - x[0, 0]))
            assert len(np.unique(y)) == len(np.unique(x)) == SIDE
    assert len(ways) == 8


def test_no_crop_is_of_a_case_that_validates(tmp_path: Path, system):
    data = crops_of(places(tmp_path), PLAIN, system, seed=0, batch=4, side=SIDE)
    trained = {int(v) for number in range(20) for v in data.batch_at(number)["he"][:, 2].unique()}
    validated = {int(v) for batch in data.validation for v in batch["he"][:, 2].unique()}
    assert trained == {0, 10} and validated == {20}


@pytest.mark.parametrize(("steps", "batch", "crops"), [(2, 4, 8), (1, 1, 1), (8, 4, VALIDATE), (5000, 16, VALIDATE)])
def test_a_short_trial_validates_on_no_more_than_it_learns_from(
    tmp_path: Path, system, steps: int, batch: int, crops: int
):
    number = crops_to_validate(steps, batch)
    data = crops_of(places(tmp_path), PLAIN, system, seed=0, batch=batch, side=SIDE, validate=number)
    assert 0 < sum(len(one["he"]) for one in data.validation) <= number == crops


def test_enough_of_a_crop_is_tissue(user_pairs: Path, tmp_path: Path, system):
    """A picture whose left half is glass: crops lie on the right one, at most half of them beyond it."""
    with Image.open(user_pairs / "pairs/he/a.png") as image:
        right = np.asarray(image.convert("RGB"))
    he = np.concatenate([np.full((128, 384, 3), 243, np.uint8), right, right, right], axis=1)
    case = Case("a", "a", {"he": written(tmp_path, "a", "he", he), "ihc": written(tmp_path, "a", "ihc", he)})
    settings = Cases(path=".", mpp=0.5, stain_augmentation=False)
    data = crops_of({"train": [case], "validation": [case]}, settings, system, seed=0, batch=8, side=64)
    glass = torch.cat([(data.batch_at(n)["he"] > 240).all(dim=1).float().mean(dim=(1, 2)) for n in range(10)])
    assert glass.max() <= 0.6 and glass.min() < 0.1


def test_only_the_stain_of_the_h_and_e_changes(user_pairs: Path, system):
    recipe = Recipe(name="x", system="x", data=Cases(path="pairs", mpp=0.5), optimisation=Optimisation(steps=1))
    parts = read_cases(recipe, recipe.data, system, user_pairs)
    assert {part: len(cases) for part, cases in parts.items()} == {"train": 3, "validation": 1, "test": 0}
    plain, changed = (
        crops_of(parts, Cases(path="pairs", mpp=0.5, stain_augmentation=on), system, seed=0, batch=1, side=128)
        for on in (False, True)
    )
    originals = {
        key: [np.asarray(Image.open(case.files[key]).convert("RGB")) for case in parts["train"]]
        for key in ("he", "ihc")
    }

    def whole(image: torch.Tensor, among: list[np.ndarray]) -> bool:
        """Whether a crop of a whole case is one of the pictures, turned or mirrored."""
        pixels = image.permute(1, 2, 0).numpy()
        turned = [np.rot90(flipped, k) for k in range(4) for flipped in (pixels, pixels[::-1])]
        return any(np.array_equal(one, other) for one in turned for other in among)

    for number in range(5):
        for data, kept in ((plain, True), (changed, False)):
            batch = data.batch_at(number)
            assert whole(batch["ihc"][0], originals["ihc"])
            assert whole(batch["he"][0], originals["he"]) is kept
    assert torch.equal(plain.validation[0]["he"], changed.validation[0]["he"])


def test_masks_are_made_where_a_case_brings_none(user_pairs: Path):
    from diffuscope.stains import coarse_mask, dab_density

    system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 20})
    recipe = Recipe(name="x", system="x", data=Cases(path="pairs", mpp=0.5), optimisation=Optimisation(steps=1))
    parts = read_cases(recipe, recipe.data, system, user_pairs)
    batch = crops_of(parts, recipe.data, system, seed=0, batch=2, side=64).batch_at(0)
    for ihc, mask in zip(batch["ihc"], batch["mask"], strict=True):
        expected = coarse_mask(dab_density(ihc.permute(1, 2, 0).numpy()), mpp=0.5, threshold=0.15)
        np.testing.assert_array_equal(mask[0].numpy(), expected)


def test_uniplex_pairs_of_two_stains_make_batches_of_one(tmp_path: Path):
    system = build_system("multi-staindiffuser", {"stains": ["CD3", "CK8/18"], "size": "tiny", "T": 20})
    parts = places(tmp_path, "abcd")
    for number, case in enumerate([*parts["train"], *parts["validation"]]):
        case.files[f"ihc_{('cd3', 'ck818')[number % 2]}"] = case.files.pop("ihc")
    data = crops_of(parts, PLAIN, system, seed=0, batch=3, side=SIDE)
    kinds = {tuple(data.batch_at(number)) for number in range(20)}
    assert kinds == {("he", "ihc_cd3"), ("he", "ihc_ck818")}


def test_batches_hold_what_is_alike():
    crops = [{"he": np.full((2, 2, 3), i), ("a" if i % 2 else "b"): np.zeros((2, 2, 1))} for i in range(7)]
    batches = batches_of(crops, 2)
    assert [len(batch["he"]) for batch in batches] == [2, 2, 2, 1]
    assert sorted(int(v) for batch in batches for v in batch["he"][:, 0, 0, 0]) == list(range(7))


def test_a_case_too_small_or_of_glass_is_named(tmp_path: Path, system):
    with pytest.raises(InputError, match=r"case a \(64 × 48 px .* no crop of 64 px"):
        crops_of(places(tmp_path), PLAIN, system, seed=0, batch=1, side=64)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda he: he.astype(np.uint16) * 257, "an RGB image of type uint16, but .* needs 8-bit RGB: save it with 8"),
        (lambda he: he[..., 0], "an image of 1 channel of type uint8, but .* needs 8-bit RGB"),
    ],
)
def test_a_truth_of_another_type_is_refused(
    tmp_path: Path, system, make: Callable[[np.ndarray], np.ndarray], said: str
):
    """It is what a loss compares with values from 0 to 255 of three channels."""
    parts = places(tmp_path)
    files = parts["train"][0].files
    image = make(np.asarray(Image.open(files["ihc"])))
    files["ihc"] = tmp_path / "truth.tif"
    tifffile.imwrite(files["ihc"], image, photometric="rgb" if image.ndim == 3 else "minisblack")
    with pytest.raises(InputError, match=rf"truth\.tif is {said}"):
        crops_of(parts, PLAIN, system, seed=0, batch=1, side=SIDE)


def test_fluorescence_is_scaled_as_a_run_scales_it(tmp_path: Path):
    """16-bit channels of an own scale each, and a target: all by percentiles of the inputs' foreground."""
    from diffuscope.jobs.extent import find_extent
    from diffuscope.jobs.inputs import Frame, open_inputs
    from diffuscope.jobs.scaling import find_foreground
    from diffuscope.scans.intensity import PERCENTILES
    from diffuscope.tiling.plan import Tile
    from diffuscope.training.data.crops import open_sampler

    rng = np.random.default_rng(0)
    files, pixels = {}, {}
    for number, key in enumerate(("vessels", "nuclei", "nanoparticles")):
        image = rng.integers(0, 30, (150, 170)).astype(np.uint16)
        image[20:130, 10:90] += rng.integers(500, 4000, (110, 80)).astype(np.uint16) * np.uint16(number + 1)
        files[key], pixels[key] = tmp_path / f"{key}.tif", image
        about = {"axes": "YX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}
        tifffile.imwrite(files[key], image, photometric="minisblack", tile=(64, 64), ome=True, metadata=about)
    output = {"key": "nanoparticles", "range": [0.0, 1.0], "dtype": "float32", "scale": "percentile"}
    system = build_system("damm", {"size": "tiny", "T": 20, "patch": 32, "output": output})
    sampler = open_sampler(Case("a", "a", files), Cases(path=".", tissue=0.0), system, side=32)
    inputs = open_inputs({key: files[key] for key in ("vessels", "nuclei")}, system.inputs, "m", mpp=None)
    run = find_extent(inputs, system, region=None, slices=None, ranges={})
    for y, x in ((0, 0), (30, 60), (118, 138)):
        crop = sampler.read(np.array([y, x]), 32)
        for one in run.inputs:
            seen = one.read(Tile((0, 0), (y, x)), Frame(shape=(32, 32), factors=(1.0, 1.0)))
            np.testing.assert_array_equal(crop[one.port.key], seen)
    mask = find_foreground(run.inputs)
    step = int(mask.downsample)
    inside = mask.mask.repeat(step, 0).repeat(step, 1)[:150, :170]
    low, high = np.percentile(pixels["nanoparticles"][inside], PERCENTILES)
    expected = np.clip((pixels["nanoparticles"][118:, 138:] - low) / (high - low), 0, 1)
    np.testing.assert_allclose(crop["nanoparticles"][..., 0], expected, atol=1e-4)


def test_h_and_e_of_one_reference_is_normalised_as_a_run_normalises_it(user_pairs: Path):
    from diffuscope.jobs.extent import find_extent
    from diffuscope.jobs.inputs import Frame, open_inputs
    from diffuscope.stains import REFERENCE
    from diffuscope.tiling.plan import Tile
    from diffuscope.training.data.crops import open_sampler

    system = build_system("staindiffuser", {"stain": "CD3", "size": "tiny", "T": 20, "normalise": True})
    recipe = Recipe(name="x", system="x", data=Cases(path="pairs", mpp=0.5), optimisation=Optimisation(steps=1))
    case = read_cases(recipe, recipe.data, system, user_pairs)["train"][0]
    sampler = open_sampler(case, recipe.data, system, side=64, augment=True)
    inputs = open_inputs(case.files["he"], system.inputs, "m", mpp=0.5)
    [run] = find_extent(inputs, system, region=None, slices=None, ranges={}).inputs
    assert run.stains is not None
    crop = sampler.read(np.array([10, 20]), 64)
    seen = run.read(Tile((0, 0), (10, 20)), Frame(shape=(64, 64), factors=(1.0, 1.0)))
    np.testing.assert_array_equal(crop["he"], seen)
    with Image.open(case.files["he"]) as he, Image.open(case.files["ihc"]) as ihc:
        assert np.abs(seen.astype(int) - np.asarray(he.convert("RGB"))[10:74, 20:84]).mean() > 1
        np.testing.assert_array_equal(crop["ihc"], np.asarray(ihc.convert("RGB"))[10:74, 20:84])
    # What is augmented afterwards has the stains of the reference, not those of the slide.
    np.testing.assert_array_equal(sampler.stains, REFERENCE)
    varied = sampler.augment({"he": crop["he"]}, np.random.default_rng(0))["he"]
    assert varied.shape == (64, 64, 3) and not np.array_equal(np.sort(varied, axis=None), np.sort(seen, axis=None))
