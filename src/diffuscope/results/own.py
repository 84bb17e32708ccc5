"""Which files in a result folder are the result's own, and which ones somebody put there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.place import Parts
from diffuscope.results import cache, coverage, sections, tissue, values
from diffuscope.results.beside.others import KINDS
from diffuscope.results.layout import ATTRS
from diffuscope.scans.fingerprint import fingerprint, is_same

#: The table of figures of a whole result, those of the regions that were measured of it last, and how a registration
#: moved it.
TABLE, REGIONS, TRANSFORM = "table.csv", "regions.csv", "transform.json"
# Of a file that was being written when its process was killed, by us and by zarr.
_PASSING = re.compile(r"\.part$|\.[0-9a-f]{32}\.partial$")
_ARRAY = r"(?:\.z\w+|\d+(?:[./]\d+)*)"


def own_parts(path: Path) -> Parts:
    """Return what tells a result's own files, by their path in it, from others; never raises."""
    keys: list[str] = []
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        about = json.loads((path / ".zattrs").read_text(encoding="utf-8"))[ATTRS]
        keys = [re.escape(str(port["key"])) for port in about["ports"]]
    image = rf"(?:\.z\w+|\d+/{_ARRAY})"
    known = re.compile(
        rf"(?:(?:{'|'.join(keys)})/)?{image}"
        rf"|(?:{tissue.PATH}|{coverage.PATH}|{values.PATH}|{values.PATH}/\w+|{sections.PATH}|{sections.PATH}/\w+)/{_ARRAY}"
        rf"|{cache.FOLDER}/[^/]+|(?:{'|'.join(re.escape(kind.name) for kind in KINDS)})(?:/[^/]+\.(?:txt|json))?"
        rf"|{re.escape(TABLE)}|{re.escape(REGIONS)}|{re.escape(TRANSFORM)}"
    )
    return lambda name: known.fullmatch(_PASSING.sub("", name)) is not None


def check_no_input(file: Path, record: Mapping[str, Any]) -> None:
    """Refuse to write over a file that a result was made from, wherever it lies.

    Raises
    ------
    InputError
        The file is one of the inputs that the run record names.
    """
    inputs = [about for about in record.get("inputs", {}).values() if "fingerprint" in about]
    if not (inputs and file.is_file()):
        return
    found = fingerprint(file)
    if any(is_same(about["fingerprint"], found) for about in inputs):
        raise InputError(f"{file} is what the result was made from, and is never overwritten: choose another name.")
