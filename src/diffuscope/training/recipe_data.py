"""What a recipe trains on: cases, a cohort of patients, images and texts, or what is simulated."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Discriminator, Field, Tag, model_validator

from diffuscope.simulation.restaining.sources import Restaining
from diffuscope.systems.bounds import STRICT, Name, Resolution


class Strict(BaseModel):
    """An entry of a recipe: of known keys only, and without change."""

    model_config = STRICT


class Cases(Strict):
    """A user's own cases to train on, pictures or volumes (see `diffuscope.cases.find_cases`).

    Attributes
    ----------
    path : str
        Folder of one sub-folder a port key, or a table (.csv) of cases; relative to the recipe.
    mpp : float, optional
        µm per pixel of pictures that do not state it.
    validation : float
        Share of the groups (patients or slides) that are kept apart to validate, with those that state it; none is
        taken where every group states its part. Groups that state ``test`` are never read.
    validate_on, test_on : tuple of str
        Groups by name that validate, and that are never read, whatever the data states; where any is named to
        validate, no share is taken.
    tissue : float, optional
        Least part of a crop that must be tissue, of a volume foreground; default 0.5, of volumes 0.1.
    stain_augmentation : bool
        Whether the H&E's stain is changed at random, as laboratories and scanners do.
    whole_slices : bool
        Of volumes: train on whole slices instead of crops, each warped at random into the system's patch (see
        `diffuscope.training.data.warp`). A run's tile must hold them.
    elastic : float
        Of whole slices, how strongly they are bent: standard deviation in px of a field of nodes 32 px apart.
    """

    path: str
    mpp: Resolution | None = None
    validation: float = Field(default=0.2, gt=0, lt=1)
    validate_on: tuple[str, ...] = ()
    test_on: tuple[str, ...] = ()
    tissue: float | None = Field(default=None, ge=0, le=1)
    stain_augmentation: bool = True
    whole_slices: bool = False
    elastic: float = Field(default=4.0, ge=0, le=64)

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := set(self.validate_on) & set(self.test_on):
            raise ValueError(f"{min(both)} is named both in validate_on and in test_on: keep it in one")
        return self


class Cohort(Strict):
    """Patients as rows of tables, whose class a column states (see `diffuscope.cases.cohort.read_cohort`).

    Attributes
    ----------
    cohort : tuple of str
        CSV files, joined by their first column, which says the patient; relative to the recipe.
    label : str
        Column that states the class; patients with nothing there are left out.
    positive, negative : tuple of str
        Its values that mean the second class, and the first; or
    above : float
        Number beyond which it does.
    validation : float
        Share of the patients that are kept apart to validate, as of `Cases`.
    validate_on, test_on : tuple of str
        Patients that validate, and that are never trained on nor looked at, whatever the tables state.
    """

    cohort: tuple[str, ...] = Field(min_length=1, max_length=100)
    label: Name
    positive: tuple[Name, ...] = ()
    negative: tuple[Name, ...] = ()
    above: float | None = Field(default=None, ge=-3e38, le=3e38)
    validation: float = Field(default=0.2, gt=0, lt=1)
    validate_on: tuple[Name, ...] = ()
    test_on: tuple[Name, ...] = ()

    @model_validator(mode="after")
    def _says(self) -> Self:
        named = bool(self.positive), bool(self.negative), self.above is not None
        if named not in ((True, True, False), (False, False, True)):
            raise ValueError("say which values are positive and which negative, or above which number they are")
        if both := set(self.positive) & set(self.negative):
            raise ValueError(f"{min(both)} is named both positive and negative: keep it in one")
        if both := set(self.validate_on) & set(self.test_on):
            raise ValueError(f"{min(both)} is named both in validate_on and in test_on: keep it in one")
        return self


class Pairs(Strict):
    """Cases that have some of many images and texts each (see `diffuscope.cases.paired.read_paired`).

    Attributes
    ----------
    pairs : str
        Table of the cases; relative to the recipe.
    validation : float
        Share of the cases that are kept apart to validate, as of `Cases`.
    """

    pairs: str
    validation: float = Field(default=0.1, gt=0, lt=1)


def _kind(data: Any) -> str:
    """Return which kind of data is meant: what names no simulation is a user's own."""
    names = data if isinstance(data, dict) else ()
    if "simulation" in names or isinstance(data, Restaining):
        return "restaining"
    if "pairs" in names or isinstance(data, Pairs):
        return "pairs"
    return "cohort" if "cohort" in names or isinstance(data, Cohort) else "cases"


#: As the kinds stand in pydantic's places, which are no entries of a recipe.
KINDS = ("restaining", "cohort", "pairs", "cases")


Data = Annotated[
    Annotated[Cases, Tag("cases")]
    | Annotated[Cohort, Tag("cohort")]
    | Annotated[Pairs, Tag("pairs")]
    | Annotated[Restaining, Tag("restaining")],
    Discriminator(_kind),
]
