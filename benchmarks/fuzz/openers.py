"""What is opened, and how far: as `diffuscope info` does, and one small piece of it besides."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.fuzz import pictures, scanners, texts, volumes
from benchmarks.fuzz.kind import Kind, copy_sample


def _info(path: Path) -> None:
    from diffuscope.api.open import open as opened
    from diffuscope.cli.describe import describe
    from diffuscope.scans import Scan

    found = opened(path)
    for _ in describe(found):
        pass
    if isinstance(found, Scan):
        y, x = (max(0, side // 2 - 32) for side in found.shape)
        found.read((y, x), (64, 64), factors=(1.0, 1.0), fill=255)


def _annotations(path: Path) -> None:
    from diffuscope.scans.qupath.annotations import read_annotations

    read_annotations(path)


def _project(path: Path) -> None:
    from diffuscope.scans.qupath.project import read_project

    for one in read_project(path).images:
        assert one.name
        _ = one.is_there


def _outlines(path: Path) -> None:
    from diffuscope.plugin.layers.volumes import label_layers
    from diffuscope.scans import open_volume

    volume = open_volume(path)
    assert volume.series is not None
    for drawn in volume.series.structures:
        label_layers(volume, drawn)


def _result(path: Path) -> None:
    from diffuscope.results.result import open_result

    _info(path)
    for levels in open_result(path).images.values():
        for level in levels:
            np.asarray(level[tuple(slice(n // 2, n // 2 + 8) for n in level.shape[:-1])])


def _export(path: Path, ending: str) -> None:
    from diffuscope.api.export import export
    from diffuscope.results.result import open_result

    result = open_result(path)
    if sum(levels[0].nbytes for levels in result.images.values()) > 10_000_000:
        return
    for _ in export(path, path.parent / f"written{ending}"):
        pass


def _model(path: Path) -> None:
    from diffuscope.model.find import model_info
    from diffuscope.model.folder import load_model

    model_info(path)
    load_model(path)


def _recipe(path: Path) -> None:
    from diffuscope.training.plan import plan_rounds
    from diffuscope.training.recipe import load_recipe

    plan_rounds(load_recipe(path))


def _cases(path: Path) -> None:
    from diffuscope.cases.find import find_cases

    find_cases(path, ["he", "ihc"])


def _row(path: Path) -> None:
    from diffuscope.cases.joined import join
    from diffuscope.jobs.rows import read_row
    from diffuscope.ports.table import Column, Table

    columns = (Column(name="age", title="Age", range=(0, 120)), Column(name="sex", categories=("f", "m")))
    table = Table(name="patient", key="patient", columns=columns)
    joined = join([path], [table])
    for patient in joined.patients:
        joined.row(table, patient)
    row, _ = read_row(f"{path}#P2", table)
    table.encode(row)


def _landmarks(path: Path) -> None:
    from types import SimpleNamespace

    from diffuscope.registration.landmarks import read_landmarks

    slide: Any = SimpleNamespace(name="slide", shape=(128, 128), mpp=0.5)
    read_landmarks(path, slide, slide)


def _transform(path: Path) -> None:
    from diffuscope.registration.transform import load_transform

    load_transform(path)[0].to_fixed(np.zeros((3, 2)))


def _report(path: Path) -> None:
    from diffuscope.evaluation.report.folder import read_report

    read_report(path)


#: All that is read, by the name that the table of outcomes has.
KINDS: Mapping[str, Kind] = {
    "SVS": Kind(pictures.svs, _info),
    "TIFF, tiles": Kind(pictures.tiled_tiff, _info),
    "TIFF, JPEG 2000": Kind(pictures.jpeg_2000_tiff, _info),
    "TIFF, strips": Kind(pictures.striped_tiff, _info),
    "OME-TIFF": Kind(pictures.ome_tiff, _info),
    "OME-TIFF, big": Kind(pictures.big_tiff, _info),
    "NDPI": Kind(scanners.ndpi, _info),
    "SCN": Kind(scanners.scn, _info),
    "QPTIFF": Kind(scanners.qptiff, _info),
    "Philips TIFF": Kind(scanners.philips, _info),
    "DICOM slide": Kind(scanners.dicom_slide, _info),
    "GeoJSON": Kind(scanners.annotations, _annotations),
    "QuPath project": Kind(scanners.project, _project),
    "PNG": Kind(pictures.png, _info),
    "JPEG": Kind(pictures.jpeg, _info),
    "OME-Zarr 0.4": Kind(pictures.zarr_4, _info),
    "OME-Zarr 0.5": Kind(pictures.zarr_5, _info),
    "NIfTI": Kind(volumes.by_itk("volume.nii"), _info),
    "NIfTI, gzip": Kind(volumes.by_itk("volume.nii.gz"), _info),
    "NRRD": Kind(volumes.by_itk("volume.nrrd"), _info),
    "NRRD, gzip": Kind(volumes.by_itk("packed.nrrd", compress=True), _info),
    "NRRD, detached": Kind(volumes.detached("volume.nhdr"), lambda path: _info(path / "volume.nhdr")),
    "MetaImage, detached": Kind(volumes.detached("volume.mhd"), lambda path: _info(path / "volume.mhd")),
    "MetaImage": Kind(volumes.by_itk("volume.mha"), _info),
    "MetaImage, zlib": Kind(volumes.by_itk("packed.mha", compress=True), _info),
    "DICOM": Kind(volumes.dicom_folder, _info),
    "DICOM, deflated": Kind(partial(volumes.dicom_folder, syntax="deflated"), _info),
    "DICOM, RLE": Kind(partial(volumes.dicom_folder, syntax="rle"), _info),
    "DICOM, JPEG 2000": Kind(partial(volumes.dicom_folder, syntax="jpeg2000"), _info),
    "RTSTRUCT": Kind(volumes.with_outlines, _outlines),
    "result": Kind(texts.result, _result),
    "result, unfinished": Kind(texts.unfinished, _result),
    "result, volume": Kind(texts.volume_result, _result),
    "result, exported": Kind(texts.result, partial(_export, ending=".ome.tif"), "written.ome.tif"),
    "result, gone on with": Kind(texts.gone_on_with, texts.go_on, texts.OUT),
    "model": Kind(texts.model, _model),
    "recipe": Kind(texts.recipe, _recipe),
    "recipe, cases": Kind(texts.recipe_of_cases, _recipe),
    "table of cases": Kind(texts.cases, _cases),
    "table of rows": Kind(texts.rows, _row),
    "landmarks": Kind(texts.landmarks, _landmarks),
    "transform": Kind(texts.transform, _transform),
    "report": Kind(texts.report, _report),
}


def make_samples(folder: Path, kinds: Iterable[str] = tuple(KINDS)) -> dict[str, Path]:
    """Write a valid one of each of some kinds, into a folder of its own, and open it: what is right must open."""
    made = {}
    for number, name in enumerate(kinds):
        kind = KINDS[name]
        place = folder / str(number)
        place.mkdir(parents=True)
        made[name] = kind.make(place)
        kind.open(copy_sample(made[name], _empty(place / "try")))
        shutil.rmtree(place / "try")
    return made


def _empty(folder: Path) -> Path:
    folder.mkdir()
    return folder


def warm() -> None:
    """Import what opening anything imports, so that it is no mutant's time or memory."""
    import pydicom
    import SimpleITK
    import skimage.draw
    import torch

    import diffuscope.api.export
    import diffuscope.model.folder
    import diffuscope.training.plan

    assert pydicom and SimpleITK and skimage.draw and torch and diffuscope.api and diffuscope.training
