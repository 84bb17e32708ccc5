"""While a command runs, garbage is collected less often, and afterwards as before."""

from __future__ import annotations

import gc

import pytest

from diffuscope.cli.collector import fewer_collections


def fail() -> None:
    raise ZeroDivisionError


def test_the_collector_is_as_before_afterwards():
    before = gc.get_threshold()
    with fewer_collections():
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before
    with pytest.raises(ZeroDivisionError):
        fewer_collections()(fail)()
    assert gc.get_threshold() == before
