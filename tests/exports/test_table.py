"""A format to export as is a module and a row: whatever lists or writes formats finds it there."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from diffuscope.exports import export, table
from diffuscope.exports.request import Request
from diffuscope.exports.table import ALL, FORMATS, MULTIPLEX, Format, endings, formats_of
from diffuscope.results.result import Result


def test_every_row_has_a_module_that_writes_it() -> None:
    for form in FORMATS:
        module = import_module(f"diffuscope.exports.{form.module}")
        assert callable(module.need) and callable(module.write)


def test_the_list_is_had_without_what_writes() -> None:
    """The command line's help names the endings: it must answer at once."""
    code = "import sys; from diffuscope.exports.table import endings; print(*endings(), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    found = set(done.stdout.split())
    assert ".ome.zarr" in found
    assert not {"zarr", "tifffile", "dask", "diffuscope.results"} & found


def test_a_module_and_a_row_are_a_format(
    make_result: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(part: Path, request: Request) -> None:
        part.write_text(" ".join(port.key for port in request.ports), encoding="utf-8")

    toy = ModuleType("toy")
    vars(toy).update(need=lambda request: len(request.ports), write=write)
    monkeypatch.setitem(sys.modules, "diffuscope.exports.toy", toy)
    row = Format(name="Toy", endings=(".toy",), module="toy", of="slide", one_image=True)
    monkeypatch.setattr(table, "FORMATS", (*FORMATS, row))

    result = make_result()
    assert ".toy" in endings("slide") and ".toy" not in endings("volume")
    assert row in formats_of(result, "dab") and row in formats_of(result, MULTIPLEX)
    assert row not in formats_of(result, ALL)
    assert export(result, tmp_path / "out.toy", layer="dab").read_text(encoding="utf-8") == "dab"
