"""The dock "Register": a slide and its restain brought together in the compute process, and judged by eye."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import napari
from napari.layers import Image, Points
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QWidget

from diffuscope.errors import InputError
from diffuscope.plugin.docks.frame.assemble import assemble
from diffuscope.plugin.docks.overwrite import ask_overwrite
from diffuscope.plugin.forms.out import unused
from diffuscope.plugin.forms.register_fields import RegisterFields, SlideRows
from diffuscope.plugin.forms.rows.lead import Wrong
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.given.samples import SECTION, with_sample
from diffuscope.plugin.jobs.job import Job
from diffuscope.plugin.jobs.register import Request, register
from diffuscope.plugin.jobs.session import Session
from diffuscope.plugin.layers.facts import is_result
from diffuscope.plugin.layers.reader import read_layers
from diffuscope.plugin.layers.veil import VeiledSlide
from diffuscope.plugin.panels.jobs import JobPanel
from diffuscope.plugin.panels.veil import VeilWidget
from diffuscope.plugin.panels.views.fresh import fresh_view
from diffuscope.plugin.settings.fields import keep_fields, take_up_fields
from diffuscope.plugin.settings.recent import note
from diffuscope.results.result import Result

_TITLE = "Register"


class RegisterDock(QWidget):
    """Register a restained slide to its H&E.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The viewer that the dock belongs to.
    child : Child, optional
        As of `Session`.

    Attributes
    ----------
    session : Session
        Its jobs.
    """

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__()
        self.viewer = napari_viewer
        self.session = Session(napari_viewer, _TITLE, child)
        self._build()
        events = napari_viewer.layers.events
        for event in (events.inserted, events.removed, events.renamed):
            event.connect(self._layers_changed)
        self._layers_changed()
        take_up_fields(_TITLE, self.fields.kept)
        self._library_is_there()

    def _build(self) -> None:
        self.fields = RegisterFields()
        self.form = self.fields.form
        self.compare = VeilWidget(self.viewer)
        self.jobs = JobPanel(self.session)
        self.sample = SampleButton()
        self.area = assemble(self, _TITLE, (self.sample, self.fields, self.compare), jobs=self.jobs)
        self.wrong = Wrong(self.session.state, self.fields, self.fields.field_of)
        self.fields.file_chosen.connect(self._open)
        self.sample.clicked.connect(self._open_sample)
        self.jobs.run.clicked.connect(self._run)

    # --- what the viewer tells ---

    def _layers_changed(self, _: Any = None) -> None:
        if self.session.is_closed:
            return
        slides = [
            layer
            for layer in self.viewer.layers
            if isinstance(layer, Image) and layer.ndim == 2 and not is_result(layer)
        ]
        self.sample.setVisible(not slides)
        self.jobs.show_hint("" if slides else "Open the H&E and its restain first: drop both files on the window.")
        self.fields.set_layers(slides, [layer for layer in self.viewer.layers if isinstance(layer, Points)])
        self.wrong.forget()

    # --- what the user does ---

    def _open_sample(self) -> None:
        with_sample(self.session, "section", self._show_sample)

    def _show_sample(self, folder: Path) -> None:
        with fresh_view(self.viewer):
            for data, about, _ in read_layers([str(folder / name) for name in SECTION]):
                self.viewer.add_image(data, **about)

    def _open(self, rows: SlideRows, path: str) -> None:
        try:
            layers = read_layers(path)
        except InputError as error:
            self._complain(error)
            return
        added = [self.viewer.add_image(data, **about) for data, about, _ in layers]
        self.fields.choose(rows, added[0])

    def _run(self) -> None:
        if not self._library_is_there():
            return
        try:
            request = self._request()
        except InputError as error:
            self.wrong.tell(error)
            return
        if request is None:
            return
        fixed, moving = self.form.fixed.layer, self.form.moving.layer
        self.session.submit(
            Job(
                text=f"register {request.moving.facts.name} to {request.fixed.facts.name}",
                doing="Starting…",
                work=partial(register, request=request),
                out=request.out,
                on_end=partial(self._show_result, request, fixed, moving),
            )
        )
        keep_fields(_TITLE, self.fields.kept)

    def _request(self) -> Request | None:
        """Return the registration, bound to what is chosen now; None where the user thought better of it."""
        out, overwrite = self.form.path, False
        if self.form.out.strip() and (out.exists() or self.session.is_promised(out)):
            # what another job was promised is not there to be replaced
            answer = "both" if self.session.is_promised(out) else ask_overwrite(self, out)
            if answer == "cancel":
                return None
            overwrite = answer == "replace"
            if answer == "both":
                free = unused(out, lambda path: path.exists() or self.session.is_promised(path))
                self.fields.out.setText(str(free))
        return self.form.request(overwrite=overwrite)

    # --- what came out ---

    def _show_result(self, request: Request, fixed: Any, moving: Any, result: Result | None) -> str | None:
        if result is None:
            return None
        layers, slide = self.viewer.layers, VeiledSlide(result, request.placement)
        layer = self.viewer.add_image(slide.data, **slide.about)
        if fixed in layers:
            fixed.visible = True
            layers.move(layers.index(layer), layers.index(fixed) + 1)  # what the curtain hides shows the H&E
        if moving in layers:
            moving.visible = False
        self.compare.show_result(result, layer, slide)
        note(result.path)
        # once the layout knows its new height
        QTimer.singleShot(0, self, lambda: self.area.ensureWidgetVisible(self.compare))
        return f"Wrote {result.path}"

    def _library_is_there(self) -> bool:
        from diffuscope.registration.library import check_library  # its room brings scipy in

        try:
            check_library()
        except InputError as error:
            self._complain(error)
            return False
        return True

    def _complain(self, error: InputError) -> None:
        self.session.state.complain(str(error))
