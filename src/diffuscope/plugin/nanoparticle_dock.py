"""The dock "Nanoparticle distribution": DAMM-Diffusion on the channels of a fluorescence slide."""

from __future__ import annotations

import napari

from diffuscope.plugin.dock import RunDock
from diffuscope.plugin.jobs import Child
from diffuscope.plugin.kinds import NANOPARTICLES
from diffuscope.plugin.nanoparticle_results import NanoparticleResults


class NanoparticleDock(RunDock):
    """Predicts where nanoparticles are from vessels and nuclei, which a viewer shows as layers.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = NANOPARTICLES

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.particles = NanoparticleResults()
        self.below.addWidget(self.particles)
        self.session.result_changed.connect(self.particles.show_result)
