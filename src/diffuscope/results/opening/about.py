"""What a result says of itself, read in the one place where it is looked over: a stranger may have written it."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from diffuscope.errors import InputError
from diffuscope.files.links import read_inside
from diffuscope.ports.port import Port, rasters
from diffuscope.ports.raster import Raster
from diffuscope.ports.state import read_port
from diffuscope.results.layout import ATTRS, CASE_FORMAT
from diffuscope.results.place import NOWHERE, Place
from diffuscope.tiling.boxes import halves

#: More than any record needs: the outline of a drawn region is a few kB.
_MOST_BYTES = 64 * 2**20
_COUNT = Annotated[int, Field(ge=0, le=2**53)]
#: Pixels a side: more than any slide has, and few enough that what is planned for a canvas fits into memory.
_MOST_PIXELS = 2**26
Words = dict[str, JsonValue]


class Record(BaseModel):
    """What a run record is read for; of each kind of result some of it is there."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: dict[str, str | None] = {}
    inputs: dict[str, Words] = {}
    parameters: Words = {}
    compute: Words = {}
    versions: dict[str, str] = {}
    notices: list[str] = []
    resumed: list[Words] = []
    command: str = ""


class About(BaseModel):
    """What stands under `ATTRS`."""

    model_config = ConfigDict(extra="allow", strict=True)

    version: int
    complete: bool
    done: _COUNT
    tiles: _COUNT
    ports: list[dict[str, Any]]
    others: list[dict[str, Any]] = []
    record: Record

    def all_ports(self) -> tuple[tuple[Raster, ...], tuple[Port, ...]]:
        """Return the images, and what there is beside them."""
        images = rasters(read_port(port) for port in self.ports)
        others = tuple(read_port(port) for port in self.others)
        keys = [port.key for port in (*images, *others)]
        for port in (*images, *others):
            # It is the name of a folder or a file, too.
            if not re.fullmatch(r"\w+", str(port.key)) or not str(port.name):
                raise ValueError(f"{port.key!r} is no key of an output")
        for port in images:
            _check_image(port)
        if len(set(keys)) < len(keys) or len(images) < len(self.ports):
            raise ValueError("two outputs have one key, or an output is of a kind that is no image")
        return images, others

    def place(self) -> Place:
        """Return where the canvas lies; `NOWHERE` of a result without images."""
        if not self.ports:
            return NOWHERE
        place = Place.from_json(self.model_extra or {})
        starts, lengths = halves(place.window)
        axes = len(starts)
        whole = all(map(_is_whole, place.window)) and len(place.window) == 2 * axes and axes in (2, 3)
        if not whole or not all(0 < n <= _MOST_PIXELS for n in lengths) or any(abs(n) > 2**40 for n in starts):
            raise ValueError(f"its window is {list(place.window)}")
        for name, numbers, low in (
            ("factors", place.factors, 0.0),
            ("spacing", place.spacing, 0.0),
            ("origin", place.origin, -math.inf),
        ):
            if len(numbers) != axes or not all(_is_number(n) and n > low and abs(n) < 1e12 for n in numbers):
                raise ValueError(f"its {name} is {list(numbers)}")
        return place


def read_about(path: Path) -> dict[str, Any] | None:
    """Return what a folder says of itself as a result; None where it is none, or that cannot be read."""
    file = path / ".zattrs"
    try:
        if file.stat().st_size > _MOST_BYTES or not (path / ".zgroup").is_file():
            return None
        stated = json.loads(read_inside(file, path, most=_MOST_BYTES))
        found = stated.get(ATTRS)
    except (OSError, ValueError, RecursionError, AttributeError, InputError):
        return None
    return found if isinstance(found, dict) else None


def check_about(about: dict[str, Any], name: str) -> About:
    """Return what a result says, looked over.

    Raises
    ------
    InputError
        A newer version wrote it, or it says what no version does.
    """
    version = about.get("version")
    if isinstance(version, int) and version > CASE_FORMAT:
        raise InputError(f"{name} was written by a newer Diffuscope: update to open it.")
    try:
        return About.model_validate(about)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise InputError(f"{name} is damaged: its .zattrs says of {where}: {first['msg']}; run it again.") from error


def needed(record: dict[str, Any], name: str, *parts: str) -> None:
    """Refuse a run record that lacks what is asked of it.

    Raises
    ------
    InputError
        Names the first part that is missing.
    """
    for part in parts:
        if part not in record:
            raise InputError(f"{name} is damaged: its run record says nothing of {part}; run it again.")


def _check_image(port: Any) -> None:
    wrong = (
        port.kind not in ("rgb", "map")
        or port.dtype not in ("uint8", "float32")
        or not 0 < len(port.channels) <= 64
        or (port.kind == "rgb" and len(port.channels) != 3)
        or not all(isinstance(one, str) for one in (port.name, port.unit, port.colormap, *port.channels))
        or len(port.range) != 2
        or not all(_is_number(one) for one in (*port.range, port.mpp))
        or port.range[0] >= port.range[1]
        or not (_is_number(port.fill) or (isinstance(port.fill, float) and math.isnan(port.fill)))
        or (port.dtype == "uint8" and not 0 <= port.fill <= 255)
    )
    if wrong:
        raise ValueError(f"the output {port.key!r} is stated as no image is")


def _is_whole(value: Any) -> bool:
    return type(value) is int


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
