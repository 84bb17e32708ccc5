"""How near a shipped model comes to its teacher where no training was: held-out slide and held-out blocks.

The truth is simulated: the teacher's rule on the same pixels. The figures tell how well the rule was learned, not how
well an antibody is predicted. They go on the model's card (`python -m diffuscope.training.card`).
"""

from __future__ import annotations

from benchmarks._report import Goal, main
from benchmarks._scores import held_out_sets, score_baselines, score_model, shipped_recipe
from diffuscope.run import load_model

MODELS = ("stain-cd3-demo", "stain-ck818-demo")


def measure(name: str) -> dict[str, float]:
    """Score the model, and what no model can beat, on both sets."""
    model = load_model(name)
    *sets, colours = held_out_sets(shipped_recipe(name))
    figures = {}
    for tiles in sets:
        where = tiles.name.removeprefix("held-out ")
        figures |= {f"{where}_{key}": value for key, value in score_model(model, tiles).items()}
        baselines = dict(score_baselines(tiles, colours))
        figures[f"{where}_psnr_db_without_dab"] = baselines["haematoxylin only, no DAB"]["psnr_db"]
        figures[f"{where}_dice_of_the_teacher_itself"] = baselines["the teacher's next draw"]["dice"]
    return figures


if __name__ == "__main__":
    main(measure, {"blocks_dice": Goal(low=0.5), "slide_dice": Goal(low=0.5)}, models=MODELS)
