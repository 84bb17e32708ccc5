"""What is drawn for an animal: the tumour's vessels and cells, and how particles move in it.

The particles are those of the DAMM-Diffusion paper: 20 nm, PEGylated CdSe/ZnS quantum dots. Ranges, and where they
come from (docs/phantoms-tumour.md has the table):

- *Half-life in plasma*: about 70 min for quantum dots with long (5 kDa) methoxy-PEG (Ballou et al., Bioconjugate Chem
  15, 79, 2004).
- *Permeability of the vessel wall*: 2.8e-3 µm/s for particles of 9.4 nm and 2e-4 µm/s (2e-8 cm/s) for liposomes of 90
  nm (measured values collected in Table 2 of Dogra et al. 2020, PMC7078505); 20 nm lie between.
- *Diffusion*: 20 nm in water at 37 °C have 33 µm²/s (Stokes–Einstein). The collagen of tumours hinders large molecules
  and particles 10 to over 100 times, depending on tumour and site (Pluen et al., PNAS 98, 4628, 2001); 0.2–0.5 µm²/s is
  2e-9–5e-9 cm²/s, the slow end.
- *Distance of necrosis from vessels*: 100–180 µm (Thomlinson & Gray, Br J Cancer 9, 539, 1955).
- *Vessels*: a surface of 5–20 mm²/mm³ (50–200 cm²/cm³; Jain, Cancer Res 47, 3039, 1987) and profiles of 6–30 µm.
- *Uptake by cells, crowding*: chosen, not measured, so that particles come some tens of µm far.
- *Where cells keep what they take up*: endosomes and lysosomes, which motors carry towards the nucleus; quantum dots
  end up beside it within hours (Ruan et al., J Am Chem Soc 129, 14759, 2007). The 2 µm are chosen.

They are in the order of what is measured, fitted to no tumour: a simulator, whose figures say nothing of an animal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

Range = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class TumourModel:
    """Between which values the animals of one tumour model differ.

    Attributes
    ----------
    name : str
        Key of the random numbers as well.
    vessel_length : tuple of float
        Length of vessels per volume, mm/mm³; half of it is the number of profiles per mm².
    vessel_radius : tuple of float
        Of the vessels that trees begin with, µm.
    permeability : tuple of float
        Median over an animal's vessels, µm/s.
    permeability_spread : float
        Standard deviation of ln P between the vessels of an animal.
    perfused : tuple of float
        Part of the vessels that carry blood.
    cell_density : tuple of float
        Nuclei per mm² of living tissue, without crowding.
    cell_area : tuple of float
        Section of a cell, µm².
    nucleus : tuple of float
        Mean diameter of nuclei, µm.
    crowding : tuple of float
        Standard deviation of ln density within a field.
    necrosis : tuple of float
        Distance from perfused vessels at which half of the tissue is dead, µm.
    diffusivity : tuple of float
        In the interstitium itself, µm²/s.
    uptake : tuple of float
        k, per cell volume, 1/s.
    half_life : tuple of float
        In plasma, h.
    hours : float
        From injection to the section, h.
    endosomes : float or None
        Way over which what a cell has taken up thins out around its nucleus, µm. None: it lies evenly in the tissue
        between nuclei, as what is free does.
    """

    name: str
    vessel_length: Range
    vessel_radius: Range
    permeability: Range
    permeability_spread: float
    perfused: Range
    cell_density: Range
    cell_area: Range
    nucleus: Range
    crowding: Range
    necrosis: Range
    diffusivity: Range
    uptake: Range
    half_life: Range = (1.0, 1.4)
    hours: float = 4.0
    endosomes: float | None = None


@dataclass(frozen=True, kw_only=True)
class Animal:
    """What an animal's fields have in common; names and units as in `TumourModel`.

    Attributes
    ----------
    model : TumourModel
        Its tumour.
    seed, number : int
        Of the cohort, and of the animal in it.
    gain : tuple of float
        Of its CD31 and its DAPI staining, about 1.
    """

    model: TumourModel
    seed: int
    number: int
    vessel_length: float
    permeability: float
    perfused: float
    cell_density: float
    cell_area: float
    nucleus: float
    crowding: float
    necrosis: float
    diffusivity: float
    uptake: float
    half_life: float
    gain: tuple[float, float]


#: Like 4T1 (mouse breast cancer, the paper's internal cohort) in kind: densely packed cells, necrosis between vessels.
BREAST = TumourModel(
    name="breast",
    vessel_length=(180.0, 320.0),
    vessel_radius=(7.0, 13.0),
    permeability=(0.9e-3, 1.3e-3),
    permeability_spread=0.35,
    perfused=(0.90, 0.98),
    cell_density=(4800.0, 6000.0),
    cell_area=(100.0, 115.0),
    nucleus=(8.0, 9.0),
    crowding=(0.5, 0.7),
    necrosis=(110.0, 140.0),
    diffusivity=(0.2, 0.35),
    uptake=(2.0e-4, 3.0e-4),
)

#: Like B16 (mouse melanoma, the paper's external cohort) in kind: more, wider and leakier vessels, larger cells that
#: lie less densely and take up less.
MELANOMA = TumourModel(
    name="melanoma",
    vessel_length=(300.0, 420.0),
    vessel_radius=(8.0, 14.0),
    permeability=(1.2e-3, 2.0e-3),
    permeability_spread=0.5,
    perfused=(0.85, 0.95),
    cell_density=(2800.0, 3600.0),
    cell_area=(130.0, 160.0),
    nucleus=(9.0, 10.5),
    crowding=(0.35, 0.6),
    necrosis=(90.0, 120.0),
    diffusivity=(0.3, 0.5),
    uptake=(1.0e-4, 1.8e-4),
)

#: The same tumours with particles that cells keep beside their nuclei, and a faster uptake into denser nests of cells
#: (so that more is in cells than between them): nuclei tell more there about where particles are.
BREAST_ENDOSOMAL = replace(
    BREAST,
    name="breast-endosomal",
    cell_density=(5600.0, 7000.0),
    crowding=(0.7, 0.9),
    uptake=(3.0e-4, 4.5e-4),
    endosomes=2.0,
)
MELANOMA_ENDOSOMAL = replace(
    MELANOMA, name="melanoma-endosomal", cell_density=(2500.0, 3200.0), uptake=(1.5e-4, 2.7e-4), endosomes=2.0
)

#: The tumour that is trained on and the one of external validation, by where cells keep particles.
PHANTOMS = {"even": (BREAST, MELANOMA), "endosomal": (BREAST_ENDOSOMAL, MELANOMA_ENDOSOMAL)}
MODELS = {model.name: model for pair in PHANTOMS.values() for model in pair}


def draw_animal(model: TumourModel, *, seed: int, number: int) -> Animal:
    """Draw an animal, a function of (model, seed, number) alone."""
    rng = generator(model, seed, number)
    names = [name for name in Animal.__annotations__ if name not in {"model", "seed", "number", "gain"}]
    values = {name: float(rng.uniform(*getattr(model, name))) for name in names}
    gain = np.exp(rng.normal(0.0, 0.15, 2))
    return Animal(model=model, seed=seed, number=number, gain=(float(gain[0]), float(gain[1])), **values)


def generator(model: TumourModel, seed: int, *key: int) -> np.random.Generator:
    """Return the random numbers of a key, e.g. (animal, field): independent of those of every other key."""
    # With its length in front: numpy takes [1] and [1, 0] for one key.
    return np.random.default_rng([len(key), seed, crc32(model.name.encode()), *key])
