"""Python's garbage collector, while a command imports what it needs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# As many new objects as bring it to life; Python's own number is 700. torch and what comes with it are a million, which
# all stay: of 2.7 s of processor time until a model is loaded, 0.5 went to looking at them again and again.
_NEW = 10_000


@contextmanager
def fewer_collections() -> Iterator[None]:
    """Collect garbage less often."""
    before = gc.get_threshold()
    gc.set_threshold(_NEW, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
