"""The schedulers of diffusers that samplers are made of, loaded when one is first needed.

diffusers takes a decorator for its blocks from torch's compiler and does without where there is none. No scheduler has
it, and the compiler is a second of processor time and 66 MB that a run would pay at its start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from threading import Lock, get_ident
from typing import Any

_COMPILER = "torch._dynamo"
# diffusers loads its parts by need, and fails where two threads need one first at the same time.
_IMPORTING = Lock()


def scheduler_class(name: str) -> Any:
    """Return a class of diffusers by its name."""
    with _IMPORTING, _without_compiler():
        import diffusers

        return getattr(diffusers, name)


class _NoCompiler:
    """Finds no compiler for one thread; what others import is theirs."""

    def __init__(self) -> None:
        self._thread = get_ident()

    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        """Refuse the compiler, and leave the rest to other finders."""
        if name == _COMPILER and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not needed here", name=name)
        return None


@contextmanager
def _without_compiler() -> Iterator[None]:
    finder = _NoCompiler()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
