"""A system that scores lymph nodes by a rule of one line, with every input and output that MMFusion has."""

from __future__ import annotations

import torch
from pydantic import BaseModel

from diffuscope.ports.declaration import Declaration
from diffuscope.ports.mask import Mask
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Column, Table
from diffuscope.systems.base import Estimate, Whole
from diffuscope.systems.registry import Row

NODES = ("tumour", "nodes", "clinical", "blood")
MAP = {"kind": "map", "mpp": 1000.0, "spacing": (None, None, None), "dtype": "float32"}
CLINICAL = (Column(name="age", title="Age", unit="years", range=(0, 120)), Column(name="sex", categories=("f", "m")))
BLOOD = tuple(Column(name=f"b{number}", title=f"Blood value {number}", unit="g/l") for number in range(1, 17))
SHAPLEY = tuple(Column(name=node, range=(-1.0, 1.0)) for node in NODES)
DECLARED = Declaration(
    task="lymph-node scoring",
    inputs=(
        Raster(name="CT", key="ct", channels=("CT",), range=(-1024.0, 3071.0), unit="HU", required=False, **MAP),
        Mask(name="outlines", key="mask", on="ct", roles=("tumour", "node 1", "node 2", "node 3"), required=False),
        Table(name="clinical data", key="clinical", columns=CLINICAL, required=False),
        Table(name="blood", key="blood", columns=BLOOD, required=False),
    ),
    any_of=(("ct", "mask", "clinical", "blood"),),
    outputs=(
        Score(name="lymph-node metastasis", key="n", classes=("no metastasis", "metastasis"), threshold=0.5),
        Table(name="contribution", key="shapley", columns=SHAPLEY),
        Raster(name="relevance", key="relevance", channels=("relevance",), range=(0.0, 1.0), fill=0.0, **MAP),
    ),
    presets={"fast": SampleSettings(sampler="direct", steps=1, samples=20)},
)


class NoConfig(BaseModel):
    """Nothing to configure."""


class Scorer(Whole):
    """Tumour and nodes raise by the voxels that are outlined, age by its years; blood lowers."""

    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {})
        mask = inputs.get("mask")
        parts = dict.fromkeys(NODES, float("nan"))
        if mask is not None:
            parts["tumour"] = min(float((mask == 1).sum()) / 10_000, 0.3)
            parts["nodes"] = min(float((mask > 1).sum()) / 2_000, 0.2)
        for key, share in (("clinical", 0.002), ("blood", -0.01)):
            row = inputs.get(key)
            if row is not None and not row.isnan().all():
                parts[key] = share * float(row.nan_to_num()[0])
        row = torch.tensor([parts[node] for node in NODES])
        score = (0.4 + row.nansum()).clamp(0.0, 1.0)
        members = score + torch.tensor([-0.15, -0.05, 0.0, 0.05, 0.15])
        draws = noise("n", sample=0, step=0, shape=(5, settings.samples))
        out = {"n": torch.sigmoid(4 * (members[:, None] - 0.5) + 2 * draws), "shapley": row}
        if "ct" in inputs:
            out["relevance"] = (mask > 0).float()[None] if mask is not None else torch.zeros_like(inputs["ct"])
        return out


ROW = Row(NoConfig, lambda _: DECLARED, lambda _: Scorer(DECLARED))
