"""Who validates and who tests, where a recipe names them."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from diffuscope.errors import InputError
from diffuscope.training.recipe_data import Cases, Cohort


def held_out(data: Cases | Cohort, known: Collection[str], what: str) -> dict[str, str]:
    """Return the part of each name in `validate_on` and `test_on`.

    Parameters
    ----------
    data : Cases or Cohort
        Of a recipe.
    known : collection of str
        Names that there are, at least one.
    what : str
        What they name, e.g. ``"group of the data"``.

    Raises
    ------
    InputError
        A name is none of them: who was to be held out would train.
    """
    found = dict.fromkeys(data.validate_on, "validation") | dict.fromkeys(data.test_on, "test")
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1) or sorted(known)[:1]
            raise InputError(f"the recipe holds {name} out, which is no {what}: did you mean {near[0]}?")
    return found
