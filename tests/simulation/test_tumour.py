"""The tumour phantom: a function of its keys, with nuclei that tell something, and that mislead where it says so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from diffuscope.errors import InputError
from diffuscope.simulation.tumour import (
    BREAST,
    BREAST_ENDOSOMAL,
    DISCORDANT,
    MELANOMA,
    PHANTOMS,
    Field,
    cohort,
    draw_animal,
    kind_of,
    simulate_field,
)
from diffuscope.simulation.tumour.field import _anatomy, _load, _transport
from diffuscope.simulation.tumour.imaging import DAPI, FULL, Channel, blur, record
from diffuscope.simulation.tumour.vessels import DEPTH, cut_vessels

SIZE = 128


@pytest.fixture(scope="module")
def fields() -> list[Field]:
    return [simulate_field(draw_animal(BREAST, seed=1, number=number), 0, size=SIZE) for number in range(4)]


def same(one: Field, other: Field, *names: str) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_a_field_is_a_function_of_its_keys(fields: list[Field]):
    again = simulate_field(draw_animal(BREAST, seed=1, number=2), 0, size=SIZE)
    assert same(fields[2], again, "vessels", "nuclei", "nanoparticles", "load")
    for other in (
        simulate_field(draw_animal(BREAST, seed=1, number=2), 1, size=SIZE),
        simulate_field(draw_animal(BREAST, seed=2, number=2), 0, size=SIZE),
        simulate_field(draw_animal(MELANOMA, seed=1, number=2), 0, size=SIZE),
    ):
        assert not same(fields[2], other, "vessels")


def test_images_are_counts_and_truth_is_whole(fields: list[Field]):
    for field in fields:
        for image in (field.vessels, field.nuclei, field.nanoparticles):
            assert image.dtype == np.uint8 and image.shape == (SIZE, SIZE) and image.max() <= FULL
        assert abs(field.imbalance) < 1e-10
        assert np.isfinite(field.load).all() and field.load.min() >= 0
        assert not (field.lumen & ~field.profiles).any()
        assert field.living.min() >= 0 and field.living.max() < 1


def test_the_phantoms_are_of_the_same_vessels_in_kind_and_have_streams_of_their_own():
    names = [model.name for pair in PHANTOMS.values() for model in pair]
    assert len(set(names)) == len(names) == 4
    assert [pair[0].vessel_length for pair in PHANTOMS.values()] == [BREAST.vessel_length] * 2
    assert [pair[1].vessel_length for pair in PHANTOMS.values()] == [MELANOMA.vessel_length] * 2


@pytest.mark.parametrize("kind", DISCORDANT)
def test_a_misleading_channel_changes_the_nuclei_alone(fields: list[Field], kind):
    field = simulate_field(fields[1].animal, 0, size=SIZE, kind=kind)
    assert field.kind == kind
    assert same(field, fields[1], "vessels", "nanoparticles", "load", "living")
    truth, seen = (ndimage.gaussian_filter(f.nuclei.astype(float), 6).ravel() for f in (fields[1], field))
    if kind == "faded":
        # its noise stays, its signal does not
        assert np.ptp(seen) < 0.2 * np.ptp(truth)
    else:
        assert np.corrcoef(truth, seen)[0, 1] < 0.5
        assert seen.std() > 0.4 * truth.std()


def test_a_shifted_channel_is_the_same_nuclei_elsewhere(fields: list[Field]):
    """Its noise is another camera's; where it lies is found by correlation."""
    shifted = simulate_field(fields[1].animal, 0, size=SIZE, kind="shifted")
    a, b = (field.nuclei - field.nuclei.mean() for field in (shifted, fields[1]))
    # circular correlation, of which some lag between 48 and 62 µm stands out
    found = np.fft.ifft2(np.fft.fft2(a) * np.conj(np.fft.fft2(b))).real
    y, x = (int(v) for v in np.unravel_index(found.argmax(), found.shape))
    y, x = (v - SIZE if v > SIZE // 2 else v for v in (y, x))
    assert 46 <= np.hypot(y, x) <= 64


def test_nuclei_and_particles_know_each_other(fields: list[Field]):
    for field in fields:
        nuclei = field.nuclei > np.percentile(field.nuclei, 90)
        tissue = ~field.profiles
        # no nucleus in a vessel
        assert (field.nuclei[field.lumen] < np.percentile(field.nuclei, 90)).mean() > 0.95
        # none of the particles in a nucleus, so that less are where one takes part of the section
        around = ndimage.gaussian_filter(field.load, 6)
        assert (field.load / around)[nuclei & tissue].mean() < 0.8 * (field.load / around)[~nuclei & tissue].mean()


def test_what_cells_have_taken_up_lies_around_their_nuclei():
    """Where the model says so, and only there, particles are more beside nuclei than between them."""
    more = {}
    for model in (BREAST, BREAST_ENDOSOMAL):
        field = simulate_field(draw_animal(model, seed=1, number=1), 0, size=SIZE)
        distance = ndimage.distance_transform_edt(field.nuclei <= np.percentile(field.nuclei, 90))
        beside, between = (
            (distance > low) & (distance <= high) & ~field.profiles for low, high in ((0, 3), (6, np.inf))
        )
        around = field.load / ndimage.gaussian_filter(field.load, 12)
        more[model.name] = around[beside].mean() / around[between].mean()
    assert more["breast"] < 1.2 and more["breast-endosomal"] > 1.5


def test_the_pixels_hold_what_the_equations_found():
    """Particles are brought to where they lie within tissue, and none is made or lost by it."""
    animal = draw_animal(BREAST_ENDOSOMAL, seed=1, number=0)
    profiles, cells = _anatomy(animal, 0, 256)
    found = _transport(animal, profiles, cells)
    load = np.where(profiles.lumen, 0.0, _load(found, profiles, cells))
    # cells of the grid are tissue or not as a whole, pixels too
    assert load.sum() == pytest.approx(4 * found.load.sum(), rel=0.05)


def test_particles_are_nearer_to_vessels_than_tissue_is(fields: list[Field]):
    for field in fields:
        distance = ndimage.distance_transform_edt(~field.profiles)
        tissue = ~field.profiles
        assert np.average(distance[tissue], weights=field.load[tissue]) < distance[tissue].mean()


@pytest.mark.slow
@pytest.mark.parametrize("phantom", list(PHANTOMS))
def test_another_model_differs_in_kind(phantom: str):
    means = {}
    for model in PHANTOMS[phantom]:
        some = list(cohort(seed=5, model=model, animals=3, fields=2, size=SIZE, discordant=0.0))
        means[model] = [np.mean([getattr(f, k).mean() for f in some]) for k in ("profiles", "living", "load")]
    (vessels, living, load), (more, fewer, further) = (means[model] for model in PHANTOMS[phantom])
    assert fewer < living and further > 1.15 * load
    if phantom == "even":
        # the vessels are the other phantom's in kind: few fields tell that once
        assert more > 1.3 * vessels


def test_a_cohort_has_its_share_of_each_kind_and_begins_with_the_smaller_one():
    for animal in range(4):
        kinds = [kind_of(BREAST, 7, animal, field, discordant=0.25) for field in range(48)]
        assert [kinds.count(kind) for kind in ("concordant", *DISCORDANT)] == [36, 4, 4, 4]
    small = list(cohort(seed=7, animals=1, fields=3, size=64))
    large = cohort(seed=7, animals=2, fields=4, size=64)
    for one, other in zip(small, large, strict=False):
        assert one.kind == other.kind and same(one, other, "vessels", "nuclei", "nanoparticles")
    assert {kind_of(BREAST, 7, 0, field, discordant=0.0) for field in range(20)} == {"concordant"}


@pytest.mark.parametrize("wrong", [{"animals": 0}, {"fields": 0}, {"discordant": 1.5}])
def test_no_cohort_is_said(wrong: dict):
    with pytest.raises(InputError, match="no cohort"):
        next(cohort(**wrong))


def test_an_odd_field_is_said():
    with pytest.raises(InputError, match="even"):
        simulate_field(draw_animal(BREAST, seed=0, number=0), 0, size=65)


def test_sections_cut_as_many_profiles_as_the_length_says():
    """Of vessels in all directions a plane cuts half their length per volume (Hennig 1963, Smith & Guttman 1953)."""
    animal = draw_animal(BREAST, seed=11, number=0)
    side, cuts, length = 300, 0, 0.0
    for field in range(20):
        profiles = cut_vessels(animal, (side, side), np.random.default_rng(field))
        length += 2.0 * len(profiles.blood) / animal.perfused / (side * side * 2 * DEPTH) / 20
        cuts += ndimage.label(profiles.vessels, structure=np.ones((3, 3)))[1]
    assert length == pytest.approx(animal.vessel_length * 1e-6, rel=0.15)
    # profiles that touch count as one, and branches along the plane as few
    assert cuts / 20 / side**2 == pytest.approx(animal.vessel_length * 1e-6 / 2, rel=0.3)


def test_the_camera_keeps_the_light_and_its_noise_is_poisson_s():
    rng = np.random.default_rng(0)
    spot = np.zeros((101, 101))
    spot[50, 50] = 1.0
    assert blur(spot, DAPI).sum() == pytest.approx(1.0, rel=1e-6)
    channel = Channel(scale=100.0, background=10.0, electrons=2.0, read_noise=3.0)
    counts = record(np.full((400, 400), 0.9), channel, rng).astype(float)
    assert counts.mean() == pytest.approx(100.0, rel=1e-3)
    # shot noise 100/2, read noise 9, rounding 1/12
    assert counts.var() == pytest.approx(50 + 9 + 1 / 12, rel=0.03)
