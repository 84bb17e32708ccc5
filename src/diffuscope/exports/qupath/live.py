"""A result's objects put onto the slide that QuPath shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.qupath.features import features
from diffuscope.measurement.measurements import measured_at
from diffuscope.scans.qupath.live import add_objects, connected, read_shown

if TYPE_CHECKING:
    from diffuscope.results.result import Result


def send(result: Result, text: str, *, threshold: float | None = None) -> tuple[str, int, int]:
    """Add the region, the counted objects and the tiles of a result to its slide, as QuPath shows it.

    Parameters
    ----------
    result : Result
        Complete, of a slide.
    text : str
        As of `diffuscope.scans.qupath.live.connected`.
    threshold : float, optional
        The DAB above which a px counts as positive, OD. Default: as the result was measured.

    Returns
    -------
    name : str
        Of the image.
    added, there : int
        How many objects were added, and how many were there already.

    Raises
    ------
    InputError
        It is no result of a slide or not complete, QuPath does not answer or shows another image.
    """
    slide = next((one for one in result.record.get("inputs", {}).values() if "shape" in one), None)
    if slide is None or result.place.what != "slide" or not result.images:
        raise InputError(f"{result.path.name} is no result of a slide: QuPath has no place for it.")
    if not result.complete:
        raise InputError(
            f"{result.path.name} is incomplete ({result.done} of {result.tiles} tiles): run it to the end."
        )
    result = measured_at(result, threshold)
    found = list(features(result, result.record))
    with connected(text) as gateway:
        shown = read_shown(gateway)
        if (shown.path.name, list(shown.shape)) != (Path(slide["name"]).name, list(slide["shape"][:2])):
            raise InputError(
                f"QuPath shows {shown.name}, and {result.path.name} is of {slide['name']}: open that there."
            )
        added = add_objects(gateway, found)
    return shown.name, added, len(found) - added
