"""From an error to the field that it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QScrollArea, QWidget

from diffuscope.plugin.jobs.state import JobState
from diffuscope.plugin.widgets.access import stops
from diffuscope.plugin.widgets.pieces import weakly

if TYPE_CHECKING:
    from diffuscope.plugin.forms.run_widget import FormWidget  # whose fields they are


def field_of(fields: FormWidget, sentence: str) -> QWidget:
    """Return the field that an error is about, where it says so; else that of the main input.

    Parameters
    ----------
    fields : FormWidget
        The form.
    sentence : str
        The error.
    """
    form = fields.form
    if form.main is not None and sentence == form.kind.scope.unknown(form.main, form.mpp):
        return fields.mpp
    if form.out and form.out in sentence:
        return fields.out
    about = {"choose a model": fields.model, "output folder": fields.out, "draw": fields.draw, "view": fields.region}
    return next((field for word, field in about.items() if word in sentence.lower()), fields.slide)


def lead_to(field: QWidget) -> None:
    """Bring a field that an error is about into sight, ready to be written in."""
    above = field.parentWidget()
    while above is not None and not isinstance(above, QScrollArea):
        above = above.parentWidget()
    if above is not None:
        above.ensureWidgetVisible(field)
    field.setFocus()


class Wrong:
    """Errors about a form that says only when it is used what is wrong with it: each goes with the next change.

    So do those of a job that was given it, but for what nobody foresaw, whose report is to be copied first.

    Parameters
    ----------
    state : JobState
        Which shows it.
    form : QWidget
        The fields.
    field_of : callable (sentence) -> QWidget
        The field that an error is about.
    """

    def __init__(self, state: JobState, form: QWidget, field_of: Callable[[str], QWidget]) -> None:
        self._state, self._field_of = state, field_of
        for field in stops(form):
            for name in ("textChanged", "currentIndexChanged", "valueChanged", "toggled"):
                if hasattr(field, name):
                    getattr(field, name).connect(weakly(self.forget))

    def tell(self, error: Exception) -> None:
        """Show an error, and lead to its field."""
        self._state.complain(str(error))
        lead_to(self._field_of(str(error)))

    def forget(self, _: Any = None) -> None:
        """Show it no more: something has changed."""
        if self._state.is_idle and self._state.failed and not self._state.report:
            self._state.say("")
