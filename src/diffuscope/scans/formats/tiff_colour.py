"""From the samples of a TIFF as they are stored to channels: YCbCr, palettes, inverted greys, alpha."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

import numpy as np
import tifffile
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.tiff_checks import PALETTE, WHITE_IS_ZERO, YCBCR, is_rgb
from diffuscope.scans.guards.codestreams import BOUNDED, JPEG
from diffuscope.scans.source import as_dtype, over_white

Pixels = NDArray[np.generic]
Convert = Callable[[Pixels], Pixels]

# ExtraSamples
_PREMULTIPLIED, _STRAIGHT = 1, 2
# Of CCIR 601-1, which the TIFF specification gives where a file does not.
_COEFFICIENTS = (0.299, 0.587, 0.114)
_REFERENCE = (0.0, 255.0, 128.0, 255.0, 128.0, 255.0)
_YCBCR_COEFFICIENTS, _SUBSAMPLING, _REFERENCE_BLACK_WHITE = 529, 530, 532


def alpha_of(page: tifffile.TiffPage) -> int | None:
    """Kind of alpha channel, where the last sample is one."""
    extra = tuple(page.extrasamples)
    return int(extra[-1]) if extra and extra[-1] in (_PREMULTIPLIED, _STRAIGHT) else None


def channels_of(page: tifffile.TiffPage) -> int:
    """Channels that a page's samples become; a colour image has red, green and blue, whatever else is stored."""
    return 3 if is_rgb(page) else page.samplesperpixel - (alpha_of(page) is not None)


def is_stored_as_ycbcr(page: tifffile.TiffPage) -> bool:
    """Whether Y, Cb and Cr are what unpacking gives; JPEG's own decoder makes RGB of them, but not plane by plane."""
    by_codec = page.compression not in BOUNDED and not (page.compression in JPEG and page.planarconfig == 2)
    return page.photometric == YCBCR and not by_codec


def converter(page: tifffile.TiffPage, name: str) -> Convert:
    """Return what makes channels of a page's samples.

    Returns
    -------
    callable
        Takes (h, w, samples) as they are stored and unpacked, and returns (h, w, channels).

    Raises
    ------
    InputError
        When the file's numbers on its colours are none.
    """
    kept, alpha = channels_of(page), alpha_of(page)
    if is_stored_as_ycbcr(page):
        coefficients, reference = _numbers(page, name)
        return lambda pixels: ycbcr_to_rgb(pixels, coefficients, reference)
    if page.photometric == PALETTE:
        table = np.asarray(page.colormap).T
        # Some writers fill the 16-bit table with 8-bit numbers; libtiff tells them by this too.
        colours = (table if table.max(initial=0) < 256 else table >> 8).astype(np.uint8)
        return lambda pixels: colours[pixels[..., 0]]
    if page.photometric == WHITE_IS_ZERO:
        # Of whole numbers the complement is the largest less the number. Beneath an alpha white is zero, too.
        return lambda pixels: _over_white(_complement(pixels, kept), kept, alpha)
    return lambda pixels: _over_white(pixels, kept, alpha)


def label_converter(page: tifffile.TiffPage) -> Convert | None:
    """Return what makes labels of a page's samples, 0 outside; None where its channels are labels as they are."""
    kept, alpha = channels_of(page), alpha_of(page)
    if page.photometric == PALETTE:
        return lambda pixels: pixels[..., :1].repeat(kept, axis=-1)
    if alpha is None:
        return None
    inverted = page.photometric == WHITE_IS_ZERO
    return lambda pixels: (_complement(pixels, kept) if inverted else pixels)[..., :kept] * (pixels[..., -1:] != 0)


def _complement(pixels: Pixels, kept: int) -> Pixels:
    out = pixels.copy()
    np.invert(pixels[..., :kept], out=out[..., :kept])
    return out


def _over_white(pixels: Pixels, kept: int, alpha: int | None) -> Pixels:
    if alpha is None:
        return pixels[..., :kept]
    return over_white(pixels[..., [*range(kept), -1]], premultiplied=alpha == _PREMULTIPLIED)


def ycbcr_to_rgb(
    pixels: Pixels,
    coefficients: tuple[float, ...] = _COEFFICIENTS,
    reference: tuple[float, ...] = _REFERENCE,
) -> Pixels:
    """Return RGB of YCbCr, as section 21 of the TIFF 6.0 specification says.

    Parameters
    ----------
    pixels : ndarray of shape (h, w, 3)
        uint8.
    coefficients : tuple of float
        Parts of red, green and blue in Y.
    reference : tuple of float
        Black and white of Y, then of Cb and of Cr.

    Returns
    -------
    ndarray of shape (h, w, 3)
        uint8, rounded to nearest.
    """
    red, green, blue = coefficients
    codes = np.arange(256, dtype=np.float64)
    y, cb, cr = (
        (codes - black) * span / (white - black)
        for black, white, span in zip(reference[::2], reference[1::2], (255, 127, 127), strict=True)
    )
    out = np.empty(pixels.shape, np.uint8)
    light, towards_blue, towards_red = y[pixels[..., 0]], cb[pixels[..., 1]], cr[pixels[..., 2]]
    r = light + towards_red * (2 - 2 * red)
    b = light + towards_blue * (2 - 2 * blue)
    out[..., 0], out[..., 2] = as_dtype(r, out.dtype), as_dtype(b, out.dtype)
    out[..., 1] = as_dtype((light - blue * b - red * r) / green, out.dtype)
    return out


def subsampling_of(page: tifffile.TiffPage) -> tuple[int, int]:
    """(across, down) px that share one Cb and one Cr, where Y, Cb and Cr are what is stored; else (1, 1)."""
    if not is_stored_as_ycbcr(page) or page.planarconfig == 2:
        return 1, 1
    across, down = page.tags.valueof(_SUBSAMPLING, (2, 2))
    return int(across), int(down)


def unpack_units(data: bytes, height: int, width: int, subsampling: tuple[int, int]) -> NDArray[np.uint8]:
    """Return Y, Cb and Cr of the data units of a strip or tile, (height, width, 3); px of a unit share Cb and Cr.

    Raises
    ------
    ValueError
        There are fewer bytes than the units of that size need.
    """
    across, down = subsampling
    rows, columns = ceil(height / down), ceil(width / across)
    luma = across * down
    units = np.frombuffer(data, np.uint8, rows * columns * (luma + 2)).reshape(rows, columns, luma + 2)
    out = np.empty((rows * down, columns * across, 3), np.uint8)
    y = units[..., :luma].reshape(rows, columns, down, across).swapaxes(1, 2)
    out[..., 0] = y.reshape(rows * down, columns * across)
    for number in (1, 2):
        out[..., number] = units[..., luma + number - 1].repeat(down, 0).repeat(across, 1)
    return out[:height, :width]


def check_subsampling(page: tifffile.TiffPage, name: str) -> None:
    """Refuse what is no subsampling, or comes with a predictor, whose order in data units no two readers agree on.

    Raises
    ------
    InputError
        See above.
    """
    across, down = subsampling_of(page)
    if across not in (1, 2, 4) or down not in (1, 2, 4):
        raise InputError(f"{name} says that {across} × {down} px share a colour, which is none of TIFF's ways.")
    if (across, down) != (1, 1) and page.predictor != 1:
        raise InputError(f"{name} stores YCbCr with shared colours and a predictor, which is not read; save it as RGB.")


def _numbers(page: tifffile.TiffPage, name: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    coefficients = _fractions(page, _YCBCR_COEFFICIENTS, _COEFFICIENTS)
    reference = _fractions(page, _REFERENCE_BLACK_WHITE, _REFERENCE)
    spans = [white - black for black, white in zip(reference[::2], reference[1::2], strict=False)]
    if len(coefficients) != 3 or not (min(coefficients) > 0 and max(coefficients) < 1):
        raise InputError(f"{name} has YCbCr coefficients that are none (tag 529); save it as RGB.")
    if len(reference) != 6 or not all(1 <= span < np.inf for span in spans):
        raise InputError(f"{name} has a reference black and white that are none (tag 532); save it as RGB.")
    return coefficients, reference


def _fractions(page: tifffile.TiffPage, code: int, default: tuple[float, ...]) -> tuple[float, ...]:
    """Return a tag's numbers, rational ones as pairs of above and below; of a below of 0 NaN."""
    tag = page.tags.get(code)
    if tag is None:
        return default
    if int(tag.dtype) not in (5, 10):
        return tuple(float(value) for value in np.atleast_1d(tag.value))
    pairs = zip(tag.value[::2], tag.value[1::2], strict=False)
    return tuple(above / below if below else np.nan for above, below in pairs)
