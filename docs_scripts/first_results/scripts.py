"""One script a dock: what a new user does from an empty napari to a result that another program opens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from docs_scripts.first_results.hand import Hand

Script = Callable[[Hand, Path], int]


def _open(hand: Hand, title: str) -> None:
    hand.menu("Plugins", "Diffuscope", title)
    hand.step(f"*Plugins → Diffuscope → {title}*")
    hand.press(hand.button("Open the sample"))
    hand.step("*Open the sample*")


def _run(hand: Hand, run: str, done: str) -> int:
    """Press the main button, wait for a result, and return the clicks that it took."""
    hand.press(hand.button(run))
    hand.until(lambda: hand.reads(done))
    hand.step(f"*{run}*")
    return hand.clicks


def _export(hand: Hand, path: Path, button: str = "Export…") -> None:
    with hand.answering(path):
        hand.press(hand.button(button))
    hand.until(lambda: hand.reads("Exported to"))
    hand.step(f"*{button}*")


def staining(hand: Hand, folder: Path) -> int:
    """A virtual stain of a part of the sample slide, as OME-TIFF."""
    _open(hand, "Virtual staining")
    clicks = _run(hand, "Run", "Done:")
    _export(hand, folder / "stain.ome.tif")
    return clicks


def nanoparticles(hand: Hand, folder: Path) -> int:
    """Where nanoparticles go in a part of a simulated section."""
    _open(hand, "Nanoparticle distribution")
    clicks = _run(hand, "Run", "Done:")
    _export(hand, folder / "particles.ome.tif")
    return clicks


def translation(hand: Hand, folder: Path) -> int:
    """One slice of an MR made into CT."""
    _open(hand, "Modality translation")
    clicks = _run(hand, "Run", "Done:")
    _export(hand, folder / "ct.nii.gz")
    return clicks


def scoring(hand: Hand, folder: Path) -> int:
    """The score of a simulated patient, as a report."""
    _open(hand, "Lymph-node scoring")
    clicks = _run(hand, "Run", "Done:")
    _export(hand, folder / "report.pdf")
    return clicks


def texts(hand: Hand, folder: Path) -> int:
    """Images of a report."""
    _open(hand, "Text and images")
    clicks = _run(hand, "Run", "Done:")
    _export(hand, folder / "images.ome.tif")
    return clicks


def many(hand: Hand, _folder: Path) -> int:
    """Two slides, a table and a page of both."""
    _open(hand, "Many slides")
    return _run(hand, "Run", "slides are done")


def train(hand: Hand, _folder: Path) -> int:
    """A model that learns from simulated pairs."""
    _open(hand, "Train")
    hand.until(lambda: bool(hand.field("Folder or table of pairs").text()))
    hand.write(hand.beside("Steps"), "2")
    return _run(hand, "Train", "Done:")


def register(hand: Hand, _folder: Path) -> int:
    """A restained section in the frame of its H&E."""
    _open(hand, "Register")
    hand.until(lambda: len(hand.viewer.layers) == 2)
    return _run(hand, "Run", "Wrote")


def compare(hand: Hand, _folder: Path) -> int:
    """Two pictures of one place held against each other."""
    _open(hand, "Evaluate")
    hand.until(lambda: len(hand.viewer.layers) == 2)
    hand.press(hand.button("Compare"))
    hand.until(lambda: len(hand.viewer.layers) == 3)
    hand.step("*Compare*")
    return hand.clicks


def evaluate(hand: Hand, _folder: Path) -> int:
    """How good a model is on pairs with a truth, as a report."""
    hand.menu("Plugins", "Diffuscope", "Evaluate")
    hand.step("*Plugins → Diffuscope → Evaluate*")
    hand.tab("Model and cases")
    hand.press(hand.button("Open the sample"))
    hand.until(lambda: bool(hand.field("Folder or table of cases").text()))
    hand.step("*Model and cases*, *Open the sample*")
    return _run(hand, "Evaluate", "Done.")


def welcome(hand: Hand, _folder: Path) -> int:
    """The demo."""
    hand.menu("Plugins", "Diffuscope", "Welcome")
    hand.step("*Plugins → Diffuscope → Welcome*")
    return _run(hand, "Run the demo", "Done:")


SCRIPTS: dict[str, Script] = {
    "Welcome": welcome,
    "Virtual staining": staining,
    "Nanoparticle distribution": nanoparticles,
    "Modality translation": translation,
    "Lymph-node scoring": scoring,
    "Text and images": texts,
    "Many slides": many,
    "Train": train,
    "Register": register,
    "Evaluate": evaluate,
    "Compare": compare,
}
