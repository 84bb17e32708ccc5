"""One object a viewer, which all its docks share and which goes with it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class PerViewer(Generic[T]):
    """What each viewer has one of. By identity: a viewer compares all that it holds.

    Parameters
    ----------
    make : callable
        Makes one for a viewer, which it may keep a weak reference to, no other.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._known: dict[int, T] = {}

    def __call__(self, viewer: Any) -> T:
        """Return that of a viewer, or of a proxy of it."""
        viewer = getattr(viewer, "__wrapped__", viewer)  # napari hands out proxies
        key = id(viewer)
        if key not in self._known:
            self._known[key] = self._make(viewer)
            weakref.finalize(viewer, self._known.pop, key, None)
        return self._known[key]
