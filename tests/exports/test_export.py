"""Which format a name means, and what is refused before anything is written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import tifffile
from patience import SECONDS

from diffuscope.errors import InputError
from diffuscope.exports import export
from diffuscope.exports.table import FORMATS
from diffuscope.results.result import Result, open_result


class Usage(NamedTuple):
    """As much of shutil.disk_usage as is looked at."""

    free: int


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.tiff", "A.OME.TIF"])
def test_tiff_by_its_ending(make_result: Callable[..., Result], tmp_path: Path, name: str) -> None:
    assert export(make_result(), tmp_path / name, layer="dab") == tmp_path / name
    assert tifffile.TiffFile(tmp_path / name).is_ome


def test_zarr_by_its_ending(make_result: Callable[..., Result], tmp_path: Path) -> None:
    assert open_result(export(make_result(), tmp_path / "a.ome.zarr")).complete


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "a.zarr", "a", ".tif"])
def test_other_endings_name_those_there_are(make_result: Callable[..., Result], tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"end it with one of \.ome\.tif, \.ome\.tiff, \.qupath, .*\.ome\.zarr"):
        export(make_result(), tmp_path / name)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("a.ome.tif", {"layer": "cd8"}, r'r\.ome\.zarr has no layer "cd8": choose one of ihc, dab, pair, or all'),
        ("taken.ome.tif", {}, r"taken\.ome\.tif exists already"),
        ("folder.ome.tif", {"overwrite": True}, "is not a file and is never overwritten"),
        ("link.ome.tif", {"overwrite": True}, "is a link and is never overwritten"),
        ("r.ome.zarr", {"overwrite": True}, "is, or holds, .*r.ome.zarr, which is read for it"),
        ("r.ome.zarr/a.ome.tif", {}, "lies in .*r.ome.zarr, which is only read"),
        ("a.nii.gz", {}, "would be a volume, but the result is of a slide: end it with one of .ome.tif"),
        ("a.ome.zarr", {"source": "series"}, "keeps nothing of a DICOM source"),
    ],
)
def test_one_sentence_and_nothing_left(
    make_result: Callable[..., Result], tmp_path: Path, name: str, options: dict, sentence: str
) -> None:
    result = make_result()
    (tmp_path / "taken.ome.tif").write_bytes(b"old")
    (tmp_path / "folder.ome.tif").mkdir()
    (tmp_path / "link.ome.tif").symlink_to(tmp_path / "taken.ome.tif")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=sentence):
        export(result, tmp_path / name, **options)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "taken.ome.tif").read_bytes() == b"old"


@pytest.mark.parametrize("name", ["a.ome.tif", "a.ome.zarr"])
def test_no_room_is_seen_before_writing(
    make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    result = make_result()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free=10_000))
    with pytest.raises(InputError, match=r"needs about .* \w+, but .* \w+ are free"):
        export(result, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["r.ome.zarr"]


def test_a_file_is_replaced_when_told(make_result: Callable[..., Result], tmp_path: Path) -> None:
    target = tmp_path / "taken.ome.tif"
    target.write_bytes(b"old")
    export(make_result(), target, layer="dab", overwrite=True)
    assert tifffile.TiffFile(target).is_bigtiff


def test_folders_that_are_missing_are_made(make_result: Callable[..., Result], tmp_path: Path) -> None:
    assert export(make_result(), tmp_path / "made" / "a.ome.tif", layer="dab").exists()


def test_a_volume_of_which_not_all_could_be_written_is_told(tmp_path: Path) -> None:
    """In a process of its own, which may write 2 kB a file: SimpleITK does not always say so."""
    pytest.importorskip("SimpleITK")
    pytest.importorskip("resource")
    code = """
import resource, sys
from pathlib import Path
from types import SimpleNamespace as Of
import numpy as np
from diffuscope.exports import itk_volume, nifti
from diffuscope.files.put import in_place_of
from diffuscope.scans.formats.volumes.nifti_forms import forms_of
from diffuscope.scans.lattice import Lattice, Storage

axes = tuple(map(tuple, np.eye(3)))
lattice = Lattice(shape=(16, 16, 16), spacing=(1.0, 1.0, 1.0), origin=(0.0, 0.0, 0.0), directions=axes)
for module in (itk_volume, nifti):
    module.whole_lattice = lambda _: (lattice, Storage((0, 1, 2), (False, False, False)))
    module.whole_voxels = lambda *_: np.random.default_rng(0).random((16, 16, 16), np.float32)
nifti.whole_forms = lambda _: forms_of(lattice)
for limit in (2000, 20_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, 20_000))
    for ending, module in volume_endings:
        path = Path(sys.argv[1]) / f"{limit}{ending}"
        try:
            with in_place_of(path, replace=False) as part:
                globals()[module].write(part, Of(result=None, ports=[None], told=""))
            print("wrote", path.name)
        except Exception as error:
            print(type(error).__name__, error)
"""
    modules = {end: form.module for form in FORMATS if form.module in {"itk_volume", "nifti"} for end in form.endings}
    endings = list(modules)
    line = [sys.executable, "-c", code.replace("volume_endings", str(list(modules.items()))), str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=SECONDS).stdout.splitlines()
    told = [line for line in done if line.startswith("InputError a limit ends files at 2.0 kB: ")]
    wrote = [f"20000{ending}" for ending in endings]
    assert len(told) == len(endings)
    assert [line for line in done if line.startswith("wrote")] == [f"wrote {name}" for name in wrote]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(wrote)
