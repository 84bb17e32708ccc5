"""Cohorts: animals of a tumour model, fields of each, and a share of fields whose nuclei channel misleads."""

from __future__ import annotations

from collections.abc import Iterator

from diffuscope.errors import InputError
from diffuscope.simulation.tumour.field import DISCORDANT, Field, Kind, simulate_field
from diffuscope.simulation.tumour.parameters import BREAST, Animal, TumourModel, draw_animal, generator


def cohort(
    *,
    seed: int = 0,
    model: TumourModel = BREAST,
    animals: int = 6,
    fields: int = 24,
    size: int = 256,
    discordant: float = 0.25,
) -> Iterator[Field]:
    """Simulate a cohort, field by field.

    A field is a function of (model, seed, animal, field, size, discordant) alone: a larger cohort begins with the
    smaller one.

    Parameters
    ----------
    seed : int
        Of the cohort.
    model : TumourModel
        `BREAST`, or another one for external validation.
    animals, fields : int
        Animals, and fields of each; at least one.
    size : int
        Side of a field, px of 1 µm; even.
    discordant : float
        Share of fields with a nuclei channel that misleads, 0–1; as many of each kind.

    Returns
    -------
    iterator of Field
        Simulated one by one, as they are asked for.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    drawn = draw_fields(seed=seed, model=model, animals=animals, fields=fields, discordant=discordant)
    return (simulate_field(animal, number, size=size, kind=kind) for animal, number, kind in drawn)


def draw_fields(
    *, seed: int, model: TumourModel, animals: int, fields: int, discordant: float
) -> list[tuple[Animal, int, Kind]]:
    """Return what `simulate_field` makes the fields of a `cohort` from: animal, number, and kind of each.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    if animals < 1 or fields < 1 or not 0 <= discordant <= 1:
        raise InputError(
            f"{animals} animals with {fields} fields, {discordant:g} of them discordant, are no cohort: "
            "give at least one of each, and a share between 0 and 1."
        )
    return [
        (animal, field, kind_of(model, seed, animal.number, field, discordant=discordant))
        for animal in (draw_animal(model, seed=seed, number=number) for number in range(animals))
        for field in range(fields)
    ]


def kind_of(model: TumourModel, seed: int, animal: int, field: int, *, discordant: float) -> Kind:
    """Return what the nuclei channel of a field is, by systematic sampling.

    Of n fields of an animal n·discordant are discordant, to within one; the kinds take turns.
    """
    offset = generator(model, seed, animal, 3).uniform()
    count = int(field * discordant + offset), int((field + 1) * discordant + offset)
    return DISCORDANT[(count[0] + animal) % len(DISCORDANT)] if count[1] > count[0] else "concordant"
