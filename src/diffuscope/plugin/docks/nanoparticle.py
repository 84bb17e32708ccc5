"""The dock "Nanoparticle distribution": DAMM-Diffusion on the channels of a fluorescence slide."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari

from diffuscope.errors import InputError
from diffuscope.plugin.docks.kinds import NANOPARTICLES
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.regions import measure_in, measurement_of
from diffuscope.plugin.layers.channel_colours import colour_channels
from diffuscope.plugin.layers.decisions import CHANGES, change_layer, change_name, decisions_of, slot_at
from diffuscope.plugin.layers.facts import ModelFacts, own_metadata
from diffuscope.plugin.layers.live import add_layers
from diffuscope.plugin.layers.placement import Placement, in_units, layer_placement, world_units
from diffuscope.plugin.layers.values import tile_place
from diffuscope.plugin.panels.nanoparticles import NanoparticleResults
from diffuscope.plugin.panels.regions import RegionWidget
from diffuscope.results.result import Result


class NanoparticleDock(RunDock):
    """Predicts where nanoparticles are from vessels and nuclei, which a viewer shows as layers.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = NANOPARTICLES

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.session.result_changed.connect(self._show_decisions)
        self.particles.gamma_moved.connect(self._show_changes)
        self.particles.gamma_wanted.connect(self._use_gamma)
        self.regions.measure_asked.connect(self._measure)
        self.regions.export_asked.connect(self._write_table)
        napari_viewer.cursor.events.position.connect(self._show_tile)

    def _build(self) -> None:
        super()._build()
        self.particles, self.regions = NanoparticleResults(), RegionWidget()
        self.below.addWidget(self.particles)
        self.below.addWidget(self.regions)

    def _inputs_changed(self) -> None:
        super()._inputs_changed()
        if not self.session.is_closed:
            self._colour()

    def _choose_layer(self, number: int, index: int) -> None:
        super()._choose_layer(number, index)
        self._colour()

    def _model_changed(self, model: ModelFacts | None) -> None:
        super()._model_changed(model)
        self._colour()

    def _colour(self) -> None:
        colour_channels(self.inputs.choices, self.form.model.inputs if self.form.model else ())

    # --- what was decided ---

    def _show_decisions(self, result: Result | None) -> None:
        self._drop_changes()
        # another dock's results are selected in the same viewer
        self.regions.show_result(result if result is not None and _has_vessels(result) else None)
        self.particles.show_decisions(decisions_of(result))

    def _show_changes(self, gamma: float) -> None:
        result, decisions = self.session.result, self.particles.decisions
        if result is None or decisions is None:
            return
        shown = self._layer_of(CHANGES)
        if shown is not None:
            shown.data, shown.name = decisions.share_changed(gamma), change_name(gamma)
        elif decisions.changed_by(gamma).any():
            add_layers(self.viewer, [change_layer(result, decisions, gamma, self._tile_place(result))])

    def _use_gamma(self, gamma: float) -> None:
        option = next((one for one in self.form.model.options if one.key == "gamma"), None) if self.form.model else None
        if option is None:
            self.session.state.complain("The chosen model has no γ: choose a DAMM-Diffusion model that decides by it.")
            return
        others = {key: value for key, value in self.form.options.items() if key != "gamma"}
        self.form.options = others if gamma == option.default else {**others, "gamma": gamma}
        self.form_area.ensureWidgetVisible(self.fields.options.fields["gamma"])

    def _show_tile(self, _: Any = None) -> None:
        result, decisions = self.session.result, self.particles.decisions
        if self.session.is_closed or result is None or decisions is None or self.viewer.dims.ndisplay != 2:
            return
        place = Placement.of(self._tile_place(result))
        at = in_units(self.viewer.cursor.position, world_units(self.viewer), place.units)
        slot = slot_at(place, at.tolist(), decisions.d.shape[:2])
        self.particles.plot.show_tile(slot)

    def _tile_place(self, result: Result) -> dict[str, Any]:
        """Return where the heat maps of a result lie, as the user may have moved them."""
        heat = self._layer_of("divergence")
        if heat is not None:
            return layer_placement(heat).about
        assert result.values is not None  # there are decisions
        return tile_place(result, result.values)

    def _layer_of(self, value: str) -> Any:
        """Return the layer that shows a value of the shown result's tiles; None where it was removed."""
        folder = str(self.session.result.path) if self.session.result is not None else ""
        for layer in self.viewer.layers:
            own = own_metadata(layer)
            if own.get("result") == folder and own.get("value") == value:
                return layer
        return None

    def _drop_changes(self) -> None:
        for layer in [layer for layer in self.viewer.layers if own_metadata(layer).get("value") == CHANGES]:
            self.viewer.layers.remove(layer)

    # --- regions ---

    def _measure(self) -> None:
        from diffuscope.measurement.regions import check_computed

        result, state = self.session.result, self.session.state
        if result is None:
            return
        try:
            request = measurement_of(result, self.viewer, self.inputs.layers, threshold=self.regions.threshold)
            told = check_computed(result, request.regions)
        except InputError as error:
            state.complain(str(error))
            return
        self.session.submit(
            Job(
                text=f"measure {result.path.name}",
                doing="Measuring regions…",
                work=partial(measure_in, request=request),
                stopped="Cancelled.",
                on_end=partial(self._measured, result, told),
            )
        )

    def _measured(self, result: Result, told: tuple[str, ...], rows: list[dict[str, Any]] | None) -> str | None:
        if rows is None:
            return None
        shown = self.session.result
        if shown is None or shown.path != result.path:
            self.session.show_result(result)
        self.regions.show_rows(rows)
        return " ".join((f"Measured {len(rows)} region{'s' if len(rows) > 1 else ''}.", *told))

    def _write_table(self, path: str) -> None:
        from diffuscope.measurement.measurements import write_csv

        try:
            write_csv(self.regions.rows, path, replace=True)
        except InputError as error:
            self.session.state.complain(str(error))
            return
        self.session.state.say(f"Wrote {Path(path).name}.")

    def _show_state(self, _: Any = None) -> None:
        super()._show_state()
        self.regions.measure.setEnabled(self.session.state.is_idle)


def _has_vessels(result: Result) -> bool:
    """Whether a result is a map made from a slide: a text or a row of a table has no vessels to measure around."""
    first: dict[str, Any] = next(iter(result.record["inputs"].values()), {})
    return result.place.what == "slide" and "mpp" in first and any(port.kind == "map" for port in result.ports[:1])
