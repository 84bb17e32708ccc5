"""How near a DAMM-Diffusion of T1, T2 and FLAIR comes to a patient that it was not trained on.

Crops of 128 px of 16 axial slices of patient19, whom the shipped recipe never reads, one sample at default quality; the
data must lie beside the repository. Beside the model stand its two branches alone, the other patient's mean value, and
T1 and T2 as they are and with the histogram of the other patient's FLAIR.
"""

from __future__ import annotations

import numpy as np

from benchmarks.reproduce.damm.heads import PATIENTS, TASKS, HeadTask, made, missing, scored
from benchmarks.reproduce.damm.tasks import BUDGETS
from benchmarks.shared.figures import Goals
from benchmarks.shared.histogram import with_histogram
from diffuscope import load_model
from diffuscope.errors import InputError
from diffuscope.systems.damm.system import DAMM

_TRAINED, _HELD = PATIENTS
GOALS: Goals = {}


def measure(model: str) -> dict[str, float]:
    """Score what a model makes, and what needs none.

    Parameters
    ----------
    model : str
        A model folder, or a name.
    """
    system = load_model(model).system
    keys = [port.key for port in (*system.inputs, *system.outputs[:1])]
    if not isinstance(system, DAMM) or keys[-1] not in TASKS or keys[:2] != list(TASKS[keys[-1]]):
        raise InputError(f"{model} does not make one of T1, T2 and FLAIR from the others: give one that does.")
    if (refused := missing()) is not None:
        raise InputError(refused)
    task = HeadTask(keys[-1], _HELD, "dammp", BUDGETS["standard"])
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
