"""Readers of simulated chests and heads against the truth, a line a key and region, and subjects a second.

Subjects are fresh: no threshold of a reader was chosen on their seed. A share of kind, side, zone and size is of true
findings; what was missed is wrong in all four.
"""

from __future__ import annotations

from time import process_time

from benchmarks.shared.figures import Goal
from diffuscope.devices import threads
from diffuscope.simulation.thorax_brain import KEYS, REGIONS, REPORT, read_image, read_report, simulate
from diffuscope.simulation.thorax_brain.agreement import ATTRIBUTES, agreement

_SEEN = ("ct", "t1ce", "flair")
GOALS = {
    "subjects_a_second": Goal(low=20),
    **{f"{region}_{REPORT}_finding": Goal(low=1) for region in REGIONS},
    **{f"{r}_{k}_{name}": Goal(low=0.95) for r in REGIONS for k in _SEEN for name in ("count", "side", "zone")},
    **{f"{r}_{k}_kind": Goal(low=0.9) for r in REGIONS for k in _SEEN},
}


def measure(*, subjects: int = 300, seed: int = 4099) -> dict[str, float]:
    """Measure all readers.

    Parameters
    ----------
    subjects : int
        Of each region.
    seed : int
        Of the subjects.
    """
    figures: dict[str, float] = {}
    seconds = 0.0
    names = ("count", *ATTRIBUTES, "finding")
    with threads(1):
        for region in REGIONS:
            start = process_time()
            cohort = [simulate(number, seed=seed, region=region) for number in range(subjects)]
            seconds += process_time() - start
            for key in (*KEYS, REPORT):
                shares = agreement(
                    (
                        read_report(one.report) if key == REPORT else read_image(key, one.images[key], region),
                        one.findings,
                    )
                    for one in cohort
                )
                figures |= {f"{region}_{key}_{name}": shares[name] for name in names}
                print(f"| {region} | {key} | {' | '.join(f'{shares[name]:.3f}' for name in names)} |", flush=True)
    return {"subjects_a_second": len(REGIONS) * subjects / seconds, **figures}
