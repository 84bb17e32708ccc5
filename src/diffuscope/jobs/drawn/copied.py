"""Pixels of a layer, in a file for the time of a run: told and recorded as that layer, since nobody has the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from diffuscope.errors import InputError
from diffuscope.scans import Scan, Volume

#: What a run record calls the format of such an input.
FORMAT = "copy of a layer"

_Image = TypeVar("_Image", Scan, Volume, Scan | Volume)


@dataclass(frozen=True, kw_only=True)
class LayerCopy:
    """A file that goes when the run ends.

    Attributes
    ----------
    path : Path
        The file.
    layer : str
        Name of the layer whose pixels it holds.
    """

    path: Path
    layer: str

    def open(self, opener: Callable[[Path], _Image]) -> _Image:
        """Open it under the layer's name, which is then that of all messages.

        Raises
        ------
        InputError
            As the opener does.
        """
        try:
            image = opener(self.path)
        except InputError as error:
            raise InputError(self.told(str(error))) from error
        if isinstance(image, Volume):
            stated = tuple(map(self.told, image.stated))
            return replace(image, name=self.layer, format=FORMAT, stated=stated)
        return replace(image, name=self.layer, format=FORMAT, notices=tuple(map(self.told, image.notices)))

    def told(self, sentence: str) -> str:
        """Return a sentence with the layer's name for that of the file."""
        return sentence.replace(self.path.name, self.layer)


def copies_among(source: object) -> dict[Path, LayerCopy]:
    """Return the copies of layers among what a run is given, by their files."""
    given = source.values() if isinstance(source, Mapping) else ()
    return {one.path: one for one in given if isinstance(one, LayerCopy)}


def copy_notices(copies: Iterable[LayerCopy]) -> tuple[str, ...]:
    """Say that copies of layers were run, and what follows; nothing where there is none."""
    names = dict.fromkeys(f"“{one.layer}”" for one in copies)
    if not names:
        return ()
    return (f"A copy of the layer {' and of '.join(names)} was run, not a file: no command makes this result again.",)
