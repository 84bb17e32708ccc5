"""The dock "Other models": whatever has no dock of its own, by what it declares."""

from __future__ import annotations

from diffuscope.plugin.docks.kinds import OTHERS
from diffuscope.plugin.docks.run import RunDock


class OtherModelsDock(RunDock):
    """Models of other tasks than the other docks', on pictures, tables and texts."""

    kind = OTHERS
