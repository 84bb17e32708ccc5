"""Mutations of a file or folder: its bytes, what it says, and what kind of thing lies in its place."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import struct
import zlib
from pathlib import Path
from random import Random

from benchmarks.fuzz import bytes as raw
from benchmarks.fuzz.structures import mutate_csv, mutate_json, mutate_yaml

#: Beside the mutant: what links in it lead to, and nothing may write to.
OUTSIDE = "outside"
# What was made larger is not read again.
_MOST = 10_000_000
_JSON = re.compile(r"(^\.z(attrs|array|group|metadata)|\.(geo)?json|\.qpproj)$")


def mutate(path: Path, rng: Random) -> None:
    """Mutate a file or folder in place."""
    outside = path.parent / OUTSIDE
    outside.mkdir()
    (outside / "file").write_bytes(b"outside" * 100)
    if path.is_file():
        _mutate_file(path, rng)
        return
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        files = sorted(filter(_is_plain, path.rglob("*")))
        if not files:
            return
        few = [one for one in files if _JSON.search(one.name) or one.suffix in {".csv", ".dcm", ".safetensors"}]
        one = rng.choice(few if few and rng.random() < 0.6 else files)
        if rng.random() < 0.8:
            _mutate_file(one, rng)
        else:
            _move(path, one, rng.choice(files), rng)
    if _is_plain(path / "model.safetensors") and rng.random() < 0.7:
        _stamp(path)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size < _MOST


def _mutate_file(path: Path, rng: Random) -> None:
    if rng.random() < 0.04:
        _replace(path, rng)
        return
    data = path.read_bytes()
    changed = None
    if _JSON.search(path.name):
        changed = mutate_json(data, rng) if rng.random() < 0.8 else None
    elif path.suffix == ".yaml":
        changed = mutate_yaml(data, rng) if rng.random() < 0.7 else None
    elif path.suffix == ".csv":
        changed = mutate_csv(data, rng) if rng.random() < 0.6 else None
    elif path.suffix == ".gz" and rng.random() < 0.7:
        changed = gzip.compress(raw.mutate(gzip.decompress(data), rng), mtime=0)
    elif path.suffix == ".png" and rng.random() < 0.7:
        changed = _with_checksums(raw.mutate(data, rng))
    elif path.suffix == ".safetensors" and rng.random() < 0.5:
        changed = _safetensors(data, rng)
    path.write_bytes(raw.mutate(data, rng) if changed is None else changed)


def _replace(path: Path, rng: Random) -> None:
    """Put something else than a file in its place."""
    name = path.name
    path.unlink()
    match rng.randrange(8):
        case 0:
            path.symlink_to("/dev/zero")
        case 1:
            os.mkfifo(path)
        case 2:
            path.mkdir()
        case 3:
            path.symlink_to(name)
        case 4:
            path.symlink_to("/nowhere/at/all")
        case 5:
            place = next(one for one in path.parents if (one / OUTSIDE).is_dir())
            path.symlink_to(os.path.relpath(place / OUTSIDE / "file", path.parent))
        case 6:
            with path.open("wb") as file:
                file.truncate(8 << 30)
        case _:
            path.touch()


def _move(root: Path, one: Path, other: Path, rng: Random) -> None:
    """Delete, rename, copy or exchange files of a folder."""
    match rng.randrange(5):
        case 0:
            one.unlink()
        case 1:
            one.rename(one.with_name(one.name + "x"))
        case 2:
            data = one.read_bytes()
            one.write_bytes(other.read_bytes())
            other.write_bytes(data)
        case 3:
            shutil.copyfile(one, one.with_name("copy-" + one.name))
        case _:
            folders = [folder for folder in root.rglob("*") if folder.is_dir() and not folder.is_symlink()]
            if folders:
                target = rng.choice(folders)
                shutil.rmtree(target)
                if rng.random() < 0.5:
                    target.symlink_to(rng.choice(("..", "/dev", os.path.relpath(root.parent / OUTSIDE, target.parent))))


def _with_checksums(data: bytes) -> bytes:
    """Return a PNG with the checksums of its chunks made right, as far as there are chunks."""
    out, at = [data[:8]], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        if at + 12 + length > len(data):
            break
        out.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join((*out, data[at:]))


def _safetensors(data: bytes, rng: Random) -> bytes | None:
    """Return weights whose header says something else, in a length that is right; None where they are none any more."""
    length = int.from_bytes(data[:8], "little")
    header = mutate_json(data[8 : 8 + length], rng)
    return header and struct.pack("<Q", len(header)) + header + data[8 + length :]


def _stamp(folder: Path) -> None:
    """State the hash of the weights as they are now, as someone who made them would."""
    config = folder / "config.json"
    if not _is_plain(config):
        return
    try:
        about = json.loads(config.read_text(encoding="utf-8"))
        about["sha256"] = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
        config.write_text(json.dumps(about), encoding="utf-8")
    except (ValueError, TypeError, KeyError, OSError, RecursionError):
        return
