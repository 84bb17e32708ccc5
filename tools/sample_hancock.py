"""Write the real patients that ship: ``python tools/sample_hancock.py ../shared/data/hancock OUT.csv``.

OUT.csv is ``src/diffuscope/sample_data/hancock.csv``: twenty patients of HANCOCK with what `lnm-hancock` takes, of
those who validated it, so that no weight was fitted to them.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

from diffuscope.cases.case import Case
from diffuscope.cases.split import split
from diffuscope.training.recipe import load_recipe
from diffuscope.training.recipe_data import Cohort

RECIPE = Path(__file__).parents[1] / "src/diffuscope/training/recipes/lnm-hancock.yaml"
PATIENTS = 20


def main() -> None:
    """Join the tables of the recipe, and write some of those who validate."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="holds clinical.csv, blood.csv and pathological.csv")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    recipe = load_recipe(RECIPE)
    assert isinstance(recipe.data, Cohort)
    joined: dict[str, dict[str, str]] = {}
    for path in recipe.data.cohort:
        with (options.data / Path(path).name).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                joined.setdefault(row["patient_id"], {}).update(row)
    known = [name for name, row in sorted(joined.items()) if row[recipe.data.label]]
    cases = [Case(name=name, group=name, files={}, part=None) for name in known]
    held = split(cases, validation=recipe.data.validation, seed=recipe.optimisation.seed)["validation"]
    columns = [column["name"] for table in recipe.config["tables"] for column in table["columns"]]
    with options.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["patient_id", *columns], extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(joined[case.name] for case in held[:PATIENTS])


if __name__ == "__main__":
    main()
