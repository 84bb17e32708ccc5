"""The real commands, in a child process that serves one dock after another: its models are looked into once."""

from __future__ import annotations

from collections.abc import Callable, Generator

from diffuscope.plugin.jobs import verbs
from diffuscope.plugin.jobs.verbs import *  # noqa: F403
from diffuscope.plugin.layers.facts import ModelFacts

_FOUND: list[ModelFacts] = []


def models(*, cancelled: Callable[[], bool]) -> Generator[ModelFacts, None, None]:
    if not _FOUND:
        _FOUND.extend(verbs.models(cancelled=lambda: False))
    yield from _FOUND
