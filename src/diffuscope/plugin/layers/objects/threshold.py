"""The DAB above which a px of a result counts as positive, as a window's user has set it: kept in its layers."""

from __future__ import annotations

from typing import Any

from diffuscope.measurement.threshold import chosen_threshold, with_threshold
from diffuscope.plugin.layers.facts import own_metadata


def set_threshold(viewer: Any, folder: str, threshold: float | None) -> None:
    """Let all layers of a result state another threshold, OD; None: that of its run.

    What is read under the cursor, compared, saved, exported and sent to QuPath is of it from then on.
    """
    for layer in viewer.layers:
        own = own_metadata(layer)
        if own.get("result") == folder and "record" in own:
            own["record"] = with_threshold(own["record"], threshold)


def threshold_set(viewer: Any, folder: str) -> float | None:
    """Return the threshold that a user set for a result, OD; None: that of its run."""
    owns = [own_metadata(layer) for layer in viewer.layers]
    record: dict[str, Any] = next(
        (own["record"] for own in owns if own.get("result") == folder and "record" in own), {}
    )
    return chosen_threshold(record)
