"""What a run takes over from the one that began its result, and whether it is the same run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.files.claim import HELD, Claim
from diffuscope.files.links import check_inside
from diffuscope.files.put import clear
from diffuscope.jobs.inputs import Values
from diffuscope.results.cache import FOLDER
from diffuscope.results.opening.about import needed
from diffuscope.results.result import open_result
from diffuscope.scans.fingerprint import is_same
from diffuscope.scans.lattice import Lattice
from diffuscope.stains import StainStatistics


def check_resumed(out: Path, begun: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    """Refuse to go on with a result that another model, slide or setting began.

    Parameters
    ----------
    out : Path
        The unfinished result.
    begun, request : dict
        Run records: of the result, and of the run that wants to go on with it.

    Raises
    ------
    InputError
        They differ, or the record of the result is damaged.
    """
    try:
        _check_same(out, begun, request)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{out.name} is damaged (its run record): say --overwrite to begin again.") from error


def _check_same(out: Path, begun: Mapping[str, Any], request: Mapping[str, Any]) -> None:
    for part, what in (("model", "hash"), ("inputs", None), ("parameters", None), ("compute", None)):
        # What is only in `begun` under "compute" tells what happened to that run, not what it was asked for; what is
        # only in `asked` is a choice that the Diffuscope that began it did not have.
        keys = (
            {what}
            if what
            else {*request[part]} & {*begun[part]}
            if part == "compute"
            else {*begun[part], *request[part]}
        )
        for key in sorted(keys):
            old, new = (_plain(record[part].get(key)) for record in (begun, request))
            if part == "inputs":
                old = _as_stated_now(old, new)
                if _print(old) and is_same(_print(old), _print(new)):
                    # An older Diffuscope looked at less of the file.
                    new["fingerprint"] = old["fingerprint"]
            if old != new:
                name = {"model": "model", "inputs": "input"}.get(part, key)
                raise InputError(
                    f"{out.name} was begun with {name} {_short(old)} and this run asks for {_short(new)}: "
                    f"ask for the same to resume it, or say --overwrite to begin again."
                )


def _print(stated: Any) -> str:
    """Return the fingerprint that a record states of an input; of texts and rows none."""
    known = isinstance(stated, dict) and isinstance(stated.get("fingerprint"), str)
    return stated["fingerprint"] if known else ""


def _plain(value: Any) -> Any:
    """Return a value as it comes back from JSON."""
    return json.loads(json.dumps(value))


def _as_stated_now(old: Any, new: Any) -> Any:
    """Return what a record says of an input with what a Diffuscope of before rounded otherwise, or did not state."""
    if not (isinstance(old, dict) and isinstance(new, dict) and "lattice" in old and "lattice" in new):
        return old
    if not Lattice.from_json(old["lattice"]).is_same(Lattice.from_json(new["lattice"])):
        return old
    return {key: new[key] for key in ("forms", "lattice", "mpp", "mpp_stated") if key in new} | {
        key: value for key, value in old.items() if key not in ("lattice", "mpp", "mpp_stated")
    }


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


def begun_record(out: Path) -> dict[str, Any]:
    """Return the record of the result to be gone on with."""
    result = open_result(out)
    if result.complete:
        tidy(out)
        raise InputError(f"{out.name} is complete: there is nothing to resume.")
    # It is written into, and might come from elsewhere.
    check_inside(out)
    needed(result.record, out.name, "model", "inputs", "parameters", "compute", "versions")
    return result.record


def tidy(out: Path) -> None:
    """Remove from a complete result what a run left that was killed at its very end."""
    # What another process holds is left alone.
    with suppress(InputError, OSError), Claim(out) as claim:
        clear(out)
        if (out / HELD).exists() or (out / FOLDER).exists():
            claim.take(out)
            shutil.rmtree(out / FOLDER, ignore_errors=True)


def check_still(out: Path, begun: Mapping[str, Any]) -> None:
    """Refuse a result that is no longer what was looked at: between that and now another run may have worked on it.

    Parameters
    ----------
    out : Path
        The unfinished result, which this process holds.
    begun : dict
        Its run record then.
    """
    if begun_record(out) != begun:
        raise InputError(f"another run has worked on {out.name} meanwhile: say --resume again.")


def version_notice(begun: Mapping[str, Any], request: Mapping[str, Any]) -> tuple[str, ...]:
    """Tell of libraries that changed since the result was begun."""
    changed = [
        f"{name} {old} → {request['versions'].get(name)}"
        for name, old in begun["versions"].items()
        if request["versions"].get(name) != old
    ]
    return (f"Begun with other versions ({', '.join(changed)}): the last bits may differ.",) if changed else ()


def begun_ranges(begun: Mapping[str, Any] | None) -> dict[str, Values]:
    """Return the ranges by port key that a result was begun with: it is gone on with by the same."""
    stated = begun["inputs"].items() if begun else ()
    return {key: (one["values"][0], one["values"][1]) for key, one in stated if "values" in one}


def begun_stains(begun: Mapping[str, Any] | None) -> dict[str, StainStatistics | None]:
    """Return the stains by port key that a result was begun with, None where they could not be measured."""
    if begun is None or not begun["parameters"].get("normalise"):
        return {}
    stated = {key: one.get("stains") for key, one in begun["inputs"].items()}
    return {key: StainStatistics.from_json(one) if one else None for key, one in stated.items()}
