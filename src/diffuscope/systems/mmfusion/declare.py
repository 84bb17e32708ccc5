"""What MMFusion declares."""

from __future__ import annotations

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Table
from diffuscope.systems.mmfusion.config import MMFusionConfig

#: Draws of the class vector: the standard error of their mean is at most 0.05 of a probability.
_SAMPLES = 100


def declare(config: MMFusionConfig) -> Declaration:
    """Of MMFusion: tables, any of which a case may lack, and the probability of a metastasis."""
    tables = tuple(
        Table(
            name=table.name,
            key=table.key,
            columns=tuple(column.column for column in table.columns),
            required=False,
        )
        for table in config.tables
    )
    return Declaration(
        task="lymph-node scoring",
        inputs=tables,
        any_of=(tuple(table.key for table in tables),),
        outputs=(Score(name=config.name, key=config.key, classes=config.classes, threshold=config.threshold),),
        presets={
            "fast": SampleSettings(sampler="card", steps=config.steps, samples=_SAMPLES),
            "reference": SampleSettings(sampler="card", steps=config.steps, samples=10 * _SAMPLES),
        },
    )
