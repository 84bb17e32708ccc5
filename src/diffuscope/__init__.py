"""Diffusion models for slides and scans, in napari and from a shell.

The names in `__all__` are the public API. Each is loaded when it is first asked for: importing this package loads
nothing heavy. Those that do work are generators of events: iterate one, or say ``finish(export(…))`` to have it done.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diffuscope.version import __version__ as __version__

if TYPE_CHECKING:
    from diffuscope.api.check_data import check_data
    from diffuscope.api.demo import DEMO_MODEL, DEMO_REGION, DEMO_SLIDE
    from diffuscope.api.evaluate import evaluate
    from diffuscope.api.export import export
    from diffuscope.api.measure import measure
    from diffuscope.api.models import models
    from diffuscope.api.open import info, open  # noqa: A004  the word of the verb
    from diffuscope.api.register import register
    from diffuscope.api.run import run
    from diffuscope.api.run_many import run_many
    from diffuscope.api.score import score
    from diffuscope.api.train import train
    from diffuscope.events import finish
    from diffuscope.model.folder import load_model
    from diffuscope.results.result import open_result
    from diffuscope.scans import open_scan, open_volume

__all__ = [
    "DEMO_MODEL",
    "DEMO_REGION",
    "DEMO_SLIDE",
    "check_data",
    "evaluate",
    "export",
    "finish",
    "info",
    "load_model",
    "measure",
    "models",
    "open",
    "open_result",
    "open_scan",
    "open_volume",
    "register",
    "run",
    "run_many",
    "score",
    "train",
]

# Where a name lies; a verb lies in the module of its name.
_WHERE = {
    **dict.fromkeys(("DEMO_MODEL", "DEMO_REGION", "DEMO_SLIDE"), "diffuscope.api.demo"),
    "finish": "diffuscope.events",
    "info": "diffuscope.api.open",
    "load_model": "diffuscope.model.folder",
    "open_result": "diffuscope.results.result",
    **dict.fromkeys(("open_scan", "open_volume"), "diffuscope.scans"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE.get(name, f"diffuscope.api.{name}")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
