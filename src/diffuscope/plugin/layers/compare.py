"""Two layers held against each other: figures, and a map of where they differ. No Qt; not for the main thread."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.measurement.threshold import DAB_THRESHOLD, chosen_threshold, threshold_of
from diffuscope.plugin.layers.facts import KEY, own_metadata
from diffuscope.plugin.layers.inputs.held import held
from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.placement import Placement, canvas_place, layer_placement
from diffuscope.plugin.layers.results import LayerTuple

MOST = 2**23
"""Px of the largest level that is compared, in colour in about 0.8 GiB and 20 s: all measures compute in float64."""
#: Values, DAB, figures, error map.
_PARTS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An image layer as it was when the comparison was asked for.

    Attributes
    ----------
    name : str
        Of the layer.
    levels : sequence of array-like
        Finest first, (h, w), or (h, w, 3 or 4) where `rgb`.
    rgb : bool
        Whether it is in colour.
    placement : Placement
        Where the finest level lies.
    threshold : float or None
        DAB above which a px is positive, OD, where the layer is a result whose record, or user, says it.
    """

    name: str
    levels: Sequence[Any]
    rgb: bool
    placement: Placement
    threshold: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """Two levels of one shape that are held against each other, read.

    Attributes
    ----------
    names : tuple of str
        Of the truth and of what was found.
    levels : tuple of ndarray
        (h, w), or (h, w, 3 or 4) where `rgb`.
    rgb : bool
        Whether they are in colour.
    threshold : float or None
        As of `Picture`.
    note : str
        Which level it is.
    """

    names: tuple[str, str]
    levels: tuple[NDArray[Any], NDArray[Any]]
    rgb: bool
    threshold: float | None
    note: str


@dataclass(frozen=True, eq=False)
class Compared:
    """What two layers have in common.

    Attributes
    ----------
    lines : list of list of str
        Name of the measure with its unit, and the figure.
    notes : str
        What was compared, in a sentence or two.
    layer : LayerTuple
        The error map.
    """

    lines: list[list[str]]
    notes: str
    layer: LayerTuple


def picture_of(layer: Any) -> Picture:
    """Take a napari image layer as it is now.

    Raises
    ------
    InputError
        As of `held`.
    """
    record = own_metadata(layer).get("record", {})
    is_stated = chosen_threshold(record) is not None or "dab_threshold" in record.get("parameters", {})
    return Picture(
        name=layer.name,
        levels=tuple(_whole(level, layer) for level in (layer.data if layer.multiscale else (layer.data,))),
        rgb=bool(layer.rgb),
        placement=layer_placement(layer),
        threshold=threshold_of(record) if is_stated else None,
    )


def _whole(level: Any, layer: Any) -> Any:
    """Return a level of a layer; of a map of ours, what was not computed has the value that files give it."""
    if isinstance(level, Level):
        return level.whole  # read from the result
    declared = own_metadata(layer).get("range")
    if declared is None or not isinstance(level, np.ndarray) or not np.issubdtype(level.dtype, np.floating):
        return held(level, layer.name)
    return np.nan_to_num(level, nan=declared[0])


def read_pair(truth: Picture, found: Picture, *, most: int = MOST) -> tuple[Pair, dict[str, Any]]:
    """Read what of two pictures is compared, and say where it lies.

    Parameters
    ----------
    truth, found : Picture
        Of one shape; of several levels that both have, the finest with at most `most` px is taken.
    most : int
        Px.

    Returns
    -------
    pair : Pair
        The two levels.
    place : dict
        What places the truth's level.

    Raises
    ------
    InputError
        The two cannot be compared.
    """
    number, other = common_level(truth, found, most=most)
    levels = np.asarray(truth.levels[number]), np.asarray(found.levels[other])
    pair = Pair(
        names=(truth.name, found.name),
        levels=levels,
        rgb=truth.rgb,
        threshold=truth.threshold if found.threshold is None else found.threshold,
        note=_level_note(truth, number, most),
    )
    # its px may be larger by another factor along y than along x
    factors = np.array(truth.levels[0].shape[:2], float) / np.array(levels[0].shape[:2], float)
    return pair, canvas_place(truth.placement, factors, (0.0, 0.0))


def compare(pair: Pair) -> Generator[Progress | Compared, None, None]:
    """Compute the measures of `diffuscope.evaluation` that need no more than two pictures, and the error map.

    Colour is compared on the scale 0–255, whatever its type. PSNR and SSIM of anything else take the span of the
    truth's values for the range, 255 where both are 8-bit.

    Parameters
    ----------
    pair : Pair
        The two.

    Yields
    ------
    Progress
        Before each part.
    Compared
        Last; its layer lies nowhere yet, see `placed`.

    Raises
    ------
    InputError
        The two cannot be compared.
    """
    # Not before they are needed: these bring scipy.
    from diffuscope.evaluation.figures import METRICS, Field, Tally
    from diffuscope.stains import dab_density

    yield _at(0, "Reading values")
    pixels = [_values(level, name, rgb=pair.rgb) for level, name in zip(pair.levels, pair.names, strict=True)]
    notes, span = [pair.note], 255.0
    if not pair.rgb and any(level.dtype != np.uint8 for level in pair.levels):
        span = float(np.ptp(pixels[0].astype(np.float64)))
        if not span:
            raise InputError(f"“{pair.names[0]}” has one value everywhere, which gives PSNR and SSIM no range.")
        notes.append(f"PSNR and SSIM take the range of the truth, {span:.4g}.")
    threshold = DAB_THRESHOLD if pair.threshold is None else pair.threshold
    one = Field(pixels[0], pixels[1])
    if pair.rgb:
        yield _at(1, "DAB of both")
        one = Field(pixels[0], pixels[1], truth_dab=dab_density(pixels[0]), found_dab=dab_density(pixels[1]))
        notes.append(f"DAB-positive is above {threshold:g} OD; these figures are of IHC only.")
    for level, name in zip(pair.levels, pair.names, strict=True):
        if pair.rgb and level.shape[2] == 4 and (empty := np.mean(level[..., 3] == 0)):
            notes.append(f"{empty:.1%} of “{name}” is transparent, and counted in its colour.")
    yield _at(2, "Figures")
    tally = Tally(data_range=span, threshold=threshold)
    if not tally.add(one):
        notes.append("The two are equal, so that PSNR is infinite.")
    lines = [
        # The unit of the MSE is the pictures' own, and digits that suit 0–255 suit no other range.
        [METRICS[key].label, f"{value:.4g}" if key == "mse" else f"{value:.{METRICS[key].digits}f}"]
        for key, value in tally.figures().items()
    ]
    yield _at(3, "Error map")
    layer = error_layer(*pixels, name=f"{pair.names[1]} − {pair.names[0]}", place={})
    yield Compared(lines, " ".join(notes), layer)


def _at(part: int, what: str) -> Progress:
    return Progress(done=part, total=_PARTS, what=f"{what}, part {part + 1} of {_PARTS}")


def placed(compared: Compared, place: dict[str, Any]) -> Compared:
    """Return a comparison whose error map lies at a place."""
    data, about, kind = compared.layer
    return replace(compared, layer=(data, about | place, kind))


def common_level(truth: Picture, found: Picture, *, most: int) -> tuple[int, int]:
    """Return the numbers of the finest levels of one shape that have at most `most` px.

    Raises
    ------
    InputError
        The finest levels differ in shape, one is in colour and the other is not, or all levels are too large.
    """
    own, other = ([level.shape[:2] for level in picture.levels] for picture in (truth, found))
    if own[0] != other[0]:
        raise InputError(
            f"“{truth.name}” has {_size(own[0])} and “{found.name}” {_size(other[0])}: choose two layers of one shape, "
            "or register or crop one first."
        )
    if truth.rgb != found.rgb:
        colour, grey = (truth, found) if truth.rgb else (found, truth)
        raise InputError(f"“{colour.name}” is in colour and “{grey.name}” is not: choose two layers of one kind.")
    for number, size in enumerate(own):
        if size in other and prod(size) <= most:
            return number, other.index(size)
    raise InputError(
        f"“{truth.name}” and “{found.name}” have {_size(own[0])} and no level of one shape within {most / 1e6:.1f} "
        "million px: crop them, or save them as pyramids."
    )


def error_layer(
    truth: NDArray[np.generic], found: NDArray[np.generic], *, name: str, place: dict[str, Any]
) -> LayerTuple:
    """Describe the absolute difference (mean over channels) of two pictures (h, w, c) as a layer.

    The half per cent that is worst does not set the contrast: rare large errors must not darken all others.
    """
    error = np.abs(truth.astype(np.float32) - found.astype(np.float32)).mean(axis=2)
    most = float(np.percentile(error, 99.5)) or float(error.max()) or 1.0
    about = {
        "name": f"absolute error: {name}",
        "rgb": False,
        "colormap": "inferno",
        "contrast_limits": (0.0, most),
        "metadata": {KEY: {"evaluation": name}},
        **place,
    }
    return error, about, "image"


def _values(level: NDArray[Any], name: str, *, rgb: bool) -> NDArray[Any]:
    """Return (h, w, c): colour without its opacity on the scale 0–255, anything else as it is."""
    values = level[..., :3] if rgb else level[..., None]
    if not np.isfinite(values).all():
        raise InputError(f"“{name}” holds values that are no finite numbers, and cannot be compared.")
    if rgb and values.dtype != np.uint8:
        top = 1.0 if np.issubdtype(values.dtype, np.floating) else np.iinfo(values.dtype).max
        return values * np.float32(255.0 / top)
    return values


def _level_note(truth: Picture, number: int, most: int) -> str:
    size = _size(truth.levels[number].shape)
    if number == 0:
        return f"Compared at full resolution, {size}."
    factor = truth.levels[0].shape[0] / truth.levels[number].shape[0]
    return (
        f"Compared at level {number + 1} of {len(truth.levels)}, {size}, reduced {factor:.3g}×: finer ones have more "
        f"than {most / 1e6:.1f} million px, or are not in both."
    )


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]:,} × {shape[0]:,} px"
