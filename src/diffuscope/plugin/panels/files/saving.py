"""File → Save of layers of a result: as any format that results are exported as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.exports.export import export
from diffuscope.exports.shown import shown_ports
from diffuscope.exports.table import ALL, endings, find_format
from diffuscope.measurement.threshold import chosen_threshold
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.level import Level
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.plugin.layers.volume_level import VolumeLevel
from diffuscope.plugin.widgets.last_resort import told
from diffuscope.results.result import open_result


def _writer(ending: str) -> Callable[[str, Sequence[LayerTuple]], list[str]]:
    """Return a napari writer; `ending` is that of a name without one."""

    def write(path: str, layers: Sequence[LayerTuple]) -> list[str]:
        named = path if path.lower().endswith(endings()) else f"{path}{ending}"
        if named != path and Path(named).exists():
            # napari asked about what was typed alone
            raise InputError(f"{named} is there already: save it by its whole name to replace it, or by another name.")
        if not any(_own(about) for _, about, _ in layers):
            return _by_others(named, layers)
        result = open_result(_folder(layers))
        threshold = chosen_threshold(_own(layers[0][1]).get("record", {}))
        counts = find_format(result, Path(named).name).counts
        saved = export(
            result,
            named,
            layer=_layer(shown_ports(result), layers),
            overwrite=True,
            threshold=threshold if counts else None,
        )
        return [str(saved)]

    return told(write, doing="save")


write_ome_tiff = _writer(".ome.tif")
write_ome_zarr = _writer(".ome.zarr")
write_dicom = _writer(".dicom")
write_volume = _writer(".nii.gz")
write_picture = _writer(".view.png")
write_report = _writer(".report.pdf")
write_qupath = _writer(".qupath")


def _own(about: dict[str, Any]) -> dict[str, Any]:
    own = about.get("metadata", {}).get(KEY, {})
    return own if "result" in own and "port" in own else {}


def _folder(layers: Sequence[LayerTuple]) -> Path:
    """Return the result whose layers these are.

    Raises
    ------
    InputError
        One is of no result or of another, or is not as it was computed.
    """
    folders = list(dict.fromkeys(str(_own(about)["result"]) for _, about, _ in layers if _own(about)))
    for data, about, _ in layers:
        if not _own(about):
            raise InputError(
                f"“{about['name']}” is no layer of a Diffuscope result: select those of one result, and choose "
                "File → Save Selected Layers."
            )
        finest = data if isinstance(data, Level | VolumeLevel) else data[0]
        if not isinstance(finest, Level | VolumeLevel):
            raise InputError(f"“{about['name']}” was changed, and is no longer what was computed: save it as .tif.")
    if len(folders) > 1:
        raise InputError(
            f"These are layers of {len(folders)} results: select those of one, and choose File → Save Selected Layers."
        )
    return Path(folders[0])


def _layer(ports: Sequence[Any], layers: Sequence[LayerTuple]) -> str:
    """Return which of a result's images are meant: one of them, or all."""
    chosen = list(dict.fromkeys(_own(about)["port"] for _, about, _ in layers))
    if len(chosen) == 1:
        return str(chosen[0])
    missing = [port.name for port in ports if port.key not in chosen]
    if missing:
        raise InputError(
            f"Of the images of the result {', '.join(missing)} would be missing: select one of its layers, or all."
        )
    return ALL


def _by_others(path: str, layers: Sequence[LayerTuple]) -> list[str]:
    """Save what is no result of ours as napari would without this plugin.

    Raises
    ------
    InputError
        No other plugin can.
    """
    from npe2 import PluginManager

    compatible = PluginManager.instance().iter_compatible_writers([kind for *_, kind in layers])
    for writer in compatible:
        if writer.plugin_name != KEY and path.lower().endswith(tuple(writer.filename_extensions)):
            takes_many = sum(one.max() for one in writer.layer_type_constraints()) > 1
            return writer.exec(args=(path, layers) if takes_many else (path, *layers[0][:2])) or []
    raise InputError(
        f"{Path(path).name} would hold a result of Diffuscope, and “{layers[0][1]['name']}” is none: save it as .tif."
    )
