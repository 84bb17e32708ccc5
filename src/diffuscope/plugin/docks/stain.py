"""The dock "Virtual staining"."""

from __future__ import annotations

from diffuscope.plugin.docks.kinds import STAINING
from diffuscope.plugin.docks.run import RunDock


class StainDock(RunDock):
    """Virtual staining of the slides in a viewer."""

    kind = STAINING
