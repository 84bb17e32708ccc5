"""The dock "Modality translation": one scan made into another, slice by slice."""

from __future__ import annotations

import napari

from diffuscope.errors import InputError
from diffuscope.plugin.docks.asking import request_of
from diffuscope.plugin.docks.kinds import TRANSLATION
from diffuscope.plugin.docks.run import RunDock
from diffuscope.plugin.forms.out import unused
from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.whole_volume import layers_of, open_inputs, take_settings
from diffuscope.plugin.layers.links import LayerLinks
from diffuscope.plugin.panels.translation import TranslationResults
from diffuscope.plugin.panels.translation_view import is_translation
from diffuscope.results.result import Result
from diffuscope.tiling.region import parse_region


class TranslationDock(RunDock):
    """Turns volumes that a viewer shows as layers into another modality.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = TRANSLATION

    def __init__(self, napari_viewer: napari.Viewer, child: Child | None = None) -> None:
        super().__init__(napari_viewer, child)
        self.translation = TranslationResults(napari_viewer)
        self.below.addWidget(self.translation)
        self._links = LayerLinks()
        self.session.result_changed.connect(self._show_translation)
        self.translation.whole_asked.connect(self._whole)
        for changed in (self.viewer.dims.events.order, self.viewer.dims.events.ndisplay):
            changed.connect(self._show_region)

    def _show_translation(self, result: Result | None) -> None:
        # another dock's results are selected in the same viewer
        if result is None or not is_translation(result):
            self.translation.show_result(None)
            return
        first, model = layers_of(result, self.inputs.layers, self.inputs.choices)[0], self.form.model
        port = next((port for port in model.inputs if port.key in result.record["inputs"]), None) if model else None
        self._links.tie(self.viewer, result, first, port)
        self.translation.show_result(result)

    def _whole(self) -> None:
        result = self.session.result
        if result is None:
            return
        try:
            layers = open_inputs(result, self.inputs.layers, self.inputs.choices)
            take_settings(self.form, result)
            taken = dict(zip(result.record["inputs"], layers, strict=True))
            for number, port in enumerate(self.form.model.inputs if self.form.model else ()):
                layer = taken.get(port.key)
                self.inputs.choose(number, -1 if layer is None else self.inputs.layers.index(layer))
            self._inputs_changed()
            self.form.out = str(unused(result.path, lambda path: path.exists() or self.session.is_promised(path)))
            # the rectangle that it was made in, whatever is drawn now
            stated = result.record["parameters"]["region"]
            request = request_of(self, parse_region(stated) if stated else None)
        except InputError as error:
            self.session.state.complain(str(error))
            return
        if request is not None:
            self.session.run(request)
