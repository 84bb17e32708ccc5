"""The dock "Text and images": a report or images go in, what is missing of the two comes out."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import napari
from qtpy.QtCore import QTimer

from diffuscope.errors import InputError
from diffuscope.plugin.docks.first import sample_report
from diffuscope.plugin.docks.kinds import TEXTS
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.resume import find_layer
from diffuscope.plugin.layers.facts import own_metadata
from diffuscope.plugin.layers.inputs.unfit import unfit_text
from diffuscope.plugin.layers.results import report_metadata
from diffuscope.plugin.panels.generated import GeneratedPanel
from diffuscope.plugin.panels.report import ReportPanel
from diffuscope.plugin.widgets.rows import small_text
from diffuscope.results.beside.edited import read_edited, write_edited
from diffuscope.results.beside.mark import generated_by
from diffuscope.results.result import Result

#: Stands in sight whatever is shown.
MARK = "What comes out is generated, not for diagnosis."
_TOLD = "padding: 4px; border-radius: 3px; background: rgba(220, 160, 40, 90);"


class TextsDock(RunDock):
    """Makes images from a report, a report from images, and images from images.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.

    Attributes
    ----------
    report : ReportPanel
        The text that came out.
    generated : GeneratedPanel
        The images that came out.
    notices : QLabel
        What the run told, and its record keeps.
    mark : QLabel
        What all of it is, always in sight.
    """

    kind = TEXTS

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.report.edited.connect(self._keep)
        for changed in (self.viewer.layers.events.inserted, self.viewer.layers.events.removed):
            changed.connect(self._show_unfit)
        self._show_unfit()

    def _build(self) -> None:
        super()._build()
        self.report, self.generated, self.notices = ReportPanel(), GeneratedPanel(self.viewer), small_text()
        self.notices.setStyleSheet(_TOLD)
        self.notices.hide()
        self.results.says_outcome = False  # the panel does
        inner: Any = self.results.parentWidget()
        stack = inner.layout()
        for part in (self.notices, self.report, self.generated):
            stack.insertWidget(stack.indexOf(self.results), part)
        self.mark = small_text()
        self.mark.setText(f"<b>{MARK}</b>")
        whole: Any = self.layout()
        whole.insertWidget(1, self.mark)

    def _open_sample(self) -> None:
        box = next(iter(self.fields.given.texts.values()), None)
        if box is not None:
            box.edit.setPlainText(sample_report())

    def _show_unfit(self, _: Any = None) -> None:
        """Say of layers that are not offered why they are not."""
        if self.session.is_closed:
            return
        text = unfit_text(self.viewer.layers)
        self.fields.unfit.setText(escape(text, quote=False).replace("\n", "<br>"))
        self.fields.unfit.setVisible(bool(text))

    # --- the report that came out ---

    def _show_result(self, result: Result | None) -> None:
        super()._show_result(result)
        # every dock shows the result whose layer is selected; what another model made is not to be spread over a grid
        known = {Path(model.name).name for model in self.fields.models}
        if result is not None and result.record.get("model", {}).get("name") not in known:
            result = None
        self.generated.show_result(result)
        told = result.record.get("notices", ()) if result is not None else ()
        self.notices.setText(escape("\n".join(told), quote=False).replace("\n", "<br>"))
        self.notices.setVisible(bool(told))
        shown = self.report if result is not None and result.texts else self.generated
        # once the layout knows its new height
        QTimer.singleShot(0, self, lambda: self.form_area.ensureWidgetVisible(shown))
        key, written = next(iter(result.texts.items()), ("", None)) if result is not None else ("", None)
        if result is None or written is None:
            self.report.show_text(None, "")
            return
        self.report.show_text(written, generated_by(result.record), read_edited(result.path, key))
        self._keep_in_layers(result)

    def _keep(self, text: str) -> None:
        """Keep what the user has made of the report, with the result and its layers."""
        result = self.session.result
        if result is None or not result.texts:
            return
        key, written = next(iter(result.texts.items()))
        try:
            write_edited(result.path, key, text if text != written.text.strip() else None)
        except InputError as error:
            self.session.state.complain(str(error))
        self._keep_in_layers(result)

    def _keep_in_layers(self, result: Result) -> None:
        kept = {**report_metadata(result), next(iter(result.texts)): self.report.signed}
        for layer in self._layers_of(result):
            layer.metadata.update(kept)

    def _layers_of(self, result: Result) -> list[Any]:
        """Return the layers that show a result, and those that it was made from."""
        found = [layer for layer in self.viewer.layers if own_metadata(layer).get("result") == str(result.path)]
        for stated in result.record["inputs"].values():
            if "name" in stated:
                try:
                    found.append(find_layer(stated, self.inputs.layers, "to keep its report")[0])
                except InputError:
                    continue  # it was closed meanwhile
        return found
