"""The worst field of a report as layers. In the child process only: the model's ports bring torch."""

from __future__ import annotations

from pathlib import Path

from diffuscope.cases import find_cases, open_case
from diffuscope.evaluation.found import of_result
from diffuscope.evaluation.report.folder import PREDICTIONS, read_report
from diffuscope.model.folder import load_model
from diffuscope.plugin.layers.compare import error_layer
from diffuscope.plugin.layers.facts import KEY
from diffuscope.plugin.layers.placement import canvas_place, scan_placement
from diffuscope.plugin.layers.results import LayerTuple
from diffuscope.ports.raster import Raster
from diffuscope.results.result import open_result


def worst_layers(*, model: str, data: Path, out: Path, mpp: float | None) -> list[LayerTuple]:
    """Describe the input, the truth, the prediction and the error of the field with the largest squared error.

    Parameters
    ----------
    model, data, out, mpp
        As `diffuscope.api.evaluate.evaluate` had them.

    Returns
    -------
    list of LayerTuple
        Where the reader puts the case's input, so that they lie on it.

    Raises
    ------
    InputError
        The report, the data or the prediction is no longer there.
    """
    row = read_report(out)["cases"][0]
    system = load_model(model).system
    first, main = system.input_rasters[0], system.output_rasters[0]
    found = {case.name: case for case in find_cases(data, [*(port.key for port in system.input_rasters), main.key])}
    opened = open_case(found[row["case"]], mpp=main.mpp, assumed_mpp=mpp)
    y, x, *size = row["worst_field"]
    scan, factor = opened.scans[first.key], opened.factors[first.key]
    place = canvas_place(scan_placement(scan.stated_mpp), factor, (y * factor, x * factor))
    truth = opened.read(main.key, y, x, *size)
    answer = of_result(open_result(out / PREDICTIONS / f"{row['case']}.ome.zarr")).read(main.key, y, x, *size)

    def layer(port: Raster, pixels: object, what: str) -> LayerTuple:
        return (
            pixels if port.kind == "rgb" else pixels[..., 0],  # type: ignore[index]
            {
                "name": f"{row['case']}: {what}",
                "rgb": port.kind == "rgb",
                "contrast_limits": tuple(port.range),
                "metadata": {KEY: {"evaluation": row["case"]}},
                **place,
            },
            "image",
        )

    return [
        layer(first, opened.read(first.key, y, x, *size), first.name),
        layer(main, truth, f"{main.name}, truth"),
        layer(main, answer, main.name),
        error_layer(truth, answer, name=row["case"], place=place),
    ]
