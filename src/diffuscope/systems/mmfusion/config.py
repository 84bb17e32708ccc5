"""Configuration of MMFusion, as it stands in a recipe or in a model folder's config.json."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, model_validator

from diffuscope.ports.table import Column, Table
from diffuscope.radiomics.columns import columns
from diffuscope.radiomics.settings import RadiomicsSettings
from diffuscope.systems.bounds import STRICT, Name, Weight

_Width = Annotated[int, Field(ge=4, le=4096)]
# What float32 holds.
_Number = Annotated[float, Field(ge=-3e38, le=3e38)]
_COLUMNS, _TABLES = 4096, 16
#: Nodes up to which every subset is scored, so that each has its share in the score.
SHARED = 8
# Keys of what comes out beside the score.
_GIVEN = ("shapley", "left_out", "attention", "relevance")
# Keys of what goes in beside tables, of what becomes of it, and of what a training batch has.
_TAKEN = ("ct", "mask", "tumour", "nodes", "label", "case")


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
        At least one, where none are measured.
    measured : RadiomicsSettings, optional
        How the table is measured from CT and outlines, where a case does not bring it: its columns are those of
        `diffuscope.radiomics.case.columns`.
    """

    model_config = STRICT

    name: Name
    key: Name
    columns: Annotated[tuple[ColumnConfig, ...], Field(max_length=_COLUMNS)] = ()
    measured: RadiomicsSettings | None = None

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        if bool(self.columns) == (self.measured is not None):
            raise ValueError(f"name the columns of {self.key}, or say how it is measured")
        return self

    @property
    def table(self) -> Table:
        """As a port has it."""
        named = tuple(column.column for column in self.columns)
        measured = (
            tuple(Column(name=name, unit=unit) for name, unit in columns(self.measured).items())
            if self.measured
            else ()
        )
        return Table(
            name=self.name, key=self.key, columns=named or measured, required=False, measured=bool(self.measured)
        )


_Tokens = Annotated[int, Field(ge=1, le=8)]
_Voxels = Annotated[int, Field(ge=4, le=256)]
_Millimetres = Annotated[float, Field(ge=0.05, le=50)]


class ImagesConfig(BaseModel):
    """How CT and outlines are seen. The defaults are the paper's, where it or its code says.

    Attributes
    ----------
    backbone : str
        ResNet or DenseNet, a pair for the tumour and for all nodes.
    planes : int
        Feature maps of its first stage (64 as published).
    stem : {"large", "small"}
        First convolution of 7³ with a pooling after it, as published, or of 3³ without, for small crops.
    norm : {"batch", "group"}
        Of its layers: as published, or of each crop by itself, for small batches and averaged weights.
    spacing : (float, float, float)
        (z, y, x) mm per voxel of the crops.
    tumour, node : (int, int, int)
        (z, y, x) voxels of the crop of a tumour and of each node.
    nodes : int
        Nodes that are seen at most.
    window : (float, float)
        HU that become −1 and 1.
    tokens : (int, int, int)
        Tokens of a crop along (z, y, x).
    relations : bool
        MMRL, or means of the tokens (the paper's Base 1).
    heads : int
        Of its attention.
    hidden : float
        Share of the cross-tissue relations that training hides (the paper's code: 0.15).
    align : float
        Weight of its alignment (Eq. 5).
    """

    model_config = STRICT

    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50", "densenet22", "densenet121"] = "resnet50"
    planes: Annotated[int, Field(ge=4, le=128, multiple_of=4)] = 64
    stem: Literal["large", "small"] = "large"
    norm: Literal["batch", "group"] = "batch"
    spacing: tuple[_Millimetres, _Millimetres, _Millimetres] = (3.0, 1.0, 1.0)
    tumour: tuple[_Voxels, _Voxels, _Voxels] = (42, 128, 128)
    node: tuple[_Voxels, _Voxels, _Voxels] = (22, 90, 90)
    nodes: Annotated[int, Field(ge=1, le=16)] = 3
    window: tuple[_Number, _Number] = (-160.0, 240.0)
    tokens: tuple[_Tokens, _Tokens, _Tokens] = (2, 2, 2)
    relations: bool = True
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    hidden: Annotated[float, Field(ge=0, lt=1)] = 0.15
    align: Weight = 1.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.window[0] < self.window[1]:
            raise ValueError("window is no range: give the lower number of HU first")
        least = 32 if self.stem == "large" else 16
        if self.backbone.startswith("densenet") and min(*self.tumour, *self.node) < least:
            raise ValueError(f"crops of fewer than {least} voxels are too small for {self.backbone}: make them larger")
        return self


class MMFusionConfig(BaseModel):
    """What defines an MMFusion besides its weights.

    Attributes
    ----------
    name, key : str
        Of the score.
    classes : (str, str)
        Without, and with what is scored.
    tables : tuple of TableConfig
        Each may be missing of a case, as long as something is there.
    images : ImagesConfig, optional
        How CT and outlines are seen; they may be missing, too. None: of tables alone.
    preoperative : bool
        Whether it scores before surgery, and so takes no column that is known only after it.
    width : int
        Numbers that a node has.
    heads : int
        Of the graph's attention.
    steps, first, last : int, float, float
        T of CFD, and β of its first and its last step, linear between (the paper's code: 10, 0.01, 0.95).
    graph : {"attention", "convolution", "none"}
        HGA, the paper's ablation of it, or nodes that do not look at each other (the paper's Base 1).
    readout : {"joined", "mean"}
        How the nodes become the features of a case, which the paper does not say: a network over all of them side by
        side, which can tell one from another, or their mean, which has fewer weights and is for few patients.
    diffusion : bool
        CFD; without, every draw is the guide's own probability.
    members : int
        Guides, each with its own CFD, that see the patients as often as a draw of them with repetition has them. They
        tell how much a score hangs on which patients were there to train.
    guide : {"frozen", "joint"}
        Whether the diffusion's loss leaves the guide as it is, as in CARD, or reaches it, as in Eq. 7 of the paper
        (docs/reproduce/mmfusion.md holds them against each other).
    drop : float
        Share of the nodes that training leaves out, so that a case may lack them.
    threshold : float, optional
        Probability from which the second class is decided for, chosen on validation.
    calibration : (float, float), optional
        Slope and offset of `diffuscope.systems.calibration.calibrated`, chosen on validation where that helped there.
    weight : float
        Of the diffusion's term.
    limits : dict of str to (float, float)
        By name of a column, the lowest and the highest number of a patient like those who trained; training states it.
    """

    model_config = STRICT

    name: Name = "lymph-node metastasis"
    key: Name = "metastasis"
    classes: tuple[Name, Name] = ("no metastasis", "metastasis")
    tables: Annotated[tuple[TableConfig, ...], Field(max_length=_TABLES)] = ()
    images: ImagesConfig | None = None
    preoperative: bool = True
    width: _Width = 64
    heads: Annotated[int, Field(ge=1, le=64)] = 4
    steps: Annotated[int, Field(ge=2, le=1000)] = 10
    first: Annotated[float, Field(gt=0, lt=1)] = 0.01
    last: Annotated[float, Field(gt=0, lt=1)] = 0.95
    graph: Literal["attention", "convolution", "none"] = "attention"
    readout: Literal["joined", "mean"] = "joined"
    diffusion: bool = True
    members: Annotated[int, Field(ge=1, le=50)] = 1
    guide: Literal["frozen", "joint"] = "frozen"
    drop: Annotated[float, Field(ge=0, lt=1)] = 0.2
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    calibration: tuple[Annotated[float, Field(gt=0, le=1e3)], Annotated[float, Field(ge=-1e3, le=1e3)]] | None = None
    weight: Weight = 1.0
    limits: dict[Name, tuple[_Number, _Number]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.key in _GIVEN:
            raise ValueError(f"the score cannot have the key {self.key}: choose another")
        if not self.tables and self.images is None:
            raise ValueError("nothing goes in: name a table, or images")
        keys = [table.key for table in self.tables]
        if taken := set(keys) & set(_TAKEN):
            raise ValueError(f"a table cannot have the key {min(taken)}: choose another")
        if len(set(keys)) < len(keys):
            raise ValueError("two tables have one key: give each its own")
        if self.images is None and any(table.measured for table in self.tables):
            raise ValueError("a table is to be measured, but there are no images: name them")
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
        if self.images is not None and self.width % self.images.heads:
            raise ValueError(f"width {self.width} is no multiple of the heads {self.images.heads} of images")
        return self
