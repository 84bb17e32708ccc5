"""Libraries that only some formats need: told in one sentence where one is not installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

from diffuscope.errors import InputError

#: What reads and writes volumes, and the extra of Diffuscope that installs it.
OF_VOLUMES = ("SimpleITK", "pydicom")
EXTRA_OF_VOLUMES = "volumes"
#: What reads slides whose makers have a format of their own, and the extra that installs it.
OF_OPENSLIDE, OF_SLIDEIO = ("openslide",), ("slideio",)
EXTRA_OF_SLIDES = "slides"
#: What reads from the net, by the scheme of an address.
OF_ADDRESSES = {"http": ("aiohttp",), "https": ("aiohttp",), "s3": ("fsspec", "s3fs")}
EXTRA_OF_ADDRESSES = "remote"


def check_libraries(
    name: str, what: str = "a volume", libraries: Sequence[str] = OF_VOLUMES, extra: str = EXTRA_OF_VOLUMES
) -> None:
    """Refuse to open or write a file without the libraries that do it.

    Parameters
    ----------
    name, what : str
        Of the file: its name, and ``"a volume"`` or ``"a slide"``.
    libraries : sequence of str
        Names to import.
    extra : str
        Of Diffuscope, that installs them.

    Raises
    ------
    InputError
        One of them is not installed.
    """
    missing = [library for library in libraries if importlib.util.find_spec(library) is None]
    if missing:
        raise InputError(
            f'{name} is {what}; to open it install {" and ".join(missing)}: pip install "diffuscope[{extra}]".'
        )
