"""What DAMM-Diffusion decided in a result: divergence and branch."""

from __future__ import annotations

import numpy as np
from qtpy.QtWidgets import QGroupBox, QVBoxLayout, QWidget

from diffuscope.plugin.rows import small_text
from diffuscope.tiling.result import Result


class NanoparticleResults(QGroupBox):
    """Shows the decisions of one result; hidden where there are none."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Divergence", parent)
        self.summary = small_text()
        layout = QVBoxLayout(self)
        layout.addWidget(self.summary)
        self.hide()

    def show_result(self, result: Result | None) -> None:
        """Fill in everything from a result."""
        text = decisions(result) if result is not None else ""
        self.summary.setText(text)
        self.setVisible(bool(text))


def decisions(result: Result) -> str:
    """Say how often the multi-modal branch was taken, and at which divergences; empty where nothing is told of it."""
    arrays = result.values.arrays if result.values is not None else {}
    if not {"divergence", "multimodal"} <= arrays.keys():
        return ""
    taken = arrays["multimodal"][np.isfinite(arrays["multimodal"])]
    d = arrays["divergence"][np.isfinite(arrays["divergence"])]
    if not d.size:
        return ""
    low, middle, high = np.percentile(d, (5, 50, 95))
    return (
        f"The multi-modal branch was taken in {taken.mean():.0%} of {taken.size:,} decisions, one a tile and step. "
        f"d: {middle:.3f} in the median, {low:.3f} to {high:.3f} in nine of ten."
    )
