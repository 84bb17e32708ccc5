"""What tissues are to CT and to MRI: HU, proton density, T1, T2, and the contrast agent that they take up.

Relaxation times are those at 1.5 T. Brain, fluid, fat and muscle are as in the BrainWeb phantom (Collins et al., IEEE
TMI 17:463, 1998), blood, heart and liver as in Stanisz et al., MRM 54:507, 2005; lung and lesions are of the usual
order. CT is taken after contrast agent, as T1ce.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tissue:
    """One tissue.

    Attributes
    ----------
    hu : float
        CT, HU.
    density : float
        Proton density, 1 is water.
    t1, t2 : float
        Relaxation times, ms.
    uptake : float
        Contrast agent, mmol/l, in T1ce.
    spread : float
        Standard deviation of `hu` from subject to subject.
    """

    hu: float
    density: float
    t1: float
    t2: float
    uptake: float = 0.0
    spread: float = 3.0


#: By name. Air and bone give next to no signal in MRI; of ribs half is marrow.
TISSUES = {
    "air": Tissue(-1000.0, 0.0, 1000.0, 100.0, spread=0.0),
    "fat": Tissue(-95.0, 1.0, 350.0, 70.0, spread=6.0),
    "muscle": Tissue(55.0, 1.0, 900.0, 47.0, uptake=0.05),
    "bone": Tissue(700.0, 0.03, 900.0, 20.0, spread=60.0),
    "rib": Tissue(280.0, 0.25, 500.0, 40.0, spread=40.0),
    "lung": Tissue(-820.0, 0.13, 1200.0, 40.0, spread=25.0),
    "vessel": Tissue(60.0, 0.4, 1441.0, 60.0, uptake=0.05),
    "blood": Tissue(110.0, 0.9, 1441.0, 80.0, uptake=0.15, spread=10.0),
    "heart": Tissue(90.0, 0.85, 1030.0, 40.0, uptake=0.1, spread=6.0),
    "liver": Tissue(95.0, 0.8, 576.0, 46.0, uptake=0.1, spread=6.0),
    "fluid": Tissue(6.0, 1.0, 2569.0, 329.0),
    "grey": Tissue(40.0, 0.86, 833.0, 83.0),
    "white": Tissue(30.0, 0.77, 500.0, 70.0),
    # Lesions. What lies between the grains of a calcified one is as in a solid one, but there is less of it.
    "solid": Tissue(90.0, 0.9, 1100.0, 150.0, uptake=0.9, spread=7.0),
    "calcified": Tissue(600.0, 0.28, 1100.0, 100.0, uptake=0.1, spread=60.0),
    "cyst": Tissue(6.0, 1.0, 2400.0, 320.0),
}
NAMES = tuple(TISSUES)


def draw_tissues(rng: np.random.Generator) -> dict[str, Tissue]:
    """Draw a subject's tissues: HU by their spread, density, T1 and T2 to within some 4 %, uptake to within 15 %.

    Fluid's relaxation stays as it is: FLAIR is set to it.
    """
    drawn = {}
    for name, tissue in TISSUES.items():
        hu = tissue.hu + tissue.spread * rng.standard_normal()
        density, t1, t2 = np.exp((0.02, 0.04, 0.04) * rng.standard_normal(3))
        uptake = tissue.uptake * float(np.exp(0.15 * rng.standard_normal()))
        if name == "fluid":
            drawn[name] = Tissue(hu, tissue.density, tissue.t1, tissue.t2)
        else:
            drawn[name] = Tissue(hu, tissue.density * density, tissue.t1 * t1, tissue.t2 * t2, uptake)
    return drawn
