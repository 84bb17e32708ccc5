"""A result says at which µm/px of the user's it was made, whatever the form says by then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import stain_result

pytest.importorskip("napari")

from diffuscope.plugin.panels.results import ResultsWidget

pytestmark = pytest.mark.gui


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"mpp": 0.5, "mpp_stated": None}, "At 0.5 µm/px, as given"),
        ({"mpp": 0.5, "mpp_stated": 0.25}, "At 0.5 µm/px, as given (the file says 0.25)"),
        ({"mpp": 0.25, "mpp_stated": 0.25}, None),
        ({"mpp": 0.25}, None),
    ],
)
def test_a_scale_that_was_given_stands_with_the_figures(
    qtbot: Any, tmp_path: Path, stated: dict[str, Any], said: str | None
):
    widget = ResultsWidget()
    qtbot.addWidget(widget)
    record = stain_result.RECORD | {"inputs": {"he": stain_result.RECORD["inputs"]["he"] | stated}}
    widget.show_result(stain_result.write_stain(tmp_path, record=record))
    lines = widget.heading.text().split("<br>")
    assert (said in lines) if said else not any("as given" in line for line in lines)
