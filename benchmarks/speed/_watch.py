"""What a GPU and this process's threads do while something runs: kernels by time, share of time at work, stacks."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

_LOOK_SECONDS, _DEEP = 0.005, 6
# A pool's thread that has nothing to do, and an event loop's.
_IDLE = ("_worker", "select")


@contextmanager
def stacks(lines: list[str], most: int = 12) -> Iterator[None]:
    """Look at the stacks of all threads 200 times a second; afterwards `lines` tell where each kind of thread was."""
    seen: dict[str, Counter[str]] = {}
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(_LOOK_SECONDS):
            names = {thread.ident: thread.name.rstrip("0123456789_") for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():
                if ident != threading.get_ident() and frame.f_code.co_name not in _IDLE:
                    seen.setdefault(names.get(ident, "?"), Counter())[_where(frame)] += 1

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        for name, counted in seen.items():
            total = sum(counted.values())
            lines += [f"{name}: {total} looks", *(f"  {n / total:5.1%} {at}" for at, n in counted.most_common(most))]


def _where(frame: Any) -> str:
    """Return the innermost calls, outermost first, from the last frame of this package on."""
    names = []
    while frame is not None and len(names) < _DEEP:
        names.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(names)


class Kernels:
    """A profile of a CUDA device.

    Attributes
    ----------
    busy : float
        Part of the time between its first and last event in which it computed or copied.
    lines : list of str
        The kernels that took most of its time.
    """

    def __init__(self) -> None:
        self.busy, self.lines = float("nan"), list[str]()

    @contextmanager
    def watch(self, trace: Path) -> Iterator[None]:
        """Profile what is done in the context; the trace, for chrome://tracing or Perfetto, is written to `trace`."""
        activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
        with torch.profiler.profile(activities=activities) as profile:
            yield
            torch.cuda.synchronize()
        profile.export_chrome_trace(str(trace))
        self._read(profile)

    def _read(self, profile: torch.profiler.profile) -> None:
        on_device = [
            event
            for event in profile.profiler.kineto_results.events()  # type: ignore[union-attr]
            if event.device_type() == torch.autograd.DeviceType.CUDA and event.duration_ns()
        ]
        spans = sorted((event.start_ns(), event.start_ns() + event.duration_ns()) for event in on_device)
        if not spans:
            return
        busy, end = 0, spans[0][0]
        for start, stop in spans:
            busy += max(stop - max(start, end), 0)
            end = max(end, stop)
        self.busy = busy / (end - spans[0][0])
        took: Counter[str] = Counter()
        times: Counter[str] = Counter()
        for event in on_device:
            took[event.name()[:90]] += event.duration_ns()
            times[event.name()[:90]] += 1
        total = sum(took.values())
        self.lines = [f"{ns / total:5.1%} {times[name]:6d} × {name}" for name, ns in took.most_common(25)]


@contextmanager
def budget(seconds: float) -> Iterator[None]:
    """End what takes longer, as far as Python is asked in between; only in the main thread, not on Windows."""
    import signal

    def late(*_: object) -> None:
        raise TimeoutError(f"took longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def clock() -> float:
    """Seconds, once the device has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def say(text: str) -> None:
    """Print at once: what comes later may fail."""
    print(text, flush=True)
