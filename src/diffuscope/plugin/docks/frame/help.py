"""Help: the pages of the project, which come with it, in a window of their own."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import QUrl
from qtpy.QtGui import QColor, QDesktopServices, QTextCharFormat, QTextCursor
from qtpy.QtWidgets import QTextBrowser, QToolButton, QWidget

import diffuscope
from diffuscope.plugin.widgets.pieces import weakly

#: The page of the window, which has a heading a dock.
PAGE = "window.md"
_WIDTH, _HEIGHT = 760, 700
# Qt's own blue cannot be read on a dark theme; this has a contrast of 4 on both.
_LINK = QColor("#2f7de1")


def pages() -> Path:
    """Return the folder of the pages: in the package where that was installed, beside it in a checkout."""
    package = Path(diffuscope.__file__).parent
    inside = package / "docs"
    return inside if inside.is_dir() else package.parents[1] / "docs"


class HelpButton(QToolButton):
    """Opens the page of the window where it is about one dock.

    Parameters
    ----------
    title : str
        Of the dock, as its heading has it.
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setText("?")
        self.setToolTip(f"Help on {title}")
        self.setAccessibleName("Help")
        self._title = title
        self._pages: HelpPages | None = None
        self.clicked.connect(weakly(self._open))

    def _open(self, _: bool = False) -> None:
        if self._pages is None:
            self._pages = HelpPages(self.window())
        self._pages.show_at(self._title)


class HelpPages(QTextBrowser):
    """Shows the pages, follows their links to each other, and leaves others to the browser of the system."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setWindowFlag(self.windowFlags().Window)
        self.resize(_WIDTH, _HEIGHT)
        self.setOpenLinks(False)
        self.anchorClicked.connect(weakly(self._follow))

    def show_at(self, heading: str) -> None:
        """Show the page of the window from a heading on."""
        self._go(QUrl.fromLocalFile(str(pages() / PAGE)))
        block = self.document().begin()
        while block.isValid():
            if block.blockFormat().headingLevel() and block.text() == heading:
                self.setTextCursor(QTextCursor(self.document().lastBlock()))
                self.setTextCursor(QTextCursor(block))  # from below, so that the heading comes to lie on top
                break
            block = block.next()
        self.show()
        self.raise_()

    def _follow(self, link: QUrl) -> None:
        target = self.source().resolved(link)
        if target.isLocalFile() and target.toLocalFile().endswith(".md") and Path(target.toLocalFile()).is_file():
            self._go(target)
        else:
            QDesktopServices.openUrl(target)

    def _go(self, page: QUrl) -> None:
        self.setSource(page)
        self._colour_links()
        self.setWindowTitle(f"Diffuscope help: {page.fileName()}")

    def _colour_links(self) -> None:
        look = QTextCharFormat()
        look.setForeground(_LINK)
        found, block = [], self.document().begin()
        while block.isValid():
            piece = block.begin()
            while not piece.atEnd():
                fragment = piece.fragment()
                if fragment.charFormat().isAnchor():
                    found.append((fragment.position(), fragment.length()))
                piece += 1
            block = block.next()
        for start, length in found:
            cursor = QTextCursor(self.document())
            cursor.setPosition(start)
            cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
            cursor.mergeCharFormat(look)
