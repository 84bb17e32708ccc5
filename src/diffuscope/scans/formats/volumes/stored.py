"""Voxels as a file keeps them: where they lie in it, whether all of them can be there, and their reading."""

from __future__ import annotations

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.files.memory import free_memory
from diffuscope.scans.contents import VolumeContents
from diffuscope.scans.formats.volumes.nifti_forms import Forms
from diffuscope.scans.formats.volumes.packing import MOST, Packing, damage_in_words, drain, fill, inflate, skip, unpack
from diffuscope.scans.lattice import Lattice

# Unpacked at once, voxels.
_BLOCK = 2**22
# Above so many bytes voxels that need no change are mapped, not read: the system loads what is looked at.
_MAPPED = 2**28
# A file that would unpack to more than this, and that many times its own size, is a trap rather than a volume.
_LARGE, _TIMES = 400 * 10**6, 200
# Packed files are unpacked at once up to this size, and where values are other than what is stored up to this much that
# comes out, bytes: both lie in memory beside the values.
_AT_ONCE = 2**28
# And up to this much of both, packed and unpacked, bytes: opening anything takes less than 500 MB (docs/security.md).
_BESIDE = 400 * 10**6
# A packed file whose length says nothing is unpacked when it is opened, if it is not larger than this, bytes.
_LOOKED_THROUGH, _UNPACKED = 32 * 2**20, 256 * 2**20


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A file, or the part of it, that holds voxels.

    Attributes
    ----------
    path : Path
        The file.
    start : int
        Byte of the file at which what is packed begins.
    skip : int
        Bytes of what comes out that are none of voxels.
    """

    path: Path
    start: int = 0
    skip: int = 0


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The voxels of a volume in its files.

    Attributes
    ----------
    name : str
        Of the volume's file, for messages.
    pieces : tuple of Piece
        In their order, each with as many voxels as any other.
    packing : str
        Of all of them.
    shape : tuple of int
        (z, y, x).
    dtype : numpy.dtype
        In the file, with its byte order.
    slope, intercept : float
        By which stored numbers become values: ``slope * number + intercept``.
    """

    name: str
    pieces: tuple[Piece, ...]
    packing: Packing
    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    slope: float = 1.0
    intercept: float = 0.0

    def contents(
        self, kind: str, path: Path, lattice: Lattice, *, notices: tuple[str, ...], forms: Forms | None = None
    ) -> VolumeContents:
        """Return what was found of a volume: of a `kind` of file, at `path`, whose voxels lie on a lattice.

        Raises
        ------
        InputError
            As of `check`.
        """
        return VolumeContents(
            format=kind,
            lattice=lattice,
            dtype=self.values_dtype,
            load=self.load,
            files=tuple(dict.fromkeys((path, *(piece.path for piece in self.pieces)))),
            notices=(*notices, *self.check()),
            forms=forms,
        )

    @property
    def is_scaled(self) -> bool:
        """Whether values are other than what is stored."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def values_dtype(self) -> np.dtype[Any]:
        """Of what `load` gives: float32 where values are scaled; no scanner measures to the 16 digits of a double."""
        if self.is_scaled or self.dtype.kind == "f":
            return np.dtype(np.float32)
        return self.dtype.newbyteorder("=")

    @property
    def voxels(self) -> int:
        """How many there are."""
        return int(np.prod(self.shape, dtype=object))

    def check(self) -> tuple[str, ...]:
        """See whether the files can hold what is claimed; nothing is unpacked but small files that do not tell.

        Returns
        -------
        tuple of str
            What is odd, one sentence each.

        Raises
        ------
        InputError
            Voxels are missing, or what comes out would be out of all proportion.
        """
        if self.shape[0] % len(self.pieces):
            raise InputError(
                f"{self.name} spreads {self.shape[0]} slices over {len(self.pieces)} files, not as many each."
            )
        odd = {said for piece in self.pieces for said in self._check(piece)}
        return tuple(sorted(odd))

    def load(self) -> NDArray[np.generic]:
        """Return the values, (z, y, x).

        Raises
        ------
        InputError
            They are not all there, a checksum is wrong, or the memory cannot hold them.
        """
        [first, *others] = self.pieces
        whole = not others and self.packing == "raw" and self.dtype == self.values_dtype
        if whole and self.voxels * self.dtype.itemsize > _MAPPED:
            with damage_in_words(self.name):
                return np.memmap(first.path, self.dtype, "c", first.start + first.skip, self.shape)
        need = self.voxels * self.values_dtype.itemsize
        free = free_memory()
        if free is not None and need > free:
            raise InputError(
                f"{self.name} needs {need / 1e9:.2g} GB of memory, and {free / 1e9:.2g} GB are free: "
                "close other programs, or save a part of it or a coarser one."
            )
        if not others and self.dtype == self.values_dtype and not self.is_scaled:
            stored = self._at_once(first, self.voxels)
            if stored is not None:
                return stored.reshape(self.shape)
        out = np.empty(self.shape, self.values_dtype)
        parts = out.reshape(len(self.pieces), -1)
        for piece, part in zip(self.pieces, parts, strict=True):
            small = part.size * self.dtype.itemsize <= _AT_ONCE
            stored = self._at_once(piece, part.size) if small else None
            if stored is not None:
                for start in range(0, part.size, _BLOCK):
                    self._put(part[start : start + _BLOCK], stored[start : start + _BLOCK])
                continue
            with damage_in_words(self.name), piece.path.open("rb") as file:
                file.seek(piece.start)
                self._read(file, piece.skip, part)
        return out

    def _at_once(self, piece: Piece, count: int) -> NDArray[np.generic] | None:
        """Return what one piece stores, (count,), where it can be unpacked at once and nothing is odd about it."""
        need = piece.skip + count * self.dtype.itemsize
        packed, free = piece.path.stat().st_size, free_memory()
        if packed > _AT_ONCE or packed + need > _BESIDE or (free is not None and 2 * need + packed > free):
            return None
        if self.packing == "gzip" and _says(piece) != need % 2**32:
            return None
        with piece.path.open("rb") as file:
            file.seek(piece.start)
            found = inflate(file, self.packing, need)
        return None if found is None else found[piece.skip :].view(self.dtype)

    def _read(self, file: BinaryIO, before: int, out: NDArray[np.generic]) -> None:
        """Read the voxels of one piece."""
        if self.packing == "text":
            self._put(out, _numbers(file, out.size, self.dtype))
            return
        source = unpack(file, self.packing)
        skip(source, before)
        block = np.empty(min(_BLOCK, out.size), self.dtype)
        for start in range(0, out.size, _BLOCK):
            part = block[: out.size - start]
            fill(source, part.view(np.uint8).data)
            self._put(out[start : start + _BLOCK], part)
        if self.packing != "raw":
            drain(source, self.name)

    def _put(self, out: NDArray[np.generic], stored: NDArray[np.generic]) -> None:
        # What is too large for float32 becomes infinite, and as such is told.
        with np.errstate(over="ignore", invalid="ignore"):
            out[:] = stored.astype(np.float64) * self.slope + self.intercept if self.is_scaled else stored

    def _check(self, piece: Piece) -> tuple[str, ...]:
        """Check one piece as `check` says."""
        of = self.name if piece.path.name == self.name else f"{self.name} (its file {piece.path.name})"
        about = piece.path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise InputError(f"{of} is no ordinary file: copy the volume into a folder of its own.")
        there, count = about.st_size - piece.start, self.voxels // len(self.pieces)
        need = piece.skip + count * self.dtype.itemsize
        most = {"raw": there, "gzip": there * MOST, "zlib": there * MOST, "text": there * self.dtype.itemsize}
        if need > most.get(self.packing, need):
            raise InputError(
                f"{of} lost its end, or its header is wrong: it has room for {max(there, 0):,} bytes and "
                f"claims {need:,}{'' if self.packing == 'raw' else ' unpacked'}; copy it again."
            )
        if need > _LARGE and self.packing != "raw" and need > _TIMES * there:
            raise InputError(
                f"{of} would unpack to {need / 1e9:.2g} GB, {need // max(there, 1):,} times its size: "
                "if that is right, unpack it first and open what comes out."
            )
        plane = self.shape[1] * self.shape[2] * self.dtype.itemsize
        if self.packing == "raw":
            return _surplus(self.name, there - need, plane)
        if (
            self.packing == "gzip"
            and _says(piece) != need % 2**32
            and max(there / _LOOKED_THROUGH, need / _UNPACKED) < 1
        ):
            with damage_in_words(self.name), piece.path.open("rb") as file:
                file.seek(piece.start)
                source = unpack(file, "gzip")
                skip(source, need)
                return _surplus(self.name, drain(source, self.name), plane)
        return ()


def _surplus(name: str, count: int, plane: int) -> tuple[str, ...]:
    """Tell of more bytes than the header says, which padding does not explain."""
    if count < max(plane, 1024):
        return ()
    return (f"{name} holds {count:,} bytes more than its header says: they are left out.",)


def _says(piece: Piece) -> int:
    """Return the length that a gzip file says at its end to have, modulo 2³²; of one of several parts its last's."""
    with piece.path.open("rb") as file:
        file.seek(max(piece.path.stat().st_size - 4, 0))
        return int.from_bytes(file.read(4), "little")


def _numbers(file: BinaryIO, count: int, dtype: np.dtype[Any]) -> NDArray[np.float64]:
    """Return numbers that are written out, which must be such as a type can hold."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            found = np.fromfile(file, np.float64, count, sep=" ")
        except DeprecationWarning as error:
            raise ValueError("something among the numbers is none") from error
    if len(found) < count:
        raise EOFError("the data end too early")
    if dtype.kind in "iu" and not (
        np.isfinite(found).all()
        and (found == np.rint(found)).all()
        and np.iinfo(dtype).min <= found.min()
        and found.max() <= np.iinfo(dtype).max
    ):
        raise ValueError(f"its numbers are not all {dtype.name}")
    return found
