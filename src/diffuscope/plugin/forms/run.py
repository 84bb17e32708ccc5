"""The form of a dock that runs models, without a widget: what is chosen, what that means, what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from typing import Any, ClassVar

from psygnal import SignalGroupDescriptor

from diffuscope.errors import InputError
from diffuscope.jobs.rows import of_another
from diffuscope.plugin.docks.kinds import STAINING, Kind
from diffuscope.plugin.forms.cases.mask_facts import MaskFacts
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts
from diffuscope.plugin.layers.inputs.pixels import refused
from diffuscope.ports.mask import Mask
from diffuscope.ports.port import Port
from diffuscope.ports.raster import Raster
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.results.beside.mark import unsigned

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass
class RunForm:
    """Everything that a user chooses before Run. Each field emits an event when it changes.

    Attributes
    ----------
    kind : Kind
        Of the dock.
    slide : SlideFacts or None
        The layer chosen for the model's first input.
    any_open, unfit : bool, str
        Whether any layer is there that could be chosen, and a sentence on an image that can not; empty: there is none.
    others : tuple of SlideFacts or None
        Those for its further inputs, in order.
    given : dict of str to (dict or str)
        By port key, what is typed for the model's tables (text by column) and texts.
    masks : dict of str to MaskFacts
        By port key, what is outlined.
    patient : str
        Whose row of a table was taken, as the table calls them; empty where none was.
    row_files : dict of str to Path
        By port key, the image or the file of outlines that this row names.
    ticked : dict of str to bool
        By key of an output that can be chosen, whether it is made, where the user has said so.
    model : ModelFacts or None
        The chosen model.
    region : str
        What to compute, a key of the scope's regions.
    first, last : int
        First and last slice of a volume where the region is "slices", from 0.
    within : bool
        Of a volume, whether only a drawn rectangle of each slice is computed.
    options : dict of str to float
        Those of the system's own numbers that differ from their defaults.
    normalise : bool
        Whether an H&E is brought to the model's reference, where the model is made for that.
    stains_of : str
        Of a small cut, the slide or the folder by whose stains it is brought there; empty: by its own.
    quality : str
        Name of one of the model's presets.
    sampler : str
        Empty: as the quality says.
    steps : int
        0: as the quality says, or the one that has the sampler.
    samples : int
        Number of samples per tile; 0: as the quality says.
    seed : int
        Of the noise.
    device : str
        One of `DEVICES`.
    mpp : float
        µm per pixel of the slide as given by the user; 0: as the file says.
    out : str
        Result folder.
    scheduler : str
        Address of a dask scheduler whose workers compute; empty: this machine.
    """

    kind: Kind = STAINING
    slide: SlideFacts | None = None
    any_open: bool = False
    unfit: str = ""
    others: tuple[SlideFacts | None, ...] = ()
    given: dict[str, dict[str, str] | str] = field(default_factory=dict)
    masks: dict[str, MaskFacts] = field(default_factory=dict)
    patient: str = ""
    row_files: dict[str, Path] = field(default_factory=dict)
    ticked: dict[str, bool] = field(default_factory=dict)
    model: ModelFacts | None = None
    region: str = ""
    first: int = 0
    last: int = 0
    within: bool = False
    options: dict[str, float] = field(default_factory=dict)
    normalise: bool = True
    stains_of: str = ""
    quality: str = ""
    sampler: str = ""
    steps: int = 0
    samples: int = 0
    seed: int = 0
    device: str = "auto"
    mpp: float = 0.0
    out: str = ""
    scheduler: str = ""
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    def __post_init__(self) -> None:
        self.region = self.region or next(iter(self.kind.scope.regions))

    @property
    def inputs(self) -> tuple[SlideFacts | None, ...]:
        """Chosen layers, one an input of the model."""
        return (self.slide, *self.others)

    @property
    def main(self) -> SlideFacts | None:
        """The first of the chosen layers, on which what is made lies."""
        return next((layer for layer in self.inputs if layer is not None), None)

    @property
    def keys(self) -> set[str]:
        """Ports of the model that something is given for."""
        ports = self.model.inputs if self.model else ()
        images = {port.key for port, layer in zip(ports, self.inputs, strict=False) if layer is not None}
        return images | self.given.keys() | {key for key, facts in self.masks.items() if facts.roles}

    @property
    def wanted(self) -> tuple[str, ...]:
        """Outputs that are made of those that can be chosen: what is not given, unless the user has said otherwise."""
        goals = self.model.goals if self.model else ()
        return tuple(port.key for port in goals if port.key not in self.keys and self.ticked.get(port.key, True))

    @property
    def evaluations(self) -> int:
        """Steps times samples of one tile, as they are chosen; 0 without a model."""
        if self.model is None:
            return 0
        steps = self.steps or self.model.steps_of(self.quality, self.sampler) or 1
        return steps * self.drawn_samples

    @property
    def drawn_samples(self) -> int:
        """Samples of one tile, as they are chosen; 1 without a model."""
        return self.samples or (self.model.preset_samples.get(self.quality, 1) if self.model is not None else 1)

    @property
    def is_normalised(self) -> bool:
        """Whether an H&E is brought to the model's reference."""
        return self.model is not None and self.model.normalises and self.normalise

    def resolution_text(self) -> str:
        """Say which µm/px or mm were found and are needed, and what follows from that."""
        if self.main is None or self.model is None or not self.model.inputs:
            return ""
        return self.kind.scope.resolution(self.main, self.model, self.mpp)

    def problem(self) -> str:
        """Return the first thing that stands in the way of Run as one sentence; empty when nothing does."""
        if self.main is None and not self.any_open and (self.model is None or self.model.needs_image):
            return f"{self.unfit} {self.kind.empty}".strip()
        if self.model is None:
            return "Choose a model."
        if wrong := self._missing() or self._images() or self._outlines():
            return wrong
        if self.model.inputs and self.main and (unknown := self.kind.scope.unknown(self.main, self.mpp)):
            return unknown
        if self.is_normalised and (named := self.stains_of.strip()) and not Path(named).expanduser().exists():
            return f"{named} is not there: choose the slide that this was cut from, or a folder of its cuts."
        if self.region == "slices" and self.first > self.last:
            return f"Slices from {self.first} to {self.last} are none: let the first come first."
        for group in self.model.any_of:
            if not set(group) & self.keys:
                return self._ask_for(group)
        if self.model.goals and not self.wanted:
            return "Tick at least one thing to make."
        if not self.out.strip():
            return "Choose an output folder."
        return ""

    def unknown_text(self) -> str:
        """Say what the model can do without and is not given; empty where all is."""
        if self.model is None:
            return ""
        told = []
        for port in self._ports():
            if isinstance(port, Table):
                if port.measured and any(facts.roles for facts in self.masks.values()):
                    continue
                typed = self.given.get(port.key)
                left = len(port.columns) - (len(typed) if isinstance(typed, dict) else 0)
                part = f" ({left} of {len(port.columns)} values)" if left < len(port.columns) else ""
                told += [f"{port.name}{part}"] if left else []
            elif isinstance(port, Mask):
                lacking = [role for role in port.roles if role not in self.masks.get(port.key, MaskFacts()).roles]
                told += [port.name] if len(lacking) == len(port.roles) else lacking
            elif port.key not in self.keys:
                told.append(port.name)
        return f"Not given: {', '.join(told)}." if told else ""

    def _ports(self) -> list[Port]:
        assert self.model is not None
        return [*self.model.inputs, *self.model.masks, *self.model.others]

    def _ask_for(self, group: tuple[str, ...]) -> str:
        """Ask for one of a group of inputs, of which nothing is given."""
        asked = [port for port in self._ports() if port.key in group]
        texts = [port.name for port in asked if isinstance(port, Text)]
        if texts and any(isinstance(port, Raster) for port in asked):
            return f"Nothing is given yet: write or load the {texts[0]}, or choose an image."
        return f"Give at least one of {', '.join(port.name for port in asked)}."

    def _images(self) -> str:
        """Return what is wrong with the layers, as one sentence; empty where nothing is."""
        assert self.model is not None
        named = list(zip(self.model.inputs, chain(self.inputs, repeat(None)), strict=False))
        mpp = self.mpp or (self.main.mpp if self.main else None)
        for number, (port, layer) in enumerate(named):
            if layer is None:
                if not port.required:
                    continue
                return f"Choose a layer for {port.name}."
            if twin := next((other.name for other, same in named[:number] if same == layer), ""):
                return f"“{layer.name}” is chosen for {twin} and for {port.name}: choose another layer for one of them."
            if wrong := layer.problem or of_another(self.patient, self.row_files.get(port.key), [layer.path]):
                return wrong
            if wrong := refused(layer.pixels, layer.channel, port, self.model.name, mpp):
                return wrong
        return ""

    def _outlines(self) -> str:
        """Return what is wrong with the outlines, as one sentence; empty where nothing is."""
        assert self.model is not None
        on = {port.key: layer for port, layer in zip(self.model.inputs, self.inputs, strict=False)}
        for port in self.model.masks:
            facts, layer = self.masks.get(port.key, MaskFacts()), on.get(port.on)
            if wrong := facts.problem or of_another(self.patient, self.row_files.get(port.key), facts.files):
                return wrong
            if layer is not None and not facts.roles:
                return (
                    f"Nothing is outlined on “{layer.name}”: open a file of outlines, paint a Labels layer or draw a "
                    f"Shapes layer, and say what is {port.roles[0]}."
                )
        return ""

    def _missing(self) -> str:
        """Return what is wrong with the tables and texts, as one sentence; empty where nothing is."""
        assert self.model is not None
        for port in self.model.others:
            typed = self.given.get(port.key)
            if port.required and not typed:
                return f"Fill in {port.name}."
            if isinstance(port, Text) and isinstance(typed, str) and (long := port.too_long(unsigned(typed)[0])):
                return long
            if isinstance(port, Table) and isinstance(typed, dict):
                try:
                    port.read(typed)
                except InputError as error:
                    return str(error)
        return ""

    def settings(self) -> dict[str, Any]:
        """Return the keyword arguments of `diffuscope.api.run.run`, all but source, region and overwrite.

        ``slices`` are there where a range of them was chosen, ``options``, ``normalise`` and ``stains_of`` where they
        are not the defaults.

        Raises
        ------
        InputError
            With the sentence of `problem`.
        """
        if problem := self.problem():
            raise InputError(problem)
        assert self.model is not None
        named = self.stains_of.strip()
        return {
            "model": self.model.name,
            "out": Path(self.out.strip()).expanduser(),
            "mpp": self.mpp or (self.main.changed_mpp if self.main else None),
            "quality": self.quality or None,
            "sampler": self.sampler or None,
            "steps": self.steps or None,
            "samples": self.samples or None,
            "seed": self.seed,
            "device": self.device,
            "scheduler": self.scheduler.strip() or None,
            **({"slices": f"{self.first}:{self.last + 1}"} if self.region == "slices" else {}),
            **({"options": dict(self.options)} if self.options else {}),
            **({"want": self.wanted} if self.model.goals else {}),
            **({"normalise": False} if self.model.normalises and not self.normalise else {}),
            **({"stains_of": (Path(named).expanduser(),)} if self.is_normalised and named else {}),
        }
