"""The form "Register" without a widget: what is chosen, what is missing, and the job that it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.place import FILE, check_place
from diffuscope.plugin.jobs.register import Request, Side
from diffuscope.plugin.layers.facts import finest, slide_facts
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.plugin.layers.marks import clicked_pairs
from diffuscope.plugin.layers.placement import layer_placement

NONE, POINTS, TABLE = "none", "points", "table"


@dataclass
class SlideChoice:
    """One of the two slides.

    Attributes
    ----------
    name : str
        What it is called when it is missing.
    layer : Image or None
        Its layer.
    mpp : float
        µm per pixel given by the user; 0: as the file says.
    points : Points or None
        Landmarks on it.
    """

    name: str
    layer: Any = None
    mpp: float = 0.0
    points: Any = None

    def side(self) -> Side:
        """Return the slide as the job takes it.

        Raises
        ------
        InputError
            None is chosen, or nobody says its µm/px.
        """
        if self.layer is None:
            raise InputError(f"Choose the {self.name} slide: open it in the viewer, or press … to choose a file.")
        facts = slide_facts(self.layer)
        if facts.problem:
            raise InputError(facts.problem)
        if facts.mpp is None and not self.mpp:
            raise InputError(f"“{facts.name}” does not state its µm/px: give it below that slide (40x is about 0.25).")
        pixels = held(finest(self.layer), facts.name) if facts.path is None else None
        return Side(facts=facts, pixels=pixels, mpp=self.mpp or facts.changed_mpp)


@dataclass
class RegisterForm:
    """Everything that a user chooses before Run.

    Attributes
    ----------
    fixed, moving : SlideChoice
        The slide that stays and the one that is moved.
    landmarks : {"none", "points", "table"}
        Where pairs of points come from: nowhere, the Points layers of both slides, `table`.
    table : str
        CSV file, as `diffuscope register --landmarks` takes it.
    affine_only : bool
        Leave the B-spline out.
    out : str
        Result folder.
    """

    fixed: SlideChoice = field(default_factory=lambda: SlideChoice("H&E"))
    moving: SlideChoice = field(default_factory=lambda: SlideChoice("restained"))
    landmarks: str = NONE
    table: str = ""
    affine_only: bool = False
    out: str = ""

    @property
    def path(self) -> Path:
        """Result folder to write."""
        return Path(self.out.strip()).expanduser().absolute()

    def request(self, *, overwrite: bool) -> Request:
        """Return the job, bound to what is chosen now.

        Raises
        ------
        InputError
            Something is missing or does not fit together.
        """
        fixed, moving = self.fixed.side(), self.moving.side()
        if self.fixed.layer == self.moving.layer:  # napari wraps a layer anew each time: no identity
            raise InputError(f"“{fixed.facts.name}” is chosen twice: choose the H&E and its restain.")
        if not self.out.strip():
            raise InputError("Say which folder the registered slide is to be written to.")
        request = Request(
            fixed=fixed,
            moving=moving,
            placement=layer_placement(self.fixed.layer),
            landmarks=self._landmarks(),
            affine_only=self.affine_only,
            out=self.path,
            overwrite=overwrite,
        )
        if self.landmarks == POINTS:
            way_out = "choose another name for the result"
            check_place(request.kept_landmarks, FILE, overwrite=overwrite, way_out=way_out)
        return request

    def _landmarks(self) -> Any:
        if self.landmarks == TABLE:
            if not self.table.strip():
                raise InputError("Choose the CSV file of landmarks, or no landmarks.")
            return Path(self.table.strip()).expanduser().absolute()
        if self.landmarks == POINTS:
            points = self.fixed.points, self.moving.points
            if None in points:
                raise InputError("Choose a Points layer for each slide: add one, and click the same places on both.")
            return clicked_pairs(points, (self.fixed.layer, self.moving.layer))
        return None
