"""What of a translated volume there is to look at, and what to know of it."""

from __future__ import annotations

from diffuscope.exports.shown import shown_ports
from diffuscope.ports.shown import SPREAD
from diffuscope.results.result import Result


def samples_of(result: Result) -> int:
    """Return how many samples a run drew."""
    return int(result.record["parameters"]["samples"])


def _is_mean(result: Result) -> bool:
    """Whether each picture is one evaluation, which is a posterior mean and no sample."""
    return bool(result.record["parameters"].get("steps") == 1)


def spreads_of(result: Result) -> set[str]:
    """Return the keys of images that tell how far the samples of another one differ."""
    keys = {port.key for port in result.ports}
    return {key for key in keys if key.endswith(SPREAD) and key.removesuffix(SPREAD) in keys}


def views(result: Result) -> dict[str, str]:
    """Return the images that can be looked at one at a time, name by key of their port, the main one first.

    Mean and spread of one sample are nothing to look at.
    """
    count = samples_of(result)
    main, *others = shown_ports(result)
    each, several = "one sample", {"mean": f"mean of {count} samples", "uncertainty": f"spread of {count} samples"}
    if _is_mean(result):
        each, several = "posterior mean", {"mean": f"mean of {count} posterior means"}
    found = {main.key: f"{main.name}, {each}" if "mean" in {port.key for port in result.ports} else main.name}
    for port in others:
        if port.key != "support":
            found[port.key] = several.get(port.key, port.name)
    return found


def visible(result: Result, chosen: str, *, with_support: bool) -> dict[str, bool]:
    """Return which images of a result are seen where one of `views` is chosen, by key of their port."""
    return {port.key: with_support if port.key == "support" else port.key == chosen for port in result.ports}


def is_translation(result: Result) -> bool:
    """Whether a result is made of volumes alone, and has images alone: no row or text went in, no score came out."""
    inputs = result.record["inputs"].values()
    is_of_volumes = all("lattice" in one and "roles" not in one for one in inputs)
    return result.place.what == "volume" and is_of_volumes and not result.others


def is_part(result: Result) -> bool:
    """Whether a result has some of its volume's slices only."""
    first = next(iter(result.record["inputs"].values()))
    return bool(result.window[3] * result.place.factors[0] < first["shape"][0] - 0.5)


def description(result: Result) -> str:
    """Say what the images of a result mean, as rich text."""
    texts = []
    keys = {port.key for port in result.ports}
    if {"mean", "uncertainty"} <= keys and _is_mean(result):
        texts.append(
            "One step gives the posterior mean, what samples would agree on, and no sample: how far these would differ "
            "is unknown. Choose more steps, and 2 samples or more, for that."
        )
    elif {"mean", "uncertainty"} <= keys and samples_of(result) == 1:
        texts.append("Of one sample there is no mean, and its spread is unknown: set Samples to 2 or more for both.")
    if "support" in keys:
        source = next(iter(result.record["inputs"].values()))["name"]
        texts.append(
            f"Orange lies where {source} does not explain what the sample shows, or the sample leaves out what it "
            "shows: a reason to look, not a proof."
        )
    texts.append("<b>A guess of what another scan might show, not a measurement.</b>")
    return " ".join(texts)
