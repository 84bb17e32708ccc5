"""Diffusion models for slides and scans, in napari and from a shell.

The names in `__all__` are the public API. Each is loaded when it is first asked for: importing this package loads
nothing heavy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from diffuscope.version import __version__ as __version__

if TYPE_CHECKING:
    from diffuscope.api.check_data import survey as check_data
    from diffuscope.api.evaluate import evaluate
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

__all__ = [
    "DEMO_MODEL",
    "DEMO_REGION",
    "DEMO_SLIDE",
    "check_data",
    "evaluate",
    "export",
    "info",
    "load_model",
    "models",
    "open_result",
    "open_scan",
    "open_volume",
    "register",
    "run",
    "train",
]

_WHERE = {"check_data": ("diffuscope.api.check_data", "survey"), "evaluate": ("diffuscope.api.evaluate", "evaluate")}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _WHERE.get(name, ("diffuscope.api.run", name))
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
