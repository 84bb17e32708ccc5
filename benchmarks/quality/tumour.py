"""What the simulated nuclei tell about nanoparticles beyond the vessels, by regression on local features.

Gradient boosting on what a few filters see of CD31, and of CD31 and DAPI; animals held out one at a time, and a cohort
of another tumour model. No network is trained: this says that the information is there, not that a model finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.shared.figures import Goals
from diffuscope.measurement.penetration import find_vessels, vessel_distance
from diffuscope.simulation.tumour import PHANTOMS, Field, TumourModel, cohort
from diffuscope.simulation.tumour.imaging import FULL

ANIMALS = 6
# Pixels of a field that train; all are predicted.
_DRAWN = 1500


def of_vessels(field: Field) -> NDArray[np.float32]:
    """Features (h, w, n) of CD31 alone: distance, what vessel is near, and blurs that reach further."""
    cd31 = field.vessels / FULL
    distance, vessels = _near(field)
    index = ndimage.distance_transform_edt(~vessels, return_distances=False, return_indices=True)
    stain = ndimage.gaussian_filter(cd31, 4)
    blurs = [ndimage.gaussian_filter(values, s) for values in (cd31, vessels.astype(float)) for s in (3, 8, 16, 32, 64)]
    ways = [ndimage.gaussian_filter(np.exp(-distance / way), 4) for way in (15, 40)]
    return np.stack([cd31, vessels, distance, stain[tuple(index)], *blurs, *ways], axis=-1).astype(np.float32)


def of_both(field: Field) -> NDArray[np.float32]:
    """Features of CD31 and of DAPI: the nucleus at a place, density around it, and where particles come from."""
    dapi = field.nuclei / FULL
    _, vessels = _near(field)
    index = ndimage.distance_transform_edt(~vessels, return_distances=False, return_indices=True)
    density = ndimage.gaussian_filter(dapi, 12)
    blurs = [ndimage.gaussian_filter(dapi, s) for s in (1, 3, 8, 24, 48)]
    return np.concatenate(
        [of_vessels(field), np.stack([dapi, *blurs, density, density[tuple(index)]], axis=-1).astype(np.float32)],
        axis=-1,
    )


FEATURES: dict[str, Callable[[Field], NDArray[np.float32]]] = {"vessels": of_vessels, "vessels_and_nuclei": of_both}
GOALS: Goals = {}


def _near(field: Field) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    vessels = find_vessels(field.vessels, mpp=1.0)
    return vessel_distance(vessels, mpp=1.0), vessels


def fit(fields: Sequence[Field], seen: Sequence[NDArray[np.float32]]) -> HistGradientBoostingRegressor:
    """Fit on some pixels of each field."""
    rng = np.random.default_rng(0)
    drawn = [rng.integers(field.load.size, size=_DRAWN) for field in fields]
    features = [one.reshape(-1, one.shape[-1])[some] for one, some in zip(seen, drawn, strict=True)]
    truth = [field.nanoparticles.ravel()[some] / FULL for field, some in zip(fields, drawn, strict=True)]
    model = HistGradientBoostingRegressor(max_iter=150, learning_rate=0.1, max_leaf_nodes=31, random_state=0)
    return model.fit(np.concatenate(features), np.concatenate(truth))


def error(model: HistGradientBoostingRegressor, field: Field, seen: NDArray[np.float32]) -> tuple[float, float]:
    """Return mean squared error and variance of a field, of nanoparticles in 0–1."""
    truth = field.nanoparticles.ravel() / FULL
    guess = model.predict(seen.reshape(truth.size, -1)).clip(0, 1)
    return float(np.mean((truth - guess) ** 2)), float(truth.var())


def errors(
    fields: Sequence[Field],
    features: Callable[[Field], NDArray[np.float32]],
    *,
    trained: TumourModel,
    other: TumourModel,
) -> dict[str, list[tuple[float, float]]]:
    """Predict every animal from the others, and the other tumour model from all: errors by kind of field."""
    seen = [features(field) for field in fields]
    found: dict[str, list[tuple[float, float]]] = {}

    def those(chosen: Callable[[Field], bool]) -> tuple[list[Field], list[NDArray[np.float32]]]:
        pairs = [(field, one) for field, one in zip(fields, seen, strict=True) if chosen(field)]
        return [field for field, _ in pairs], [one for _, one in pairs]

    def learns(field: Field) -> bool:
        return field.kind == "concordant" and field.animal.model is trained

    def group(field: Field) -> int | str:
        return field.animal.number if field.animal.model is trained else other.name

    for held in (*range(ANIMALS), other.name):
        model = fit(*those(lambda field, held=held: learns(field) and field.animal.number != held))
        for field, one in zip(*those(lambda field, held=held: group(field) == held), strict=True):
            kind = field.kind if field.animal.model is trained else f"{other.name}, {field.kind}"
            found.setdefault(kind, []).append(error(model, field, one))
    return found


def measure(*, fields: int = 6, size: int = 256, phantom: Literal["even", "endosomal"] = "even") -> dict[str, float]:
    """Fit to vessels, and to vessels and nuclei; return R² and PSNR of each by kind of field, and what nuclei add.

    Parameters
    ----------
    fields : int
        Of each animal.
    size : int
        Of a field, px.
    phantom : str
        Where cells keep particles.
    """
    trained, other = PHANTOMS[phantom]
    all_fields = [
        *cohort(model=trained, animals=ANIMALS, fields=fields, size=size),
        *cohort(model=other, animals=2, fields=fields, size=size),
    ]
    found = {name: errors(all_fields, features, trained=trained, other=other) for name, features in FEATURES.items()}
    figures: dict[str, float] = {}
    for kind in found["vessels"]:
        of_kind = {name: np.array(found[name][kind]).T for name in FEATURES}
        psnr = {name: -10 * np.log10(mse) for name, (mse, _) in of_kind.items()}
        gain = psnr["vessels_and_nuclei"] - psnr["vessels"]
        end = kind.replace(", ", "_").replace(" ", "_")
        figures[f"fields_{end}"] = len(gain)
        for name, (mse, variance) in of_kind.items():
            figures[f"r2_{name}_{end}"] = float(1 - mse.sum() / variance.sum())
            figures[f"psnr_db_{name}_{end}"] = float(psnr[name].mean())
        figures |= {f"gain_db_{end}": float(gain.mean()), f"better_in_percent_{end}": 100 * float((gain > 0).mean())}
    return figures
