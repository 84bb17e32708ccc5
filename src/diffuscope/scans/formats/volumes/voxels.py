"""Voxels of an opened volume: read when they are first asked for, and what is no number among them told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.lattice import Lattice, Storage


class Voxels:
    """The voxels of a volume as it is shown, (z, y, x); read whole when a part is first asked for, then kept.

    Infinite values become NaN, which all who read volumes count as background; a volume of nothing else is refused.

    Parameters
    ----------
    load : callable
        Reads them, in the file's order.
    lattice, storage : Lattice, Storage
        From `diffuscope.scans.lattice.upright`.
    dtype : dtype
        To which they are brought.
    name : str
        For messages.
    """

    ndim = 3

    def __init__(
        self, load: Callable[[], NDArray[np.generic]], lattice: Lattice, storage: Storage, dtype: Any, name: str
    ) -> None:
        self.shape: tuple[int, ...] = lattice.shape
        self.dtype = np.dtype(dtype)
        self.notices: tuple[str, ...] = ()
        self._load, self._storage, self._name = load, storage, name
        self._held: NDArray[np.generic] | None = None
        self._lock = threading.Lock()

    def __getitem__(self, key: Any) -> NDArray[np.generic]:
        """Return a part, as NumPy cuts it."""
        with self._lock:
            if self._held is None:
                self._held = self._read()
        return self._held[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """Return all of them."""
        return np.array(self[:], dtype=dtype, copy=copy)

    def _read(self) -> NDArray[np.generic]:
        try:
            stored = self._load().astype(self.dtype, copy=False)
        except RuntimeError as error:
            raise InputError(f"{self._name} cannot be read to its end ({reason(error)}); copy it again.") from error
        except OSError as error:
            raise InputError(f"{self._name} cannot be read ({error.strerror or error}).") from error
        except MemoryError as error:
            raise InputError(
                f"{self._name} does not fit into memory: close other programs, or save a part of it or a coarser one."
            ) from error
        if stored.dtype.kind == "f":
            self._tell(stored)
        return self._storage.show(stored)

    def _tell(self, stored: NDArray[Any]) -> None:
        """Count what is no number, and make NaN of what is infinite; plane by plane, to take no memory."""
        count = 0
        for plane in stored:
            wrong = ~np.isfinite(plane)
            if wrong.any():
                count += int(wrong.sum())
                plane[wrong] = np.nan
        if count == stored.size:
            raise InputError(f"{self._name} holds no number at all, only NaN or infinite values: save it again.")
        if count:
            part = 100 * count / stored.size
            told = f"{self._name} has {count:,} voxels ({part:.2g} %) that are no number (NaN or infinite)"
            self.notices = (f"{told}: they count as background, and maps that are made of it are NaN there.",)


def reason(error: RuntimeError) -> str:
    """Return the last line of ITK's complaint, which names the cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rpartition("): ")[2].rstrip(".") if lines else type(error).__name__
