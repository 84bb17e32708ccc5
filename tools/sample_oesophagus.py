"""Write the simulated patients that ship: ``python tools/sample_oesophagus.py ../shared/data/neck-ct-openkbp OUT``.

OUT is made: ``src/diffuscope/sample_data/oesophagus-simulated``. Tumour and nodes are simulated, the CTs around them
are real ones of OpenKBP.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from diffuscope.simulation.oesophagus import CohortPlan
from diffuscope.simulation.oesophagus.background import read_scenes
from diffuscope.simulation.oesophagus.dataset import write_cohort

# The first likely has a metastasis, the second hardly one, the third may have one; the others have tables only.
SEED, PATIENTS, WITH_CT = 39204, 20, 3


def main() -> None:
    """Simulate, and write CT and mask of the first few."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path, help="holds the CTs, their labels and labels.json")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    plan = CohortPlan(patients=PATIENTS, seed=SEED, no_blood=0.2, empty=0.05)
    write_cohort(options.out, plan, read_scenes(options.data), with_ct=WITH_CT)


if __name__ == "__main__":
    main()
