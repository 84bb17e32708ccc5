"""What the viewer and the form ask for, bound for a forecast."""

from __future__ import annotations

from typing import Any

from diffuscope.plugin.forms.forecast.numbers import Asked, asked_of
from diffuscope.plugin.forms.region_choice import chosen_regions, chosen_slices, input_shape
from diffuscope.plugin.forms.run import RunForm


def asked_in(viewer: Any, form: RunForm, layer: Any) -> Asked | None:
    """Return what a form asks for of a layer; None where it cannot be run yet.

    Raises
    ------
    InputError
        As of `chosen_regions`.
    """
    if layer is None or (form.model is not None and form.model.whole):
        return asked_of(form, (), {}, None)
    span = (form.first, form.last + 1) if form.region == "slices" else None
    if text := chosen_slices(viewer, form, layer):
        first, _, end = text.partition(":")
        span = int(first), int(end)
    return asked_of(form, input_shape(layer), chosen_regions(viewer, form, layer), span)
