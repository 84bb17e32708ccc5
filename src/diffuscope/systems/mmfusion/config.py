"""Configuration of MMFusion, as it stands in a recipe or in a model folder's config.json."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.ports.table import Column
from diffuscope.systems.bounds import STRICT, Name, Weight

_Width = Annotated[int, Field(ge=4, le=4096)]
# What float32 holds.
_Number = Annotated[float, Field(ge=-3e38, le=3e38)]
_COLUMNS, _TABLES = 4096, 16


class ColumnConfig(BaseModel):
    """A column of a table, as `diffuscope.ports.table.Column`.

    Attributes
    ----------
    name, title, unit : str
        As it heads the column of a file, what the user sees, and of a number its unit.
    range : (float, float), optional
        Of a number, what is possible; anything beyond is refused.
    categories : tuple of str
        What it may be, where it is no number.
    known : {"before", "after"}
        Whether it is known before surgery, or only after it.
    """

    model_config = STRICT

    name: Name
    title: Name = ""
    unit: Name = ""
    range: tuple[_Number, _Number] | None = None
    categories: Annotated[tuple[Name, ...], Field(max_length=1000)] = ()
    known: Literal["before", "after"] = "before"

    @property
    def column(self) -> Column:
        """As a port has it."""
        return Column(**dict(self))


class TableConfig(BaseModel):
    """A table, which is one node of the graph: blood, clinical data, radiomics.

    Attributes
    ----------
    name, key : str
        What the user sees, and what a port goes by.
    columns : tuple of ColumnConfig
        At least one.
    """

    model_config = STRICT

    name: Name
    key: Name
    columns: Annotated[tuple[ColumnConfig, ...], Field(min_length=1, max_length=_COLUMNS)]


class MMFusionConfig(BaseModel):
    """What defines an MMFusion besides its weights.

    Attributes
    ----------
    name, key : str
        Of the score.
    classes : (str, str)
        Without, and with what is scored.
    tables : tuple of TableConfig
        Each may be missing of a case, as long as one is there.
    preoperative : bool
        Whether it scores before surgery, and so takes no column that is known only after it.
    width : int
        Numbers that a node has.
    heads : int
        Of the graph's attention.
    steps, first, last : int, float, float
        T of CFD, and β of its first and its last step, linear between (the paper's code: 10, 0.01, 0.95).
    graph : {"attention", "convolution"}
        HGA, or the paper's ablation of it.
    guide : {"joint", "frozen"}
        Whether the diffusion's loss reaches the guide, as in Eq. 7 of the paper, or not, as in CARD.
    drop : float
        Share of the nodes that training leaves out, so that a case may lack them.
    threshold : float, optional
        Probability from which the second class is decided for, chosen on validation.
    weight : float
        Of the diffusion's term.
    """

    model_config = STRICT

    name: Name = "lymph-node metastasis"
    key: Name = "metastasis"
    classes: tuple[Name, Name] = ("no metastasis", "metastasis")
    tables: Annotated[tuple[TableConfig, ...], Field(min_length=1, max_length=_TABLES)]
    preoperative: bool = True
    width: _Width = 64
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    steps: Annotated[int, Field(ge=2, le=1000)] = 10
    first: Annotated[float, Field(gt=0, lt=1)] = 0.01
    last: Annotated[float, Field(gt=0, lt=1)] = 0.95
    graph: Literal["attention", "convolution"] = "attention"
    guide: Literal["joint", "frozen"] = "joint"
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.2
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    weight: Weight = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        keys = [table.key for table in self.tables]
        if len(set(keys)) < len(keys):
            raise ValueError("two tables have one key: give each its own")
        for table in self.tables:
            names = [column.name for column in table.columns]
            if len(set(names)) < len(names):
                raise ValueError(f"two columns of {table.key} have one name: give each its own")
            late = [column.name for column in table.columns if column.known == "after"]
            if late and self.preoperative:
                raise ValueError(
                    f"{late[0]} is known only after surgery and the model scores before it: leave the column out, or "
                    "say preoperative: false"
                )
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is no multiple of heads {self.heads}")
        return self
