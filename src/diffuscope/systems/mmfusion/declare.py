"""What MMFusion declares."""

from __future__ import annotations

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Column, Table
from diffuscope.systems.mmfusion.config import SHARED, MMFusionConfig

#: Draws of the class vector: the standard error of their mean is at most 0.05 of a probability.
_SAMPLES = 100


#: What a CT can hold, HU.
_HU = (-1024.0, 3071.0)

_RELEVANCE = Raster(
    name="relevance",
    key="relevance",
    kind="map",
    channels=("relevance",),
    mpp=1000.0,
    spacing=(None, None, None),
    range=(0.0, 100.0),
    unit="%",
    colormap="inferno",
)


def _images(config: MMFusionConfig) -> tuple[Raster | Mask, ...]:
    if config.images is None:
        return ()
    nodes = tuple(f"node {number}" for number in range(1, config.images.nodes + 1))
    ct = Raster(
        name="CT",
        key="ct",
        kind="map",
        channels=("CT",),
        mpp=1000.0,
        spacing=(None, None, None),
        range=_HU,
        dtype="float32",
        unit="HU",
        required=False,
    )
    return ct, Mask(name="outlines", key="mask", on="ct", roles=("tumour", *nodes), required=False)


def _rests_on(config: MMFusionConfig) -> tuple[Table, ...]:
    """Of each node of the graph its share in the score, where these are few enough, and how much it is looked at."""
    pictures = (("tumour", "tumour"), ("nodes", "lymph nodes")) if config.images is not None else ()
    names = (*pictures, *((table.key, table.name) for table in config.tables))

    def table(key: str, name: str, low: float) -> Table:
        return Table(
            name=name, key=key, columns=tuple(Column(name=node, title=title, range=(low, 1.0)) for node, title in names)
        )

    shares = (table("shapley", "contributions", -1.0), table("left_out", "score less the score without", -1.0))
    attention = (table("attention", "attention received", 0.0),) if config.graph == "attention" else ()
    return (*(shares if len(names) <= SHARED else ()), *attention)


def declare(config: MMFusionConfig) -> Declaration:
    """Of MMFusion: CT, outlines and tables, any of which a case may lack, and the probability of a metastasis."""
    images = _images(config)
    tables = tuple(table.table for table in config.tables)
    relations = config.images is not None and config.images.relations
    return Declaration(
        task="lymph-node scoring",
        inputs=(*images, *tables),
        any_of=(tuple(port.key for port in (*images, *tables)),),
        outputs=(
            Score(name=config.name, key=config.key, classes=config.classes, threshold=config.threshold),
            *((_RELEVANCE,) if relations else ()),
            *_rests_on(config),
        ),
        presets={
            "fast": SampleSettings(sampler="card", steps=config.steps, samples=_SAMPLES),
            "reference": SampleSettings(sampler="card", steps=config.steps, samples=10 * _SAMPLES),
        },
    )
