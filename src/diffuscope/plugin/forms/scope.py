"""What of an input a dock computes: one face for slides and volumes, of which each dock has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from diffuscope.errors import InputError
from diffuscope.plugin.forms.planes import PLANES, acquired_text, seen_plane
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts
from diffuscope.scans import resampling_factor
from diffuscope.scans.box import volume_factors
from diffuscope.tiling.region import Region


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What can be chosen of an input, and what must be known of it.

    Attributes
    ----------
    axes : {"yx", "zyx"}
        Those of the layers and of the models' images.
    regions : mapping of str to str
        Key and name of what can be computed of an input, the default first.
    fields : frozenset of str
        Fields of a `RunForm` that only some docks have, and this one has.
    drawing : tuple of (str, object)
        Field of a `RunForm` and the value that drawing gives it.
    drawn : str
        What may be drawn, for a message.
    unknown : callable (layer, mpp) -> str
        What must be given of the main input before a run, as one sentence; empty where all is known. `mpp` is what the
        user gave, 0 for nothing.
    resolution : callable (layer, model, mpp) -> str
        Which µm/px or mm were found and are needed, and what follows from that.
    check_seen : callable (viewer, layer)
        Raises `InputError` where nothing can be drawn in what the viewer shows of the main input.
    check_drawn : callable (region, name)
        Raises `InputError` where what is drawn in the layer `name` cannot be computed.
    """

    axes: Literal["yx", "zyx"]
    regions: Mapping[str, str]
    fields: frozenset[str]
    drawing: tuple[str, object]
    drawn: str
    unknown: Callable[[SlideFacts, float], str]
    resolution: Callable[[SlideFacts, ModelFacts, float], str]
    check_seen: Callable[[Any, SlideFacts | None], None]
    check_drawn: Callable[[Region, str], None]


def _unknown_mpp(slide: SlideFacts, mpp: float) -> str:
    return "" if mpp or slide.mpp is not None else "Give the slide's µm/px: the file does not state it."


def _mpp_text(slide: SlideFacts, model: ModelFacts, mpp: float) -> str:
    needed = f"the model needs {model.mpp:.3g}"
    used = mpp or slide.mpp
    if used is None:
        return f"The slide does not state its µm/px; {needed}. Give it below (40x is about 0.25, 20x about 0.5)."
    found = f"Given: {mpp:.3g} µm/px" if mpp else f"Found: {used:.3g} µm/px"
    said = slide.file_mpp if slide.is_rescaled else slide.mpp
    if said is not None and (mpp or slide.is_rescaled):
        found += f" (the file says {said:.3g})"
    factor = resampling_factor(replace(slide, mpp=used), model.mpp)
    if factor == 1.0:
        return f"{found}; {needed}: used as it is."
    if factor > 1.0:
        return f"{found}; {needed}: reduced {factor:.2f}×."
    return f"{found}; {needed}: enlarged {1 / factor:.2f}×, which adds no detail."


def _spacing_text(volume: SlideFacts, model: ModelFacts, _mpp: float) -> str:
    spacing = model.inputs[0].spacing
    assert spacing is not None  # of a model of volumes
    plane = " × ".join(f"{step:.3g}" for step in reversed(spacing[1:]))
    needed = f"the model needs {plane} mm in the plane of a slice"
    if spacing[0] is not None:
        needed = f"the model needs {plane} × {spacing[0]:.3g} mm"
    if volume.spacing is None:
        return f"The volume does not state its mm; {needed}."
    found = " × ".join(f"{step:.3g}" for step in reversed(volume.spacing))
    fits = volume_factors(volume.spacing, spacing) == (1.0, 1.0, 1.0)
    text = f"Found: {found} mm (x, y, z), {volume.slices} slices; {needed}: {'used as it is' if fits else 'resampled'}."
    return " ".join(filter(None, (text, acquired_text(volume.spacing))))


def _found_text(volume: SlideFacts, _model: ModelFacts, _mpp: float) -> str:
    if volume.spacing is None:
        return "The volume does not state its mm."
    found = " × ".join(f"{step:.3g}" for step in reversed(volume.spacing))
    return f"Found: {found} mm (x, y, z), {volume.slices} slices."


def _image_text(image: SlideFacts, model: ModelFacts, mpp: float) -> str:
    needed = f"the model needs {model.mpp:.4g}"
    used = mpp or image.mpp
    if used is None:
        return f"“{image.name}” does not state its µm/px; {needed}. Give it below: 1 mm is 1000 µm."
    factor = resampling_factor(replace(image, mpp=used), model.mpp)
    what = "used as it is" if factor == 1.0 else "resampled"
    return f"{'Given' if mpp else 'Found'}: {used:.4g} µm/px; {needed}: {what}."


def _unknown_size(image: SlideFacts, mpp: float) -> str:
    return "" if mpp or image.mpp is not None else f"Give the µm/px of “{image.name}”: it does not state it."


def _check_axial(viewer: Any, volume: SlideFacts | None) -> None:
    """Refuse to draw across another axis than that of the slices."""
    plane = seen_plane(viewer, volume.lies.storage) if volume and volume.lies else seen_plane(viewer)
    if plane != 0:
        seen = "the 3D view" if plane is None else f"{PLANES[plane]} cuts"
        raise InputError(f"You look at {seen}: go back to axial slices in 2D to draw within them.")


def _check_upright(region: Region, name: str) -> None:
    if region.polygon is not None:
        raise InputError(f"Of a volume only an upright rectangle is computed: draw one in “{name}”.")


SLIDES = Scope(
    axes="yx",
    # What is in view first: all tissue of a slide can take hours.
    regions={"view": "Current view", "shape": "Drawn shapes", "tissue": "All tissue"},
    fields=frozenset({"mpp"}),
    drawing=("region", "shape"),
    drawn="a rectangle, an ellipse or a polygon",
    unknown=_unknown_mpp,
    resolution=_mpp_text,
    check_seen=lambda _viewer, _slide: None,
    check_drawn=lambda _region, _name: None,
)
#: Flat images that are taken whole, as a model of texts and images does.
IMAGES = replace(
    SLIDES, regions={"image": "Whole image"}, drawn="nothing", unknown=_unknown_size, resolution=_image_text
)
VOLUMES = Scope(
    axes="zyx",
    # A slice first: it tells in seconds what the volume will look like in minutes.
    regions={"slice": "This slice", "slices": "Slices from … to …", "volume": "Whole volume"},
    fields=frozenset({"within"}),
    drawing=("within", True),
    drawn="a rectangle",
    unknown=lambda _volume, _mpp: "",  # a layer whose mm nobody says is a problem of its own
    resolution=_spacing_text,
    check_seen=_check_axial,
    check_drawn=_check_upright,
)
#: Volumes that are taken whole and as they are.
CASES = Scope(
    axes="zyx",
    regions={"volume": "Whole volume"},
    fields=frozenset(),
    drawing=("region", "volume"),
    drawn="nothing",
    unknown=lambda _volume, _mpp: "",
    resolution=_found_text,
    check_seen=_check_axial,
    check_drawn=_check_upright,
)
