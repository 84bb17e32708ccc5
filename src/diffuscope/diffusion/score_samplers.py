"""Samplers of score-based diffusion in the coordinates x = x_0 + σ z (see `diffuscope.diffusion.ve_sde`).

Each goes through falling noise levels and then to 0, where it ends at the clean estimate D(x; σ) without fresh noise;
the score is (D − x) / σ² (Tweedie). Each takes a given number of network evaluations, and none looks at more than a
pixel at a time, so that overlapping tiles agree.

- ``"euler-maruyama"``: Algorithm 1 of MIDiffusion, constant dt.
- ``"predictor-corrector"``: that, and a step of Langevin dynamics at every level (Song et al. 2021, Algorithm 2).
- ``"probability-flow"``: the ODE dx/dσ = (x − D) / σ by Heun's method (Karras et al. 2022, Algorithm 1).
- ``"dpmsolver++"``: the ODE by DPM-Solver++(2M) (Lu et al. 2022, Algorithm 2), for few evaluations.
- ``"ancestral"``: draws from q(x_to | x_σ, x_0 = D), whose variance β̃ leaves out how unsure D is, with a little more
  noise for that: of variance β^v β̃^(1 − v) with v = 0.2, where β, that of Algorithm 1, is right for data of unbounded
  variance (Nichol and Dhariwal 2021, Eq. 15, where v is learned). For few evaluations.
- ``"sde-dpmsolver++"``: SDE-DPM-Solver++ of first order, for few evaluations with fresh noise; the noise is that of β̃.
- ``"ddpm"``: ancestral sampling over every level of training, of discrete levels only (Ho et al. 2020, Algorithm 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise

from torch import Tensor

from diffuscope.diffusion.names import SCORE_SAMPLERS
from diffuscope.diffusion.ve_sde import NoiseLevels
from diffuscope.errors import InputError

#: From x and σ to D(x; σ), the estimate of x_0.
Denoise = Callable[[Tensor, float], Tensor]
#: Standard normal noise by number; 0 is where sampling begins.
Draw = Callable[[int], Tensor]

# v of the ancestral sampler. With 0, results of 25 evaluations have 60 to 91 % of the fine energy of 1000 evaluations,
# with 0.2 they have 90 to 100 % (python -m benchmarks translation steps).
_EXTRA = 0.2
# r of Song et al.'s corrector, as they chose it for VE.
_SIGNAL_TO_NOISE = 0.16


def draw_sample(
    denoise: Denoise,
    levels: NoiseLevels,
    draw: Draw,
    *,
    sampler: str,
    steps: int,
    source: Tensor | None = None,
    start: float = 1.0,
) -> Iterator[Tensor]:
    """Yield the clean estimate after each network evaluation; the last one is the sample.

    Parameters
    ----------
    denoise : callable
        D.
    levels : NoiseLevels
        Those of training.
    draw : callable
        Fresh noise.
    sampler : str
        One of `SCORE_SAMPLERS`.
    steps : int
        Network evaluations, ≥ 1.
    source : Tensor, optional
        Where sampling begins, noised to the level of `start` (SDEdit, Meng et al. 2022); default nothing but noise.
    start : float
        t_0 in (0, 1].

    Raises
    ------
    InputError
        For a sampler that there is not, or steps that it does not take.
    """
    sigmas = levels_of(sampler, levels, steps, start)
    x = sigmas[0] * draw(0)
    if source is not None:
        x = x + source
    ways: dict[str, Callable[..., Iterator[Tensor]]] = {
        "euler-maruyama": _euler_maruyama,
        "predictor-corrector": _predictor_corrector,
        "probability-flow": _probability_flow,
        "dpmsolver++": _multistep,
        "ancestral": partial(_ancestral, extra=_EXTRA),
    }
    run = ways.get(sampler, _ancestral)
    return run(denoise, x, sigmas, draw, steps)


def levels_of(sampler: str, levels: NoiseLevels, steps: int, start: float = 1.0) -> list[float]:
    """Return the noise levels that a sampler evaluates the network at, falling (see `draw_sample`)."""
    if sampler not in SCORE_SAMPLERS:
        raise InputError(f"There is no sampler {sampler!r} for this model; choose one of {', '.join(SCORE_SAMPLERS)}.")
    if steps < 1:
        raise InputError(f"A sampler takes at least one step, not {steps}.")
    if not 0.0 < start <= 1.0:
        raise InputError(f"Sampling can start anywhere from above 0 to 1 (pure noise), not at {start:g}.")
    match sampler:
        case "ddpm":
            every = [t for t in levels.times if t <= start + 1e-9]
            if not levels.discrete or steps != len(every):
                wanted = f"takes all {len(every)} steps" if levels.discrete else "is for models with discrete steps"
                raise InputError(f"The ddpm sampler {wanted}, not {steps}; choose another, or leave --steps out.")
            return [levels.sigma(float(t)) for t in reversed(every)]
        case "euler-maruyama":
            return levels.even(steps, start)
        case "predictor-corrector":
            # Both at every level, but at the first only where the number of evaluations is even.
            return levels.even((steps + 1) // 2, start)
        case "probability-flow":
            # Two evaluations a step but for the last, and for the first where their number is even.
            return levels.shrinking(steps // 2 + 1, start)
        case _:
            return levels.shrinking(steps, start)


def _euler_maruyama(denoise: Denoise, x: Tensor, sigmas: list[float], draw: Draw, steps: int) -> Iterator[Tensor]:
    del steps
    for number, (sigma, to) in enumerate(pairwise([*sigmas, 0.0]), start=1):
        clean = denoise(x, sigma)
        yield clean
        x = _reverse(x, clean, sigma, to)
        if to:
            x = x + math.sqrt(sigma**2 - to**2) * draw(number)


def _reverse(x: Tensor, clean: Tensor, sigma: float, to: float) -> Tensor:
    """Return x + ε s with ε = σ² − to²: the drift of Algorithm 1's step."""
    return x + (1.0 - (to / sigma) ** 2) * (clean - x)


def _predictor_corrector(denoise: Denoise, x: Tensor, sigmas: list[float], draw: Draw, steps: int) -> Iterator[Tensor]:
    """Song et al. take the corrector's step from the norms of score and noise, ε = 2 (r ‖z‖ / ‖s‖)².

    Those are means over an image. Their quotient's expectation, σ, makes the step the same for every tile.
    """
    step = 2.0 * _SIGNAL_TO_NOISE**2
    for number, (sigma, to) in enumerate(pairwise([*sigmas, 0.0])):
        if number or steps % 2 == 0:
            clean = denoise(x, sigma)
            yield clean
            x = x + step * (clean - x) + sigma * math.sqrt(2.0 * step) * draw(2 * number + 1)
        clean = denoise(x, sigma)
        yield clean
        x = _reverse(x, clean, sigma, to)
        if to:
            x = x + math.sqrt(sigma**2 - to**2) * draw(2 * number + 2)


def _probability_flow(denoise: Denoise, x: Tensor, sigmas: list[float], draw: Draw, steps: int) -> Iterator[Tensor]:
    del draw
    for number, (sigma, to) in enumerate(pairwise([*sigmas, 0.0])):
        clean = denoise(x, sigma)
        yield clean
        slope = (x - clean) / sigma
        ahead = x + (to - sigma) * slope
        if to and (number or steps % 2):
            clean = denoise(ahead, to)
            yield clean
            ahead = x + (to - sigma) * 0.5 * (slope + (ahead - clean) / to)
        x = ahead


def _multistep(denoise: Denoise, x: Tensor, sigmas: list[float], draw: Draw, steps: int) -> Iterator[Tensor]:
    del draw, steps
    before: tuple[Tensor, float] | None = None
    for sigma, to in pairwise([*sigmas, 0.0]):
        clean = denoise(x, sigma)
        yield clean
        if to:
            width = math.log(sigma / to)
            best = clean
            if before is not None:
                earlier, last = before
                best = clean + 0.5 * width / last * (clean - earlier)
            x = to / sigma * x + (1.0 - to / sigma) * best
            before = clean, width


def _ancestral(
    denoise: Denoise, x: Tensor, sigmas: list[float], draw: Draw, steps: int, *, extra: float = 0.0
) -> Iterator[Tensor]:
    """Draw from q(x_to | x_σ, x_0 = D): mean as in Algorithm 1, variance β̃ = to² (σ² − to²) / σ².

    With `extra` = v it is β^v β̃^(1 − v) where β = σ² − to², that of Algorithm 1.
    """
    del steps
    for number, (sigma, to) in enumerate(pairwise([*sigmas, 0.0]), start=1):
        clean = denoise(x, sigma)
        yield clean
        if to:
            deviation = math.sqrt(sigma**2 - to**2) * (to / sigma) ** (1.0 - extra)
            x = _reverse(x, clean, sigma, to) + deviation * draw(number)
