"""Diffusion models for slides and scans, in napari and from a shell.

The names in `__all__` are the public API. Each is loaded when it is first asked for: importing this package loads
nothing heavy. Those that do work are generators of events: iterate one, or say ``finish(export(…))`` to have it done.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diffuscope.version import __version__ as __version__

if TYPE_CHECKING:
    from diffuscope.api.check_data import check_data
    from diffuscope.api.evaluate import evaluate
    from diffuscope.api.measure import measure
    from diffuscope.api.run import (
        DEMO_MODEL,
        DEMO_REGION,
        DEMO_SLIDE,
        export,
        info,
        load_model,
        models,
        open_result,
        open_scan,
        open_volume,
        register,
        run,
        train,
    )
    from diffuscope.events import finish

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
    "open_result",
    "open_scan",
    "open_volume",
    "register",
    "run",
    "train",
]

_WHERE = {
    "check_data": "diffuscope.api.check_data",
    "evaluate": "diffuscope.api.evaluate",
    "finish": "diffuscope.events",
    "measure": "diffuscope.api.measure",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE.get(name, "diffuscope.api.run")), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
