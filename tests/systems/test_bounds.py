"""Every number of every configuration has two ends: who sends a model folder does not say how much memory it takes."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ValidationError

from diffuscope.systems.bounds import SIDE, STEPS, first_fault
from diffuscope.systems.registry import _ROWS, _load, configure
from diffuscope.training.recipe import Recipe

CONFIGS = {name: _load(row.config) for name, row in _ROWS.items() if isinstance(row.config, str)}
# Two ends of a range that is as wide as numbers are; the check that it rises is the class's own.
FREE = {"Modality.range"}


def parts(annotation: object) -> Iterator[object]:
    """Yield what an annotation is made of, its metadata too."""
    yield annotation
    for part in typing.get_args(annotation):
        yield from parts(part)


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for field in model.model_fields.values():
        for part in parts(field.annotation):
            if isinstance(part, type) and issubclass(part, BaseModel) and part is not model:
                yield from models(part)


def ends(metadata: object) -> set[str]:
    kinds = {Ge: "low", Gt: "low", Le: "high", Lt: "high"}
    inner = getattr(metadata, "metadata", ())
    found = {kinds[type(metadata)]} if type(metadata) in kinds else set()
    return found.union(*(ends(one) for one in inner))


@pytest.mark.parametrize("config", [*CONFIGS.values(), Recipe], ids=[*CONFIGS, "recipe"])
def test_every_number_has_a_lowest_and_a_highest_value(config: type[BaseModel]):
    checked = 0
    for model in models(config):
        if model.__name__ == "ModelCard":  # figures on a card are read by people alone
            continue
        assert model.model_config["allow_inf_nan"] is False
        for name, field in model.model_fields.items():
            kinds = set(parts(field.annotation))
            if not kinds & {int, float} or f"{model.__name__}.{name}" in FREE or name == "learning_rate":
                continue
            if any(isinstance(one, types.GenericAlias) and dict in parts(one) for one in kinds):
                continue
            checked += 1
            found = set().union(*(ends(one) for one in (*field.metadata, *kinds)))
            assert found == {"low", "high"}, f"{model.__name__}.{name}"
    assert checked >= 2


@pytest.mark.parametrize(
    "entry", [{"T": 10**9}, {"patch": 40_000}, {"mpp": 1e300}, {"mpp": float("inf")}, {"stain": "x" * 10**6}]
)
def test_too_much_is_refused(entry: dict[str, object]):
    with pytest.raises(ValidationError):
        configure("staindiffuser", {"stain": "CD3"} | entry)
    assert configure("staindiffuser", {"stain": "CD3", "T": STEPS, "patch": SIDE})


def test_a_tile_of_a_whole_slice_is_bounded():
    slices = {"target": {"name": "CT"}, "source": {"name": "MR"}}
    assert configure("midiffusion", slices | {"tile": 1024})
    with pytest.raises(ValidationError, match="less than or equal to 2048"):
        configure("midiffusion", slices | {"tile": 40_000})


def test_a_key_that_somebody_made_up_does_not_fill_the_sentence():
    with pytest.raises(ValidationError) as caught:
        configure("staindiffuser", {"stain": "CD3", "x\n" * 5000: 1})
    where, said = first_fault(caught.value, "config")
    assert where.startswith("config.x\\nx\\n") and len(where) < 80 and said == "it is not known"
