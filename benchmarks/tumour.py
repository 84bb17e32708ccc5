"""What the simulated nuclei tell about nanoparticles beyond the vessels, by regression on local features.

    python -m benchmarks.tumour [--fields 16] [--size 256]

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

from diffuscope.evaluation.penetration import find_vessels, vessel_distance
from diffuscope.phantoms.tumour import BREAST, MELANOMA, Field, cohort
from diffuscope.phantoms.tumour.imaging import FULL

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


def fit(fields: Sequence[Field], features: Callable[[Field], NDArray[np.float32]]) -> HistGradientBoostingRegressor:
    """Fit on some pixels of each field."""
    rng = np.random.default_rng(0)
    seen, truth = [], []
    for field in fields:
        drawn = rng.integers(field.load.size, size=_DRAWN)
        seen.append(features(field).reshape(field.load.size, -1)[drawn])
        truth.append(field.nanoparticles.ravel()[drawn] / FULL)
    model = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.08, max_leaf_nodes=31, random_state=0)
    return model.fit(np.concatenate(seen), np.concatenate(truth))


def errors(
    model: HistGradientBoostingRegressor,
    fields: Sequence[Field],
    features: Callable[[Field], NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Return mean squared error and variance of each field, of nanoparticles in 0–1: (n, 2)."""
    found = []
    for field in fields:
        truth = field.nanoparticles.ravel() / FULL
        guess = model.predict(features(field).reshape(truth.size, -1)).clip(0, 1)
        found.append((np.mean((truth - guess) ** 2), truth.var()))
    return np.array(found)


def main() -> None:
    """Print R² and PSNR of each set of features, and what nuclei add."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tumour", description=main.__doc__)
    parser.add_argument("--fields", type=int, default=16, help="of each animal")
    parser.add_argument("--size", type=int, default=256, help="px")
    options = parser.parse_args()
    inner = list(cohort(model=BREAST, animals=ANIMALS, fields=options.fields, size=options.size))
    outer = list(cohort(model=MELANOMA, animals=2, fields=options.fields, size=options.size))
    straight = [field for field in inner if field.kind == "concordant"]
    found: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for name, features in FEATURES.items():
        for animal in range(ANIMALS):
            model = fit([field for field in straight if field.animal.number != animal], features)
            for field in (field for field in inner if field.animal.number == animal):
                found.setdefault((name, field.kind), []).append(errors(model, [field], features)[0])
        model = fit(straight, features)
        external = [field for field in outer if field.kind == "concordant"]
        found[name, "external, concordant"] = list(errors(model, external, features))
    for kind in dict.fromkeys(kind for _, kind in found):
        line = [f"{kind:22s} n={len(found['vessels', kind]):3d}"]
        psnr = {}
        for name in FEATURES:
            mse, variance = np.array(found[name, kind]).T
            psnr[name] = -10 * np.log10(mse)
            line.append(f"{name}: R² {1 - mse.sum() / variance.sum():.3f}, PSNR {psnr[name].mean():.2f} dB")
        gain = psnr["vessels + nuclei"] - psnr["vessels"]
        line.append(f"nuclei add {gain.mean():+.2f} dB (better in {(gain > 0).mean():.0%} of fields)")
        print("; ".join(line))


if __name__ == "__main__":
    main()
