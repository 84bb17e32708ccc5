"""A cohort of simulated patients, with what is known of them and the probability that nobody knows of real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from diffuscope.errors import InputError
from diffuscope.ports.table import Row
from diffuscope.simulation.oesophagus.anatomy import SPACING, Scene, mediastinum
from diffuscope.simulation.oesophagus.factors import NODES, draw
from diffuscope.simulation.oesophagus.lesions import Node, paint
from diffuscope.simulation.oesophagus.rule import Bayes, bayes, find_intercept, probability
from diffuscope.simulation.oesophagus.tables import BLOOD, CLINICAL, blood_rows, clinical_rows, empty_row, is_missing

_INTERCEPT_OF = 50_000


@dataclass(frozen=True, eq=False, kw_only=True)
class OesophagusPatient:
    """One simulated patient.

    Attributes
    ----------
    name : str
        ``P0000`` and on.
    ct, mask : ndarray (d, h, w), or None
        int16 HU, and uint8 labels: 1 tumour, 2–4 nodes, the largest first. None where there is no CT.
    spacing : tuple of float
        (z, y, x) of both, mm.
    clinical, blood : dict
        Rows of the tables `CLINICAL` and `BLOOD`; None where nothing is known.
    label : int
        1 with lymph-node metastasis, 0 without.
    probability : float
        p(label = 1 | factors), which the label was drawn from.
    measures, factors : dict of str to float
        See `diffuscope.simulation.oesophagus.factors.Drawn`.
    """

    name: str
    ct: NDArray[np.int16] | None
    mask: NDArray[np.uint8] | None
    spacing: tuple[float, float, float]
    clinical: Row
    blood: Row
    label: int
    probability: float
    measures: dict[str, float]
    factors: dict[str, float]


@dataclass(frozen=True, eq=False)
class OesophagusCohort:
    """Patients, and what the best judge reaches on them.

    Attributes
    ----------
    patients : tuple of OesophagusPatient
        In the order in which they were drawn.
    bayes : Bayes
        Of their true probabilities, in expectation over the labels.
    """

    patients: tuple[OesophagusPatient, ...]
    bayes: Bayes


@dataclass(frozen=True, kw_only=True)
class CohortPlan:
    """What a cohort is to be.

    Attributes
    ----------
    patients, seed : int
        How many, and of what stream; more patients begin with the same ones.
    prevalence : float
        Share with metastasis that the rule's intercept is set for, over many patients.
    nodes : tuple of float
        Shares of patients with 0, 1, 2 and 3 outlined nodes.
    no_ct, no_blood : float
        Shares of patients without, whatever else is true of them.
    empty : float
        Share of the values of tables that nobody noted.
    """

    patients: int
    seed: int = 0
    prevalence: float = 0.45
    nodes: tuple[float, float, float, float] = NODES
    no_ct: float = 0.0
    no_blood: float = 0.0
    empty: float = 0.0

    def __post_init__(self) -> None:
        if not 0.05 <= self.prevalence <= 0.95:
            raise InputError(f"a prevalence of {self.prevalence:g} cannot be simulated: give one from 0.05 to 0.95.")
        if not all(0 <= share < 1 for share in (self.no_ct, self.no_blood, self.empty)):
            raise InputError("shares of what is missing lie from 0 to below 1.")


def simulate(patients: int, seed: int = 0, **shares: float | tuple[float, float, float, float]) -> OesophagusCohort:
    """Simulate a cohort in memory: 0.3 MB a patient.

    Parameters
    ----------
    patients, seed : int
        See `CohortPlan`.
    **shares
        ``prevalence``, ``nodes``, ``no_ct``, ``no_blood``, ``empty`` of `CohortPlan`.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    made = tuple(simulated(CohortPlan(patients=patients, seed=seed, **shares)))  # type: ignore[arg-type]
    return OesophagusCohort(made, bayes(np.array([patient.probability for patient in made])))


def simulated(plan: CohortPlan, scenes: Sequence[Scene] = ()) -> Iterator[OesophagusPatient]:
    """Simulate patients one by one, as they are asked for.

    Parameters
    ----------
    plan : CohortPlan
        Of the cohort.
    scenes : sequence of Scene
        What tumours grow in, by turns; simulated mediastina where there are none.
    """
    drawn = draw(plan.patients, seed=plan.seed, nodes=plan.nodes)
    chances = probability(drawn.factors, _intercept(plan.prevalence, plan.nodes))
    labels = ndtr(drawn.normals["label"]) < chances
    tables = {"clinical": (CLINICAL, clinical_rows(drawn)), "blood": (BLOOD, blood_rows(drawn))}
    no_ct = is_missing(drawn.normals["no_ct"], plan.no_ct)
    no_blood = is_missing(drawn.normals["no_blood"], plan.no_blood)
    for number in range(plan.patients):
        measures = {key: float(values[number]) for key, values in drawn.measures.items()}
        # A stream for each part: what is missing changes nothing of what is there.
        images, empty = (np.random.default_rng([plan.seed, part, number]) for part in (1, 2))
        rows = {key: _emptied(rows[number], plan.empty, empty) for key, (_, rows) in tables.items()}
        ct, mask, spacing = None, None, SPACING
        if not no_ct[number]:
            scene = scenes[number % len(scenes)] if scenes else mediastinum(images)
            spacing = scene.spacing
            ct, mask = _painted(scene, measures, images)
        yield OesophagusPatient(
            name=f"P{number:04d}",
            ct=ct,
            mask=mask,
            spacing=spacing,
            clinical=rows["clinical"],
            blood=empty_row(BLOOD) if no_blood[number] else rows["blood"],
            label=int(labels[number]),
            probability=float(chances[number]),
            measures=measures,
            factors={key: float(values[number]) for key, values in drawn.factors.items()},
        )


@cache
def _intercept(prevalence: float, nodes: tuple[float, float, float, float]) -> float:
    """Return the intercept of a prevalence over many patients, of whom none need be in the cohort."""
    return find_intercept(draw(_INTERCEPT_OF, seed=0, nodes=nodes).factors, prevalence)


def _painted(
    scene: Scene, measures: dict[str, float], rng: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Return CT and mask. Nodes beside the largest are smaller ones of its kind."""
    nodes = []
    for number in range(int(measures["count"])):
        share = 1.0 if number == 0 else rng.uniform(0.5, 0.9)
        nodes.append(
            Node(
                axis=max(measures["axis"] * share, 5.0),
                eccentricity=measures["eccentricity"],
                roughness=measures["roughness"],
                pattern=measures["node_pattern"],
                necrosis=measures["necrosis"],
            )
        )
    nodes.sort(key=lambda node: -node.axis)
    return paint(
        scene,
        length=measures["length"],
        depth=measures["depth"],
        pattern=measures["tumour_pattern"],
        nodes=nodes,
        rng=rng,
    )


def _emptied(row: Row, share: float, rng: np.random.Generator) -> Row:
    return {
        name: None if lost < share else value
        for (name, value), lost in zip(row.items(), rng.random(len(row)), strict=True)
    }
