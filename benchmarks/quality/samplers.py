"""Which sampler of few steps paints as much as the truth has, on blocks that training saw: `config.sampler`.

Nothing here is held out, on purpose: the choice belongs to the weights, and `held_out` judges what was chosen. Of the
samplers that paint as much DAB as the truth has, to a fifth (`dab_ratio`), the one is taken whose pictures are most
alike (`ssim`). PSNR, SSIM and the error of DAB alone are best where little is painted, and choose nothing.
"""

from __future__ import annotations

from typing import Literal

from benchmarks.shared.figures import Goal
from benchmarks.shared.scores import THRESHOLD, scores, shipped_recipe, source_pairs, stain_all, trained_tiles
from diffuscope import load_model
from diffuscope.measurement.dab import overlap
from diffuscope.ports.settings import SampleSettings
from diffuscope.stains import dab_density

SAMPLERS = ("sde-dpmsolver++", "dpmsolver++", "unipc", "ddim")
#: More of them only for the stochastic one: whether time would have mended what it lacks.
LONGER = 50
GOALS = {"chosen_dab_ratio": Goal(low=0.8, high=1.25)}


def measure(*, model: Literal["stain-cd3-demo", "stain-ck818-demo"] = "stain-ck818-demo") -> dict[str, float]:
    """Sample the same blocks with each, one sample, the same noise.

    Parameters
    ----------
    model : str
        Whose sampler.
    """
    loaded = load_model(model)
    tiles = trained_tiles(source_pairs(shipped_recipe(model)))
    default = next(iter(loaded.system.presets.values()))
    runs = [SampleSettings(sampler=name, steps=default.steps) for name in SAMPLERS]
    runs.append(SampleSettings(sampler=SAMPLERS[0], steps=LONGER))
    figures: dict[str, float] = {}
    for settings in runs:
        picture = stain_all(loaded, tiles, settings=settings)["ihc"].round().astype("uint8")
        density = dab_density(picture)
        counted = overlap(tiles.dab, density, threshold=THRESHOLD)
        found = scores(picture, density, tiles.ihc, tiles.dab)
        found |= {"area_ratio": counted.found / counted.true, "dab_ratio": float(density.mean() / tiles.dab.mean())}
        figures |= {f"{settings.sampler}_{settings.steps}_{key}": value for key, value in found.items()}
        if settings == default:
            figures["chosen_dab_ratio"] = found["dab_ratio"]
    return figures
