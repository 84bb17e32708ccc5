"""Groovy scripts for QuPath: one brings objects and images together, one runs a model where an annotation is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.exports.shown import shown_port
from diffuscope.results.beside.mark import generated_by
from diffuscope.scans.qupath.live import OF_RESULT

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.ports.raster import Raster
    from diffuscope.results.result import Result

_ESCAPES = {"'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def script(request: Request, names: Mapping[str, str]) -> str:
    """Return the script of a folder.

    Parameters
    ----------
    request : Request
        Of a result of a slide.
    names : mapping of str to str
        Names of the images' files by key of their port.
    """
    result, is_anonymous = request.result, request.is_anonymous
    place = result.place
    y, x, height, width = place.window
    slide: dict[str, Any] = next((one for one in request.record.get("inputs", {}).values() if "shape" in one), {})
    shape = slide.get("shape", [0, 0])
    images = {
        names[port.key]: {
            "size": [width, height],
            "ranges": []
            if port.kind == "rgb"
            else [list(map(float, shown_port(result, port).range))] * len(port.channels),
        }
        for port in request.ports
    }
    told = {
        "@SLIDE@": {"name": "" if is_anonymous else slide.get("name", ""), "size": [shape[1], shape[0]]},
        "@IMAGES@": images,
        "@CORNER@": [x * place.factors[1], y * place.factors[0]],
        "@DOWNSAMPLE@": place.factors[1],
        "@OF_RESULT@": OF_RESULT,
    }
    parts = {where: literal(value) for where, value in told.items()}
    parts["@MARK@"] = "".join(one if _is_plain(one) else "?" for one in generated_by(request.record))
    text = (files(__package__) / "import.groovy").read_text(encoding="utf-8")
    return _filled(text, parts)


def _range(result: Result, port: Raster) -> list[float]:
    return list(map(float, shown_port(result, port).range))


def run_script(program: Sequence[str], model: str, results: Path) -> str:
    """Return a script that runs a model from inside QuPath.

    Parameters
    ----------
    program : sequence of str
        How Diffuscope is started, as ``["/usr/bin/python3", "-m", "diffuscope"]``.
    model : str
        As `diffuscope.run` takes it.
    results : Path
        Absolute: where results are kept.
    """
    text = (files(__package__) / "run.groovy").read_text(encoding="utf-8")
    parts = {"@PROGRAM@": list(program), "@MODEL@": model, "@RESULTS@": str(results), "@OF_RESULT@": OF_RESULT}
    return _filled(text, {where: literal(value) for where, value in parts.items()})


def _filled(text: str, parts: Mapping[str, str]) -> str:
    # In one go: a name may be one of these words.
    return re.sub("|".join(parts), lambda found: parts[found[0]], text)


def literal(value: Any) -> str:
    r"""Return a value as Groovy writes it; nothing in a text is code, as "${…}" in double quotes would be.

    Parameters
    ----------
    value : dict, list, str or number
        Finite.
    """
    if isinstance(value, str):
        return "'" + "".join(map(_letter, value)) + "'"
    if isinstance(value, Mapping):
        return "[" + (", ".join(f"{literal(key)}: {literal(one)}" for key, one in value.items()) or ":") + "]"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(literal, value)) + "]"
    return repr(value)


def _is_plain(one: str) -> bool:
    return one.isascii() and one.isprintable() and one not in "'\\"


def _letter(one: str) -> str:
    if _is_plain(one):
        return one
    # Not as \u0027: older Groovy reads that as a quote before it looks for the end of a text.
    if one in _ESCAPES:
        return _ESCAPES[one]
    # UTF-16, as Java has it: letters beyond it are two.
    coded = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{coded[at : at + 2].hex()}" for at in range(0, len(coded), 2))
