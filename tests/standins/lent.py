"""A compute process that is lent to one dock after another, so that each need not bring torch in anew."""

from __future__ import annotations

from math import nan
from typing import Any

from diffuscope.plugin.jobs.child import Child
from diffuscope.plugin.jobs.process import Failed


class Lent(Child):
    """Somebody else's process as a dock's own: closed, it says so to the dock, and goes on for the next one."""

    def __init__(self, owner: Child) -> None:
        self._owner, self._is_back = owner, False

    @property
    def pid(self) -> int | None:
        return None if self._is_back else self._owner.pid

    @property
    def is_closed(self) -> bool:
        return self._is_back

    def warm(self) -> None:
        self._owner.warm()

    def submit(self, command: str, arguments: dict[str, Any]) -> int:
        return self._owner.submit(command, arguments)

    def receive(self, job: int, *, timeout: float) -> Any:
        if self._is_back:
            return Failed("The compute process was closed.")
        return self._owner.receive(job, timeout=timeout)

    def cancel(self, job: int | None = None) -> None:
        if not self._is_back:  # the next one's jobs are none of a dock's that goes late
            self._owner.cancel(job)

    def pause(self) -> None:
        self._owner.pause()

    def resume(self) -> None:
        self._owner.resume()

    def look_at(self, *place: float) -> None:
        self._owner.look_at(*place)

    def stand(self) -> bool:
        return self._owner.stand()

    def go_on(self) -> None:
        self._owner.go_on()

    def close(self, patience: float = 0.0) -> None:
        if not self._is_back:
            self.cancel()
            self._owner.look_at(nan, nan)
            self._is_back = True
