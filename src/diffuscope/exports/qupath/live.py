"""A result's objects put onto the slide that QuPath shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.qupath.features import features
from diffuscope.measurement.measurements import measured_at
from diffuscope.scans.qupath.live import connected, put_objects, read_shown

if TYPE_CHECKING:
    from diffuscope.results.result import Result


def send(result: Result, text: str, *, threshold: float | None = None) -> str:
    """Put the region, the counted objects and the tiles of a result onto its slide, as QuPath shows it.

    Those of the same result that are there from another threshold on go.

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
    str
        A sentence on how many objects were added to which image, how many were there already, and how many went.

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
            f"{result.path.name} is incomplete ({result.done} of {result.tiles} {result.unit}): run it to the end."
        )
    result = measured_at(result, threshold)
    found = list(features(result, result.record))
    with connected(text) as gateway:
        shown = read_shown(gateway)
        if (shown.path.name, list(shown.shape)) != (Path(slide["name"]).name, list(slide["shape"][:2])):
            raise InputError(
                f"QuPath shows {shown.name}, and {result.path.name} is of {slide['name']}: open that there."
            )
        added, removed = put_objects(gateway, found)
    there = len(found) - added
    more = f"{f', {there} were there' if there else ''}{f', {removed} of an earlier count removed' if removed else ''}"
    return f"{shown.name} in QuPath: {added} objects added{more}."
