"""Whether what registration needs beyond the package is there, asked without importing it."""

from __future__ import annotations

import importlib.util

from diffuscope.errors import InputError


def check_library() -> None:
    """Refuse to register without SimpleITK.

    Raises
    ------
    InputError
        It is not installed.
    """
    if importlib.util.find_spec("SimpleITK") is None:
        raise InputError('registration needs SimpleITK: pip install "diffuscope[register]".')
