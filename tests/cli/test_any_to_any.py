"""Texts and images in and out of a model, as they are typed and as they are told."""

from __future__ import annotations

from pathlib import Path

import any_toys
import pytest
from model_card import CARD
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.cli.models import list_lines
from diffuscope.model.find import model_info
from diffuscope.model.folder import save_model
from diffuscope.results.result import open_result
from diffuscope.systems import registry
from diffuscope.systems.registry import build_system


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry._ROWS, "any", any_toys.ROWS["any"])
    save_model(tmp_path / "toy", build_system("any", {}), "any", {}, CARD)
    monkeypatch.chdir(tmp_path)


def call(*words: str):
    return CliRunner().invoke(app, [*words])


def run(*words: str):
    return call("run", "toy", "-o", "out.ome.zarr", "--device", "cpu", *words)


def test_a_text_becomes_images_and_those_a_text(tmp_path: Path):
    done = run("--input", "text=a nodule, on the left", "--want", "ct,xray")
    assert done.exit_code == 0, done.output
    assert call("export", "out.ome.zarr", "-o", "ct.ome.tif", "--layer", "ct").exit_code == 0
    back = call("run", "toy", "--input", "ct=ct.ome.tif", "--want", "report", "-o", "back.ome.zarr", "--device", "cpu")
    assert back.exit_code == 0, back.output
    # Of the toy: a text of so many characters is as bright, and brightness is what it writes of.
    words = f"brightness {len('a nodule, on the left')}"
    assert f"generated report: {words}" in back.stdout and words in call("info", "back.ome.zarr").stdout
    assert call("export", "back.ome.zarr", "-o", "report.txt").exit_code == 0
    written = (tmp_path / "report.txt").read_text(encoding="utf-8")
    assert written.startswith(words) and written.rstrip().endswith("research use only, not for diagnosis.")
    # What was written goes in again.
    again = call(
        "run", "toy", "--input", "report=@report.txt", "--want", "ct", "-o", "again.ome.zarr", "--device", "cpu"
    )
    assert again.exit_code == 0, again.output
    assert open_result("again.ome.zarr").record["inputs"]["report"]["text"] == written


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "report=a", "--want", " , "], "--want names nothing: say which outputs, or leave it out for all."),
        (
            ["--input", "report="],
            "input report is empty: write what goes in behind the =, or leave --input report out.",
        ),
        (["--input", "reports=a"], "model toy has no input “reports”: its inputs are report (report), ct (CT)"),
        (["--input", "report=a", "--want", "mri"], "there is no output “mri”: choose among report, ct"),
        (["--input", "report=a", "--input", "report=b"], "input report is given twice: give it once."),
        ([], "give one INPUT, or say --input KEY=FILE"),
    ],
)
def test_what_is_wrong_is_one_sentence(words: list[str], message: str):
    done = run(*words)
    lines = done.stderr.strip().splitlines()
    assert done.exit_code == 2 and len(lines) == 1 and message in lines[0]


def test_nothing_is_exported_as_a_text_that_is_none():
    assert run("--input", "report=a", "--want", "ct").exit_code == 0
    done = call("export", "out.ome.zarr", "-o", "report.txt")
    assert (
        done.exit_code == 2 and "would be a text, and the result has none: end it with one of .ome.tif" in done.stderr
    )


def test_the_card_says_what_goes_in_and_comes_out_and_by_which_key():
    told = " ".join(call("models", "toy").stdout.split())
    assert "takes report (report); CT (ct); X-ray (xray)" in told and "at least one report, ct, xray" in told
    assert "gives generated report (report); generated CT (ct); uncertainty of CT (ct_sd)" in told
    assert "report, CT, X-ray → any of generated report, generated CT, generated X-ray" in " ".join(
        list_lines([model_info("toy")])
    )
