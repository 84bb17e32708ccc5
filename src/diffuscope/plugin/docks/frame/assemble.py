"""How a dock is laid out and stands in the window: one way for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ref

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from diffuscope.plugin.docks.frame.closing import outlive
from diffuscope.plugin.docks.frame.help import HelpButton
from diffuscope.plugin.docks.frame.letters import Letters
from diffuscope.plugin.docks.frame.tabs import stand_with_siblings
from diffuscope.plugin.widgets.access import arrange
from diffuscope.plugin.widgets.pieces import scrolling

# Of what scrolls, px: what a viewer's font makes wider has its room besides.
_NARROWEST = 316


def assemble(dock: Any, title: str, parts: Sequence[Any], foot: Sequence[QWidget] = (), *, jobs: Any) -> QScrollArea:
    """Lay a dock out, and let it stand in the window as docks do: a tab that can be closed while it works.

    Parameters
    ----------
    dock : QWidget
        With the session of its jobs as ``session``.
    title : str
        Of its tab, and of its help.
    parts : sequence of QWidget or QLayout
        What scrolls, one below the other.
    foot : sequence of QWidget
        What stays in sight below, above the jobs.
    jobs : JobPanel
        Last of all; help is beside its buttons.

    Returns
    -------
    QScrollArea
        That of the parts.
    """
    inner = QWidget()
    stack = stacked(inner, parts)
    stack.setContentsMargins(0, 0, 4, 0)
    inner.setMinimumWidth(_NARROWEST)
    area = scrolling(inner)
    layout = QVBoxLayout(dock)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.addWidget(area, 1)
    for widget in (*foot, jobs):
        layout.addWidget(widget)
    jobs.add_button(HelpButton(title))
    stand(dock, title)
    return area


def stacked(widget: QWidget, parts: Sequence[Any]) -> QVBoxLayout:
    """Put widgets and layouts one below the other, at the top of a widget."""
    stack = QVBoxLayout(widget)
    for part in parts:
        (stack.addWidget if isinstance(part, QWidget) else stack.addLayout)(part)
    stack.addStretch(1)
    return stack


def stand(dock: Any, title: str) -> None:
    """Let a dock be a tab beside its siblings, whose jobs go on where it is closed, and be used without a mouse."""
    outlive(dock, dock.session)
    stand_with_siblings(dock, title)
    Letters(dock)
    kept = ref(dock)  # which may be closed before it is built: a timer would keep it
    QTimer.singleShot(0, dock, lambda: arrange(built) if (built := kept()) is not None else None)
