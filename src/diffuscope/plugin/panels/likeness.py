"""What stands beside Run of inputs that do not look like those of training: found in a thread, while nothing waits."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from diffuscope.jobs.likeness.notices import unlike_files
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.widgets.rows import show_warning, warning_text

# Who chooses is not done yet: looked at when nothing has changed for so long, ms.
_PAUSE = 400
# A volume is read anew to be looked at; of one with more voxels only the run tells, which has a process of its own.
_VOXELS = 2**27


@dataclass(frozen=True)
class _Asked:
    """What a model would be given."""

    model: str
    files: tuple[tuple[str, str], ...]
    mpp: float | None


class LikenessPanel(QWidget):
    """Looks at the inputs that a form has chosen; hidden where there is nothing to tell.

    Attributes
    ----------
    text : QLabel
        The sentences.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asked: _Asked | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE)
        self._timer.timeout.connect(self._look)
        self.text = warning_text()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        self._tell(())

    def ask(self, form: RunForm) -> None:
        """Look at what a form has chosen, unless that was asked before."""
        asked = _asked(form)
        if asked != self._asked:
            self._asked = asked
            self._tell(())
            self._timer.stop()
            if asked is not None:
                self._timer.start()

    def _look(self) -> None:
        asked = self._asked
        if asked is not None:
            # What goes wrong here is for the run to say.
            worker = create_worker(
                unlike_files, asked.model, dict(asked.files), mpp=asked.mpp, voxels=_VOXELS, _ignore_errors=True
            )
            worker.returned.connect(partial(self._found, asked))
            worker.start()

    def _found(self, asked: _Asked, sentences: tuple[str, ...]) -> None:
        if asked == self._asked:
            with suppress(RuntimeError):  # the dock may be gone
                self._tell(sentences)

    def _tell(self, sentences: tuple[str, ...]) -> None:
        show_warning(self.text, sentences)
        self.setVisible(bool(sentences))


def _asked(form: RunForm) -> _Asked | None:
    """Return what a run would be given; None where it may not run, or where an input has no file to look at."""
    if form.model is None or form.problem() or not form.model.inputs:
        return None
    files = []
    for port, facts in zip(form.model.inputs, form.inputs, strict=True):
        if facts is None and not port.required:
            continue
        if facts is None or facts.path is None:
            return None
        channel = facts.channel if port.kind == "map" else None
        files.append((port.key, str(facts.path) if channel is None else f"{facts.path}#{channel}"))
    return _Asked(form.model.name, tuple(files), form.mpp or None) if files else None
