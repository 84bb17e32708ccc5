"""Simulated oesophageal cancer: labels obey the rule, images show the factors, and only all of it together tells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score

from diffuscope.errors import InputError
from diffuscope.ports.table import Table
from diffuscope.simulation.oesophagus import (
    BLOOD,
    CLINICAL,
    INTERACTIONS,
    RULE,
    CohortPlan,
    OesophagusCohort,
    bayes,
    simulate,
    simulated,
)
from diffuscope.simulation.oesophagus.factors import draw
from diffuscope.simulation.oesophagus.rule import contributions, find_intercept, probability
from diffuscope.simulation.oesophagus.tables import blood_rows, clinical_rows

MANY = 40_000


@pytest.fixture(scope="module")
def cohort() -> OesophagusCohort:
    return simulate(60, seed=3)


@pytest.fixture(scope="module")
def crowd() -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Terms, probabilities and labels of many patients without images."""
    drawn = draw(MANY, seed=11)
    chances = probability(drawn.factors, find_intercept(drawn.factors, 0.45))
    return contributions(drawn.factors), chances, np.random.default_rng(0).random(MANY) < chances


def accuracy(features: np.ndarray, labels: np.ndarray) -> float:
    """Of a logistic regression on the first half, on the second."""
    half = len(labels) // 2
    model = LogisticRegression(max_iter=1000).fit(features[:half], labels[:half])
    return float((model.predict(features[half:]) == labels[half:]).mean())


def test_bayes_is_what_monte_carlo_comes_to(crowd):
    _, chances, _ = crowd
    told = bayes(chances)
    rng, found = np.random.default_rng(1), []
    for _ in range(20):
        labels = rng.random(MANY) < chances
        found.append(
            (
                ((chances > 0.5) == labels).mean(),
                roc_auc_score(labels, chances),
                brier_score_loss(labels, chances),
                labels.mean(),
            )
        )
    drawn = np.array(found)
    error = drawn.std(axis=0, ddof=1) / np.sqrt(20)
    expected = np.array([told.accuracy, told.auroc, told.brier, told.prevalence])
    assert (np.abs(drawn.mean(axis=0) - expected) < 4 * error).all()


def test_bayes_of_ties_is_a_coin():
    told = bayes(np.full(10, 0.5))
    assert (told.accuracy, told.auroc, told.brier) == pytest.approx((0.5, 0.5, 0.25))


def test_labels_are_as_frequent_as_their_probability_says():
    patients = list(simulated(CohortPlan(patients=4000, seed=5, no_ct=0.999)))
    chances = np.array([patient.probability for patient in patients])
    labels = np.array([patient.label for patient in patients])
    for low, high in ((0.0, 0.1), (0.1, 0.3), (0.3, 0.7), (0.7, 0.9), (0.9, 1.0)):
        part = (chances >= low) & (chances <= high)
        error = np.sqrt((chances[part] * (1 - chances[part])).sum()) / part.sum()
        assert part.sum() > 100
        assert abs(labels[part].mean() - chances[part].mean()) < 4 * error


@pytest.mark.parametrize("prevalence", [0.2, 0.45])
def test_the_prevalence_is_that_which_was_asked_for(prevalence: float):
    patients = list(simulated(CohortPlan(patients=4000, seed=6, prevalence=prevalence, no_ct=0.999)))
    assert np.mean([patient.probability for patient in patients]) == pytest.approx(prevalence, abs=0.025)


def test_the_right_interactions_reach_bayes_and_none_falls_short(crowd):
    terms, chances, labels = crowd
    whole = np.stack(list(terms.values()), axis=1)
    best = np.maximum(chances, 1 - chances)[MANY // 2 :].mean()
    reached = accuracy(whole, labels)
    error = 4 * np.sqrt(best * (1 - best) / (MANY / 2))
    assert abs(reached - best) < error + 0.003
    plain = [number for number, term in enumerate(RULE) if term.name not in INTERACTIONS]
    assert accuracy(whole[:, plain], labels) < reached - 0.08
    for name in INTERACTIONS:
        without = [number for number, term in enumerate(RULE) if term.name != name]
        # Cross-tissue relations are two of the terms; each term but the smaller of these earns two points alone.
        assert accuracy(whole[:, without], labels) < reached - (0.01 if name == "necrosis" else 0.02)


def test_tables_alone_tell_less_than_all_and_each_less_than_both():
    drawn = draw(8000, seed=12)
    chances = probability(drawn.factors, find_intercept(drawn.factors, 0.45))
    labels = np.random.default_rng(2).random(8000) < chances
    rows = {}
    for key, columns, found in (
        ("clinical", CLINICAL, clinical_rows(drawn)),
        ("blood", BLOOD, blood_rows(drawn)),
    ):
        table = Table(name=key, key=key, columns=columns)
        rows[key] = np.array([table.encode(row) for row in found])
    nodes = ("node_size", "node_eccentricity", "node_roughness", "node_pattern", "node_necrosis", "node_count")
    rows["ct"] = np.stack([drawn.factors[name] for name in ("depth", "tumour_pattern", *nodes)], axis=1)

    def reached(*keys: str) -> float:
        features = np.concatenate([rows[key] for key in keys], axis=1)
        model = HistGradientBoostingClassifier(random_state=0).fit(features[:4000], labels[:4000])
        return float(roc_auc_score(labels[4000:], model.predict_proba(features[4000:])[:, 1]))

    alone = {key: reached(key) for key in rows}
    assert all(0.6 < value < reached("clinical", "blood", "ct") - 0.05 for value in alone.values()), alone
    assert reached("clinical", "blood") > max(alone["clinical"], alone["blood"]) + 0.02
    # cT tells part of what the CT does.
    stage = rows["clinical"][:, [column.name for column in CLINICAL].index("ct_stage")]
    assert 0.6 < np.corrcoef(stage, drawn.factors["depth"])[0, 1] < 0.95


@pytest.mark.slow
def test_a_larger_cohort_begins_with_the_smaller_one_and_what_is_missing_changes_nothing_else(cohort: OesophagusCohort):
    again = simulate(8, seed=3, no_blood=0.5, empty=0.3)
    for one, other in zip(again.patients, cohort.patients, strict=False):
        assert np.array_equal(one.ct, other.ct) and np.array_equal(one.mask, other.mask)
        assert (one.name, one.label, one.probability) == (other.name, other.label, other.probability)
        known = {key: value for key, value in one.clinical.items() if value is not None}
        assert known and known.items() <= other.clinical.items()
    assert not np.array_equal(simulate(1, seed=4).patients[0].ct, cohort.patients[0].ct)


@pytest.mark.slow
def test_shares_that_are_missing_are_about_those_asked_for():
    patients = list(simulated(CohortPlan(patients=1000, seed=7, no_ct=0.95, no_blood=0.2, empty=0.1)))
    assert np.mean([patient.ct is None for patient in patients]) == pytest.approx(0.95, abs=0.03)
    assert all((patient.ct is None) == (patient.mask is None) for patient in patients)
    bare = [all(value is None for value in patient.blood.values()) for patient in patients]
    assert np.mean(bare) == pytest.approx(0.2, abs=0.04)
    assert np.mean([value is None for patient in patients for value in patient.clinical.values()]) == pytest.approx(
        0.1, abs=0.02
    )


def test_masks_hold_what_the_patient_has_inside_the_body(cohort: OesophagusCohort):
    for patient in cohort.patients:
        assert patient.ct is not None and patient.mask is not None
        assert (
            patient.ct.dtype == np.int16 and patient.mask.dtype == np.uint8 and patient.ct.shape == patient.mask.shape
        )
        nodes = int(patient.measures["count"])
        assert set(np.unique(patient.mask)) == set(range(nodes + 2))
        assert -1024 <= patient.ct.min() < -700 and 150 < patient.ct.max() < 700
        # A voxel on the border is in part fat or lung.
        deep = ndimage.binary_erosion(patient.mask > 0)
        assert (patient.ct[deep] > -120).mean() > 0.99
        assert np.median(patient.ct[patient.mask == 1]) > 20
        sizes = [(patient.mask == label).sum() for label in range(2, nodes + 2)]
        assert all(one > 0.6 * other for one, other in pairwise(sizes))


def test_images_show_the_factors(cohort: OesophagusCohort):
    shown: dict[str, list[tuple[float, float]]] = {"tumour": [], "depth": [], "node": [], "size": [], "necrosis": []}
    for patient in cohort.patients:
        assert patient.ct is not None and patient.mask is not None
        voxel = float(np.prod(patient.spacing))
        tumour = patient.mask == 1
        shown["tumour"].append((patient.factors["tumour_pattern"], float(np.median(patient.ct[tumour]))))
        width = np.sqrt(max(plane.sum() for plane in tumour) * patient.spacing[1] * patient.spacing[2])
        shown["depth"].append((patient.factors["depth"], float(np.log(width))))
        node = patient.mask == 2
        if not node.any():
            continue
        rim = float(np.percentile(patient.ct[node], 90))
        depth = ndimage.distance_transform_edt(node)
        core = float(np.median(patient.ct[depth > 0.7 * depth.max()]))
        shown["node"].append((patient.factors["node_pattern"], rim))
        shown["size"].append((patient.factors["node_size"], float(np.log(node.sum() * voxel))))
        shown["necrosis"].append((patient.factors["node_necrosis"], rim - core))
    least = {"tumour": 0.95, "depth": 0.95, "node": 0.85, "size": 0.9, "necrosis": 0.6}
    for name, pairs in shown.items():
        assert np.corrcoef(np.array(pairs).T)[0, 1] > least[name], name


def test_what_cannot_be_simulated_is_refused():
    for plan in ({"prevalence": 1.0}, {"no_ct": 1.0}, {"nodes": (0.5, 0.5, 0.5, 0.5)}):
        with pytest.raises(InputError):
            simulate(2, seed=0, **plan)
    with pytest.raises(InputError, match="at least one"):
        simulate(0)
