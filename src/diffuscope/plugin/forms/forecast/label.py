"""A line beside Run that tells what a run will take, found in a thread while nothing waits."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from html import escape

from napari.qt.threading import create_worker
from qtpy.QtWidgets import QVBoxLayout, QWidget

from diffuscope.files.room import in_bytes
from diffuscope.plugin.forms.forecast.numbers import Asked, Forecast, foresee
from diffuscope.plugin.forms.forecast.rates import seconds_of
from diffuscope.plugin.jobs.state import duration
from diffuscope.plugin.widgets.pieces import pause
from diffuscope.plugin.widgets.rows import small_text

# Who pans or chooses is not done yet: looked at when nothing has changed for so long, ms.
_PAUSE = 300
#: Seconds from which a run is long enough to say so loudly.
LONG = 300


class ForecastLabel(QWidget):
    """Shows the forecast of what is asked for; hidden while nothing can be run.

    Attributes
    ----------
    text : QLabel
        The line.
    found : Forecast or None
        What it tells.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._asked: Asked | None = None
        self.found: Forecast | None = None
        self._timer = pause(self, _PAUSE, self._look)
        self.text = small_text()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        self.hide()

    def ask(self, asked: Asked | None) -> None:
        """Foretell what is asked for, unless that is shown already."""
        if asked == self._asked:
            return
        self._asked = asked
        self._timer.stop()
        if asked is None:
            self._tell(None)
        else:
            self._timer.start()

    def renew(self) -> None:
        """Tell anew how long it will take: a run has been measured."""
        self._tell(self.found)

    def _look(self) -> None:
        asked = self._asked
        if asked is not None:
            # What goes wrong here is for the form, or the run, to say.
            worker = create_worker(foresee, asked, _ignore_errors=True)
            worker.returned.connect(partial(self._take, asked))
            worker.errored.connect(lambda _: self._take(asked, None))
            worker.start()

    def _take(self, asked: Asked, found: Forecast | None) -> None:
        if asked == self._asked:
            with suppress(RuntimeError):  # the dock may be gone
                self._tell(found)

    def _tell(self, found: Forecast | None) -> None:
        self.found = found
        asked = self._asked
        self.setVisible(found is not None and asked is not None)
        if found is not None and asked is not None:
            each = seconds_of(asked.model, asked.device, evaluations=asked.evaluations)
            self.text.setText(forecast_text(found, None if each is None else each * found.tiles))


def forecast_text(found: Forecast, seconds: float | None) -> str:
    """Say what a run will take, as rich text; `seconds` None where no run on this machine tells."""
    most = "up to " if found.is_bound else ""
    parts = [f"{most}{found.tiles:,} {found.unit}{'' if found.tiles == 1 else 's'}"]
    if found.area is not None:
        parts.append(f"{found.area:.3g} mm²")
    if seconds is None:
        parts.append(f"time known after the first {found.unit}")
    else:
        about = f"about {duration(seconds)}"
        parts.append(f"<b>{about}</b>" if seconds >= LONG else about)
    parts += [f"at most {in_bytes(found.bytes)}"] if found.bytes else []
    text = " · ".join(parts)
    if found.bare:
        where = ", ".join(escape(name) for name in found.bare if name)
        text += f"<br><b>No tissue found{' in ' + where if where else ' there'}</b>: it would be computed all the same."
    return text
