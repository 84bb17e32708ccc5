"""A hash that tells one file from another, quick whatever the size.

It has two parts, ``"old-new"``. The old one, of a file's size and its first and last MiB, is all that records of an
older Diffuscope hold; the new one is of the whole of a small file, and of blocks all over a large one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

_MIB = 2**20
# Up to this size all is read; of more, so many blocks of so many bytes.
_WHOLE, _BLOCKS, _BLOCK = 32 * _MIB, 64, 128 * 2**10
# Files of a folder that are looked for before it counts as large, and entries that are taken of each folder then.
_FEW, _SOME = 2000, 12


def fingerprint(path: Path, *beside: Path) -> str:
    """Hash of a file, or of a folder's files: it tells one slide from another, and from itself once it was changed.

    Of an OME-Zarr folder its metadata are taken, and of many chunks some of every level. Of links and pipes in it
    nothing is: they are not read as a part of it either.

    Parameters
    ----------
    path : Path
        The file or folder.
    *beside : Path
        Other files that hold a part of it.
    """
    if path.is_file():
        return fingerprint_of([path, *beside])
    old, new = _digests()
    for file in _first_chunks(path):
        old.update(str(file.relative_to(path)).encode())
        _add_ends(old, file)
    files = sorted(islice(_walk(path), _FEW + 1))
    if len(files) > _FEW:
        files = sorted({*_sample(path), *_metadata(path)})
    for file in files:
        new.update(str(file.relative_to(path)).encode())
        _add(new, file, among=len(files))
    return f"{old.hexdigest()}-{new.hexdigest()}"


def fingerprint_of(files: Sequence[Path]) -> str:
    """Hash of some files, one after the other."""
    old, new = _digests()
    for file in files:
        _add_ends(old, file)
        _add(new, file, among=len(files))
    return f"{old.hexdigest()}-{new.hexdigest()}"


def is_same(one: str, other: str) -> bool:
    """Whether two fingerprints are of the same file, as far as both know; one may be of an older Diffuscope."""
    return all(a == b for a, b in zip(str(one).split("-"), str(other).split("-"), strict=False))


def _digests() -> tuple[hashlib.blake2b, hashlib.blake2b]:
    return hashlib.blake2b(digest_size=16), hashlib.blake2b(digest_size=16)


def _first_chunks(path: Path) -> Iterator[Path]:
    """Yield the metadata of an OME-Zarr folder and the first chunks of its coarsest level."""
    yield from _metadata(path)
    levels = sorted(one for one in path.glob("*") if one.is_dir() and one.name.isdigit() and not one.is_symlink())
    yield from islice(_in_order(levels[-1]), 16) if levels else ()


def _in_order(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder and below in the order of their paths; none is listed before it is its turn."""
    with os.scandir(folder) as found:
        entries = sorted((one.name, one.is_dir(follow_symlinks=False)) for one in found if not one.is_symlink())
    for name, is_folder in entries:
        if is_folder:
            yield from _in_order(folder / name)
        elif _is_plain(folder / name):
            yield folder / name


def _metadata(path: Path) -> list[Path]:
    found = sorted(path.glob("*")) + sorted(path.glob("*/.z*")) + sorted(path.glob("*/zarr.json"))
    return [file for file in found if _is_plain(file) and (file.parent == path or not file.parent.is_symlink())]


def _walk(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder; what begins with a dot is none of an image but zarr's metadata."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        shown = (Path(place) / name for name in names if not name.startswith(".") or name.startswith(".z"))
        yield from (file for file in shown if _is_plain(file))


def _sample(folder: Path) -> Iterator[Path]:
    """Yield files from all over a folder of many: some of what lies in each folder."""
    with os.scandir(folder) as found:
        shown = (one for one in found if not one.name.startswith(".") and not one.is_symlink())
        entries = sorted((one.name, one.is_dir()) for one in shown)
    for name, is_folder in _spread(entries):
        if is_folder:
            yield from _sample(folder / name)
        elif _is_plain(folder / name):
            yield folder / name


def _is_plain(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _spread(entries: list[tuple[str, bool]]) -> list[tuple[str, bool]]:
    if len(entries) <= _SOME:
        return entries
    return [entries[i * (len(entries) - 1) // (_SOME - 1)] for i in range(_SOME)]


def _add_ends(digest: hashlib.blake2b, file: Path) -> None:
    """Add a file's size, first MiB and last MiB to a hash."""
    size = file.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with file.open("rb") as data:
        digest.update(data.read(_MIB))
        data.seek(max(_MIB, size - _MIB))
        digest.update(data.read(_MIB))


def _add(digest: hashlib.blake2b, file: Path, *, among: int) -> None:
    """Add a file's size and content to a hash, all of it or blocks all over it; less of each among many files."""
    size = file.stat().st_size
    digest.update(size.to_bytes(8, "little"))
    with file.open("rb") as data:
        if size <= max(_WHOLE // among, 2 * _MIB):
            while piece := data.read(_MIB):
                digest.update(piece)
            return
        blocks = max(_BLOCKS // among, 4)
        for number in range(blocks):
            data.seek(number * (size - _BLOCK) // (blocks - 1))
            digest.update(data.read(_BLOCK))
