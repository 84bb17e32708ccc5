"""What a run of MIDiffusion may set."""

from __future__ import annotations

from dataclasses import replace

from diffuscope.ports.numbers import Option

_OPTIONS = (
    Option(
        name="faithfulness",
        key="guidance",
        default=1.0,
        range=(0.0, 10.0),
        about=(
            "0: a realistic image whatever the source; 1: as trained; above: nearer to the source, less realistic. "
            "Other values than 0 and 1 cost one more evaluation a step."
        ),
    ),
    Option(
        name="start from the source (t0)",
        key="t0",
        default=1.0,
        range=(0.01, 1.0),
        about=(
            "1: sampling begins with noise. Below: with the source itself, in its own intensities, noised to t0; "
            "the lower, the more of them remains."
        ),
    ),
    Option(
        name="noise shared along z",
        key="along_z",
        # With noise of their own slices flicker up to five times as much as the target's own, with shared noise
        # up to 1.4 times (benchmarks translation flicker).
        default=1.0,
        range=(0.0, 1.0),
        about="Part of the noise that all slices of a volume share: 1 makes equal slices equal; less flickers.",
    ),
    Option(
        name="guidance by neighbouring slices",
        key="neighbours",
        default=1.0,
        range=(0.0, 1.0),
        about=(
            "How much the slices before and after guide while a slice's levels are decided, over the slice itself: "
            "0 flickers more and takes half the time."
        ),
    ),
    Option(
        name="consistent levels",
        key="consistency",
        default=0.0,
        range=(0.0, 1.0),
        about=(
            "How far a result is drawn, while its levels are decided, to one level for each intensity of the source: "
            "0 is the paper; 1 keeps regions of one tissue alike, and may lose what the source does not tell apart."
        ),
    ),
)
#: Of Algorithm 1 as the paper has it: slice by slice, each with noise of its own, levels as they come.
PAPER = {"along_z": 0.0, "neighbours": 0.0, "consistency": 0.0}


def options(consistency: float) -> tuple[Option, ...]:
    """Return the options of a model whose levels are made consistent to this part where a run does not say."""
    return (*_OPTIONS[:-1], replace(_OPTIONS[-1], default=consistency))
