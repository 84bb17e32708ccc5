"""The form of a dock that runs models: widgets for `RunForm`, nothing else."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QPushButton,
    QToolButton,
    QWidget,
)

from diffuscope.devices import likely_devices
from diffuscope.plugin.forms.card_text import card_text, learned_text, listed_title, preset_names
from diffuscope.plugin.forms.given_rows import GivenRows
from diffuscope.plugin.forms.input_rows import InputRows, first_label
from diffuscope.plugin.forms.out import folder_text, suggest_out
from diffuscope.plugin.forms.rows.advanced import Advanced
from diffuscope.plugin.forms.rows.option_rows import OptionRows
from diffuscope.plugin.forms.rows.sample import SampleButton
from diffuscope.plugin.forms.rows.slice_row import SliceRow
from diffuscope.plugin.forms.rows.stains_row import StainsRow
from diffuscope.plugin.forms.run import RunForm
from diffuscope.plugin.forms.texts.goal_rows import GoalRows
from diffuscope.plugin.layers.facts import ModelFacts, SlideFacts
from diffuscope.plugin.widgets.elided import PathEdit
from diffuscope.plugin.widgets.pieces import slide_mpp_spin
from diffuscope.plugin.widgets.rows import Fold, combo, fill, form_layout, quiet, side_by_side, small_text, spin
from diffuscope.ports.matching import guess_channels

# µm/px, of flat images of a body.
_COARSEST = 100_000.0
OTHER_MODEL = "Choose a model folder…"
DEVICE_NAMES = {"auto": "Automatic", "cpu": "CPU", "cuda": "CUDA (NVIDIA)", "mps": "MPS (Apple)"}


class FormWidget(QWidget):
    """Shows a `RunForm` and writes what the user changes into it.

    Attributes
    ----------
    models : list of ModelFacts
        Those that are listed.
    model_is_chosen : bool
        Whether the user has chosen or run a model. As long as not, it goes by the name of the layer.
    """

    #: Places of the input among the model's and of the layer among those listed.
    layer_chosen = Signal(int, int)
    draw_asked = Signal()
    folder_asked = Signal(str)
    #: A sentence on a file that cannot be taken.
    complained = Signal(str)

    def __init__(self, form: RunForm, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.form = form
        self.model_is_chosen = False
        self.models: list[ModelFacts] = []
        self.suggested = ""
        self._build()
        self._connect()
        form.events.connect(self._refresh)
        form.events.patient.connect(self.suggest)
        self._refresh()

    def _build(self) -> None:
        self.slide = combo()
        self.unfit, self.resolution = small_text(), small_text()
        self.unfit.hide()
        self.mpp = slide_mpp_spin(_COARSEST)
        self.mpp.setParent(self)
        self.model = combo()
        self.model.addItem(OTHER_MODEL, OTHER_MODEL)
        self.model.setPlaceholderText("choose a model")
        self.about = small_text()
        self.region = combo()
        for key, name in self.form.kind.scope.regions.items():
            self.region.addItem(name, key)
        self.draw = QPushButton("Draw…")
        self.draw.setToolTip("Add a shapes layer to draw a region in")
        self.within = QCheckBox("Only within a drawn rectangle", self)
        self.within.setToolTip("Compute that rectangle of every slice; in a fraction of the time")
        self.within.setVisible("within" in self.form.kind.scope.fields)
        self.region_text = small_text()
        self.normalise = QCheckBox("Normalise the H&&E", self)
        self.normalise.setToolTip(
            "Bring its stains to the model's reference, by the colours of the whole slide. Without, a slide that is "
            "stained otherwise than those of the training is seen as it is"
        )
        self.quality = combo()
        self.samples = spin(0, 64, "Samples per tile: with two or more, uncertainty is their spread")
        self.samples.setSpecialValueText("as the quality says")
        self.out = PathEdit("Result folder (OME-Zarr)")
        self.folder = small_text()
        self.browse = QToolButton()
        self.browse.setText("…")
        self.browse.setToolTip("Choose where the result goes")
        self.device = combo()
        for device in likely_devices():
            self.device.addItem(DEVICE_NAMES[device], device)
        self.seed = spin(0, 2**31 - 1, "The same seed gives the same pixels")
        self.advanced = Advanced()
        self.sampler, self.steps = self.advanced.sampler, self.advanced.steps
        self.scheduler = self.advanced.scheduler
        rows = form_layout(self)
        self.noun, self.mpp_label, self.region_label = first_label(), QLabel("µm/px", self), QLabel("Region")
        if self.form.kind.texts:  # what is written comes before images
            self._add_model(rows)
        rows.addRow(self.noun, self.slide)
        self.sample = SampleButton()
        rows.addRow(self.sample)
        self._inputs = InputRows(self.form, rows, self.slide, self.layer_chosen.emit)
        rows.addRow(self.unfit)
        rows.addRow(self.resolution)
        rows.addRow(self.mpp_label, self.mpp)
        if not self.form.kind.texts:
            self._add_model(rows)
        self.goals = GoalRows(self.form)
        rows.addRow(self.goals)
        self.slices = SliceRow(self.form)
        rows.addRow(self.region_label, side_by_side(self.region, self.draw))
        rows.addRow(self.slices)
        rows.addRow(self.within)
        rows.addRow(self.region_text)
        rows.addRow(self.normalise)
        self.stains = StainsRow(self.form)
        rows.addRow(self.stains)
        rows.addRow("Quality", self.quality)
        rows.addRow("Samples", self.samples)
        self.options = OptionRows(self.form, rows, self.samples)
        rows.addRow("Seed", self.seed)
        rows.addRow("Device", self.device)
        rows.addRow("Result", side_by_side(self.out, self.browse))
        rows.addRow(self.folder)

        self.fold = Fold("Advanced")
        rows.addRow(self.fold)
        rows.addRow(self.advanced)

    def _connect(self) -> None:
        self.model.activated.connect(self._pick_model)
        self.draw.clicked.connect(self.draw_asked)
        self.browse.clicked.connect(self._pick_out)
        self.fold.toggled.connect(self.advanced.setVisible)
        self.region.activated.connect(lambda: setattr(self.form, "region", self.region.currentData()))
        for name in ("within", "normalise"):
            getattr(self, name).toggled.connect(lambda on, name=name: setattr(self.form, name, on))
        self.quality.activated.connect(lambda: setattr(self.form, "quality", self.quality.currentData()))
        self.sampler.activated.connect(lambda: setattr(self.form, "sampler", self.sampler.currentData()))
        self.device.activated.connect(lambda: setattr(self.form, "device", self.device.currentData()))
        for name in ("mpp", "samples", "seed", "steps"):
            getattr(self, name).valueChanged.connect(lambda value, name=name: setattr(self.form, name, value))
        self.out.textEdited.connect(lambda text: setattr(self.form, "out", text))
        self.scheduler.textEdited.connect(lambda text: setattr(self.form, "scheduler", text))

    def _add_model(self, rows: QFormLayout) -> None:
        rows.addRow("Model", self.model)
        rows.addRow(self.about)
        self.given = GivenRows(self.form, rows, self.about, self.complained.emit)

    @property
    def inputs(self) -> list[QComboBox]:
        """The layers' boxes, one an input of the model."""
        return self._inputs.boxes

    def set_layers(self, names: list[str], chosen: list[int]) -> None:
        """List the layers that can be an input; as of `InputRows`."""
        self._inputs.set_layers(names, chosen)

    def set_inputs(self, inputs: list[SlideFacts | None]) -> None:
        """Take over the chosen layers."""
        before = self.form.main
        self.form.slide, self.form.others = inputs[0], tuple(inputs[1:])
        slide = self.form.main
        if slide != before:
            if before is None or slide is None or not slide.is_sized_as(before):
                self.form.mpp, self.form.stains_of = 0.0, ""
                self.form.first, self.form.last = 0, (slide.slices or 1) - 1 if slide else 0
            self.suggest()
            self._go_by_name()

    def add_model(self, model: ModelFacts, *, choose: bool) -> None:
        """List a model, and choose it if asked to or if it is the first."""
        self.models = [known for known in self.models if known.name != model.name] + [model]
        with quiet(self.model):
            self.model.clear()
            for known in self.models:
                self.model.addItem(listed_title(known, by_pairs=self.form.kind.by_pairs), known.name)
            self.model.addItem(OTHER_MODEL, OTHER_MODEL)
        self.model_is_chosen |= choose
        if choose or self.form.model is None:
            self.choose(model)
        self._go_by_name()
        self._refresh()

    def suggest(self, _: Any = None) -> None:
        """Propose a result folder, unless the user has typed one."""
        has_input = self.form.model and (self.form.main or not self.form.model.needs_image)
        if has_input and self.form.model and self.form.out in ("", self.suggested):
            self.form.out = self.suggested = str(suggest_out(self.form.main, self.form.model.name, self.form.patient))

    def _go_by_name(self) -> None:
        """Choose the first model whose only input is what the layer's name says, unless the user has chosen one."""
        if self.model_is_chosen or self.form.main is None:
            return
        name = self.form.main.name
        alone = (model for model in self.models if len(model.inputs) == 1 and model.inputs[0].kind == "map")
        named = next((model for model in alone if guess_channels([name], model.inputs)), None)
        if named is not None and named != self.form.model:
            self.choose(named)

    def choose(self, model: ModelFacts) -> None:
        """Choose a model that is listed, with its own defaults."""
        self.form.options = {}
        self.form.model = model
        self.form.quality = next(iter(model.presets))
        self.form.sampler = ""
        self.suggest()

    def _pick_model(self, index: int) -> None:
        if index < len(self.models):
            self.model_is_chosen = True
            self.choose(self.models[index])
            return
        self._refresh()
        if folder := QFileDialog.getExistingDirectory(self, "Model folder"):
            self.folder_asked.emit(folder)

    def _pick_out(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self,
            "Result folder",
            self.form.out,
            "OME-Zarr (*.ome.zarr)",
            options=QFileDialog.Option.DontConfirmOverwrite,
        )
        if path:
            self.form.out = path if path.endswith(".zarr") else f"{path}.ome.zarr"

    def _noun(self) -> str:
        """What the first input is called: as the model has it where that tells more than the kind."""
        model = self.form.model
        if model is None or not model.inputs or model.inputs[0].kind == "rgb":
            return self.form.kind.noun
        return model.inputs[0].name[0].upper() + model.inputs[0].name[1:]

    def _show_needed(self, model: ModelFacts | None) -> None:
        """Hide what a model has no use for: the layer of one that takes no image, the region of one of whole cases."""
        takes_image = model is None or bool(model.inputs)
        takes_mpp = takes_image and "mpp" in self.form.kind.scope.fields
        takes_mpp &= self.form.main is not None or not self.form.kind.texts
        takes_region = model is None or not model.whole
        shown: tuple[tuple[QWidget, bool], ...] = (
            *((part, takes_mpp) for part in (self.mpp_label, self.mpp)),
            *((part, takes_region) for part in (self.region_label, self.region, self.draw)),
        )
        for part, is_shown in shown:
            part.setVisible(is_shown)
        self._inputs.show(takes_image)

    def _refresh(self, _: Any = None) -> None:
        form, model = self.form, self.form.model
        self.resolution.setText(form.resolution_text())
        is_stated = form.main is None or form.main.mpp is not None
        self.mpp.setSpecialValueText("as the file says" if is_stated else "not stated")
        self.resolution.setVisible(bool(self.resolution.text()))
        learned = f"{learned_text(model)} " if model and form.kind.by_pairs else ""
        self.about.setText(f"{learned}{card_text(model)}" if model else "")
        self.about.setVisible(model is not None)
        self.noun.setText(self._noun())
        self.slide.setAccessibleName(self._noun())
        self._show_needed(model)
        self.sample.setVisible(bool(form.kind.sample) and not form.any_open and not form.given)
        if model:
            fill(self.quality, preset_names(model), form.quality)
            fill(self.sampler, {"": "as the quality says", **{name: name for name in model.samplers}}, form.sampler)
        if self.device.findData(form.device) < 0:  # chosen where it was there: Run says that it is not
            self.device.addItem(DEVICE_NAMES[form.device], form.device)
        choices = ((self.region, form.region), (self.device, form.device), (self.model, model.name if model else None))
        for widget, value in choices:
            with quiet(widget):
                widget.setCurrentIndex(widget.findData(value))
        self.normalise.setVisible(model is not None and model.normalises)
        for name in ("within", "normalise"):
            with quiet(getattr(self, name)):
                getattr(self, name).setChecked(getattr(form, name))
        for name in ("mpp", "samples", "seed", "steps"):
            with quiet(getattr(self, name)):
                getattr(self, name).setValue(getattr(form, name))
        if self.out.text() != form.out:
            self.out.setText(form.out)
            self.out.setCursorPosition(len(form.out))
        self.folder.setText(folder_text(form.out))
