"""``python -m benchmarks.heads MODEL``: a DAMM-Diffusion of T1, T2 and FLAIR, on a patient that it was not trained on.

Crops of 128 px of 16 axial slices of patient19, whom the shipped recipe never reads, one sample at default quality; the
data must lie beside the repository. Beside the model stand its two branches alone, the other patient's mean value, and
T1 and T2 as they are and with the histogram of the other patient's FLAIR.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.reproduce.damm.heads import PATIENTS, TASKS, HeadTask, made, missing, scored
from benchmarks.reproduce.damm.tasks import BUDGETS
from benchmarks.shared.histogram import with_histogram
from benchmarks.shared.report import report
from diffuscope import load_model
from diffuscope.errors import InputError
from diffuscope.systems.damm.system import Damm

_TRAINED, _HELD = PATIENTS


def main() -> None:
    """Score a model, and print its figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.heads", description=main.__doc__)
    parser.add_argument("model", help="a model folder, or a name")
    parser.add_argument("--json", type=Path, metavar="FILE", help='write {"figures": {key: number}}')
    arguments = parser.parse_args()
    try:
        system = load_model(arguments.model).system
    except InputError as error:
        raise SystemExit(str(error)) from error
    keys = [port.key for port in (*system.inputs, *system.outputs[:1])]
    if not isinstance(system, Damm) or keys[-1] not in TASKS or keys[:2] != list(TASKS[keys[-1]]):
        raise SystemExit(
            f"{arguments.model} does not make one of T1, T2 and FLAIR from the others: give one that does."
        )
    if (refused := missing()) is not None:
        raise SystemExit(refused)
    report(measure(system, HeadTask(keys[-1], _HELD, "dammp", BUDGETS["standard"])), {}, arguments.json)


def measure(system: Damm, task: HeadTask) -> dict[str, float]:
    """Score what the model makes, and what needs none."""
    tests = task.tests()
    truth, known = tests[task.target], HeadTask(task.target, _TRAINED, task.method, task.budget).tests()[task.target]
    results = {
        "": made(task, system, tests),
        "_unimodal": made(task, system, tests, gamma=0.0),
        "_multimodal": made(task, system, tests, gamma=1.0),
        "_one_number": np.full_like(truth, known.mean()),
    }
    for key in TASKS[task.target]:
        results |= {f"_{key}_as_it_is": tests[key], f"_{key}_with_its_histogram": with_histogram(tests[key], known)}
    found = {name: scored(truth, image) for name, image in results.items()}
    return {key + name: float(np.mean(one[key])) for name, one in found.items() for key in one}


if __name__ == "__main__":
    main()
