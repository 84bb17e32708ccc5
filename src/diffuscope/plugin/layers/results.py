"""A result folder as napari layers: names, contrast, colormaps, visibility, place on the slide, record."""

from __future__ import annotations

from typing import Any

import zarr

from diffuscope.exports.multiplex import multiplex_port, multiplexed
from diffuscope.exports.shown import shown_ports
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.level import Level, MultiplexLevel
from diffuscope.plugin.layers.looks import look
from diffuscope.plugin.layers.placement import Placement, result_place
from diffuscope.plugin.layers.volume_level import VolumeLevel
from diffuscope.ports.raster import Raster
from diffuscope.ports.score import Score
from diffuscope.ports.shown import SPREAD
from diffuscope.ports.text import Text
from diffuscope.results.beside.mark import signed
from diffuscope.results.layout import open_images
from diffuscope.results.result import Result
from diffuscope.tiling.boxes import CHUNK

#: Words with which a name says that a model made what it names.
_TOLD = ("generated ", "virtual ", "predicted ")
LayerTuple = tuple[Any, dict[str, Any], str]


def result_layers(result: Result, placement: Placement | None = None) -> list[LayerTuple]:
    """Describe every image of a result that there is something to see of as a napari layer.

    Parameters
    ----------
    result : Result
        An opened result folder, complete or not.
    placement : Placement, optional
        Where its input lies; default: where the reader puts that input.

    Returns
    -------
    list of (data, keyword arguments, "image")
        The main image first and visible, of a slide as RGBA: what was not computed is transparent, in a map NaN. The
        other images above it, hidden. Where there are several stains, their virtual multiplex on top, visible. The data
        are `Level`, finest first, or the `VolumeLevel` of a volume.
    """
    if not result.ports:
        return []  # a score of an image lies nowhere on it
    place = result_place(result, placement)
    arrays = open_images(zarr.open_group(result.path, mode="r", zarr_format=2), result.ports)
    layers: list[LayerTuple] = []
    multiplex = multiplex_port(result.ports)
    apart = CHUNK // (len(result.ports) + (multiplex is not None))
    for place_in_list, port in enumerate(shown_ports(result)):
        levels: list[Any]
        if result.place.unit == "mm":
            # napari shows only the finest level of a volume in 3D, and levels of a few hundred px cost nothing in 2D
            levels = [VolumeLevel(arrays[port.key][0], result.coverage)]
        else:
            fill = port.fill if port.kind == "rgb" else None
            levels = [
                Level(array, fill, coverage=result.coverage, factor=2**number, shift=place_in_list * apart)
                for number, array in enumerate(arrays[port.key])
            ]
        layers.append(_layer(result, port, levels, place, visible=place_in_list == 0))
    if multiplex is not None:
        stains = [zip(arrays[image.key], arrays[dab.key], strict=True) for _, image, dab in multiplexed(result.ports)]
        computed = [
            MultiplexLevel(
                level, multiplex.fill, coverage=result.coverage, factor=2**number, shift=len(result.ports) * apart
            )
            for number, level in enumerate(zip(*stains, strict=True))
        ]
        layers.append(_layer(result, multiplex, computed, place, visible=True))
    return layers


def _layer(result: Result, port: Raster, levels: list[Any], place: dict[str, Any], *, visible: bool) -> LayerTuple:
    about = {
        **look(port),
        "name": made_name(result, port),
        "rgb": port.kind == "rgb",
        "contrast_limits": tuple(port.range),
        "visible": visible,
        "blending": "translucent",
        "multiscale": len(levels) > 1,
        "metadata": {KEY: layer_metadata(result, port.key), **report_metadata(result)},
        **place,
    }
    return (levels if len(levels) > 1 else levels[0], about, "image")


def made_name(result: Result, port: Raster) -> str:
    """Return a layer's name, which tells a scan that a model made from one that a scanner made."""
    name: str = look(port)["name"]
    if is_of_texts(result):
        main = next((one for one in result.ports if port.key == f"{one.key}{SPREAD}"), None)
        name = f"{made_name(result, main)}, uncertainty" if main is not None else port.name
        return name if name.startswith(_TOLD) else f"generated {name}"
    tells = any(isinstance(other, Score) for other in result.others)  # then its images say why, and are no scans
    is_scan = result.place.unit == "mm" and port.key in (result.ports[0].key, "mean") and not tells
    is_told = name.startswith(_TOLD)  # as results of before did not
    return f"virtual {name}" if is_scan and not is_told else name


def is_of_texts(result: Result) -> bool:
    """Whether a text went into a result or came out of it."""
    given = result.record["inputs"].values()
    return any("text" in one for one in given) or any(isinstance(port, Text) for port in result.others)


def report_metadata(result: Result) -> dict[str, str]:
    """Return the texts of a result by key of their port, as layers keep them: what a model wrote says so.

    What a user has made of one stands in its place.
    """
    given = {key: one["text"] for key, one in result.record["inputs"].items() if "text" in one}
    return given | {key: signed(text, mark) for key, (text, mark) in result.told.items()}


def layer_metadata(result: Result, key: str) -> dict[str, Any]:
    """Return what a layer of a result carries in its metadata."""
    images = (*result.ports, multiplex_port(result.ports))
    port = next((one for one in images if one is not None and one.key == key), None)
    return {
        "result": str(result.path),
        "port": key,
        **({"title": port.name, "unit": port.unit, "range": tuple(port.range)} if port is not None else {}),
        "complete": result.complete,
        "record": result.record,
        # by name; of a registration, which makes nothing up, there is none
        **({"made_by_model": result.record["model"]["name"]} if "model" in result.record else {}),
    }
