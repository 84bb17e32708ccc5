"""Lines of text in columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def aligned(lines: Iterable[tuple[str, str]], indent: int = 0) -> Iterator[str]:
    """Yield two columns."""
    lines = list(lines)
    wide = max(len(name) for name, _ in lines)
    for name, text in lines:
        yield f"{' ' * indent}{name:<{wide}}  {text}".rstrip()
