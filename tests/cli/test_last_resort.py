"""Whatever a command ends with is one sentence; the report on it holds nothing of the user's; libraries are silent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.cli.last_resort import report_path
from diffuscope.unforeseen import unforeseen

PATIENT, FOLDER, FILE = "Doe^Jane", "Clinic of Somewhere", "1971-05-04-Jane-Doe.dcm"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("platformdirs.user_log_path", lambda name: tmp_path / "state" / name / "log")
    return tmp_path


class CodecError(ValueError):
    pass


def stumble(path: Path) -> None:
    def inner() -> None:
        raise KeyError(f"PatientName of {path} is {PATIENT}")

    try:
        inner()
    except KeyError as error:
        raise CodecError(f"{path}: {PATIENT}") from error


def call(path: Path, monkeypatch: pytest.MonkeyPatch, does) -> object:
    monkeypatch.setattr("diffuscope.api.open.open", does)
    return CliRunner().invoke(app, ["info", str(path)])


def test_what_nobody_foresaw_is_one_sentence_and_a_report_without_anything_of_the_user_s(state, monkeypatch):
    path = state / FOLDER / FILE
    done = call(path, monkeypatch, stumble)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: something went wrong that nobody foresaw (CodecError in cli/commands.py)")
    assert str(report_path()) in done.stderr
    report = report_path().read_text(encoding="utf-8")
    assert "CodecError" in report and "KeyError" in report and "diffuscope/cli/commands.py:" in report
    assert "Diffuscope " in report and ", info" in report and "numpy " in report
    for theirs in (PATIENT, "Jane", FOLDER, FILE, "PatientName", str(state), str(Path.home()), "test_last_resort"):
        assert theirs not in report, theirs


def test_a_report_that_cannot_be_kept_is_told(state, monkeypatch):
    (state / "state").touch()
    done = call(state / FILE, monkeypatch, stumble)
    assert done.exit_code == 2 and "CodecError" in done.stderr and "diffuscope/cli/commands.py:" in done.stderr
    assert FILE not in done.stderr and PATIENT not in done.stderr


def test_ctrl_c_and_a_full_memory_keep_their_words(state, monkeypatch):
    def interrupt(path):
        raise KeyboardInterrupt

    def fill(path):
        raise MemoryError(f"Unable to allocate 9 TiB for {path}")

    assert call(state / FILE, monkeypatch, interrupt).exit_code == 130
    done = call(state / FILE, monkeypatch, fill)
    assert done.exit_code == 2 and "not enough memory" in done.stderr and FILE not in done.stderr
    assert not report_path().exists()


def test_a_wrong_option_is_told_by_the_command_line_itself(state):
    done = CliRunner().invoke(app, ["info", "--nothing"])
    assert done.exit_code == 2 and "No such option" in done.stderr and not report_path().exists()


def test_an_error_of_the_system_is_known_by_its_number(state):
    try:
        (state / FILE).open()
    except OSError as error:
        report = unforeseen(error).report
    assert "FileNotFoundError (ENOENT)" in report and FILE not in report


NOISE = """
import logging, os, sys, warnings
import diffuscope.api.open

def noisy(path):
    os.write(2, b"C code speaks")
    logging.getLogger("tifffile").warning("a library speaks")
    warnings.warn("a library warns")
    print("we speak", file=sys.stderr)
    raise {error}

diffuscope.api.open.open = noisy
from diffuscope.cli import app
sys.argv = ["diffuscope", "info", "x"]
app()
"""


@pytest.mark.parametrize(("error", "status"), [("ZeroDivisionError", 2), ("KeyboardInterrupt", 130)])
def test_nobody_but_us_speaks_on_the_terminal(state, error: str, status: int):
    done = subprocess.run(
        [sys.executable, "-c", NOISE.format(error=error)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"XDG_STATE_HOME": str(state)},
    )
    ours, told = done.stderr.splitlines()
    assert done.returncode == status and done.stdout == "" and ours == "we speak"
    assert told == "Cancelled." if status == 130 else told.startswith("Error: something went wrong")


def test_a_name_does_nothing_to_the_terminal(tmp_path: Path):
    path = tmp_path / "a\x1b[2J\x07.png"
    Image.new("RGB", (64, 64)).save(path)
    for one in (path, tmp_path / "none\x1b[2J.png"):
        done = CliRunner().invoke(app, ["info", str(one)])
        assert "\x1b" not in done.output and "\x07" not in done.output and "\\x1b[2J" in done.output
