"""Simulated tumour sections: vessels, nuclei, and nanoparticles whose distribution follows from physics."""

from diffuscope.simulation.tumour.cohort import cohort, draw_fields, kind_of
from diffuscope.simulation.tumour.field import DISCORDANT, MPP, Field, Kind, simulate_field
from diffuscope.simulation.tumour.parameters import (
    BREAST,
    BREAST_ENDOSOMAL,
    MELANOMA,
    MELANOMA_ENDOSOMAL,
    MODELS,
    PHANTOMS,
    Animal,
    TumourModel,
    draw_animal,
)

__all__ = [
    "BREAST",
    "BREAST_ENDOSOMAL",
    "DISCORDANT",
    "MELANOMA",
    "MELANOMA_ENDOSOMAL",
    "MODELS",
    "MPP",
    "PHANTOMS",
    "Animal",
    "Field",
    "Kind",
    "TumourModel",
    "cohort",
    "draw_animal",
    "draw_fields",
    "kind_of",
    "simulate_field",
]
