"""Several slides or volumes at once: those of a folder, of a pattern, or of a table, each with a name of its own."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from diffuscope.cases.live import read_live
from diffuscope.errors import InputError
from diffuscope.files.sheet import XLSX, Line, read_sheet
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.figures import read_figure
from diffuscope.ports.mask import Mask
from diffuscope.ports.port import Port
from diffuscope.ports.raster import Raster
from diffuscope.ports.text import Text
from diffuscope.results.result import is_result
from diffuscope.scans.formats.dicom.files import files_in, is_dicom, read_elements
from diffuscope.scans.formats.table import SLIDES, ending_of, find_format, stem
from diffuscope.scans.open_volume import is_image
from diffuscope.scans.qupath.annotations import GEOJSON
from diffuscope.scans.qupath.live import is_live
from diffuscope.scans.qupath.project import QPPROJ, read_project
from diffuscope.tiling.region import Region

#: Columns of a table, besides the keys of the model's inputs.
NAME, FILE, REGION, MPP = "name", "file", "region", "mpp"
# A result is a folder of this name, and of what else stands behind it.
_LONGEST = 150
# StudyInstanceUID; and how many files of a folder are looked at for the first that is DICOM.
_STUDY, _LOOKED_AT = 0x0020000D, 50
_SERIES = 0x0020000E
# What beside DICOM files is a slide, and no picture of a scan or of a report.
_OF_SCANNERS = {
    ending for row in SLIDES if not (row.is_plain or row.is_series or row.is_folder) for ending in row.endings
} - {".tif", ".tiff"}
_OWN_NAMES = f"give each a name of its own, in a table with the columns {NAME} and {FILE}"


@dataclass(frozen=True, kw_only=True)
class Slide:
    """What is run over as one of many.

    Attributes
    ----------
    name : str
        Of its result, without ending; plain, and no other has it.
    source : str, Path or mapping of str to str or Path
        As `diffuscope.run` takes it.
    region : Region or str, optional
        What of it, level-0 px, where that is not what is said of all.
    mpp : float, optional
        µm per level-0 px as whoever lists the slide has it, whatever its file says.
    in_qupath : bool
        Whether QuPath lists it, and so may show another image of its file than the one that is opened.
    shape : tuple of int, optional
        (height, width) of its finest level there.
    """

    name: str
    source: str | Path | Mapping[str, Any]
    region: Region | str | None = None
    mpp: float | None = None
    in_qupath: bool = False
    shape: tuple[int, int] | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where its images lie, with the channel behind a ``#`` where one is named."""
        given = self.source.values() if isinstance(self.source, Mapping) else [self.source]
        flat = [one for some in given for one in (some if isinstance(some, list | tuple) else [some])]
        return tuple(Path(one) for one in flat if isinstance(one, str | Path))

    @property
    def files(self) -> str:
        """What went in, without the folders where it lies."""
        if isinstance(self.source, Mapping):
            return "; ".join(f"{key}={_last(one)}" for key, one in self.source.items())
        return _last(self.source)


@dataclass(frozen=True)
class Slides:
    """Slides, in their order, and what the user should know of how they were found."""

    slides: tuple[Slide, ...]
    notices: tuple[str, ...] = ()


def are_many(source: str | Path) -> bool:
    """Whether a path is several slides: a folder that is no image, a table, a project, a pattern with ``*?[``.

    What is selected in the QuPath that runs, ``qupath:``, is several as well.
    """
    path = Path(source)
    if path.suffix.lower() in {".csv", XLSX, QPPROJ}:
        return True
    if path.is_dir():
        return not ending_of(path.name) and not (is_image(path) and _is_one(path))
    return not path.exists() and (is_live(source) or glob.has_magic(str(source)))


def find_slides(source: str | Path, declared: Declaration) -> Slides:
    """Find the slides or volumes that are meant.

    **A folder**: every image that lies in it, and every folder in it that is one (OME-Zarr, a DICOM series).
    **A pattern**: every image that fits, ``**`` for any folders. **A table**, CSV or XLSX: a row each, with the column
    ``file`` or columns named like the model's inputs, with paths relative to the table, and perhaps ``name`` and
    ``region``. **A QuPath project**: its images. **``qupath:``**: what is selected in the QuPath that runs.

    Parameters
    ----------
    source : str or Path
        Of one of these.
    declared : Declaration
        Of the model.

    Raises
    ------
    InputError
        There is nothing there, the table cannot be used, or two would have one name.
    """
    path = Path(source)
    if is_live(source):
        parts, told = read_live(str(source))
        found = Slides(tuple(Slide(name=name, source=one, region=region) for name, one, region in parts), told)
    elif path.suffix.lower() in {".csv", XLSX}:
        found = _of_table(path, declared)
    elif path.suffix.lower() == QPPROJ:
        found = _of_project(path)
    elif path.is_dir():
        # What was made here of slides is no slide; a pattern or a table takes it.
        found = _of_paths((one for one in path.iterdir() if not is_result(one)), str(path))
    else:
        found = _of_paths(map(Path, glob.glob(str(source), recursive=True)), str(source))  # noqa: PTH207  may be absolute
    return Slides(check_names(found.slides), found.notices)


def of_regions(source: str | Path, regions: Sequence[str]) -> tuple[Slide, ...]:
    """Return a slide of each region of one, named after what an annotation is called, else by number.

    Raises
    ------
    InputError
        Two would have one name.
    """
    image = stem(_last(source))
    named = (region.partition(f"{GEOJSON}#")[2] or f"region {number}" for number, region in enumerate(regions, start=1))
    return check_names(
        Slide(name=f"{image} {name}", source=source, region=region) for name, region in zip(named, regions, strict=True)
    )


def check_names(slides: Iterable[Slide]) -> tuple[Slide, ...]:
    """Return slides each of whose names can be that of a result.

    Raises
    ------
    InputError
        There is none, one cannot be the name of a folder, or two are the same, also but for capitals.
    """
    known: dict[str, Slide] = {}
    for one in slides:
        if not one.name or Path(one.name).name != one.name or one.name.startswith(".") or len(one.name) > _LONGEST:
            raise InputError(f'"{one.name}" cannot be the name of a result: {_OWN_NAMES}.')
        # Disks differ in whether they tell capitals apart.
        other = known.setdefault(one.name.casefold(), one)
        if other is not one:
            first, second = (str(slide.paths[0]) if slide.paths else slide.files for slide in (other, one))
            raise InputError(f"{first} and {second} would both become {one.name}.ome.zarr: {_OWN_NAMES}.")
    if not known:
        raise InputError("there is no slide to run over: give one at least.")
    return tuple(known.values())


def _is_one(folder: Path) -> bool:
    """Whether a folder that holds DICOM is one image: of one study, of one slide, and with no slide of others in it."""
    files = [one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")]
    slides = {_series_of(file) for file in files if is_dicom(file) and find_format(file, SLIDES) is not None}
    others = [file for file in files if ending_of(file.name) in _OF_SCANNERS]
    return len(_studies(folder)) < 2 and len(slides) < 2 and not others


def _series_of(file: Path) -> str:
    """Return the SeriesInstanceUID of a DICOM file; empty of all others, and of what is damaged."""
    if not is_dicom(file):
        return ""
    with suppress(InputError, OSError, ImportError, KeyError):
        return str(read_elements(file, [_SERIES])[0][_SERIES].value)
    return ""


def _studies(folder: Path) -> set[str]:
    """Return the DICOM studies of the folders in a folder: an export of several patients is no one image."""
    found = set()
    for inner in sorted(one for one in folder.iterdir() if one.is_dir()):
        first = next((file for file in islice(files_in(inner), _LOOKED_AT) if is_dicom(file)), None)
        if first is not None:
            with suppress(InputError, OSError, ImportError):
                found.add(str(read_elements(first, [_STUDY])[0].get(_STUDY, "")))
    return found


def _of_paths(paths: Iterable[Path], where: str) -> Slides:
    """Take what is an image, or is called like one: what is damaged is told later, by name."""
    there = sorted(path for path in paths if not path.name.startswith("."))
    taken = [path for path in there if ending_of(path.name) or is_image(path)]
    # Of a DICOM slide, or series, whose files lie here one by one the first stands for all.
    firsts: dict[str, Path] = {}
    slides = [path for path in taken if firsts.setdefault(_series_of(path) or str(path), path) is path]
    if not taken:
        raise InputError(f"there is no slide and no volume in {where}: give a folder, a pattern or a table of some.")
    left = [path.name for path in there if path not in set(taken)]
    shown = f"{', '.join(left[:5])}{' …' if len(left) > 5 else ''}"
    told = (f"{len(left)} in {where} are left out, being no images: {shown}.",) if left else ()
    return Slides(tuple(Slide(name=stem(path.name), source=path) for path in slides), told)


def _of_project(path: Path) -> Slides:
    """Take the images of a QuPath project; one whose file is not at hand is told later, by name."""
    images = read_project(path).images
    changed = ", ".join(one.name for one in images if one.changed)
    told = (f"QuPath shows {changed} otherwise than as the file is, which is run over.",) if changed else ()
    slides = (
        Slide(name=stem(one.name), source=one.path or one.uri, mpp=one.mpp, in_qupath=True, shape=one.shape)
        for one in images
    )
    return Slides(tuple(slides), told)


def _of_table(path: Path, declared: Declaration) -> Slides:
    sheet = read_sheet(path)
    ports = [port for port in declared.inputs if port.key in sheet.heads]
    if (FILE in sheet.heads) == bool(ports):
        keys = ", ".join(port.key for port in declared.inputs)
        raise InputError(
            f"{path.name} needs a column {FILE}, or columns named like the model's inputs ({keys}), and not both."
        )
    unused = [head for head in sheet.heads if head not in {NAME, FILE, REGION, MPP, *(port.key for port in ports)}]
    told = (f"Columns of {path.name} that are not used: {', '.join(unused)}.",) if unused else ()
    return Slides(tuple(_of_line(line, path, ports) for line in sheet.lines), (*sheet.notices, *told))


def _of_line(line: Line, table: Path, ports: Sequence[Port]) -> Slide:
    where = f"{table.name}, line {line.number}"
    if line.fault:
        raise InputError(f"{where}: {line.fault}.")
    cells = {head: cell.strip() for head, cell in line.cells.items()}
    source: Any = {port.key: _placed(cells[port.key], port, table) for port in ports if cells[port.key]}
    if not ports and cells[FILE]:
        source = str(table.parent / cells[FILE])
    if not source:
        raise InputError(f"{where} names no file.")
    first = source if isinstance(source, str) else next(iter(source.values()))
    name = cells.get(NAME) or stem(_last(first).partition("#")[0])
    mpp = _mpp(cells.get(MPP, ""), where, line.decimal_commas)
    return Slide(name=name, source=source, region=_region(cells.get(REGION, ""), table), mpp=mpp)


def _mpp(cell: str, where: str, commas: bool) -> float | None:
    """Return what a cell says of µm/px, None of nothing."""
    if not cell:
        return None
    try:
        found = read_figure(cell, decimal_commas=commas)
    except InputError as error:
        raise InputError(f"{where}: {error}.") from error
    if found is None or not 0 < found < math.inf:
        raise InputError(f"{where}: {MPP} is µm per pixel, a number above 0, not “{cell}”.")
    return found


def _region(cell: str, table: Path) -> str | None:
    """Return what a cell says of a region; a file of annotations lies relative to the table."""
    drawn = Path(cell.partition("#")[0]).suffix.lower() == GEOJSON
    return (str(table.parent / cell) if drawn else cell) or None


def _placed(cell: str, port: Port, table: Path) -> str:
    """Return what a cell says, with paths relative to the table."""
    if isinstance(port, Raster | Mask):
        return str(table.parent / cell)
    if isinstance(port, Text):
        return f"@{table.parent / cell[1:]}" if cell.startswith("@") else cell
    # Of a table the row of a file; values that are typed have no place.
    return str(table.parent / cell) if Path(cell.partition("#")[0]).suffix.lower() in {".csv", XLSX} else cell


def _last(source: Any) -> str:
    """Return the name of a file, without its folders; of a text, or several files, what fits on a line."""
    return Path(str(source)).name if isinstance(source, str | Path) else str(len(source)) + " files"
