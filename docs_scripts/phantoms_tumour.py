"""Make the picture of phantoms-tumour.md and print its figures.

::

    python -m docs_scripts.phantoms_tumour
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diffuscope.measurement.penetration import measure_penetration
from diffuscope.simulation.tumour import BREAST, MODELS, Kind, draw_animal, simulate_field
from docs_scripts.gallery import sheet
from tests.simulation.test_tumour_transport import deviation

IMAGE = Path(__file__).parents[1] / "docs/images" / "phantoms-tumour.jpg"
SEED = 1
#: Counts that are shown as black and as white.
SHOWN = {"vessels": (9, 130), "nuclei": (8, 170), "nanoparticles": (3, 90)}


def shade(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    """Show low … high as black … white."""
    grey = 255 * np.clip((values.astype(float) - low) / (high - low), 0, 1)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def figures() -> None:
    """Print what the page states: the solution against the closed form, seconds a field, and both models' sections."""
    for spacing in (4.0, 2.0, 1.0):
        print(
            f"one vessel against K0, grid of {spacing:g} µm: {100 * deviation(spacing):.2f} % of the value at the wall"
        )
    for model in MODELS.values():
        began = time.process_time()
        fields = [simulate_field(draw_animal(model, seed=SEED, number=number), 0) for number in range(8)]
        seconds = (time.process_time() - began) / len(fields)
        rows = [measure_penetration(field.load, field.profiles, mpp=1.0)[0] for field in fields]
        means = {key: np.mean([row[key] for row in rows]) for key in ("vessel_area_percent", "mean_load")}
        means |= {key: np.mean([row[key] for row in rows]) for key in ("mean_distance_um", "load_distance_um")}
        told = ", ".join(f"{key} {value:.3g}" for key, value in means.items())
        living = np.mean([field.living.mean() for field in fields])
        worst = max(abs(field.imbalance) for field in fields)
        print(
            f"{model.name}: {seconds:.2f} s of processor a field; {told}, living {living:.2f}, imbalance ≤ {worst:.0e}"
        )


def main() -> None:
    """Print the figures and write the picture."""
    figures()
    animal = draw_animal(BREAST, seed=SEED, number=0)
    kinds: dict[Kind, str] = {"concordant": "DAPI", "shifted": "DAPI, shifted", "other field": "DAPI of another field"}
    fields = {name: simulate_field(animal, 0, size=448, kind=kind) for kind, name in kinds.items()}
    field = fields["DAPI"]
    panels = {"CD31": shade(field.vessels, *SHOWN["vessels"]), "DAPI": shade(field.nuclei, *SHOWN["nuclei"])}
    panels["nanoparticles"] = shade(field.nanoparticles, *SHOWN["nanoparticles"])
    panels["truth: living cells"] = shade(field.living, 0, 1)
    panels |= {name: shade(other.nuclei, *SHOWN["nuclei"]) for name, other in fields.items() if other is not field}
    sheet(panels, IMAGE)


if __name__ == "__main__":
    main()
