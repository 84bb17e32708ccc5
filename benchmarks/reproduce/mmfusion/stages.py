"""What each step of MMFusion makes of patients: linear probes of its features, and how CFD parts the classes."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.reproduce.mmfusion.eyes import Seeing
from benchmarks.reproduce.mmfusion.study import Cases, Fold, Study
from diffuscope.evaluation.metrics.clusters import davies_bouldin
from diffuscope.evaluation.scores import score_figures
from diffuscope.systems.mmfusion.member import CLASSES

_C = 0.1


def probes(system: Seeing, study: Study, fold: Fold) -> dict[str, float]:
    """Return the AUROC on those who test of logistic regressions, fitted to those who train, on each step."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (_features(system, study.some(places)) for places in (fold.train, fold.test))
    found = {}
    for name, x in train.items():
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=_C, max_iter=2000)).fit(x, study.label[fold.train])
        score = probe.predict_proba(test[name])[:, 1]
        found[name] = score_figures(study.label[fold.test], score)["AUROC"]
    return found


def parted(system: Seeing, study: Study, fold: Fold, *, seed: int) -> list[float]:
    """Return the Davies–Bouldin score of y_t of those who test, from t = T down to the estimate of y_0."""
    with torch.no_grad():
        member, _, guided = system.guided(study.some(fold.test))
    assert member.denoiser is not None
    guide, card = guided.logits.softmax(1), system.card
    generator = torch.Generator().manual_seed(seed)

    def noise() -> Tensor:
        return torch.randn(guide.shape, generator=generator)

    y = guide + noise()
    found = [davies_bouldin(y.numpy(), study.label[fold.test])]
    with torch.no_grad():
        for t in range(card.steps, 0, -1):
            at = torch.full((len(y),), t)
            clean = card.clean(y, guide, at, member.denoiser(y, guide, guided.case, at)).clamp(0.0, 1.0)
            y = card.previous(clean, y, guide, t, noise()) if t > 1 else clean
            found.append(davies_bouldin(y.numpy(), study.label[fold.test]))
    assert y.shape[1] == CLASSES
    return found


@torch.no_grad()
def _features(system: Seeing, cases: Cases) -> dict[str, NDArray[np.float32]]:
    """Return features (n, …) by the step that made them."""
    member, encoded, guided = system.guided(cases)
    assert encoded.tokens is not None and member.images is not None
    tokens = encoded.tokens
    tumour = tokens.tumour.flatten(1)
    nodes = (tokens.nodes * tokens.nodes_there[:, :, None]).flatten(1)
    related = member.images.relate(tokens, None).nodes.flatten(1)
    tables = encoded.tables.flatten(1)
    steps = {
        "tumour, as seen": tumour,
        "nodes, as seen": nodes,
        "tables": tables,
        "images after MMRL": related,
        "all of it, before HGA": torch.cat([related, tables], 1),
        "after HGA": guided.case,
    }
    return {name: one.numpy() for name, one in steps.items()}
