"""Flags, numbers, words and lists that a verb is given, held against what its signature states, when it is called.

What is of another form would be taken for something that it is not ("no" is true), or be an error of a library later.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np

from diffuscope.errors import InputError

_Given = ParamSpec("_Given")
_Returned = TypeVar("_Returned")

# What messages call that which a signature calls so; parameters of others are not looked at here.
_FORMS = {"bool": "True or False", "int": "a whole number", "float": "a number", "str": "a text"}


def checked(verb: Callable[_Given, _Returned]) -> Callable[_Given, _Returned]:
    """Return a verb that refuses flags, numbers, words and lists of another form than its signature states.

    Raises
    ------
    InputError
        When the verb is called with such a one.
    """
    stated = signature(verb)

    @wraps(verb)
    def called(*args: _Given.args, **kwargs: _Given.kwargs) -> _Returned:
        bound = stated.bind(*args, **kwargs)
        bound.arguments.update(taken(verb, bound.arguments))
        return verb(*bound.args, **bound.kwargs)

    return called


def taken(verb: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of a verb as Python's own flags, numbers and words: NumPy's are such in no record.

    Parameters
    ----------
    verb : callable
        Or a class; of an annotated signature.
    given : mapping of str to Any
        By name; what the signature does not have is returned as it is.

    Raises
    ------
    InputError
        One is of another form.
    """
    stated = {name: str(one.annotation) for name, one in signature(verb).parameters.items()}
    for name, value in given.items():
        # One text is a sequence, too: of its letters.
        if stated.get(name, "").startswith("Sequence[") and isinstance(value, str | Path):
            raise InputError(f'{name} must be a list, as ["{value}"], got "{value}".')
    return {name: _taken(name, value, stated.get(name, "Any").split(" | ")) for name, value in given.items()}


def _taken(name: str, value: Any, forms: list[str]) -> Any:
    wanted = [form for form in forms if form != "None"]
    if not set(wanted) <= _FORMS.keys() or (value is None and "None" in forms):
        return value
    is_flag = isinstance(value, bool | np.bool_)
    if "bool" in wanted and is_flag:
        return bool(value)
    if "int" in wanted and isinstance(value, Integral) and not is_flag:
        return int(value)
    if "float" in wanted and isinstance(value, Real) and not is_flag:
        return int(value) if isinstance(value, Integral) else float(value)
    if "str" in wanted and isinstance(value, str):
        return str(value)
    shown = f'"{value}"' if isinstance(value, str) else repr(value)
    raise InputError(f"{name} must be {' or '.join(_FORMS[form] for form in wanted)}, got {shown[:60]}.")
