"""Where a dock's job stands, whichever verb it is of: fed with events, tested without Qt."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil
from typing import Any, ClassVar, Literal

from psygnal import SignalGroupDescriptor

from diffuscope.engine.events import Finished, Step
from diffuscope.events import Pace, notices_of
from diffuscope.training.events import TrainingFinished, Validated

Phase = Literal["idle", "waiting", "starting", "running", "paused", "cancelling"]
# Said where all is counted and something is still to be written.
_FINISHING = "finishing"


@dataclass
class JobState:
    """Progress of the job at hand. Each field emits an event when it changes.

    Attributes
    ----------
    phase : {"idle", "waiting", "starting", "running", "paused", "cancelling"}
        "waiting": for jobs before it; "starting": until its first event.
    message : str
        One sentence for the status line.
    failed : bool
        Whether the message is an error.
    report : str
        On an error that nobody foresaw, to be copied; empty where the message says all.
    done, total : float, int
        Units (tiles, steps, cases) finished and in all; 0 in all where nobody can say.
    progress_text : str
        How far it is, its speed and the time that is left, in a few words.
    step, steps : int
        Network evaluations done for the tile at hand of a run, and in all.
    chosen : int
        Steps that the user chose for a tile; 0 where nobody did. A network that follows is no step of those.
    pace : Pace
        How fast it goes.
    """

    phase: Phase = "idle"
    message: str = ""
    failed: bool = False
    report: str = ""
    done: float = 0.0
    total: int = 0
    progress_text: str = ""
    step: int = 0
    steps: int = 0
    chosen: int = 0
    pace: Pace = field(default_factory=Pace)
    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    @property
    def is_idle(self) -> bool:
        """Whether no job of the dock is at work or waits."""
        return self.phase == "idle"

    @property
    def is_at_work(self) -> bool:
        """Whether a job of the dock is at work."""
        return self.phase in ("starting", "running", "paused", "cancelling")

    def begin(self, message: str, pace: Pace | None = None, *, chosen: int = 0) -> None:
        """Forget the last job and announce a new one."""
        self.step, self.steps, self.chosen = 0, 0, chosen
        self.done, self.total, self.progress_text = 0.0, 0, ""
        self.pace = pace or Pace()
        self.say(message)
        self.phase = "starting"

    def say(self, message: str) -> None:
        """Show a sentence that is no error."""
        self.failed, self.report = False, ""
        self.message = message

    def complain(self, message: str) -> None:
        """Show an error sentence that is not about the job at hand."""
        self.failed, self.report = True, ""
        self.message = message

    def cancel(self, message: str) -> None:
        """Say that the job at hand is to end."""
        self.say(message)
        self.phase = "cancelling"

    def pause(self) -> None:
        """Let the job at hand wait, and its time with it."""
        self.pace.pause()
        self.phase = "paused"

    def resume(self) -> None:
        """Let the job at hand go on."""
        self.pace.resume()
        self.phase = "running" if self.total else "starting"

    def end(self, message: str) -> None:
        """End the job with a sentence."""
        self.say(message)
        self._rest()

    def fail(self, message: str, report: str = "") -> None:
        """End the job with an error sentence, and a report where nobody foresaw it."""
        self.complain(message)
        self.report = report
        self._rest()

    def _rest(self) -> None:
        self.progress_text = ""  # the message says what came of it
        self.phase = "idle"

    def tick(self) -> None:
        """Tell the time that is left anew, while nothing is heard."""
        if self.is_at_work and self.progress_text:
            self.progress_text = self._progress()

    def apply(self, event: Any) -> None:
        """Take in one event of any verb."""
        if isinstance(event, Step):
            self.step, self.steps = event.step, event.steps
        counts = self.pace.take(event)
        if counts:
            at = self.pace.progress
            self.done, self.total, self.progress_text = at.done, at.total, self._progress()
            if self.phase == "starting":
                self.phase = "running"
                self.say("")
        notices = () if isinstance(event, Validated) else notices_of(event)
        if notices and self.phase != "cancelling":
            self.say(" ".join(notices))
        if isinstance(event, Finished):
            self.end(_ending(event))
        elif isinstance(event, TrainingFinished):
            self.end(_trained(event))

    def _progress(self) -> str:
        at, speed, left = self.pace.progress, self.pace.speed, self.pace.left
        parts = [self.pace.text]
        if self.pace.step is not None:
            step, steps = self.pace.step
            chosen = self.chosen or steps
            alone = parts[0].startswith("step ")
            parts = [*([] if alone else parts), f"step {ceil(chosen * step / steps)} of {chosen}"]
        if at.total and at.done >= at.total:
            parts.append(_FINISHING)
        elif speed is not None and left is not None:
            parts += [f"{speed:.2g} {at.unit}/s"] if at.unit else []
            parts += [f"{duration(left)} left"] if left >= 1 else []  # what takes longer than was thought
        return " · ".join(part for part in parts if part)


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
        count = _count(event.tiles, event.unit)
        return f"Done: {count} in {duration(event.seconds)}. A model's guess, not for diagnosis."
    if not event.begun:
        why = f"{_count(event.unread, event.unit)} could not be read" if event.unread else "Cancelled"
        return f"{why} before a {event.unit.removesuffix('s')} was finished: the result in its place is as it was."
    if event.unread:
        return (
            f"{event.unread} of {_count(event.tiles, event.unit)} could not be read; the others are kept, marked "
            "incomplete. Continue this run tries them again."
        )
    kept = "nothing was finished yet" if event.done == 0 else "what was finished is kept, marked incomplete"
    return f"Cancelled after {event.done} of {_count(event.tiles, event.unit)}: {kept}."


def _count(number: int, unit: str) -> str:
    return f"{number} {unit.removesuffix('s') if number == 1 else unit}"


def _trained(event: TrainingFinished) -> str:
    if not event.step:
        return "Stopped before the first step."
    if not event.out:
        when = f" of {event.where}" if event.where else ", before the first validation"
        return f"Stopped at step {event.step}{when}; Continue goes on."
    figures = ", ".join(f"{name} {value:.3g}" for name, value in event.figures.items())
    how = "Done" if event.complete else f"Stopped at step {event.step} of {event.steps}"
    return f"{how}: {event.out} has the weights of step {event.kept} ({figures})."
