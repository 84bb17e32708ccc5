"""Table 8 in kind: whether a reader that few real patients train gets better by pairs that were generated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.medm2g.eye import labels, looked, train_reader
from benchmarks.reproduce.medm2g.figures import Patients, Pictures, rounded
from diffuscope.evaluation.scores import auroc

#: Of whose images the reader is.
KEY = "ct"


def read_by(
    few: Patients,
    generated: tuple[Pictures, NDArray[np.float32]] | None,
    test: Patients,
    *,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    """Train a reader of attributes on a few real patients, and on generated ones besides, and test it on real ones.

    Parameters
    ----------
    few : Patients
        Real ones.
    generated : (ndarray (n, h, w), ndarray (n, labels)), optional
        Images, and the labels of the reports that they were made from.
    test : Patients
        Others, real.
    steps, seed : int
        As many steps whatever it trains on; of weights and order.

    Returns
    -------
    dict
        ``"AUROC"``, the mean over labels that some of those who test have and some have not; ``"right"``, of every
        patient who tests the share of labels that are right.
    """
    pictures, truth = few.images[KEY], labels(few.findings)
    if generated is not None:
        # As often a real one as a generated one: a few are shown again and again.
        again = np.resize(np.arange(len(few)), len(generated[0]))
        pictures, truth = np.concatenate([pictures[again], generated[0]]), np.concatenate([truth[again], generated[1]])
    reader = train_reader({KEY: pictures}, truth, steps=steps, seed=seed)
    _, found = looked(reader, KEY, test.images[KEY])
    true = labels(test.findings) > 0
    told = [auroc(true[:, i], found[:, i]) for i in range(true.shape[1]) if 0 < true[:, i].sum() < len(true)]
    return {"AUROC": round(float(np.mean(told)), 5), "right": rounded(((found > 0.5) == true).mean(axis=1))}
