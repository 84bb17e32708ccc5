"""Cases are read one after the other, and it is told how far that is."""

from __future__ import annotations

import pytest

from diffuscope.events import Progress
from diffuscope.training.data import reading
from diffuscope.training.data.reading import Cancelled, telling, told


def test_it_is_reported_twice_a_second_and_at_both_ends(monkeypatch: pytest.MonkeyPatch):
    now = 100.0
    monkeypatch.setattr(reading, "monotonic", lambda: now)
    reported: list[Progress] = []
    for _ in told(range(12), telling(reported.append, lambda: False)):
        now += 0.2
    assert [at.done for at in reported] == [0, 3, 6, 9, 12]
    assert reported[1].text == "3 of 12 cases, reading the data"


def test_it_ends_where_it_is_cancelled():
    read = []
    with pytest.raises(Cancelled):
        read += told(range(12), telling(lambda _at: None, lambda: len(read) == 0))
    assert read == []
