"""What MMFusion is held against on tables: logistic regression and gradient boosting, tuned where it is tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.mmfusion.study import Fold, Study

Matrix = NDArray[np.float64]
_C = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_BOOSTED: dict[str, Sequence[Any]] = {"max_iter": (30, 60, 120), "learning_rate": (0.05, 0.1), "max_leaf_nodes": (4, 8)}


def matrix(study: Study, keys: Sequence[str]) -> Matrix:
    """Return the columns of some tables, categories as switches, NaN where a number is not known."""
    columns = []
    for table in study.with_tables(keys):
        rows = study.cases[table["key"]].double().numpy()
        for number, column in enumerate(table["columns"]):
            choices = len(column.get("categories", ()))
            if choices:
                columns += [(rows[:, number] == one).astype(float) for one in range(choices)]
            else:
                columns.append(rows[:, number])
    return np.stack(columns, axis=1)


def logistic_regression() -> Iterator[Any]:
    """Every setting that is tried."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for c in _C:
        yield make_pipeline(
            SimpleImputer(add_indicator=True, keep_empty_features=True),
            StandardScaler(),
            LogisticRegression(C=c, max_iter=1000),
        )


def gradient_boosting() -> Iterator[Any]:
    """Every setting that is tried."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    for values in product(*_BOOSTED.values()):
        named = dict(zip(_BOOSTED, values, strict=True))
        yield HistGradientBoostingClassifier(min_samples_leaf=15, random_state=0, **named)


KINDS: dict[str, Callable[[], Iterator[Any]]] = {
    "logistic regression": logistic_regression,
    "gradient boosting": gradient_boosting,
}


def best(kind: str, x: Matrix, label: NDArray[np.int64], fold: Fold) -> NDArray[np.float64]:
    """Return the probability of everyone by the setting with the least log loss on the rows that validate.

    Only rows that train are fitted to, scalers and imputers included.
    """
    from sklearn.metrics import log_loss

    tried = []
    for model in KINDS[kind]():
        model.fit(x[fold.train], label[fold.train])
        found = model.predict_proba(x)[:, 1]
        tried.append((log_loss(label[fold.validation], found[fold.validation], labels=[0, 1]), found))
    return np.asarray(min(tried, key=lambda one: one[0])[1], np.float64)
