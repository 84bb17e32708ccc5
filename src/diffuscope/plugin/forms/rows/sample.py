"""What an empty form offers: the sample that its dock can be tried with."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QPushButton

from diffuscope.plugin.forms.run import RunForm


class SampleButton(QPushButton):
    """Asks for the sample of a dock; seen while nothing is open that could be chosen."""

    #: Key of the sample, as the manifest has it.
    asked = Signal(str)

    def __init__(self, form: RunForm) -> None:
        super().__init__("Open the sample")
        self.setToolTip("Nothing is open yet: try the dock with what ships with Diffuscope")
        self._form = form
        self.clicked.connect(lambda: self.asked.emit(form.kind.sample))
        form.events.connect(self._show)
        self._show()

    def _show(self, _: Any = None) -> None:
        self.setVisible(bool(self._form.kind.sample) and not self._form.any_open)
