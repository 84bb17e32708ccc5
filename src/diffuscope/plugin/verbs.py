"""What the child process can be asked to do; imported there only, since it brings torch in."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import diffuscope.run
import diffuscope.survey
from diffuscope.diffusion.samplers import SAMPLERS
from diffuscope.plugin.child import Wishes
from diffuscope.plugin.facts import ModelFacts
from diffuscope.tiling.events import Event
from diffuscope.training.events import TrainingEvent
from diffuscope.zoo import load_model

Cancelled = Callable[[], bool]


def models(*, cancelled: Cancelled) -> Generator[ModelFacts, None, None]:
    """Yield every model of the zoo."""
    for info in diffuscope.run.models():
        if cancelled():
            return
        yield from describe(model=info.name, cancelled=cancelled)


def describe(*, model: str, cancelled: Cancelled) -> Generator[ModelFacts, None, None]:
    """Yield one model: a name of the zoo or the path of a model folder."""
    loaded = load_model(model)
    yield ModelFacts(
        name=model,
        title=loaded.card.title,
        what_it_is=loaded.card.what_it_is,
        what_it_is_not=loaded.card.what_it_is_not,
        mpp=loaded.system.inputs[0].mpp,
        presets={name: (preset.sampler, preset.steps) for name, preset in loaded.system.presets.items()},
        samplers=SAMPLERS,
    )


def run(*, cancelled: Wishes, **arguments: Any) -> Generator[Event, None, None]:
    """Yield the events of `diffuscope.run.run`, from where the user looks outwards."""
    yield from diffuscope.run.run(**arguments, cancelled=cancelled, focus=cancelled.focus)


def survey(*, data: Path, keys: tuple[str, ...], mpp: float | None, cancelled: Cancelled) -> Generator[str, None, None]:
    """Yield the lines of the report on a data set."""
    yield from diffuscope.survey.survey(data, keys=keys, assumed_mpp=mpp).lines()


def train(*, cancelled: Wishes, **arguments: Any) -> Generator[TrainingEvent, None, None]:
    """Yield the events of `diffuscope.run.train`."""
    yield from diffuscope.run.train(**arguments, cancelled=cancelled)


def export(*, result: Path, path: Path, layer: str, cancelled: Cancelled) -> Generator[None, None, str]:
    """Write a result to a file that may exist (the file dialog has asked), and return its path."""
    diffuscope.run.export(result, path, layer=layer, overwrite=True)
    return str(path)
    yield
