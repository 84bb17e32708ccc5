"""How far modalities are apart in the aligned space: a linear probe, how mixed they are, the picture of Fig. 7."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.reproduce.medm2g.figures import rounded
from diffuscope.evaluation.metrics.clusters import davies_bouldin
from diffuscope.evaluation.metrics.neighbours import mixing

_FOLDS = 5
_COLOURS = {"ct": (31, 119, 180), "mri": (214, 39, 40), "xray": (44, 160, 44), "text": (110, 110, 110)}
_SIDE, _MARGIN, _DOT = 360, 30, 2


def apart(features: Mapping[str, NDArray[np.float64]], truth: NDArray[np.float32]) -> dict[str, Any]:
    """Measure vectors of the same patients' images in the aligned space.

    Parameters
    ----------
    features : mapping of str to ndarray (n, d)
        By imaging modality, each of length 1.
    truth : ndarray (n, labels)
        Which attributes the patients' findings have (see `benchmarks.reproduce.medm2g.eye.labels`).

    Returns
    -------
    dict
        ``probe``: accuracy of a logistic regression that tells modalities, by folds of patients; ``mixed``: share of
        other modalities among ten neighbours over what chance gives; ``davies_bouldin``; ``findings``: mean AUROC of
        logistic regressions that tell attributes; ``places``: two dimensions of t-SNE, and ``of`` whom they are.
    """
    names = list(features)
    every = np.concatenate([features[name] for name in names])
    which = np.repeat(names, [len(features[name]) for name in names])
    patients = np.concatenate([np.arange(len(features[name])) for name in names])
    return {
        "probe": _probe(every, which, patients),
        "mixed": mixing(every, which),
        "davies_bouldin": davies_bouldin(every, which),
        "findings": _attributes(every, np.concatenate([truth] * len(names)), patients),
        "places": [rounded(place) for place in _embedded(every)],
        "of": [str(name) for name in which],
    }


def _probe(features: NDArray[np.float64], which: NDArray[Any], patients: NDArray[np.intp]) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = GroupKFold(min(_FOLDS, len(np.unique(patients))))
    return float(cross_val_score(model, features, which, groups=patients, cv=folds).mean())


def _attributes(features: NDArray[np.float64], truth: NDArray[np.float32], patients: NDArray[np.intp]) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    folds = GroupKFold(min(_FOLDS, len(np.unique(patients))))
    values = []
    for target in truth.T:
        # In every fold both are to be there.
        if _FOLDS < target[patients.argsort()].sum() < len(target) - _FOLDS and len(np.unique(patients)) > _FOLDS:
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, C=0.1))
            found = cross_val_predict(model, features, target, groups=patients, cv=folds, method="predict_proba")
            values.append(roc_auc_score(target, found[:, 1]))
    return float(np.mean(values)) if values else float("nan")


def _embedded(features: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(features) - 1) / 3)
    return np.asarray(TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features), np.float64)


def draw(panels: Sequence[tuple[str, Mapping[str, Any]]], path: Path) -> None:
    """Draw the places of several rows side by side, as Fig. 7 does, a colour a modality; write a PNG."""
    from PIL import Image, ImageDraw

    sheet = Image.new("RGB", (len(panels) * _SIDE, _SIDE + _MARGIN), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (title, found) in enumerate(panels):
        places = np.array(found["places"])
        low, high = places.min(axis=0), places.max(axis=0)
        scaled = (places - low) / (high - low).clip(min=1e-9) * (_SIDE - 2 * _MARGIN) + _MARGIN
        pen.text((number * _SIDE + _MARGIN, 8), title, fill="black")
        for (x, y), who in zip(scaled, found["of"], strict=True):
            x, y = x + number * _SIDE, y + _MARGIN
            pen.ellipse((x - _DOT, y - _DOT, x + _DOT, y + _DOT), fill=_COLOURS[who])
    for place, (name, colour) in enumerate(_COLOURS.items()):
        if name in panels[0][1]["of"]:
            pen.text((_MARGIN + 60 * place, _SIDE + 8), name, fill=colour)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
