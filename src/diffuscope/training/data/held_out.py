"""Who validates and who tests: where a recipe names them, and as in the rounds before."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import replace

from diffuscope.cases import Case, split
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


def split_as_before(
    cases: Sequence[Case], known: dict[str, str], *, validation: float, seed: int
) -> dict[str, list[Case]]:
    """Split a round's cases as `split` does, with groups of earlier rounds where they were.

    Whoever trained would validate otherwise: shares of other data begin anew. What the data of a round states stays.

    Parameters
    ----------
    cases : sequence of Case
        Of the round.
    known : dict of str to str
        Part by group, of the rounds before; is added to.
    validation, seed
        As of `split`.

    Raises
    ------
    InputError
        As `split`; nobody validates, as all trained before.
    """
    stated = {case.group for case in cases if case.part}
    cases = [case if case.group in stated else replace(case, part=known.get(case.group)) for case in cases]
    parts = split(cases, validation=validation, seed=seed)
    if not parts["validation"] and any(case.group not in stated and case.part for case in cases):
        raise InputError(
            f"nobody of a round's data validates, as {cases[0].group} and all others had other parts in a round "
            "before: name who validates in validate_on of the data of both rounds."
        )
    known |= {case.group: part for part, own in parts.items() for case in own if case.group not in known}
    return parts
