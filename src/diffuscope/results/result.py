"""A result folder opened again: every image, its place, its record and its table."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zarr

from diffuscope.errors import InputError
from diffuscope.files.links import check_inside
from diffuscope.files.place import Kind, Parts
from diffuscope.files.read import read_rows
from diffuscope.ports.port import Port
from diffuscope.ports.stains import is_of_samples
from diffuscope.ports.text import Written
from diffuscope.results.beside.edited import told_texts
from diffuscope.results.beside.mark import EDITED
from diffuscope.results.beside.others import read_others, summaries
from diffuscope.results.cache import FOLDER
from diffuscope.results.coverage import Coverage, load_coverage
from diffuscope.results.layout import level_folder
from diffuscope.results.opening.about import About, check_about, read_about
from diffuscope.results.opening.damage import told
from diffuscope.results.opening.stored import lazy, open_checked
from diffuscope.results.own import REGIONS, TABLE, own_parts
from diffuscope.results.place import Place
from diffuscope.results.scores import Scored
from diffuscope.results.sections import Section, load_sections
from diffuscope.results.tissue import TissueMap, load_tissue
from diffuscope.results.values import TileValues, load_values
from diffuscope.scans.guards.zarr_store import GuardedStore
from diffuscope.tiling.boxes import halves

if TYPE_CHECKING:
    import dask.array as da

    from diffuscope.ports.raster import Raster


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run left behind, read lazily.

    Attributes
    ----------
    path : Path
        The OME-Zarr folder.
    complete : bool
        False while the run goes on, or where it was cancelled or killed.
    done, tiles : int
        Tiles finished (as of the last refresh) and planned.
    ports : tuple of Raster
        Of the images, the main one first.
    others : tuple of Port
        Of what there is beside images.
    images : dict of str to list of dask array
        Pyramid levels by port key, finest first, (y, x, c) of a slide and (z, y, x, c) of a volume; arrays read
        from disk at each compute, so that a result being written is seen to grow.
    samples : dict of str to zarr.Array
        By key what is kept of each sample beside their mean, (samples, y, x), finest level
        (see `diffuscope.ports.stains.samples_of`); empty with one sample, and of older results.
    found : dict of str to object
        What came out at the ports of `others`, by key; empty where the run did not end.
    place : Place
        Window, factors, spacing and origin along (y, x) in µm, or along (z, y, x) in mm: the spacing is napari's
        ``scale`` and the origin its ``translate``. `NOWHERE` where there is no image.
    tissue : TissueMap or None
        Where the tissue lies on the canvas; None where the result was written without.
    values : TileValues or None
        What the system told of each tile at each network evaluation; None where it tells nothing.
    record : dict
        The run record.
    table : list of dict
        Measurements per region as text by column; empty where the run did not end.
    regions : list of dict
        The same of the regions of a load that were measured last; empty where none were.
    coverage : Coverage or None
        Which px were computed; None where there is no image, or the result was written before that was kept.
    sections : tuple of Section
        Slices through what the labels of a case outline.
    """

    path: Path
    complete: bool
    done: int
    tiles: int
    ports: tuple[Raster, ...]
    others: tuple[Port, ...]
    images: dict[str, list[da.Array]]
    found: dict[str, Any]
    place: Place
    tissue: TissueMap | None
    values: TileValues | None
    record: dict[str, Any]
    table: list[dict[str, str]]
    coverage: Coverage | None = None
    samples: dict[str, zarr.Array[Any]] = field(default_factory=dict)
    sections: tuple[Section, ...] = ()
    regions: list[dict[str, str]] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """What a user calls its tiles, in the plural: as of `diffuscope.tiling.plan.Plan.unit`."""
        axes = self.coverage.axes if self.coverage is not None else ()
        grid = [stop - first for first, stop in (axis.indices for axis in axes)]
        return "slices" if len(axes) == 3 and axes[0].tile == 1 and grid[1:] == [1, 1] else "tiles"

    @property
    def scores(self) -> dict[str, Scored]:
        """What came out at score ports, by key."""
        return {key: one for key, one in self.found.items() if isinstance(one, Scored)}

    @property
    def texts(self) -> dict[str, Written]:
        """What came out at text ports, by key: the text, and the probabilities of its pieces."""
        return {key: one for key, one in self.found.items() if isinstance(one, Written)}

    @property
    def told(self) -> dict[str, tuple[str, str]]:
        """The texts as they go out, by key: as a user has edited them, where one has; each with who wrote it."""
        return told_texts(self.path, self.texts, self.record)

    @property
    def edited(self) -> tuple[str, ...]:
        """Names of the texts that a user has edited."""
        told = self.told
        return tuple(port.name for port in self.others if port.key in told and told[port.key][1] == EDITED)

    @property
    def summaries(self) -> tuple[tuple[str, str], ...]:
        """Name and words of all that there is beside images; of a text that a user has edited, what it says now."""
        told = {key: Written(text) for key, (text, _) in self.told.items()}
        return tuple(summaries({**self.found, **told}, self.others))

    @property
    def mpp(self) -> float:
        """µm per px of the finest level, along a row."""
        return self.place.mpp

    @property
    def factor(self) -> float:
        """Input px (of level 0) per px of the finest level, along a row."""
        return self.place.factors[-1]

    @property
    def window(self) -> tuple[int, ...]:
        """(y, x, height, width) or (z, y, x, depth, height, width) of the canvas in px of the model's grid."""
        return self.place.window

    @property
    def origin(self) -> tuple[float, ...]:
        """Centre of the first px from the centre of the input's first px, in µm or, of a volume, in mm."""
        return self.place.origin


def is_result(path: str | Path) -> bool:
    """Whether a folder is a Diffuscope result, complete or not; never raises."""
    return read_about(Path(path)) is not None


def parts_with_results(path: Path, *, files: Collection[str], under: str = "") -> Parts:
    """Return what tells the own files of a folder of results from others: a user's pictures are not among them.

    Parameters
    ----------
    path : Path
        The folder.
    files : collection of str
        Names of its files.
    under : str
        Where in it results lie, with a slash at the end.
    """
    results: dict[str, Parts | None] = {}

    def is_part(name: str) -> bool:
        if name.removesuffix(".part") in files:
            return True
        folder, ending, rest = name.partition(".ome.zarr/")
        if not (ending and folder.startswith(under)) or "/" in folder.removeprefix(under):
            return False
        if folder not in results:
            place = path / f"{folder}.ome.zarr"
            results[folder] = own_parts(place) if is_result(place) else None
        own = results[folder]
        return own is not None and own(rest)

    return is_part


#: What a run, a registration and an export as OME-Zarr write.
RESULT = Kind("a Diffuscope result", is_result, parts=own_parts)


def open_result(path: str | Path) -> Result:
    """Open a result folder.

    Parameters
    ----------
    path : str or Path
        The folder that a run wrote.

    Returns
    -------
    Result

    Raises
    ------
    InputError
        There is no such folder, it is not a Diffuscope result, it is damaged, something in it leads out of it, or a
        newer version wrote it.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist: give the folder that a run wrote.")
    about = read_about(path)
    if about is None:
        raise InputError(f"{path.name} is not a Diffuscope result: give the .ome.zarr folder that a run wrote.")
    checked = check_about(about, path.name)
    try:
        return _open(path, about, checked)
    except InputError:
        raise
    except FileNotFoundError as error:
        if not path.exists():  # replaced just now
            raise InputError(f"{path} does not exist: give the folder that a run wrote.") from error
        raise InputError(f"{path.name} is damaged ({error}): run it again.") from error
    except Exception as error:  # whatever zarr, its codecs and plain Python say of what no version wrote
        raise InputError(f"{path.name} is damaged ({told(error)}): run it again.") from error


def _open(path: Path, about: dict[str, Any], checked: About) -> Result:
    root = zarr.open_group(GuardedStore(path), mode="r", zarr_format=2)
    stored, others = checked.all_ports()
    place = checked.place()
    _, lengths = halves(place.window)
    arrays = open_checked(root, stored, lengths, path.name)
    ports = tuple(port for port in stored if not is_of_samples(port))
    levels = {level_folder(array) for images in arrays.values() for array in images}
    check_inside(path, leave_out={*levels, path / FOLDER})
    return Result(
        path=path,
        complete=checked.complete,
        done=checked.done,
        tiles=checked.tiles,
        ports=ports,
        others=others,
        images={port.key: [lazy(array) for array in arrays[port.key]] for port in ports},
        samples={port.key: arrays[port.key][0] for port in stored if port not in ports},
        found=read_others(path, others),
        place=place,
        tissue=load_tissue(root, factor=place.factors[-1], window=place.window) if ports else None,
        values=load_values(root),
        coverage=load_coverage(path, root, place.window) if ports else None,
        sections=load_sections(root),
        record=about["record"],
        table=_table(path / TABLE),
        regions=_table(path / REGIONS),
    )


def _table(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    rows = read_rows(path)
    if any(None in row or None in row.values() for row in rows):
        raise ValueError(f"a line of {path.name} has more or fewer values than its first line has names")
    return rows
