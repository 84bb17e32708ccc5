"""Where a job stands, as the dock tells it: fed with events, tested without Qt."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from psygnal import SignalGroupDescriptor

from diffuscope.engine.events import Event, Finished, Preview, Started, TileDone
from diffuscope.events import Notice

Phase = Literal["idle", "starting", "running", "cancelling", "busy"]


@dataclass
class JobState:
    """Progress of the job at hand. Each field emits an event when it changes.

    Attributes
    ----------
    phase : {"idle", "starting", "running", "cancelling", "busy"}
        "starting": the child process loads the model; "busy": something else than a run (an export) is going on.
    message : str
        One sentence for the status line.
    failed : bool
        Whether the message is an error.
    done, tiles : int
        Tiles finished and in all.
    before : int
        Tiles that were finished when the job began: it goes on with a result.
    seconds : float
        Since the first tile was begun, at the last finished tile.
    step, steps : int
        Network evaluations done for the tile in the preview.
    """

    phase: Phase = "idle"
    message: str = ""
    failed: bool = False
    done: int = 0
    tiles: int = 0
    before: int = 0
    seconds: float = 0.0
    step: int = 0
    steps: int = 0
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    @property
    def is_idle(self) -> bool:
        """Whether a new job may begin."""
        return self.phase == "idle"

    def begin(self, phase: Phase, message: str) -> None:
        """Forget the last job and announce a new one."""
        self.done = self.tiles = self.before = self.step = self.steps = 0
        self.seconds = 0.0
        self.say(message)
        self.phase = phase

    def say(self, message: str) -> None:
        """Show a sentence that is no error."""
        self.failed = False
        self.message = message

    def complain(self, message: str) -> None:
        """Show an error sentence that is not about the job at hand."""
        self.failed = True
        self.message = message

    def fail(self, message: str) -> None:
        """End the job with an error sentence."""
        self.complain(message)
        self.phase = "idle"

    def apply(self, event: Event) -> None:
        """Take in one event of `diffuscope.api.run.run`."""
        match event:
            case Started():
                self.tiles, self.done, self.before = event.tiles, event.done, event.done
                if self.phase == "starting":
                    self.phase = "running"
                self.say(" ".join(event.notices) if self.phase == "running" else self.message)
            case Preview():
                self.step, self.steps = event.step, event.steps
            case TileDone():
                self.done, self.tiles, self.seconds = event.done, event.tiles, event.seconds
            case Notice():
                self.say(event.sentence)
            case Finished():
                self.done, self.tiles, self.seconds = event.done, event.tiles, event.seconds
                self.say(_ending(event))
                self.phase = "idle"

    def speed(self) -> float | None:
        """Tiles a second so far; None before the first tile of this job."""
        if self.done == self.before or self.seconds <= 0:
            return None
        return (self.done - self.before) / self.seconds

    def eta(self) -> float | None:
        """Seconds that are left at the mean speed so far; None before the first tile of this job."""
        speed = self.speed()
        return None if speed is None else (self.tiles - self.done) / speed

    def progress_text(self) -> str:
        """Return tiles, speed and time left in a few words."""
        if self.phase == "busy":
            return "Working…"
        if self.phase == "starting":
            return "Loading the model…"
        if not self.tiles:
            return ""
        text = f"{self.done} of {self.tiles} tiles"
        speed, left = self.speed(), self.eta()
        if speed is not None:
            text += f" · {speed:.2g} tiles/s"
        if self.phase == "idle":
            return text
        if self.phase == "cancelling":
            return f"{text} · cancelling…"
        if left is None and self.steps:
            return f"{text} · step {self.step} of {self.steps}"
        return text if left is None else f"{text} · {duration(left)} left"


def duration(seconds: float) -> str:
    """Return a time as people say it: ``"9 s"``, ``"3 min 05 s"``, ``"2 h 10 min"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def _ending(event: Finished) -> str:
    if event.complete:
        count = "1 tile" if event.tiles == 1 else f"{event.tiles} tiles"
        return f"Done: {count} in {duration(event.seconds)}. A model's guess, not for diagnosis."
    if event.unread:
        return (
            f"{event.unread} of {event.tiles} tiles could not be read; the others are kept, marked incomplete. "
            "Continue this run tries them again."
        )
    kept = "nothing was finished yet" if event.done == 0 else "what was finished is kept, marked incomplete"
    return f"Cancelled after {event.done} of {event.tiles} tiles: {kept}."
