"""The letters of a PDF: those of DejaVu, which comes with what the extra installs, else the few that every PDF has."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fpdf import FPDF

# What Latin-1 lacks of what reports are written with; Greek by name, as in units and markers.
_SPELT = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "…": "...", "•": "-", "≥": ">=",
        "≤": "<=", "≈": "~", "→": "->", "μ": "µ", "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "κ": "kappa",
        "λ": "lambda", "σ": "sigma", "Δ": "Delta", "⁰": "0", "⁴": "^4", "⁵": "^5", "⁶": "^6", "⁹": "^9", "⁻": "^-",
        "\N{NARROW NO-BREAK SPACE}": " ", "\N{THIN SPACE}": " ",
    }
)  # fmt: skip


class Letters:
    """The fonts of one PDF, regular and bold.

    Parameters
    ----------
    pdf : FPDF
        Gets them.
    folder : Path, optional
        Where ``DejaVuSans.ttf`` and ``DejaVuSans-Bold.ttf`` lie; None: Helvetica, which has the letters of Latin-1.
    """

    def __init__(self, pdf: FPDF, folder: Path | None) -> None:
        self.family = "helvetica" if folder is None else "dejavu"
        self._known: set[int] | None = None
        if folder is not None:
            for style, name in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
                pdf.add_font(self.family, style, folder / name)
            self._known = set(pdf.fonts[self.family].cmap)  # type: ignore[union-attr]

    def spell(self, text: str) -> str:
        """Return a text in the letters that there are; what there is no letter for is a question mark."""
        line = " ".join(text.split())
        if self._known is None:
            return line.translate(_SPELT).encode("latin-1", "replace").decode("latin-1")
        return "".join(letter if ord(letter) in self._known else "?" for letter in line)


def font_folder() -> Path | None:
    """Return where the fonts of DejaVu lie that matplotlib brings; None without."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return None
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    return folder if (folder / "DejaVuSans-Bold.ttf").is_file() and (folder / "DejaVuSans.ttf").is_file() else None
