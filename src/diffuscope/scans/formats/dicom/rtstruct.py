"""RTSTRUCT: the outlines that were drawn on a DICOM series, as labels on its voxels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.scans.formats.dicom.files import is_dicom, quiet, read_elements
from diffuscope.scans.formats.dicom.header import Header, read_header
from diffuscope.scans.formats.dicom.outlines import Outline, fill, fill_odd

if TYPE_CHECKING:
    from diffuscope.scans.formats.dicom.series import Series

# Corners of an outline may lie this far from the middle of their slice, in slices.
_IN_PLANE = 0.25
# Labels are bytes, and a volume of them for each set of structures that overlap is as much as is held.
_MOST, _LAYERS = 255, 16
# In bytes; a structure set of a hundred structures has 30 MB.
_LARGEST = 256 * 2**20
# Corners of an outline, and voxels from the first one.
_CORNERS, _FAR = 100_000, 1e6
_CLOSED, _XOR = "CLOSED_PLANAR", "CLOSEDPLANAR_XOR"
_FRAMES, _ROIS, _CONTOURS = 0x30060010, 0x30060020, 0x30060039
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Structures:
    """What of a structure set can be drawn.

    Attributes
    ----------
    layers : tuple of (ndarray of uint8 (z, y, x), dict of int to str)
        Labels in the order of the series's files, 0 for none, and the name of each. Structures that overlap lie in
        layers of their own.
    notices : tuple of str
        What could not be drawn, and why, one sentence each.
    """

    layers: tuple[tuple[NDArray[np.uint8], dict[int, str]], ...]
    notices: tuple[str, ...]


@dataclass(eq=False)
class _Drawn:
    """A structure: its outlines by slice and kind, and how many could not be drawn for which reason."""

    closed: dict[int, list[Outline]] = field(default_factory=lambda: defaultdict(list))
    odd: dict[int, list[Outline]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0
    left: Counter[str] = field(default_factory=Counter)


def is_rtstruct(path: Path) -> bool:
    """Whether a file is a DICOM structure set."""
    if not is_dicom(path):
        return False
    try:
        return read_header(path).text("Modality") == "RTSTRUCT"
    except InputError:
        return False


def structure_names(path: Path) -> tuple[str, ...]:
    """Return the names of the structures of a structure set, in its order; nothing is drawn.

    Raises
    ------
    InputError
        It is damaged.
    """
    return _guarded(path, lambda: tuple(name for name, _, _ in _listed(path)[1]))


def read_rtstruct(path: Path, series: Series, wanted: Callable[[str], bool] = lambda _: True) -> Structures:
    """Fill the outlines of a structure set, of each structure that can be drawn.

    Which voxels they hold says `diffuscope.scans.formats.dicom.outlines.fill`.

    Parameters
    ----------
    path : Path
        The RTSTRUCT file.
    series : Series
        That it was drawn on.
    wanted : callable
        Whether a structure is, by its name.

    Raises
    ------
    InputError
        It is damaged, was drawn on another series, or has more than 255 structures.
    """
    return _guarded(path, lambda: _read(path, series, wanted))


def _guarded(path: Path, read: Callable[[], _Found]) -> _Found:
    with quiet():
        try:
            return read()
        except (InputError, OSError):
            raise
        except Exception as error:  # pydicom raises what it likes on a damaged sequence
            raise InputError(f"{path.name} is a damaged RTSTRUCT ({type(error).__name__}): export it again.") from error


def _listed(path: Path) -> tuple[Any, list[tuple[str, Header | None, Header]], list[str]]:
    """Return a structure set, of each structure name, definition and outlines, and names of those without outlines."""
    if path.stat().st_size > _LARGEST:
        raise InputError(f"{path.name} has more than {_LARGEST // 2**20} MB, which no structure set needs.")
    found, _ = read_elements(path, [_FRAMES, _ROIS, _CONTOURS], limit=_LARGEST)
    rois = {header.text("ROINumber"): header for header in _items(found, _ROIS, path)}
    drawn = list(_items(found, _CONTOURS, path))
    if len(drawn) > _MOST:
        raise InputError(f"{path.name} has {len(drawn)} structures; {_MOST} are the most that are shown.")
    listed = []
    for number, header in enumerate(drawn, start=1):
        roi = rois.pop(header.text("ReferencedROINumber"), None)
        listed.append(((roi.words("ROIName") if roi else "") or f"structure {number}", roi, header))
    return found, listed, [roi.words("ROIName") or "a structure without a name" for roi in rois.values()]


def _read(path: Path, series: Series, wanted: Callable[[str], bool]) -> Structures:
    found, listed, empty = _listed(path)
    on, frames = _drawn_on(found, path)
    if series.uid not in on and (on or not series.frame or series.frame not in frames):
        raise InputError(f"{path.name} was drawn on another series: open the folder of that one.")
    layers: list[tuple[NDArray[np.uint8], dict[int, str]]] = []
    notices = []
    for number, (name, roi, header) in enumerate(listed, start=1):
        if not wanted(name):
            continue
        frame = roi.text("ReferencedFrameOfReferenceUID") if roi else ""
        if frame and series.frame and frame != series.frame:
            notices.append(f"{path.name}: {name} is not drawn (it lies in another frame of reference).")
            continue
        structure = _structure(header, series)
        planes = _planes(structure, series)
        if planes and not _put(layers, planes, number, name, series.lattice.shape):
            notices.append(f"{path.name}: {name} is not drawn (too many structures overlap there).")
        else:
            notices += _left_out(f"{path.name}: ", name, structure, is_drawn=bool(planes))
    notices += [f"{path.name}: {name} is not drawn (it has no outlines)." for name in empty if wanted(name)]
    return Structures(tuple(layers), tuple(notices))


def _drawn_on(found: Any, path: Path) -> tuple[set[str], set[str]]:
    """Return the SeriesInstanceUIDs that a structure set refers to, and its frames of reference."""
    series, frames = set(), set()
    for frame in _items(found, _FRAMES, path):
        frames.add(frame.text("FrameOfReferenceUID"))
        for study in frame.elements.get("RTReferencedStudySequence") or ():
            for one in study.get("RTReferencedSeriesSequence") or ():
                series.add(Header(path, one, "").text("SeriesInstanceUID"))
    return series - {""}, frames - {""}


def _items(found: Any, tag: int, path: Path) -> Iterator[Header]:
    element = found.get(tag)
    for item in (element.value if element is not None else None) or ():
        yield Header(path, item, "")


def _structure(header: Header, series: Series) -> _Drawn:
    """Sort the outlines of a structure."""
    to_voxel: NDArray[Any] = np.linalg.inv(series.lattice.affine)
    structure = _Drawn()
    for item in header.elements.get("ContourSequence") or ():
        structure.count += 1
        contour = Header(header.path, item, "")
        found = _outline(contour, to_voxel, series.lattice.shape[0])
        if isinstance(found, str):
            structure.left[found] += 1
        else:
            z, corners = found
            kind = structure.odd if contour.text("ContourGeometricType") == _XOR else structure.closed
            kind[z].append(corners)
    return structure


def _outline(contour: Header, to_voxel: NDArray[Any], depth: int) -> tuple[int, Outline] | str:
    """Return the slice of an outline and its corners there; or why it cannot be drawn."""
    kind = contour.text("ContourGeometricType")
    if kind not in (_CLOSED, _XOR):
        return "a point or an open line has no area" if kind else "no ContourGeometricType"
    try:
        places = np.array(contour.parts("ContourData"), float)
        stated = contour.number("NumberOfContourPoints")
    except (InputError, ValueError):
        return "not numbers"
    if not places.size:
        return "no points"
    if places.size % 3 or not np.isfinite(places).all() or (stated is not None and 3 * stated != places.size):
        return "not as many numbers as it states"
    # Rounded, so that a corner in the middle of a voxel stays there.
    voxels = (np.c_[places.reshape(-1, 3), np.ones(places.size // 3)] @ to_voxel.T).round(6)[:, :3]
    if len(voxels) > _CORNERS or np.abs(voxels).max() > _FAR:
        return "more points, or further away, than an outline has"
    if np.linalg.matrix_rank(voxels[:, 1:] - voxels[0, 1:], tol=1e-4) < 2:
        return "points that enclose nothing"
    z = round(float(np.median(voxels[:, 0])))
    if np.abs(voxels[:, 0] - z).max() > _IN_PLANE:
        return "not in a slice"
    return (z, voxels[:, 1:]) if 0 <= z < depth else "beyond the first or last slice"


def _planes(structure: _Drawn, series: Series) -> dict[int, NDArray[np.bool_]]:
    """Return the slices of a structure that have a voxel of it."""
    _, height, width = series.lattice.shape
    planes = {z: fill(outlines, (height, width)) for z, outlines in structure.closed.items()}
    for z, outlines in structure.odd.items():
        odd = fill_odd(outlines, (height, width))
        planes[z] = planes[z] | odd if z in planes else odd
    return {z: plane for z, plane in planes.items() if plane.any()}


def _put(
    layers: list[tuple[NDArray[np.uint8], dict[int, str]]],
    planes: dict[int, NDArray[np.bool_]],
    number: int,
    name: str,
    shape: tuple[int, int, int],
) -> bool:
    """Write a structure into the first of the layers where nothing is in its way; whether there was room for it."""
    free = (layer for layer in layers if not any(layer[0][z][plane].any() for z, plane in planes.items()))
    layer = next(free, None)
    if layer is None:
        if len(layers) == _LAYERS:
            return False
        layer = (np.zeros(shape, np.uint8), {})
        layers.append(layer)
    labels, names = layer
    for z, plane in planes.items():
        labels[z][plane] = number
    names[number] = name
    return True


def _left_out(start: str, name: str, structure: _Drawn, *, is_drawn: bool) -> list[str]:
    """Say what of a structure is not drawn."""
    why = "; ".join(structure.left)
    if not is_drawn:
        small = "no voxel lies in it" if structure.closed or structure.odd else "it has no outlines"
        return [f"{start}{name} is not drawn ({why or small})."]
    left = structure.left.total()
    return [f"{start}{left} of {structure.count} outlines of {name} are left out ({why})."] if left else []
