"""A result's layers tied to each other and to the layer that they were made from."""

from __future__ import annotations

from typing import Any
from weakref import WeakSet, ref

from napari.experimental import link_layers

from diffuscope.plugin.layers.facts import input_placement, own_metadata
from diffuscope.plugin.layers.placement import put, result_place
from diffuscope.ports.raster import Raster
from diffuscope.results.result import Result

#: What layers share whose values mean the same.
_CONTRAST = ("contrast_limits", "gamma")


def alike(source: Raster | None, result: Result) -> list[tuple[str, ...]]:
    """Return groups of images whose values mean the same, by key of their port; the source goes by ``""``.

    Sample and mean always do. The source does only where it has the unit of the result: intensities of MR have none,
    and one scan's 200 is not another's.
    """
    main = result.ports[0]
    keys = [port.key for port in result.ports if port.key in (main.key, "mean")]
    if source is not None and source.unit and source.unit == main.unit:
        keys.append("")
    return [tuple(keys)] if len(keys) > 1 else []


def result_layers_of(viewer: Any, result: Result) -> dict[str, Any]:
    """Return the layers in a viewer that show the images of a result, by key of their port."""
    own = [(own_metadata(layer), layer) for layer in viewer.layers]
    return {about["port"]: layer for about, layer in own if about.get("result") == str(result.path) and "port" in about}


class LayerLinks:
    """Ties the layers of results, each once: what the user unties (Layers → Unlink layers) stays so."""

    def __init__(self) -> None:
        self._tied: WeakSet[Any] = WeakSet()

    def tie(self, viewer: Any, result: Result, source: Any, port: Raster | None) -> None:
        """Tie what a viewer shows of a result.

        Parameters
        ----------
        viewer : napari.Viewer
            Where it is shown.
        result : Result
            Of a volume.
        source : layer or None
            What it was made from.
        port : Raster or None
            The model's input that `source` went into.
        """
        layers = result_layers_of(viewer, result)
        main = layers.get(result.ports[0].key)
        if main is None or main in self._tied:
            return
        self._tied.add(main)
        for keys in alike(port if source is not None else None, result):
            group = [source if key == "" else layers[key] for key in keys if key == "" or key in layers]
            if len(group) > 1:
                link_layers(group, _CONTRAST)
        if source is not None:
            _follow(viewer, result, source)


def _follow(viewer: Any, result: Result, source: Any) -> None:
    """Let a result lie on its source also where the user moves that.

    Not by napari's links, which make places equal: a few slices of a volume begin elsewhere than it.
    """
    held = ref(source)

    def move(_: Any = None) -> None:
        source = held()
        if source is None:
            return
        place = result_place(result, input_placement(source))
        for layer in result_layers_of(viewer, result).values():
            put(layer, place)

    for name in ("scale", "translate", "rotate", "shear", "affine", "units"):
        getattr(source.events, name).connect(move)
    move()
