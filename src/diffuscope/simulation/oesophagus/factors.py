"""What is drawn for patients: tumour, nodes and blood, as measures and as the factors that the rule goes by.

Ranges are of the order that is usual in squamous-cell carcinoma of the oesophagus; they are fitted to no patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from diffuscope.errors import InputError
from diffuscope.simulation.oesophagus.rule import Values

#: Shares of patients with 0, 1, 2 and 3 outlined nodes.
NODES = (0.1, 0.3, 0.3, 0.3)
#: At which measure a factor is 0, and how much of its logarithm is 1.
_AXIS, _DEPTH, _ROUGHNESS, _SCC, _CRP, _LYMPHOCYTES = (
    (11.0, 0.35),
    (11.0, 0.35),
    (0.12, 0.5),
    (1.5, 0.7),
    (8.0, 1.0),
    (1.8, 0.3),
)
_NORMALS = (
    *("length", "depth", "tumour_kind", "tumour_pattern", "count", "axis", "eccentricity", "roughness"),
    *("node_kind", "node_pattern", "necrotic", "necrosis", "scc", "crp", "lymphocytes", "albumin"),
    *("age", "sex", "location", "stage", "grade", "alcohol", "smoking", "weight_loss"),
    *("leukocytes", "haemoglobin", "platelets", "label", "no_ct", "no_blood"),
)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Patients as drawn; every array is (n,), of one value a patient.

    Attributes
    ----------
    normals : dict of str to ndarray
        Standard normal numbers that all else comes from; those of tables and of missing parts are used there.
    measures : dict of str to ndarray
        ``length`` and ``depth`` (greatest thickness of the wall) of the tumour, mm; ``count`` of nodes; of the largest
        one ``axis``, its short axis in mm, ``eccentricity`` in [0, 1) and ``roughness`` of its margin, a share of its
        radius; ``tumour_pattern`` and ``node_pattern``, about −1 of weak and even enhancement, about 1 of strong and
        patchy; ``necrosis``, share of the node's volume; ``scc`` ng/ml, ``crp`` mg/l, ``lymphocytes`` 10³/µl, ``grade``
        1–3, ``location`` 0–2. What is a node's is NaN where there is none.
    factors : dict of str to ndarray
        The same as the rule takes it.
    """

    normals: dict[str, Values]
    measures: dict[str, Values]
    factors: dict[str, Values]


def draw(patients: int, *, seed: int, nodes: Sequence[float] = NODES) -> Drawn:
    """Draw patients: a larger number of them begins with the smaller one.

    Parameters
    ----------
    patients : int
        At least one.
    seed : int
        Of all of them.
    nodes : sequence of float
        Shares of patients with 0, 1, 2 and 3 outlined nodes, which sum to 1.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    if patients < 1 or seed < 0:
        raise InputError(f"{patients} patients of seed {seed} cannot be drawn: give at least one, and a seed from 0.")
    if len(nodes) != 4 or min(nodes) < 0 or abs(sum(nodes) - 1) > 1e-6:
        raise InputError(f"{nodes} are no shares of patients with 0, 1, 2 and 3 nodes: give four that sum to 1.")
    # One row of normal numbers a patient, from one stream: what comes later changes nobody before.
    rows = np.random.default_rng([seed, 0]).standard_normal((patients, len(_NORMALS)))
    z = dict(zip(_NORMALS, rows.T, strict=True))
    count = np.digitize(ndtr(z["count"]), np.cumsum(nodes)[:3]).astype(np.float64)
    there = count > 0
    own = np.where(there, 1.0, np.nan)
    crp = 0.2 * z["depth"] + np.sqrt(0.96) * z["crp"]
    necrosis = np.where(z["necrotic"] > 0, 0.15 + 0.2 * ndtr(z["necrosis"]), 0.0)
    measures = {
        "length": np.clip(40.0 * np.exp(0.3 * z["length"]), 16.0, 70.0),
        "depth": _logarithmic(0.3 * z["length"] + np.sqrt(0.91) * z["depth"], _DEPTH, (5.0, 22.0)),
        "tumour_pattern": np.sign(z["tumour_kind"]) + 0.3 * np.clip(z["tumour_pattern"], -2.0, 2.0),
        "count": count,
        "axis": own * _logarithmic(z["axis"], _AXIS, (6.0, 20.0)),
        "eccentricity": own * np.clip(0.55 + 0.18 * z["eccentricity"], 0.0, 0.85),
        "roughness": own * _logarithmic(z["roughness"], _ROUGHNESS, (0.03, 0.35)),
        "node_pattern": own * (np.sign(z["node_kind"]) + 0.3 * np.clip(z["node_pattern"], -2.0, 2.0)),
        "necrosis": own * necrosis,
        "scc": _logarithmic(0.5 * z["length"] + np.sqrt(0.75) * z["scc"], _SCC, (0.2, 20.0)),
        "crp": _logarithmic(crp, _CRP, (0.6, 110.0)),
        "lymphocytes": _logarithmic(z["lymphocytes"], _LYMPHOCYTES, (0.5, 5.0)),
        "grade": 1.0 + np.digitize(z["grade"], (-0.6, 0.6)),
        "location": np.digitize(z["location"], (-0.6, 0.6)).astype(np.float64),
    }
    return Drawn(z, measures, _factors(measures))


def _factors(measures: dict[str, Values]) -> dict[str, Values]:
    """Return what the rule goes by, of measures alone: nothing else of a patient counts."""
    there = measures["count"] > 0
    grade, scc = measures["grade"] - 2.0, _standard(measures["scc"], _SCC)
    of_nodes = {
        "node_size": _standard(measures["axis"], _AXIS),
        "node_eccentricity": (measures["eccentricity"] - 0.55) / 0.18,
        "node_roughness": _standard(measures["roughness"], _ROUGHNESS),
        "node_pattern": measures["node_pattern"],
        "node_necrosis": np.where(measures["necrosis"] > 0, 1.0, -1.0),
    }
    return {name: np.where(there, value, 0.0) for name, value in of_nodes.items()} | {
        "node_count": np.where(there, measures["count"] - 2.0, 0.0),
        "no_node": (~there).astype(np.float64),
        "depth": _standard(measures["depth"], _DEPTH),
        "tumour_pattern": measures["tumour_pattern"],
        "grade": grade,
        "location": measures["location"] - 1.0,
        "scc": scc,
        "crp": _standard(measures["crp"], _CRP),
        "lymphocytes": _standard(measures["lymphocytes"], _LYMPHOCYTES),
        "aggressiveness": (scc + grade) / 1.25,
    }


def _logarithmic(z: Values, scale: tuple[float, float], between: tuple[float, float]) -> Values:
    return np.clip(scale[0] * np.exp(scale[1] * z), *between)


def _standard(measure: Values, scale: tuple[float, float]) -> NDArray[np.float64]:
    return np.log(measure / scale[0]) / scale[1]
