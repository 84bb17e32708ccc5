"""CONTRIBUTING.md followed to the letter: its files are put where it says, its rows added, its commands typed."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.exports import table as written
from diffuscope.results.result import open_result
from diffuscope.scans import open_scan
from diffuscope.scans.formats import table as read
from diffuscope.systems import registry

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCKS = {
    block.partition("\n")[0].removeprefix("# "): block
    for block in re.findall(r"^```(?:python|toml|sh)\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL)
}
PLACE = "diffuscope/"


class Page:
    """What a reader does: puts files into folders that the package looks into, and rows into tables."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder, self._monkeypatch = folder, monkeypatch

    def put(self, start: str) -> None:
        """Write the files of the page below a folder of the package, which then has them as if they lay there."""
        for name, block in BLOCKS.items():
            if not name.startswith(PLACE + start):
                continue
            room, file = name.removeprefix(PLACE).split("/", 1)
            if room == "scans":
                room, file = "scans.formats", file.partition("/")[2]
            path = self._folder / room / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block, encoding="utf-8")
            package = import_module(f"diffuscope.{room}")
            if str(self._folder / room) not in package.__path__:
                self._monkeypatch.setattr(package, "__path__", [*package.__path__, str(self._folder / room)])

    def row(self, place: str, **names: object) -> object:
        """Return the row that the page adds to a table, read as it would be there."""
        line = BLOCKS[f"row of {PLACE}{place}"].partition("\n")[2].strip().removesuffix(",")
        module = import_module(f"diffuscope.{place.removesuffix('.py').replace('/', '.')}")
        return eval(f"{{{line}}}" if line.startswith('"') else line, {**vars(module), **names})


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    before = set(sys.modules)
    yield Page(tmp_path / "package", monkeypatch)
    for name, module in list(sys.modules.items()):
        if name not in before and str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def negative(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a picture, beside the system of the page and its model."""
    monkeypatch.setattr("diffuscope.model.find.user_folder", lambda: tmp_path / "models")
    page.put("systems/negative")
    for name, row in page.row("systems/registry.py").items():
        monkeypatch.setitem(registry._ROWS, name, row)
    exec(BLOCKS["make the model"], {})
    pixels = np.arange(90 * 80 * 3, dtype=np.uint32).reshape(80, 90, 3).astype(np.uint8) // 2 * 2
    size = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    tifffile.imwrite(tmp_path / "picture.ome.tif", pixels, photometric="rgb", metadata={"axes": "YXS", **size})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_system_is_its_folder_and_a_row(negative: Path, page: Page, monkeypatch: pytest.MonkeyPatch):
    said = []
    for line in next(block for block in BLOCKS.values() if block.startswith("diffuscope models")).splitlines():
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
        said.append(done.output)
    assert "negative-demo: Photographic negative" in said[0] and "Photography" in said[0]
    expected = 255 - tifffile.imread("picture.ome.tif") // 2
    np.testing.assert_array_equal(tifffile.imread("negative.ome.tif"), expected)
    result = open_result("negative.ome.zarr")
    assert result.record["parameters"]["options"] == {"exposure": 0.5}
    assert "--option exposure=0.5" in result.record["command"]

    # and what it made is written by the format of the page, a file and a row
    page.put("exports/")
    monkeypatch.setattr(written, "FORMATS", (*written.FORMATS, page.row("exports/table.py")))
    done = CliRunner().invoke(app, ["export", "negative.ome.zarr", "-o", "negative.npz"])
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(np.load("negative.npz")["negative"], expected)


def test_a_package_offers_a_system_by_an_entry_point(monkeypatch: pytest.MonkeyPatch):
    [stated] = [block for block in BLOCKS.values() if block.startswith("[project.entry-points")]
    [(group, points)] = tomllib.loads(stated)["project"]["entry-points"].items()
    assert group == registry.ENTRY_POINTS
    [(name, value)] = points.items()
    assert re.fullmatch(r"[\w.]+:\w+", value)
    # the row that another package would hold: here one of this package's own
    point = EntryPoint(name, "diffuscope.systems.registry:_ROWS", group)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == registry.ENTRY_POINTS else [])
    registry._offered.cache_clear()
    try:
        assert registry.systems()[name] is registry._ROWS
    finally:
        registry._offered.cache_clear()


def test_a_format_that_is_read_is_a_file_and_a_row(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page.put("scans/formats/")
    module = import_module("diffuscope.scans.formats.pgm")
    row = page.row("scans/formats/table.py", read_pgm=module.read_pgm)
    monkeypatch.setattr("diffuscope.scans.open.SLIDES", (*read.SLIDES, row))
    (tmp_path / "a.pgm").write_bytes(b"P5\n6 5\n255\n" + bytes(range(30)))
    scan = open_scan(tmp_path / "a.pgm")
    assert scan.format == "PGM" and scan.mpp is None
    np.testing.assert_array_equal(scan.levels[0].compute()[..., 0], np.arange(30).reshape(5, 6))
    (tmp_path / "b.pgm").write_bytes(b"P5\n6 5\n255\n" + bytes(range(20)))
    with pytest.raises(InputError, match=r"b\.pgm is no whole 8-bit PGM"):
        open_scan(tmp_path / "b.pgm")


def test_a_dock_for_a_task_is_a_kind(page: Page, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("napari")
    from diffuscope.plugin.docks import kinds
    from diffuscope.plugin.docks.run import RunDock

    stated = dict(vars(kinds))
    exec(BLOCKS["row of diffuscope/plugin/docks/kinds.py"], stated)
    photography = stated["PHOTOGRAPHY"]
    monkeypatch.setattr(kinds, "PHOTOGRAPHY", photography, raising=False)
    found: dict = {}
    exec(BLOCKS["diffuscope/plugin/docks/photography.py"], found)
    assert issubclass(found["PhotographyDock"], RunDock) and found["PhotographyDock"].kind is photography
    facts = {"axes": "yx", "task": "photography", "title": "Negative", "inputs": ("negative",), "has_text": False}
    model = type("Model", (), facts)
    assert kinds.OTHERS.lists(model)
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS[:-1], photography, kinds.OTHERS))
    assert photography.lists(model) and not kinds.OTHERS.lists(model)
    assert "“Photography”" in kinds.elsewhere(model)
    picture = pytest.importorskip("napari").layers.Image(np.zeros((8, 8, 3), np.uint8), rgb=True)
    assert photography.takes(picture)


def test_every_make_target_that_is_named_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", TEXT, flags=re.MULTILINE))
    assert named and named <= targets
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    assert all(f"- `{marker.partition(':')[0]}`" in TEXT for marker in markers)


def test_every_block_is_one_that_a_test_follows():
    followed = ("diffuscope/", "row of diffuscope/", "make ", "diffuscope models", "[project.entry-points")
    assert [name for name in BLOCKS if not name.startswith(followed)] == []
