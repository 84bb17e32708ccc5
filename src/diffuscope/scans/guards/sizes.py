"""How large an image and its pieces may be: what a file claims is looked at before anything is made of that size."""

from __future__ import annotations

from math import prod

from diffuscope.errors import InputError

# Px of a side and of a plane: a metre of tissue, and a square of a quarter of one, at 0.25 µm/px.
_SIDE, _PLANE = 2**22, 2**40
#: Channels, or planes of one: imaging mass cytometry has some 50, a spectrum of light some hundred.
PLANES = 4096
#: Bytes of a tile, strip or chunk that can only be unpacked as a whole: two copies of it at a time are held.
PIECE = 2**27
#: Bytes of a picture that can only be unpacked as a whole (PNG, JPEG).
PICTURE = 400 * 10**6


def check_size(name: str, height: int, width: int) -> None:
    """Refuse an image of a size that none has.

    Raises
    ------
    InputError
        It has no pixel, or more than any slide.
    """
    if height < 1 or width < 1:
        raise InputError(f"{name} claims {width} × {height} px and so holds no image; copy or download it again.")
    if max(height, width) > _SIDE or height * width > _PLANE:
        raise InputError(f"{name} claims {width} × {height} px, more than any slide has; copy or download it again.")


def check_planes(name: str, planes: int) -> None:
    """Refuse an image of so many channels or planes that it is none.

    Raises
    ------
    InputError
        There are more than `PLANES`.
    """
    if planes > PLANES:
        raise InputError(
            f"{name} claims {planes} channels or planes, more than the {PLANES} that are read: save those you need."
        )


def check_piece(name: str, shape: tuple[int, ...], itemsize: int, what: str) -> None:
    """Refuse an image whose pieces are too large to be read one at a time.

    Parameters
    ----------
    name : str
        For messages.
    shape : tuple of int
        Of a piece, all its channels with it.
    itemsize : int
        Bytes of a value.
    what : str
        What such a piece is called: ``"tile"``, ``"strip"``, ``"chunk"``.

    Raises
    ------
    InputError
        One has no value, or more than `PIECE` bytes.
    """
    if min(shape) < 1:
        raise InputError(f"{name} has {what}s without any pixel ({_sides(shape)}); copy or download it again.")
    if prod(shape) * itemsize > PIECE:
        raise InputError(
            f"{name} has {what}s of {_sides(shape)} values, which need {prod(shape) * itemsize / 1e6:.0f} MB each, and "
            f"at most {PIECE / 1e6:.0f} MB are read at once; save it in tiles of 512 px."
        )


def _sides(shape: tuple[int, ...]) -> str:
    return " × ".join(str(side) for side in shape)
