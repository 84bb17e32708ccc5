"""What is exported: a result, which of its images, and what is kept of the run's input."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.exports.anonymous import anonymous
from diffuscope.results.layout import group_path
from diffuscope.results.result import open_result

if TYPE_CHECKING:
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """What a format is to hold.

    Attributes
    ----------
    result : Result
        As opened.
    ports : tuple of Raster
        Which of its images; one, of one channel, where the format holds one image.
    texts : tuple of str
        Keys of its texts, where the format holds texts.
    source : Path or None
        The file that the run took in, where the format keeps something of it.
    is_anonymous : bool
        Whether what tells of the input is left out.
    """

    result: Result
    ports: tuple[Raster, ...]
    texts: tuple[str, ...] = ()
    source: Path | None = None
    is_anonymous: bool = False

    @property
    def record(self) -> dict[str, Any]:
        """The run record, as the format may tell it."""
        return anonymous(self.result.record) if self.is_anonymous else self.result.record

    @property
    def whole(self) -> Result:
        """The result as it lies on disk, with what is exported of record and numbers.

        A multiplex in its place has no map to measure in.
        """
        return replace(open_result(self.result.path), record=self.result.record, table=self.result.table)

    @property
    def told(self) -> str:
        """What a volume's file says of its first image, in the 79 characters that NIfTI has for it, ASCII."""
        name = self.ports[0].name.encode("ascii", "replace").decode()
        return f"{name[:37]}: computed by a model, not for diagnosis"

    @property
    def stored_bytes(self) -> int:
        """How many bytes the pyramids of the images take on disk."""
        files = (
            Path(folder) / name
            for port in self.ports
            for level in range(len(self.result.images[port.key]))
            for folder, _, names in os.walk(self.result.path / group_path(self.result.ports, port.key) / str(level))
            for name in names
        )
        return sum(file.stat().st_size for file in files)


def choose_ports(result: Result, layer: str) -> tuple[Raster, ...]:
    """Return the output ports that `layer` (a key, a name or ``"all"``) means."""
    if layer == "all":
        return result.ports
    # Keys are unique; a name might be another port's key.
    for chosen in ([p for p in result.ports if p.key == layer], [p for p in result.ports if p.name == layer]):
        if chosen:
            return (chosen[0],)
    there = ", ".join(port.key for port in result.ports)
    raise InputError(f'{result.path.name} has no layer "{layer}": choose one of {there}, or all.')


def check_one_image(result: Result, ports: tuple[Raster, ...], name: str) -> None:
    """Refuse several outputs, and one of several channels, where `name` can hold one image."""
    if len(ports) > 1:
        there = ", ".join(port.key for port in ports)
        raise InputError(f"{name} holds one image, and {result.path.name} has several: say which, of {there}.")
    if len(ports[0].channels) > 1:
        raise InputError(f"{ports[0].name} has {len(ports[0].channels)} channels: export it as .ome.tif or .ome.zarr.")
