"""Whether a run goes on with what another one began: the same model, input and settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.stains import StainStatistics


def check_resumed(out: Path, begun: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    """Refuse to go on with a result that another model, slide or setting began.

    Parameters
    ----------
    out : Path
        The unfinished result.
    begun, asked : dict
        Run records: of the result, and of the run that wants to go on with it.
    """
    for part, what in (("model", "hash"), ("inputs", None), ("parameters", None), ("compute", None)):
        # What is only in `begun` under "compute" tells what happened to that run, not what it was asked for; what is
        # only in `asked` is a choice that the Diffuscope that began it did not have.
        keys = (
            {what} if what else {*asked[part]} & {*begun[part]} if part == "compute" else {*begun[part], *asked[part]}
        )
        for key in sorted(keys):
            old, new = (_plain(record[part].get(key)) for record in (begun, asked))
            if old != new:
                name = {"model": "model", "inputs": "input"}.get(part, key)
                raise InputError(
                    f"{out.name} was begun with {name} {_short(old)} and this run asks for {_short(new)}: "
                    f"ask for the same to resume it, or say --overwrite to begin again."
                )


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _short(value: Any) -> str:
    """Return what tells two values of a record apart: of an input its name, fingerprint and how it was taken."""
    if isinstance(value, dict) and "fingerprint" in value:
        told = [str(value["fingerprint"])[:8], f"{value['mpp']:.4g} µm/px"]
        told += [f"channel {value['channel']}"] if "channel" in value else []
        told += ["range {:g}:{:g}".format(*value["values"])] if "values" in value else []
        told += [f"normalised from {StainStatistics.from_json(value['stains']).summary}"] if "stains" in value else []
        return f"{value['name']} ({', '.join(told)})"
    text = str(value)
    return text[:8] if len(text) == 64 else text
