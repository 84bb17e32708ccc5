"""With CI=true a GUI test that was skipped is a failure, since it has shown nothing; other skips stay skips."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow

TESTS = """
import pytest

@pytest.mark.gui
def test_window():
    pytest.skip("no display")

def test_data():
    pytest.skip("no data")
"""
MODULE = "import pytest; pytest.importorskip('surely_not_installed')"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with this one's conftest.py, and without the plugins that this rule does not need."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(Path(__file__).parents[1].joinpath("conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    gui: window")
    pytester.makepyfile(test_marked=TESTS, test_module=MODULE)
    return pytester


@pytest.mark.parametrize("display", ["", ":99"])
def test_at_home_skips_are_skips(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, display: str):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("DISPLAY", display)
    project.runpytest_subprocess().assert_outcomes(skipped=3)


@pytest.mark.parametrize(
    ("display", "outcome"),
    [pytest.param("", {"errors": 1}, id="no display"), pytest.param(":99", {"failed": 1}, id="skips itself")],
)
def test_in_ci_a_skipped_gui_test_fails(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, display: str, outcome: dict[str, int]
):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("DISPLAY", display)
    run = project.runpytest_subprocess("test_marked.py")
    run.assert_outcomes(skipped=1, **outcome)
    run.stdout.fnmatch_lines(["*CI does not accept*"])


def test_in_ci_a_file_that_skips_itself_fails(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    project.runpytest_subprocess("test_module.py").assert_outcomes(errors=1)
