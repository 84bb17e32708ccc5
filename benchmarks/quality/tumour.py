"""What the simulated nuclei tell about nanoparticles beyond the vessels, by regression on local features.

    python -m benchmarks.tumour [--fields 6] [--size 256] [--phantom endosomal]

Gradient boosting on what a few filters see of CD31, and of CD31 and DAPI; animals held out one at a time, and a cohort
of another tumour model. No network is trained: this says that the information is there, not that a model finds it.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.ensemble import HistGradientBoostingRegressor

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


FEATURES: dict[str, Callable[[Field], NDArray[np.float32]]] = {"vessels": of_vessels, "vessels + nuclei": of_both}


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


def measure(
    fields: Sequence[Field],
    features: Callable[[Field], NDArray[np.float32]],
    *,
    trained: TumourModel,
    other: TumourModel,
) -> dict[str, list[tuple[float, float]]]:
    """Predict every animal from the others, and the other tumour model from all: errors by kind of field."""
    seen = [features(field) for field in fields]
    found: dict[str, list[tuple[float, float]]] = {}

    def told(chosen: Callable[[Field], bool]) -> tuple[list[Field], list[NDArray[np.float32]]]:
        pairs = [(field, one) for field, one in zip(fields, seen, strict=True) if chosen(field)]
        return [field for field, _ in pairs], [one for _, one in pairs]

    def learns(field: Field) -> bool:
        return field.kind == "concordant" and field.animal.model is trained

    def group(field: Field) -> int | str:
        return field.animal.number if field.animal.model is trained else other.name

    for held in (*range(ANIMALS), other.name):
        model = fit(*told(lambda field, held=held: learns(field) and field.animal.number != held))
        for field, one in zip(*told(lambda field, held=held: group(field) == held), strict=True):
            kind = field.kind if field.animal.model is trained else f"{other.name}, {field.kind}"
            found.setdefault(kind, []).append(error(model, field, one))
    return found


def main() -> None:
    """Print R² and PSNR of each set of features, and what nuclei add."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tumour", description=main.__doc__)
    parser.add_argument("--fields", type=int, default=6, help="of each animal")
    parser.add_argument("--size", type=int, default=256, help="px")
    parser.add_argument("--phantom", choices=list(PHANTOMS), default="even", help="where cells keep particles")
    options = parser.parse_args()
    trained, other = PHANTOMS[options.phantom]
    fields = [
        *cohort(model=trained, animals=ANIMALS, fields=options.fields, size=options.size),
        *cohort(model=other, animals=2, fields=options.fields, size=options.size),
    ]
    found = {name: measure(fields, features, trained=trained, other=other) for name, features in FEATURES.items()}
    print("| fields | n | vessels: R² · PSNR | vessels + nuclei: R² · PSNR | nuclei add | better in |")
    print("| --- | --- | --- | --- | --- | --- |")
    for kind in found["vessels"]:
        errors = {name: np.array(found[name][kind]).T for name in FEATURES}
        psnr = {name: -10 * np.log10(mse) for name, (mse, _) in errors.items()}
        cells = [
            f"{1 - mse.sum() / variance.sum():.2f} · {psnr[n].mean():.1f} dB" for n, (mse, variance) in errors.items()
        ]
        gain = psnr["vessels + nuclei"] - psnr["vessels"]
        print(f"| {kind} | {len(gain)} | {' | '.join(cells)} | {gain.mean():+.2f} dB | {(gain > 0).mean():.0%} |")


if __name__ == "__main__":
    main()
