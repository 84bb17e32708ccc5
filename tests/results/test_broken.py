"""Result folders that came damaged, or from somebody who means ill: opened right, or refused in one sentence."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.exports.export import export
from diffuscope.files.links import check_inside
from diffuscope.files.place import check_place
from diffuscope.jobs.resume import begun_record
from diffuscope.ports.numbers import Value
from diffuscope.ports.score import Score
from diffuscope.ports.table import Column, Table
from diffuscope.ports.text import Text
from diffuscope.results.beside.others import write_others
from diffuscope.results.canvas import Canvas
from diffuscope.results.computed import Computed
from diffuscope.results.result import RESULT, is_result, open_result
from diffuscope.results.tissue import crop_tissue
from diffuscope.tiling.plan import Region, make_plan

OTHERS = (
    Score(name="light", key="light", classes=("dark", "bright")),
    Text(name="report", key="report"),
    Table(name="shares", key="shares", columns=(Column(name="blood"), Column(name="clinical"))),
)
WORDS = {"model": {"name": "toy", "hash": "0"}, "inputs": {"he": {"name": "a.tif"}}, "parameters": {"seed": 0}}
RECORD = {**WORDS, "compute": {"batch": 1}, "versions": {"python": "3"}, "notices": ["one"], "command": "diffuscope"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an unfinished result with everything that a result can hold."""
    from toy_tiles import DAB, IHC

    path = tmp_path_factory.mktemp("made") / "out.ome.zarr"
    grid = {"factors": (1.0, 1.0), "tile": 128, "overlap": 16, "spacing": (0.5, 0.5)}
    plan = make_plan(shape=(400, 400), **grid, region=Region(0, 0, 300, 300))
    tissue = crop_tissue(
        np.ones((40, 40), np.bool_), 10.0, factor=1.0, window=plan.window, region=Region(0, 0, 300, 300)
    )
    told = Value(name="step", key="step", range=(0.0, 1.0))
    canvas = Canvas(
        path,
        plan=plan,
        ports=(IHC, DAB),
        record=RECORD,
        others=OTHERS,
        values=(told,),
        tissue=tissue,
    )
    rng = np.random.default_rng(0)
    for tile in list(plan.tiles())[:-1]:
        pixels = {key: rng.random((n, 128, 128)).astype(np.float32) for key, n in (("ihc", 3), ("dab", 1))}
        canvas.write_tiles([Computed(tile, pixels, {"step": np.ones(2, np.float32)})])
    write_others(path, {"light": [[0.5, 0.4]] * 2, "report": "all is well", "shares": [0.1, np.nan]}, OTHERS)
    canvas.finish()
    (path / "table.csv").write_text("region,percent\nall,5\n", encoding="utf-8")
    return path


def look(path: Path) -> None:
    """Read all that opening gives."""
    result = open_result(path)
    for levels in result.images.values():
        for level in levels:
            np.asarray(level)
    assert result.mpp > 0 and result.origin and result.summaries is not None
    list(result.values.rows() if result.values is not None else ())
    if result.tissue is not None:
        result.tissue.read(0, 0, 50, 50)
    {**result.record.get("inputs", {}), **result.record.get("parameters", {})}
    begun_record(path)


ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**70,
    1e300,
    float("nan"),
    "",
    "x",
    "../..",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
)


def change(value: Any, chance: random.Random) -> Any:
    """Return JSON with one of its parts left out, doubled or made into something else."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        inner = value.copy()
        key = chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if chance.random() < 0.15:
            del inner[key]
        else:
            inner[key] = change(inner[key], chance)
        return inner
    return chance.choice(ODD)


def mutate(path: Path, chance: random.Random) -> str:
    """Damage one file; return what was done."""
    files = sorted(file for file in path.rglob("*") if file.is_file() and "tiles" not in file.parts)
    file = chance.choice([one for one in files if one.name.startswith(".z")] if chance.random() < 0.7 else files)
    how = chance.choice(("json", "json", "json", "cut", "gone", "noise", "flip"))
    content = file.read_bytes()
    if how == "json" and file.suffix != ".csv" and content.startswith(b"{"):
        file.write_text(json.dumps(change(json.loads(content), chance)), encoding="utf-8")
    elif how == "gone":
        file.unlink()
    elif how == "cut":
        file.write_bytes(content[: chance.randrange(len(content))])
    elif how == "noise":
        file.write_bytes(chance.choice((b"", b"[" * 5000, b"\xff\xfe" * 50, b"null", b"{}", b'"x"')))
    else:
        at = chance.randrange(len(content))
        file.write_bytes(content[:at] + bytes([content[at] ^ 1 << chance.randrange(8)]) + content[at + 1 :])
    return f"{how} {file.relative_to(path)}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_mutants_open_or_are_refused_in_one_sentence(tmp_path: Path, made: Path, seed: int) -> None:
    chance = random.Random(seed)
    sentences = []
    for number in range(60):
        path = tmp_path / f"{number}.ome.zarr"
        shutil.copytree(made, path)
        done = mutate(path, chance)
        try:
            look(path)
        except InputError as error:
            sentences.append(str(error))
        except Exception as error:
            raise AssertionError(f"seed {seed}, mutant {number}: {done}") from error
        shutil.rmtree(path)
    assert len(sentences) > 10
    assert all(re.fullmatch(r"\d+\.ome\.zarr .*\.", one) for one in sentences)


def link(path: Path, to: Path) -> None:
    content = to / path.name
    if path.is_dir():
        shutil.move(path, content)
    else:
        shutil.copyfile(path, content)
        path.unlink()
    path.symlink_to(content)


@pytest.mark.parametrize(
    ("what", "opens"),
    [
        ("tiles/ledger", True),
        ("tiles", False),
        ("0/0/0/0", True),
        ("0/0/0", True),
        ("0", False),
        ("dab", False),
        ("texts/report.txt", False),
        ("scores.json", False),
        ("rows.json", False),
        ("table.csv", False),
        ("tissue/0/0", False),
        ("values/step/0/0/0", False),
        (".zattrs", False),
    ],
)
def test_links_of_a_stranger_are_followed_by_nobody(tmp_path: Path, made: Path, what: str, opens: bool) -> None:
    path, mine = tmp_path / "out.ome.zarr", tmp_path / "mine"
    shutil.copytree(made, path)
    mine.mkdir()
    link(path / what, mine)
    before = {file: file.read_bytes() for file in mine.rglob("*") if file.is_file()}
    words = "not a Diffuscope result" if what == ".zattrs" else "which is a link|has a link"
    if opens:
        result = open_result(path)
        with pytest.raises(InputError, match=words):
            export(result, tmp_path / "copy.ome.zarr", allow_incomplete=True)
        if what.startswith("0/"):
            with pytest.raises(InputError, match="link"):
                np.asarray(result.images["ihc"][0])
    else:
        with pytest.raises(InputError, match=words):
            open_result(path)
    with pytest.raises(InputError, match=words):
        begun_record(path)
    assert {file: file.read_bytes() for file in mine.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "copy.ome.zarr").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes that have a name")
def test_who_reads_a_pipe_does_not_wait(tmp_path: Path, made: Path) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    (path / "0/0/0/0").unlink()
    os.mkfifo(path / "0/0/0/0")
    with pytest.raises(InputError, match="no file"):
        np.asarray(open_result(path).images["ihc"][0])
    with pytest.raises(InputError, match="no file"):
        check_inside(path)


SPOILT = (lambda b: b[: len(b) // 2], lambda b: b[:4] + b"\xff\xff\xff\x7f" + b[8:], lambda _: b"")


@pytest.mark.parametrize("name", ["copy.ome.zarr", "copy.ome.tif"])
@pytest.mark.parametrize("spoil", SPOILT)
def test_a_chunk_that_cannot_be_read_is_not_exported(
    tmp_path: Path, made: Path, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    chunk = path / "dab/0/0/0/0"
    chunk.write_bytes(spoil(chunk.read_bytes()))
    with pytest.raises(InputError, match=r"out.ome.zarr is damaged: dab.0.0.0.0 cannot be read"):
        export(open_result(path), tmp_path / name, allow_incomplete=True)
    assert [file.name for file in tmp_path.iterdir()] == ["out.ome.zarr"]


def test_a_chunk_larger_than_any_is_not_read(tmp_path: Path, made: Path) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    with (path / "dab/0/0/0/0").open("r+b") as chunk:
        chunk.truncate(1 << 40)  # of holes: it takes no room
    with pytest.raises(InputError, match=r"out.ome.zarr is damaged: dab.0.0.0.0 is larger than it can be"):
        open_result(path).images["dab"][0].compute()


def test_a_newer_one_says_so(tmp_path: Path, made: Path) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    stated = json.loads((path / ".zattrs").read_text())
    stated["diffuscope"] = {"version": 99}
    (path / ".zattrs").write_text(json.dumps(stated))
    assert is_result(path)
    with pytest.raises(InputError, match="newer Diffuscope"):
        open_result(path)


def test_all_that_a_run_writes_is_a_results_own(tmp_path: Path, made: Path) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    for left in (".zattrs.part", f".zattrs.{'0a' * 16}.partial", "0/0/0/1.part", "tiles/0_1.npy.part"):
        (path / left).write_bytes(b"")
    assert check_place(path, RESULT, overwrite=True) == "replaced"
    (path / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match=r"letter\.txt, which is no part of a Diffuscope result"):
        check_place(path, RESULT, overwrite=True)


@pytest.mark.parametrize("change", [{"cname": "string"}, {"clevel": 2**70}, {"shuffle": 9}, {"blocksize": -1}])
def test_a_codec_that_its_library_refuses_is_refused_before_it_is_used(
    tmp_path: Path, made: Path, change: dict
) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    file = path / "0" / "0" / ".zarray"
    file = file if file.exists() else path / "0" / ".zarray"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"compressor": about["compressor"] | change}))
    with pytest.raises(InputError, match="damaged"):
        open_result(path)


@pytest.mark.parametrize("text", ["a,b\n1,2,3\n", "a,b\n1\n", "\xff"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, made: Path, text: str) -> None:
    path = tmp_path / "out.ome.zarr"
    shutil.copytree(made, path)
    (path / "table.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"table\.csv"):
        open_result(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes that have a name")
def test_metadata_that_are_a_pipe_or_endless_are_not_read(tmp_path: Path, made: Path) -> None:
    for what, name in itertools.product(("pipe", "endless"), (".zattrs", ".zgroup")):
        path = tmp_path / f"{what}{name}.ome.zarr"
        shutil.copytree(made, path)
        (path / "dab" / name).unlink()
        if what == "pipe":
            os.mkfifo(path / "dab" / name)
        else:
            (path / "dab" / name).symlink_to("/dev/zero")
        with pytest.raises(InputError, match="link"):
            open_result(path)


def test_a_region_that_crosses_itself_is_damage_and_nobody_is_asked_to_draw(made: Path, tmp_path: Path) -> None:
    path = Path(shutil.copytree(made, tmp_path / made.name))
    about = json.loads((path / "tissue/.zattrs").read_text(encoding="utf-8"))
    about["polygon"] = [[0, 0], [300, 300], [300, 0], [0, 300]]
    (path / "tissue/.zattrs").write_text(json.dumps(about), encoding="utf-8")
    with pytest.raises(InputError, match=r"^out\.ome\.zarr is damaged \(its region is none\): run it again\.$"):
        open_result(path)
