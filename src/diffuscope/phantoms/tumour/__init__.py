"""Simulated tumour sections: vessels, nuclei, and nanoparticles whose distribution follows from physics."""

from diffuscope.phantoms.tumour.cohort import cohort, draw_fields, kind_of
from diffuscope.phantoms.tumour.field import DISCORDANT, MPP, Field, Kind, simulate_field
from diffuscope.phantoms.tumour.parameters import BREAST, MELANOMA, MODELS, Animal, TumourModel, draw_animal

__all__ = [
    "BREAST",
    "DISCORDANT",
    "MELANOMA",
    "MODELS",
    "MPP",
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
