"""From an error to the field that it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QScrollArea, QWidget

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


def lead_to_field(area: QScrollArea, fields: FormWidget, sentence: str) -> None:
    """Bring the field that an error is about into sight, ready to be written in."""
    field = field_of(fields, sentence)
    area.ensureWidgetVisible(field)
    field.setFocus()
