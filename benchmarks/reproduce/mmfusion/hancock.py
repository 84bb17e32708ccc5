"""HANCOCK: 519 head-and-neck patients of one hospital whose nodes were examined, and what was known before surgery."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from benchmarks.reproduce.mmfusion.study import Study
from benchmarks.reproduce.study import digest
from benchmarks.shared.places import DATA, RECIPES
from diffuscope.cases.cohort import read_cohort
from diffuscope.ports.table import Table
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.declare import declare
from diffuscope.training.recipe import load_recipe

FOLDER = DATA / "hancock"
FILES = ("clinical.csv", "blood.csv", "pathological.csv")
LABEL = "number_of_positive_lymph_nodes"
RECIPE = RECIPES / "lnm-hancock.yaml"


def missing() -> str | None:
    """Return why there is no study, or None."""
    return None if FOLDER.is_dir() else "HANCOCK: there is no folder ../shared/data/hancock beside the repository."


@cache
def hancock() -> Study:
    """Return the patients with a known count of positive nodes; tables and columns are those of the shipped recipe."""
    tables = tables_of_recipe()
    ports = [port for port in declare(MMFusionConfig(tables=tables)).inputs if isinstance(port, Table)]  # type: ignore[arg-type]
    cohort = read_cohort([FOLDER / name for name in FILES], ports, label=LABEL, above=0)
    return Study(
        name="hancock",
        title="HANCOCK (head and neck, real)",
        tables=tables,
        cases={key: torch.from_numpy(values) for key, values in cohort.rows.items()},
        label=cohort.labels.astype(np.int64),
        patients=tuple(case.name for case in cohort.cases),
        facts={"study": "hancock", "files": {name: digest(FOLDER / name) for name in FILES}, "tables": tables},
    )


def tables_of_recipe() -> list[dict[str, Any]]:
    """Return the tables of the model that ships."""
    return [dict(table) for table in load_recipe(RECIPE).config["tables"]]
