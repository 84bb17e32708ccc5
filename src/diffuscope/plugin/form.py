"""The form "Virtual staining" without a widget: what is chosen, what that means, what is missing."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from psygnal import SignalGroupDescriptor

from diffuscope.errors import InputError
from diffuscope.plugin.facts import ModelFacts, SlideFacts
from diffuscope.sample_data import sample_path
from diffuscope.scans import resampling_factor

REGIONS = {"tissue": "All tissue", "view": "Current view", "shape": "Drawn shape"}
DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass
class RunForm:
    """Everything that a user chooses before Run. Each field emits an event when it changes.

    Attributes
    ----------
    slide : SlideFacts or None
        The chosen input layer.
    model : ModelFacts or None
        The chosen model.
    region : {"tissue", "view", "shape"}
        What to stain.
    quality : str
        Name of one of the model's presets.
    sampler : str
        Empty: as the quality says.
    steps : int
        0: as the quality says.
    samples, seed : int
        Number of samples per tile; seed of the noise.
    device : str
        One of `DEVICES`.
    mpp : float
        µm per pixel of the slide as given by the user; 0: as the file says.
    out : str
        Result folder.
    """

    slide: SlideFacts | None = None
    model: ModelFacts | None = None
    region: str = "tissue"
    quality: str = ""
    sampler: str = ""
    steps: int = 0
    samples: int = 1
    seed: int = 0
    device: str = "auto"
    mpp: float = 0.0
    out: str = ""
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    @property
    def used_mpp(self) -> float | None:
        """µm per pixel that the run will take the slide to have."""
        return self.mpp or (self.slide.mpp if self.slide else None)

    def resolution_text(self) -> str:
        """Say which µm/px were found and are needed, and what follows from that."""
        if self.slide is None or self.model is None:
            return ""
        needed = f"the model needs {self.model.mpp:.3g}"
        if self.used_mpp is None:
            return f"The slide does not state its µm/px; {needed}. Give it below (40x is about 0.25, 20x about 0.5)."
        found = f"Given: {self.mpp:.3g} µm/px" if self.mpp else f"Found: {self.used_mpp:.3g} µm/px"
        if self.mpp and self.slide.mpp is not None:
            found += f" (the file says {self.slide.mpp:.3g})"
        factor = resampling_factor(replace(self.slide, mpp=self.used_mpp), self.model.mpp)
        if factor == 1.0:
            return f"{found}; {needed}: used as it is."
        if factor > 1.0:
            return f"{found}; {needed}: reduced {factor:.2f}×."
        return f"{found}; {needed}: enlarged {1 / factor:.2f}×, which adds no detail."

    def problem(self) -> str:
        """Return the first thing that stands in the way of Run as one sentence; empty when nothing does."""
        if self.slide is None:
            return "Open a slide first: drop a file on the window, or File → Open Sample → Diffuscope."
        if self.model is None:
            return "Choose a model."
        if self.used_mpp is None:
            return "Give the slide's µm/px: the file does not state it."
        if not self.out.strip():
            return "Choose an output folder."
        return ""

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments of `diffuscope.run.run`, all but source, region and overwrite.

        Raises
        ------
        InputError
            With the sentence of `problem`.
        """
        if problem := self.problem():
            raise InputError(problem)
        assert self.model is not None
        return {
            "model": self.model.name,
            "out": Path(self.out.strip()).expanduser(),
            "mpp": self.mpp or None,
            "quality": self.quality or None,
            "sampler": self.sampler or None,
            "steps": self.steps or None,
            "samples": self.samples,
            "seed": self.seed,
            "device": self.device,
        }


def suggest_out(slide: SlideFacts, model_name: str) -> Path:
    """Return a result folder that does not exist yet: beside the slide, or in the temporary folder.

    Samples that came with the package are never written beside.
    """
    stem = slide.path.name if slide.path else slide.name
    for ending in (".zarr", ".tiff", ".tif", ".svs", ".ome"):
        stem = stem.removesuffix(ending)
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in stem) or "slide"
    base = f"{stem}.{Path(model_name).name}"
    folder = slide.path.parent if slide.path else None
    if folder is None or folder == sample_path() or not os.access(folder, os.W_OK):
        folder = Path(tempfile.gettempdir()) / "diffuscope"
    return unused(folder / f"{base}.ome.zarr")


def unused(path: Path, is_taken: Callable[[Path], bool] = Path.exists) -> Path:
    """Return `path`, or the first of name-2, name-3, … that is not taken: does not exist, if not told otherwise."""
    stem = path.name.removesuffix(".ome.zarr")
    number, candidate = 1, path
    while is_taken(candidate):
        number += 1
        candidate = path.with_name(f"{stem}-{number}.ome.zarr")
    return candidate
