"""What few users change of a run: sampler, steps, where it is computed besides this machine."""

from __future__ import annotations

from qtpy.QtWidgets import QLineEdit, QWidget

from diffuscope.plugin.widgets.rows import combo, form_layout, spin


class Advanced(QWidget):
    """Rows that are folded until somebody looks.

    Attributes
    ----------
    sampler : QComboBox
        Of the model's.
    steps : QSpinBox
        0: as the quality says, or the one that has the sampler.
    scheduler : QLineEdit
        Address of a cluster.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sampler = combo()
        self.steps = spin(0, 4000, "Denoising steps a sample; another sampler than the quality's may have its own")
        self.steps.setSpecialValueText("as quality and sampler say")
        self.scheduler = QLineEdit()
        self.scheduler.setPlaceholderText("this machine")
        self.scheduler.setToolTip("Address of a dask scheduler whose workers compute, e.g. tcp://10.0.0.1:8786")
        rows = form_layout(self)
        rows.addRow("Sampler", self.sampler)
        rows.addRow("Steps", self.steps)
        rows.addRow("Cluster", self.scheduler)
        self.hide()
