"""From what a dock has chosen to a run that is bound to it; whoever is in the way is asked about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from diffuscope.plugin.docks.overwrite import ask_overwrite
from diffuscope.plugin.forms.out import named, unused
from diffuscope.plugin.forms.region_choice import chosen_slices, input_shape
from diffuscope.plugin.jobs.glimpse.place import tile_region
from diffuscope.plugin.jobs.run import Request, given_inputs
from diffuscope.plugin.layers.facts import input_placement
from diffuscope.plugin.settings.preferences import preferences, tiles_at_once
from diffuscope.scans import resampling_factor
from diffuscope.tiling.region import Region

if TYPE_CHECKING:
    from diffuscope.plugin.docks.run import RunDock  # which asks here


def request_of(dock: RunDock, region: Region | None, name: str = "") -> Request | None:
    """Bind a run of a dock.

    Parameters
    ----------
    dock : RunDock
        Whose form and layers.
    region : Region or None
        What is computed; None: all.
    name : str
        Of the region, where it is one of several: it has a result of its own.

    Returns
    -------
    Request or None
        None: the user thought better of it.

    Raises
    ------
    InputError
        Something is missing.
    """
    form, session = dock.form, dock.session
    settings = form.settings()
    layer = dock.inputs.chosen
    if slices := chosen_slices(dock.viewer, form, layer):
        settings["slices"] = slices
    if name:
        settings["out"] = unused(named(settings["out"], name), lambda path: path.exists() or session.is_promised(path))
    # What is missing is said before anybody is asked what to replace.
    request = _bound(dock, region, settings, name=name)
    out = settings["out"]
    # what another job was promised is not there to be replaced; the form keeps the name that both go by
    is_promised = session.is_promised(out)
    answer = ask_overwrite(dock, out) if out.exists() and not is_promised else ""
    if answer == "cancel":
        return None
    if answer == "both" or is_promised:
        out = unused(out, lambda path: path.exists() or session.is_promised(path))
    if answer == "both":
        # what was proposed stays a proposal, which another slide or model changes
        if form.out == dock.fields.suggested:
            dock.fields.suggested = str(out)
        form.out = str(out)
    return replace(request, settings={**request.settings, "out": out}, overwrite=answer == "replace")


def glimpse_of(dock: RunDock, place: Sequence[float], settings: dict[str, Any]) -> Request:
    """Bind the run of the one tile at a place of a slide, whose result nobody keeps.

    Parameters
    ----------
    dock : RunDock
        Whose form and layers.
    place : sequence of float
        (y, x) in level-0 px.
    settings : dict
        Of the form.

    Raises
    ------
    InputError
        The place lies off the slide.
    """
    form, layer = dock.form, dock.inputs.chosen
    assert form.model is not None and form.main is not None  # the form has a sentence for that
    tile, overlap, _, _ = form.model.grid
    region = tile_region(
        place,
        shape=input_shape(layer),
        factor=resampling_factor(replace(form.main, mpp=form.mpp or form.main.mpp), form.model.mpp),
        tile=tile,
        overlap=overlap,
        name=layer.name,
    )
    return _bound(dock, region, settings, name="preview")


def _bound(dock: RunDock, region: Region | None, settings: dict[str, Any], *, name: str) -> Request:
    form, layer = dock.form, dock.inputs.chosen
    assert form.model is not None  # the form has a sentence for that
    tiles = tiles_at_once(form.model)
    if form.model.whole and settings["scheduler"] == preferences().cluster.strip():
        settings = settings | {"scheduler": None}  # it is for models that it can compute; one that is typed is refused
    return Request(
        inputs=given_inputs(form.model.inputs, dock.inputs.choices, form.inputs),
        given=dict(form.given),
        outlines=dock.outlines.given(),
        masks=dict(form.masks),
        patient=form.patient,
        placement=input_placement(layer) if layer is not None and form.model.inputs else None,
        region=region,
        settings=settings | ({"batch": tiles} if tiles else {}),
        overwrite=False,
        where=form.kind.scope.regions[form.region].lower(),
        evaluations=form.evaluations,
        label=name,
    )
