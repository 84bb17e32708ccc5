"""The docks that run models: form, result, what goes on and what waits."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import napari
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.docks.asking import request_of
from diffuscope.plugin.docks.first import open_sample
from diffuscope.plugin.docks.frame.assemble import assemble
from diffuscope.plugin.docks.glimpse import GlimpseButton
from diffuscope.plugin.docks.kinds import Kind, elsewhere
from diffuscope.plugin.docks.shown import ShownResult
from diffuscope.plugin.forms.cases.outline_rows import OutlineRows
from diffuscope.plugin.forms.forecast.asked import asked_in
from diffuscope.plugin.forms.forecast.label import ForecastLabel
from diffuscope.plugin.forms.orientation_rows import OrientationRows
from diffuscope.plugin.forms.region_choice import (
    chosen_regions,
    region_problem,
    region_text,
)
from diffuscope.plugin.forms.rows.lead import field_of, lead_to
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.forms.run_widget import FormWidget
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.resume import request_to_resume
from diffuscope.plugin.jobs.run_session import RunSession
from diffuscope.plugin.layers.facts import ModelFacts, own_metadata, slide_facts
from diffuscope.plugin.layers.slides import InputList, add_region_layer, listed_name, put_tools_away
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.panels.likeness import LikenessPanel
from diffuscope.plugin.panels.record import open_record
from diffuscope.plugin.panels.results import ResultsWidget
from diffuscope.plugin.panels.views.panel import ComparePanel
from diffuscope.plugin.settings.kept import keep, last_model, take_up
from diffuscope.plugin.settings.preferences import fill_in
from diffuscope.plugin.widgets.pieces import pause
from diffuscope.plugin.widgets.rows import show_warning, warning_text
from diffuscope.results.result import Result

# The view is looked at when the camera has not moved for so long, ms.
_STILL = 200


class RunDock(QWidget):
    """Runs models on the layers of a viewer: which models and layers, its `kind` says.

    Attributes
    ----------
    kind : Kind
        What sets one dock apart from the others.
    told : QLabel
        What was told of the chosen layers' files when they were opened.
    below : QVBoxLayout
        Under the result, for what a dock tells of a result besides; `session.result_changed` says of which.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.
    """

    kind: ClassVar[Kind]

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.form = RunForm(kind=self.kind)
        self.session = RunSession(napari_viewer, self.kind.title, child)
        self.inputs = InputList(napari_viewer, self.kind)
        self._asked_folder = self._complaint = ""
        self._build()
        self._connect()
        self._inputs_changed()
        self.session.load_models()
        if (last := last_model(self.form, self.fields.models)) is not None:
            self.fields.choose(last)
            take_up(self.form)
        fill_in(self.form)
        self._shown.look()  # what was opened before

    def _build(self) -> None:
        self.fields = FormWidget(self.form)
        self.orientation = OrientationRows(self.fields.layout(), self.fields.resolution, self._inputs_changed)
        self.outlines = OutlineRows(
            self.viewer,
            self.form,
            self.fields.layout(),
            self.fields.about,
            image_of=self._image_of,
            session=self.session,
        )
        self.compare, self.results, self.below = ComparePanel(self.viewer), ResultsWidget(), QVBoxLayout()
        self.likeness, self.forecast = LikenessPanel(), ForecastLabel()
        self.jobs = JobPanel(self.session)
        self.run, self.cancel = self.jobs.run, self.jobs.cancel
        self.preview = GlimpseButton(self)
        self.jobs.add_button(self.preview)
        self.told = warning_text()
        parts = (self.fields, self.told, self.compare, self.results, self.below)
        foot = (self.likeness, self.forecast)
        self.form_area = assemble(self, self.kind.title, parts, foot, jobs=self.jobs)

    def _connect(self) -> None:
        self.inputs.changed.connect(self._inputs_changed)
        self.inputs.shapes_changed.connect(self._show_region)
        self.form.events.connect(self._form_changed)
        self.form.events.model.connect(self._model_changed)
        self.session.state.events.connect(self._show_state)
        self.session.changed.connect(self._show_idle)
        self.session.model_found.connect(self._model_found)
        self.session.result_changed.connect(self._show_result)
        self.fields.layer_chosen.connect(self._choose_layer)
        self.fields.draw_asked.connect(self._draw)
        self.fields.sample.clicked.connect(self._open_sample)
        self.fields.folder_asked.connect(self._load_folder)
        self.fields.complained.connect(self.session.state.complain)
        self.results.export_asked.connect(self._export)
        self.results.record_asked.connect(self._show_record)
        self.results.resume_asked.connect(self._resume)
        self.run.clicked.connect(self._run)
        self._shown = ShownResult(self.viewer, self.session)
        self.viewer.dims.events.current_step.connect(self._show_region)
        self._still = pause(self, _STILL, self._show_region)
        self.viewer.camera.events.connect(self._camera_moved)

    def _image_of(self, key: str) -> Any:
        """Return the layer that is chosen for an image of the model; None where there is none."""
        keys = [port.key for port in self.form.model.inputs] if self.form.model else []
        chosen = dict(zip(keys, self.inputs.choices, strict=False))
        return chosen.get(key)

    def _inputs_changed(self) -> None:
        if self.session.is_closed:
            return  # the widgets are gone, and the viewer may still tell
        self.fields.set_layers([listed_name(layer) for layer in self.inputs.layers], self.inputs.indices)
        self.form.unfit = self.inputs.unfit
        facts = [slide_facts(layer) if layer is not None else None for layer in self.inputs.choices]
        if facts != list(self.form.inputs):
            self.fields.set_inputs(facts)
        self.orientation.show(self.inputs.choices)
        chosen = [own_metadata(layer) for layer in self.inputs.choices if layer is not None]
        show_warning(self.told, dict.fromkeys(one for about in chosen for one in about.get("notices", ())))
        self.outlines.look()
        self._show_region()
        self._show_state()

    def _choose_layer(self, number: int, index: int) -> None:
        self.inputs.choose(number, index)
        self._inputs_changed()

    def _model_changed(self, model: ModelFacts | None) -> None:
        if model is not None:
            self.inputs.set_ports(model.inputs)

    # --- what the user does ---

    def _run(self) -> None:
        if self.form.model is None:
            self.session.load_models()
            return
        self._inputs_changed()  # what was done to a layer's own array, nothing told
        if missing := self.form.problem():  # before what is missing of the region
            self.complain(missing)
            return
        try:
            regions = chosen_regions(self.viewer, self.form, self.inputs.chosen)
            for name, region in regions.items() if regions else [("", None)]:
                request = request_of(self, region, name if len(regions) > 1 else "")
                if request is None:
                    return
                self.fields.model_is_chosen = True
                self.session.run(request)
        except InputError as error:
            self.complain(str(error))
            return
        except OSError as error:
            self.complain(f"{self.form.out} cannot be written: {error.strerror}.")
            return
        put_tools_away(self.viewer)
        keep(self.form)

    def complain(self, sentence: str) -> None:
        """Show an error that is about the form as it is, and goes once that is mended, where the form can tell."""
        self._complaint = sentence if self._hint() else ""
        self.session.state.complain(sentence)
        lead_to(field_of(self.fields, sentence))

    def _draw(self) -> None:
        if self.inputs.chosen is None:
            self.session.state.complain(self.form.problem())
            return
        try:
            self.kind.scope.check_seen(self.viewer, self.form.main)
        except InputError as error:
            self.session.state.complain(str(error))
            return
        add_region_layer(self.viewer, self.inputs.chosen)
        setattr(self.form, *self.kind.scope.drawing)

    def _open_sample(self) -> None:
        open_sample(self)

    def _load_folder(self, folder: str) -> None:
        self._asked_folder = folder
        self.session.load_folder(folder)

    def _export(self, path: str, layer: str) -> None:
        if self.session.result is not None:
            self.session.export(self.session.result, Path(path), layer, anonymous=self.results.anonymous.isChecked())

    def _resume(self) -> None:
        result = self.session.result
        if result is None:
            return
        try:
            self.session.check_free(result.path)
            request = request_to_resume(result, self.inputs.layers, self.form.model)
            request.settings["scheduler"] = self.form.scheduler.strip() or None
            self.session.run(request)
        except InputError as error:
            self.session.state.complain(str(error))

    def _show_record(self) -> None:
        if self.session.result is not None:
            open_record(self.session.result.record, self)

    # --- what is shown ---

    def _show_result(self, result: Result | None) -> None:
        self.results.show_result(result)
        self._show_idle()
        self.forecast.renew()
        # once the layout knows its new height
        QTimer.singleShot(0, self, lambda: self.form_area.ensureWidgetVisible(self.results))

    def _model_found(self, model: ModelFacts) -> None:
        is_asked = model.name == self._asked_folder
        if self.kind.lists(model):
            self.fields.add_model(model, choose=is_asked)
        elif is_asked:
            self.session.state.complain(elsewhere(model))

    def _form_changed(self, _: Any = None) -> None:
        if self.session.state.failed:
            self.session.state.say("")  # the error was about the form as it was
        self._show_region()
        self._show_state()

    def _show_region(self, _: Any = None) -> None:
        if self.session.is_closed:
            return
        text = region_text(self.viewer, self.form, self.inputs.chosen)
        self.fields.region_text.setText(text)
        self.fields.region_text.setVisible(bool(text))
        self._show_hint()

    def _show_state(self, _: Any = None) -> None:
        self._show_idle()
        self._show_hint()
        self.likeness.ask(self.form)

    def _show_idle(self) -> None:
        """Offer what may be done with the shown result: nothing while it is written, by whichever dock."""
        result = self.session.result
        is_written = result is not None and self.session.is_promised(result.path)
        self.results.set_idle(self.session.state.is_idle and not is_written)

    def _show_hint(self) -> None:
        """Say what stands in the way of Run, or what it will take."""
        state, layer = self.session.state, self.inputs.chosen
        hint = self._hint()
        if not hint:
            # Run is what the user may press next.
            self.session.compute.child.warm()
            if state.failed and self._complaint and state.message == self._complaint:
                state.say("")  # it is mended
        elif hint != self.jobs.hint and state.is_idle and not state.failed:
            state.say("")  # what came of the last job is over, and the hint is about what is chosen now
        self.jobs.show_hint(hint)
        self.preview.show_for()
        self.forecast.ask(asked_in(self.viewer, self.form, layer) if not hint else None)

    def _hint(self) -> str:
        hint = self.form.problem() if self.form.model else self.kind.missing
        return hint or region_problem(self.viewer, self.form, self.inputs.chosen)

    def _camera_moved(self, _: Any = None) -> None:
        if self.form.region == "view" and not self.session.is_closed:
            self._still.start()
