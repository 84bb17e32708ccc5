"""The card of a model that is to be trained: what a recipe says of it, or what is known without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from diffuscope.cases.find import simulated_truth
from diffuscope.model.card import ModelCard
from diffuscope.model.folder import Model
from diffuscope.ports.raster import Raster
from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.protocols import Decides
from diffuscope.training.model import Start
from diffuscope.training.recipe import Recipe
from diffuscope.training.recipe_data import Cohort, Data, Pairs

#: What a round is trained on, and the part of each case.
Trained = tuple[Data, Mapping[str, str]]


def make_card(recipe: Recipe, start: Start, trained: Sequence[Trained], folder: Path) -> ModelCard:
    """Return the recipe's card, or one that claims nothing that is not known.

    Parameters
    ----------
    recipe : Recipe
        For its card and name.
    start : Start
        What it began from.
    trained : sequence of tuple
        Round after round, what it is trained on, and the part of each case, from `diffuscope.training.model.find_data`.
    folder : Path
        What the recipe's paths are relative to: whether its truth is simulated stands beside the data.
    """
    if recipe.card is not None:
        return recipe.card
    told: dict[Data, str] = {}
    for data, parts in trained:
        told.pop(data, None)  # the last comes last
        told[data] = _counted(data, parts)
    paths = [path for data in told for path in _paths(data)]
    cases = {name for _, parts in trained for name, part in parts.items() if part == "train"}
    validate = Counter(trained[-1][1].values())["validation"]
    inputs = ", ".join(port.name for port in start.system.inputs)
    main, scale, chosen = start.system.outputs[0], "", "its weights"
    if isinstance(start.system, Decides):
        chosen = "its weights, its threshold and, where that helped, a calibration of its probability"
    if isinstance(main, Raster):
        scales = {"yx": f" at {main.mpp:g} µm/px", "zyx": f" at {main.mpp / 1000:g} mm per px"}
        scale = scales[start.system.input_rasters[0].axes]
    begun = f", begun from the weights of {_known(start.origin)}" if start.origin is not None else ""
    simulated = next(filter(None, map(simulated_truth, (folder / path for path in paths))), None)
    before = _simulated_before(start.origin)
    trained_on = "its user's own data"
    if simulated is not None:
        trained_on += f", whose truth is simulated ({simulated.partition('. ')[0].removesuffix('.')})"
    trained_on += f", begun from {before}" if before else ""
    licence = f" The weights that it began from: {start.origin.card.licence}" if start.origin is not None else ""
    return ModelCard(
        title=recipe.name,
        what_it_is=(
            f"{_with_article(type(start.system).__name__)} model ({main.name} from {inputs}{scale}) that was trained "
            f"on its user's own {len(cases)} cases{begun}."
        ),
        what_it_is_not=(
            "Checked by anyone but whoever trained it: its figures come from "
            f"{validate} cases of the same data set, which chose {chosen}. Not a measurement."
        ),
        data=f"{'; then '.join(told.values())}; they do not come with the model.",
        licence=f"Not stated: for whoever trained it to say, as the licence of the data allows.{licence}",
        trained_on=trained_on,
        simulated=simulated is not None,
        simulated_before=before,
    )


def _counted(data: Data, parts: Mapping[str, str]) -> str:
    files, count = ", ".join(Path(path).name for path in _paths(data)), Counter(parts.values())
    return (
        f"{files}: {count['train']} cases in training, {count['validation']} in validation, {count['test']} set apart"
    )


def _paths(data: Data) -> tuple[str, ...]:
    assert not isinstance(data, Restaining)  # of which a recipe states its card
    if isinstance(data, Pairs):
        return (data.pairs,)
    return data.cohort if isinstance(data, Cohort) else (data.path,)


def _simulated_before(origin: Model | None) -> str:
    """Return which demonstration a model began from, itself or what it began from, and what that learned from."""
    if origin is None:
        return ""
    card = origin.card
    return f"{origin.name} ({card.trained_on})" if card.simulated else card.simulated_before


def _with_article(name: str) -> str:
    """Return a system's name behind "A" or "An", as its first letter sounds, of an abbreviation that letter's name."""
    vowels = "AEFHILMNORSX" if name[:2].isupper() else "AEIO"
    return f"{'An' if name[0] in vowels else 'A'} {name}"


def shared_path(path: Path | str) -> str:
    """Return a path as a card may show it, which whoever gets the model reads: no folder of the trainer's machine.

    One that is relative to where the command was typed stays; of any other the name.
    """
    path = Path(path)
    return path.name if path.is_absolute() or ".." in path.parts or "~" in path.parts[:1] else path.as_posix()


def _known(model: Model) -> str:
    """Return what tells a model, not where it lay: its name, and the beginning of its hash."""
    return f"{model.name} ({model.hash[:8]}…)"
