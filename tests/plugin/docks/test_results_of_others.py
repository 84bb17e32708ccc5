"""Every dock hears of every result that is selected, of whatever model: of rows, outlines and scores, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scored_case import save_scorer, write_case

import diffuscope
from diffuscope.results.result import Result, open_result

pytest.importorskip("napari")
pytest.importorskip("pytestqt")
pytest.importorskip("SimpleITK")

from diffuscope.plugin.docks.nanoparticle import NanoparticleDock
from diffuscope.plugin.docks.others import OtherModelsDock
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.docks.scoring import ScoringDock
from diffuscope.plugin.docks.stain import StainDock
from diffuscope.plugin.docks.texts import TextsDock
from diffuscope.plugin.docks.translation import TranslationDock
from diffuscope.plugin.jobs.child import Child

pytestmark = pytest.mark.gui

ROW = {"wbc": 4.5, "crp": None}


def scored(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """Scores of a patient with a CT, outlines and a row, and of one with a row alone."""
    model = save_scorer(folder / "scorer", monkeypatch)
    whole, row = folder / "whole.ome.zarr", folder / "row.ome.zarr"
    diffuscope.finish(diffuscope.run(model, {**write_case(folder), "blood": ROW}, whole, device="cpu"))
    diffuscope.finish(diffuscope.run(model, {"blood": ROW}, row, device="cpu", want=["metastasis"]))
    return [open_result(whole), open_result(row)]


DOCKS = (StainDock, NanoparticleDock, TranslationDock, TextsDock, ScoringDock, OtherModelsDock)


@pytest.mark.parametrize("kind", DOCKS)
def test_a_score_of_rows_is_shown_by_every_dock_and_is_no_translation_and_no_map(
    kind: type[RunDock],
    make_napari_viewer: Any,
    qtbot: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    compute: Child,
):
    viewer = make_napari_viewer()
    dock = kind(viewer, compute)
    qtbot.addWidget(dock)
    for result in scored(tmp_path, monkeypatch):
        dock.session.show_result(result)
        assert result.path.name in dock.results.heading.text()
        if isinstance(dock, TranslationDock):
            assert dock.translation.isHidden()
        if isinstance(dock, NanoparticleDock):
            assert dock.regions.isHidden()
        if isinstance(dock, ScoringDock):
            assert not dock.score.isHidden()
    viewer.close()
