"""LMI against a literal float64 loop, closed forms, and what the paper says of it."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.systems.midiffusion import densities
from diffuscope.systems.midiffusion import lmi as module
from diffuscope.systems.midiffusion.estimator import LMI
from diffuscope.systems.midiffusion.lmi import FLOOR, Guide, local_information, most_information
from tests.systems.literal_lmi import by_bins, by_samples, literal_lmi

BINS = (-2.0, 2.0, 8)


def picture(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def how(estimator: str, patch: int, windows: int = 3) -> LMI:
    low, high, bins = BINS
    return LMI(patch=patch, windows=windows, bandwidth=0.4, estimator=estimator, bins=bins, range=(low, high))


@pytest.mark.parametrize(
    ("estimator", "shape", "patch", "windows"),
    [
        ("samples", (9, 11), 3, 3),
        ("samples", (7, 6), 5, 5),
        ("samples", (6, 7), 7, 3),
        ("samples", (4, 5, 3), 3, 3),
        ("samples", (5, 4), 3, 1),
        ("histogram", (7, 6), 3, 3),
        ("histogram", (3, 4, 3), 3, 1),
        ("histogram", (5, 4), 5, 3),
    ],
)
def test_lmi_is_the_literal_one(estimator: str, shape: tuple[int, ...], patch: int, windows: int):
    reference = picture(1, *shape)
    other = 0.6 * reference.roll(1, -1) + 0.3 * picture(2, *shape)
    asked = how(estimator, patch, windows)
    found = local_information(reference, other, asked)
    entropies = by_samples(0.4) if estimator == "samples" else by_bins(0.4, np.linspace(*BINS).tolist())
    literal = literal_lmi(
        reference[0, 0].numpy(),
        other[0, 0].numpy(),
        patch=patch,
        steps=asked.steps,
        entropies=entropies,
        floor=FLOOR,
    )
    for values, expected in zip((found.raw, found.normalised), literal, strict=True):
        np.testing.assert_allclose(values[0, 0].numpy(), expected, atol=1e-9)


def test_windows_slide_over_the_whole_neighbourhood():
    assert how("samples", 3, 3).steps == (-1, 0, 1)
    assert how("samples", 7, 3).steps == (-3, 0, 3)
    assert how("samples", 7, 7).steps == (-3, -2, -1, 0, 1, 2, 3)
    assert how("samples", 9, 5).steps == (-4, -2, 0, 2, 4)


def test_an_image_moved_within_the_neighbourhood_informs_as_the_image_itself():
    """Thm. 1's second case: the largest MI lies at another place of the neighbourhood, one of the nine windows."""
    image = picture(3, 20, 20)
    found = local_information(image, image.roll((1, -1), (2, 3)), how("samples", 3)).raw
    in_place = local_information(image, image, how("samples", 3, windows=1)).raw
    assert (found - in_place)[..., 3:-3, 3:-3].min() >= -1e-12


@pytest.mark.parametrize("estimator", ["samples", "histogram"])
def test_information_knows_no_sign(estimator: str):
    """A contrast turned over, as between modalities, tells the same."""
    a, b = picture(4, 10, 12), picture(5, 10, 12)
    one, other = (local_information(a, sign * b, how(estimator, 3)).raw for sign in (1.0, -1.0))
    torch.testing.assert_close(one, other, atol=1e-9, rtol=0)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.9])
def test_both_estimators_are_near_the_information_of_a_gaussian(rho: float):
    """Patches of 225 samples. A kernel of variance h² adds it to both axes and leaves r = ρ / (1 + h²).

    Over the bins the mean is that over this blurred density, −ln(1 − r²) / 2; over the samples it is that over the
    density itself, of the same logarithm.
    """
    a, b = (torch.cat([picture(seed + k, 15, 15) for k in range(0, 80, 10)]).float() for seed in (101, 102))
    b = rho * a + math.sqrt(1.0 - rho**2) * b
    r = rho / 1.25
    blurred = -0.5 * math.log(1.0 - r**2)
    expected = {"histogram": blurred, "samples": blurred + (1.0 - (1.0 - rho * r) / (1.0 - r**2)) / 1.25}
    for estimator, value in expected.items():
        asked = LMI(patch=15, windows=1, bandwidth=0.5, estimator=estimator, bins=13, range=(-3.6, 3.6))
        middle = local_information(a, b, asked).raw[:, 0, 7, 7]
        assert float(middle.mean()) == pytest.approx(value, abs=0.1)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([0.01, 0.3, 3.0]),
    patch=st.sampled_from([3, 5]),
    estimator=st.sampled_from(["samples", "histogram"]),
)
def test_lmi_lies_where_information_can(seed: int, scale: float, patch: int, estimator: str):
    """0 ≤ LMI(x, y) ≤ H(x) ≤ ln S: Theorem 1 with the entropy as its right side, which no estimator here breaks."""
    x, y = picture(seed, 8, 9), scale * picture(seed + 1, 8, 9)
    guide = Guide(x, how(estimator, patch))
    found, entropy = guide(y), guide.entropy()
    assert (found.raw >= 0).all() and (found.normalised <= 1 + 1e-9).all()
    assert (found.raw <= entropy + 1e-9).all()
    if estimator == "samples":
        assert (entropy <= most_information(how(estimator, patch)) + 1e-9).all()


def test_theorem_1_with_the_estimator_s_own_lmi_x_x_breaks_where_y_has_more_contrast():
    """Why the condition clamps: samples that y tells apart better than x does say more of x than x itself."""
    x = 0.3 * picture(8, 24, 24)
    guide = Guide(x, how("samples", 3))
    itself = guide.itself().raw
    broken = (guide(30.0 * picture(9, 24, 24)).raw > itself + 1e-9).double().mean()
    fainter = (guide(0.5 * x).raw > itself + 1e-9).double().mean()
    assert float(broken) > 0.9 and float(fainter) < 0.01


def test_flat_patches_have_no_information_and_explain_each_other():
    flat, busy = torch.zeros(1, 1, 9, 9), picture(10, 9, 9).float()
    asked = how("samples", 3)
    both, one = local_information(flat, flat + 1, asked), local_information(flat, busy, asked)
    assert both.raw.max() < 1e-5 and both.normalised.min() > 0.99
    # Beyond the corners the corner is repeated, which is flat.
    assert float(one.raw.max()) < 1e-5 and float(one.normalised[..., 2:-2, 2:-2].max()) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["samples", "histogram"])
def test_gradients_are_right(estimator: str):
    x, y = (0.7 * picture(seed, 4, 5).requires_grad_() for seed in (11, 12))

    def both(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = local_information(a, b, how(estimator, 3))
        return found.raw, found.normalised

    assert torch.autograd.gradcheck(both, (x, y), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("estimator", ["samples", "histogram"])
def test_blocks_do_not_show(estimator: str, monkeypatch: pytest.MonkeyPatch):
    x, y = (torch.cat([picture(seed, 9, 10), picture(seed + 1, 9, 10)]) for seed in (13, 15))
    whole = local_information(x, y, how(estimator, 3)).raw
    for pixels in (1, 23, 57, 120):
        monkeypatch.setitem(module._PIXELS, estimator, pixels)
        found = local_information(x, y, how(estimator, 3)).raw
        torch.testing.assert_close(found, whole, atol=1e-12, rtol=0)


def test_memory_does_not_grow_with_the_joint_histograms():
    """The weights of samples that are held at once, of a small and of a larger image."""
    asked, peaks = how("histogram", 3), []
    for side in (64, 96):
        guide = Guide(picture(16, side, side).float(), asked)
        alive: list[int] = []
        original = module.BinDensities.joint_entropies

        def counted(self, other, shifts, original=original, alive=alive):
            alive.append(self._samples((0,) * self._axes).numel())
            return original(self, other, shifts)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module.BinDensities, "joint_entropies", counted)
            guide.itself()
        peaks.append(max(alive))
    assert peaks[1] <= peaks[0] * 1.1


@pytest.mark.parametrize("shape", [(2, 1, 20, 24), (1, 1, 7, 9, 8)])
def test_windows_together_as_on_a_gpu_are_windows_one_by_one(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch):
    x, y = (torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in (23, 24))
    alone = local_information(x, y, how("samples", 3))
    monkeypatch.setattr(densities, "_windows_at_once", lambda _kernels, windows: windows)
    together = local_information(x, y, how("samples", 3))
    torch.testing.assert_close(together.raw, alone.raw, rtol=0, atol=0)


def test_what_is_half_precision_is_computed_in_float32():
    x, y = picture(17, 12, 12).bfloat16(), picture(18, 12, 12).bfloat16()
    found = local_information(x, y, how("samples", 3)).raw
    assert found.dtype == torch.float32
    for estimator in ("samples", "histogram"):
        with torch.autocast("cpu", torch.bfloat16):
            cast = local_information(x, y, how(estimator, 3)).raw
        torch.testing.assert_close(cast, local_information(x.float(), y.float(), how(estimator, 3)).raw)


def test_more_noise_leaves_less_information():
    x = picture(19, 40, 40)
    guide = Guide(x, how("samples", 5))
    levels = [float(guide((1 - m) ** 0.5 * x + m**0.5 * picture(20, 40, 40)).normalised.mean()) for m in (0, 0.2, 0.9)]
    assert all(a > b for a, b in pairwise(levels))


@pytest.mark.parametrize(
    "wrong",
    [
        {"patch": 4},
        {"patch": 1},
        {"windows": 5},
        {"windows": 2},
        {"bandwidth": 0.0},
        {"bins": 1},
        {"range": (1.0, 1.0)},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict):
    with pytest.raises(InputError):
        LMI(**{"bandwidth": 1.0} | wrong)


def test_images_that_do_not_fit_are_refused():
    guide = Guide(torch.zeros(1, 1, 8, 8), how("samples", 3))
    with pytest.raises(ValueError, match="one shape"):
        guide(torch.zeros(1, 1, 8, 9))
    with pytest.raises(ValueError, match="takes"):
        Guide(torch.zeros(1, 3, 8, 8), how("samples", 3))
