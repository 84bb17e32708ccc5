"""What an empty form offers: the sample that its dock can be tried with."""

from __future__ import annotations

from qtpy.QtWidgets import QPushButton


class SampleButton(QPushButton):
    """Stands in a form for as long as nothing is chosen in it; who has it says when that is."""

    def __init__(self) -> None:
        super().__init__("Open the sample")
        self.setToolTip("Nothing is open yet: try the dock with what ships with Diffuscope")
