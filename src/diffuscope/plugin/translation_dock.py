"""The dock "Modality translation": one scan made into another, slice by slice."""

from __future__ import annotations

from diffuscope.plugin.dock import RunDock
from diffuscope.plugin.kinds import TRANSLATION


class TranslationDock(RunDock):
    """Turns volumes that a viewer shows as layers into another modality.

    Parameters
    ----------
    napari_viewer, child
        As of `RunDock`.
    """

    kind = TRANSLATION
