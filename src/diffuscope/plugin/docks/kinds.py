"""The docks that run models: which models each lists, which layers it takes, which parts of them it can compute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from napari.layers import Image

from diffuscope.plugin.forms.scope import CASES, IMAGES, SLIDES, VOLUMES, Scope
from diffuscope.plugin.layers.facts import ModelFacts, is_result
from diffuscope.ports.raster import Raster
from diffuscope.tiling.region import Region

_CHOOSE = "or choose a model folder under Model."


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What sets one dock apart from the others.

    Attributes
    ----------
    title : str
        Of the dock.
    noun : str
        What it calls its main input.
    task : str
        What the models that it lists are for (see `diffuscope.ports.declaration.Declaration`); empty: whatever no
        other dock is for.
    texts : bool
        Whether it lists the models that read or write texts and take or make images, whatever their task.
    by_pairs : bool
        Whether it tells of each model if that learned from pairs, or without.
    scope : Scope
        What of an input can be computed: of slides, or of volumes.
    greys : bool
        Whether it takes layers of one channel only.
    sample : str
        Key of the sample data that it can be tried with; empty where none ships.
    view : Region or None
        Of the sample, level-0 px: what is looked at first, so small that it is computed soon; None: all of it.
    empty, missing : str
        What to do where no input is open, and where there is no model.
    """

    title: str
    noun: str
    task: str = ""
    texts: bool = False
    by_pairs: bool = False
    scope: Scope = SLIDES
    greys: bool = True
    sample: str = ""
    view: Region | None = None
    empty: str
    missing: str

    def lists(self, model: ModelFacts) -> bool:
        """Whether a model belongs here."""
        if model.inputs and model.axes != self.scope.axes:
            return False
        if self.texts:
            return model.has_text and any(isinstance(port, Raster) for port in (*model.inputs, *model.outputs))
        if self.task:
            return model.task == self.task
        is_taken = any(kind.task == model.task or (kind.texts and kind.lists(model)) for kind in KINDS)
        return model.axes == self.scope.axes and not is_taken

    def takes(self, layer: Any) -> bool:
        """Whether a layer can be an input."""
        return isinstance(layer, Image) and not is_result(layer) and not self.unfit(layer)

    def unfit(self, layer: Any) -> str:
        """Return what an image is that can be no input, for a message; empty of one that can, and of a result."""
        if not isinstance(layer, Image) or is_result(layer):
            return ""
        if layer.ndim != len(self.scope.axes):
            return {2: "a slide or picture", 3: "a volume"}.get(layer.ndim, f"an image of {layer.ndim} axes")
        return "a picture in colours" if layer.rgb and self.greys else ""


STAINING = Kind(
    title="Virtual staining",
    sample="cmu-1",
    view=Region(x=1090, y=940, width=250, height=250),  # where a CD3 stain has something to show
    noun="Slide",
    task="virtual staining",
    greys=False,
    empty="Open a slide first: drop a file on the window, or File → Open Sample → Diffuscope.",
    missing=f'No model that stains was found: train one (dock "Train", or diffuscope train), {_CHOOSE}',
)
NANOPARTICLES = Kind(
    title="Nanoparticle distribution",
    sample="tumour",
    view=Region(x=384, y=384, width=200, height=200),
    noun="Channel",
    task="nanoparticle distribution",
    empty="Open a fluorescence slide first: drop a file on the window, or File → Open Sample → Diffuscope.",
    missing=f"No DAMM-Diffusion model for slides was found: train one (diffuscope train), {_CHOOSE}",
)
TRANSLATION = Kind(
    title="Modality translation",
    sample="sarcoma",
    noun="Volume",
    task="modality translation",
    by_pairs=True,
    scope=VOLUMES,
    empty="Open a volume first: drop a NIfTI file or a DICOM folder on the window, or File → Open Sample → Diffuscope.",
    missing=f"No model that translates volumes was found: train one (diffuscope train), {_CHOOSE}",
)
SCORING = Kind(
    title="Lymph-node scoring",
    sample="oesophagus",
    noun="CT",
    task="lymph-node scoring",
    scope=CASES,
    empty="Open a CT first: drop a NIfTI file or a DICOM folder on the window, or File → Open Sample → Diffuscope.",
    missing=f"No model that scores lymph nodes was found: train one (diffuscope train), {_CHOOSE}",
)
TEXTS = Kind(
    title="Text and images",
    noun="Image",
    sample="thorax",
    texts=True,
    scope=IMAGES,
    empty="Write a report, or open an image.",
    missing=f"No model of texts and images was found: train one (diffuscope train), {_CHOOSE}",
)
OTHERS = Kind(
    title="Other models",
    noun="Picture",
    greys=False,
    empty="Open a picture first: drop a file on the window.",
    missing=f"No model for another task was found: install a package that brings one, {_CHOOSE}",
)
KINDS = (STAINING, NANOPARTICLES, TRANSLATION, SCORING, TEXTS, OTHERS)


def elsewhere(model: ModelFacts) -> str:
    """Say where a model belongs that a dock does not list."""
    for kind in KINDS:
        if kind.lists(model):
            return f"{model.title} is a model of the dock “{kind.title}”: open it there."
    return f"{model.title} is a model that no dock runs: use diffuscope run."
