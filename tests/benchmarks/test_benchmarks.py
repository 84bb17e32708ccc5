"""Benchmarks by name: each is found and has the one shape, figures come last and go where they are wanted."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import main
from benchmarks.reproduce import __main__ as reproduce
from benchmarks.shared.benchmark import ROOMS, Benchmark, find
from benchmarks.shared.figures import Goal, table

ROOT = Path(__file__).resolve().parents[2]
FOUND = find()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_every_module_is_found_by_its_name_and_no_two_have_one_name():
    names = [file.stem for room in ROOMS for file in (ROOT / "benchmarks" / room).glob("[!_]*.py")]
    assert sorted(names) == sorted(FOUND) and len(set(names)) == len(names) > 25
    assert "reproduce" not in FOUND


@pytest.mark.parametrize("one", FOUND.values(), ids=list(FOUND))
def test_every_benchmark_has_the_shape(one: Benchmark):
    defined = ast.parse(one.file.read_text(encoding="utf-8")).body
    assert one.first_line.endswith(".")
    assert any(isinstance(node, ast.FunctionDef) and node.name == "measure" for node in defined)
    targets = [node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None) for node in defined]
    assert any(isinstance(target, ast.Name) and target.id == "GOALS" for target in targets)
    # It runs by its name alone, and every option is told.
    assert not any(isinstance(node, ast.If) for node in defined)
    assert all(action.help for action in one.parser._actions)
    assert len(one.file.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("name", ["held_out", "translation", "nanoparticles", "finetune", "tumour"])
def test_what_the_source_says_of_the_options_is_what_measure_takes(name: str):
    module, actions = importlib.import_module(FOUND[name].module), FOUND[name].parser._actions
    taken = inspect.signature(module.measure).parameters
    assert {action.dest for action in actions} == {*taken, "json", "help"}
    for key, parameter in taken.items():
        [action] = [action for action in actions if action.dest == key]
        if parameter.default is not inspect.Parameter.empty:
            assert action.default == parameter.default and action.option_strings == [f"--{key}"]


def test_choices_that_the_source_spells_out_are_those_that_there_are():
    from benchmarks.quality.translation import MEASURES
    from diffuscope.simulation.tumour import PHANTOMS

    def choices(name: str, option: str) -> set[str]:
        [action] = [action for action in FOUND[name].parser._actions if action.dest == option]
        return set(action.choices)

    assert choices("translation", "what") == {*MEASURES, "pictures"}
    assert choices("tumour", "phantom") == choices("nanoparticles", "phantom") == set(PHANTOMS)


def test_neither_the_list_nor_any_help_waits_for_torch():
    code = (
        "import contextlib, io, sys\n"
        "from benchmarks.__main__ import main\n"
        "from benchmarks.shared.benchmark import find\n"
        "main([])\n"
        "for name in (*find(), 'reproduce'):\n"
        "    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n"
        "        main([name, '--help'])\n"
        "print(*{'torch', 'numpy', 'diffuscope'} & set(sys.modules), 'end')\n"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.splitlines()[-1] == "end"
    assert all(f"  {one.name} " in told and one.first_line in told for one in FOUND.values())


@pytest.mark.slow
def test_figures_come_last_with_their_goals_and_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("benchmarks.quality.tumour._DRAWN", 50)
    file = tmp_path / "figures.json"
    main(["tumour", "--fields", "1", "--size", "64", "--json", str(file)])
    [(key, figures)] = json.loads(file.read_text()).items()
    assert key == "figures" and "gain_db_concordant" in figures
    assert all(isinstance(value, int | float) for value in figures.values())
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][-len(figures) :] == list(figures)


def test_a_goal_is_met_missed_or_of_another_model():
    goals = {"a": Goal(high=2.0), "b": Goal(low=0.5, high=1.0), "c": {"this": Goal(low=1.0), "that": Goal(low=9.0)}}
    lines = table({"a": 1.0, "b": 2.0, "c": 5.0, "d": float("nan")}, goals, model="that").splitlines()
    assert [line.split() for line in lines] == [
        ["a", "1", "≤", "2:", "met"],
        ["b", "2", "≥", "0.5", "and", "≤", "1:", "MISSED"],
        ["c", "5", "≥", "9:", "MISSED"],
        ["d", "nan"],
    ]
    assert table({"c": 5.0}, goals, model="this").endswith("met") and not Goal(low=0.0).met(float("nan"))


def test_a_name_that_is_none_lists_those_that_are():
    refused = run("nonsense")
    assert refused.returncode == 1 and "no benchmark nonsense" in refused.stderr
    assert all(f"  {name} " in refused.stderr for name in ("gpu_proxy", "kernels", "reproduce"))


def test_what_a_user_gets_wrong_is_told_in_a_sentence():
    with pytest.raises(SystemExit, match='there is no model "no-such-model"'):
        main(["nanoparticles", "quality", "no-such-model"])


def test_every_table_of_a_paper_is_offered():
    from benchmarks.reproduce.tables import TABLES

    assert set(TABLES) == set(reproduce.SYSTEMS)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_a_benchmark_of_kernels_says_so_and_passes(tmp_path: Path):
    told = run("kernels", "--json", str(tmp_path / "figures.json"))
    assert told.returncode == 0 and "no GPU" in told.stdout
    assert json.loads((tmp_path / "figures.json").read_text()) == {"figures": {}}
