"""Two layers compared: read in a thread of napari's, since their pixels are there; computed in the compute process."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from diffuscope.errors import InputError
from diffuscope.plugin.jobs.child import Child, drive
from diffuscope.plugin.jobs.process import Failed, Returned
from diffuscope.plugin.layers.compare import Picture, placed, read_pair


def compare_in(child: Child, stop: threading.Event, *, truth: Picture, found: Picture) -> Generator[Any, None, None]:
    """Yield the messages of a comparison; what comes out is a `Compared`."""
    try:
        pair, place = read_pair(truth, found)
    except InputError as error:
        yield Failed(str(error))
        return
    for message in drive(child, "compare", stop, pair=pair):
        if isinstance(message, Returned) and message.value is not None:
            message = Returned(placed(message.value, place))
        yield message
