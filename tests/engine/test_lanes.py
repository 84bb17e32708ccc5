"""Generators side by side: all is heard, none waits for another, errors and ends reach all."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import closing

import pytest
from patience import SECONDS

from diffuscope.engine.lanes import side_by_side


def numbered(lane: int, number: int = 50) -> Generator[tuple[int, int], None, None]:
    for i in range(number):
        yield lane, i


def test_all_is_heard_and_each_lane_in_its_order():
    heard = list(side_by_side([numbered(lane) for lane in range(3)]))
    assert Counter(heard) == Counter((lane, i) for lane in range(3) for i in range(50))
    for lane in range(3):
        assert [i for one, i in heard if one == lane] == list(range(50))


def test_a_fast_lane_does_not_wait_for_a_slow_one():
    go = threading.Event()

    def slow() -> Generator[tuple[int, int], None, None]:
        assert go.wait(SECONDS)
        yield from numbered(1, 1)

    heard = []
    for item in side_by_side([slow(), numbered(0, 20)]):
        heard.append(item)
        if len(heard) == 20:
            go.set()
    assert heard == [*numbered(0, 20), *numbered(1, 1)]


def test_an_error_ends_the_others_too():
    ended = threading.Event()

    def endless() -> Generator[int, None, None]:
        try:
            while True:
                yield 1
        finally:
            ended.set()

    def broken() -> Generator[int, None, None]:
        yield 2
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(side_by_side([endless(), broken()]))
    assert ended.wait(SECONDS)
    assert not [thread for thread in threading.enumerate() if thread.name == "diffuscope-lane"]


def test_closed_on_the_way_every_lane_ends_and_none_runs_ahead():
    made = []

    def endless(lane: int) -> Generator[int, None, None]:
        while True:
            made.append(lane)
            yield lane

    with closing(side_by_side([endless(0), endless(1)])) as items:
        for _ in range(10):
            next(items)
    # Ten were taken, eight may wait, and each lane may hold one more.
    assert len(made) <= 20
    assert not [thread for thread in threading.enumerate() if thread.name == "diffuscope-lane"]


def test_each_lane_begins_in_its_own_thread():
    began, both = [], threading.Barrier(2, timeout=SECONDS)

    def begin() -> None:
        began.append(threading.get_ident())
        both.wait()

    list(side_by_side([numbered(0), numbered(1)], begin=begin))
    assert len(set(began)) == 2
    assert threading.get_ident() not in began


@pytest.mark.parametrize("thread", ["main", "other"])
def test_python_ends_though_nobody_closes_the_generator(thread):
    code = """
import threading
from diffuscope.engine.lanes import side_by_side
def endless():
    while True:
        yield 1
def hear(number):
    for _ in range(number):
        next(items)
    print("heard", flush=True)
items = side_by_side([endless(), endless()])
"""
    # Another thread still listens when the main one has ended.
    code += "hear(3)" if thread == "main" else "threading.Thread(target=hear, args=(5000,)).start()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "heard\n", "")
