"""What training reports: small frozen records that travel between threads and processes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from diffuscope.events import Notice, Progress

WAITS = 0.05
"""Share of the time that is worth telling, where it is spent waiting for batches."""


@dataclass(frozen=True, kw_only=True)
class InRound:
    """Something of a round; its steps are that round's.

    Attributes
    ----------
    round, rounds : int
        Which one, from 1, and how many the recipe has.
    name : str
        What the recipe calls it; empty where there is one round.
    """

    round: int = 1
    rounds: int = 1
    name: str = ""

    @property
    def where(self) -> str:
        """Which round in words, as ``"round 1 of 2 (branches)"``; empty where there is one."""
        return f"round {self.round} of {self.rounds} ({self.name})" if self.rounds > 1 else ""


@dataclass(frozen=True, kw_only=True)
class TrainingStarted(InRound):
    """Everything is checked and read; the first step of a round is about to be done.

    Attributes
    ----------
    folder : str
        Run folder: checkpoints, log.csv, pictures of validation.
    steps : int
        Optimiser steps of the plan.
    done : int
        Of them done before, where training is resumed.
    notices : tuple of str
        Sentences the user should see.
    """

    folder: str
    steps: int
    done: int = 0
    notices: tuple[str, ...] = ()

    @property
    def progress(self) -> Progress:
        """How far training is."""
        return Progress(done=self.done, total=self.steps, unit="steps", what=self.where)


@dataclass(frozen=True, kw_only=True)
class StepDone(InRound):
    """Where training stands, about twice a second.

    Attributes
    ----------
    step, steps : int
        Optimiser steps done and in all.
    terms : dict of str to float
        ``"loss"`` and its terms, of this step's batch.
    learning_rate : float
        Of this step.
    seconds, waited : float
        Since the first step of this process, and of them spent waiting for batches.
    """

    step: int
    steps: int
    terms: Mapping[str, float]
    learning_rate: float
    seconds: float
    waited: float

    @property
    def progress(self) -> Progress:
        """How far training is."""
        share = self.waited / self.seconds if self.seconds > 0 else 0.0
        waits = f", {share:.0%} of the time spent waiting for data" if share >= WAITS else ""
        what = ", ".join(part for part in (self.where, f"loss {self.terms['loss']:.4g}") if part)
        return Progress(done=self.step, total=self.steps, unit="steps", what=f"{what}{waits}")


@dataclass(frozen=True, kw_only=True)
class Validating(InRound):
    """The averaged weights are tried, which can take as long as many steps.

    Attributes
    ----------
    step, steps : int
        Optimiser steps done and in all.
    """

    step: int
    steps: int

    @property
    def progress(self) -> Progress:
        """How far training is."""
        what = ", ".join(part for part in (self.where, "validating") if part)
        return Progress(done=self.step, total=self.steps, unit="steps", what=what)


@dataclass(frozen=True, kw_only=True)
class Validated(InRound):
    """The averaged weights were tried on what is kept apart for validation.

    Attributes
    ----------
    step, steps : int
        Optimiser steps done and in all.
    terms : dict of str to float
        ``"loss"`` and its terms, means over the validation batches.
    best : bool
        Whether the loss is the lowest so far.
    picture : str
        PNG file: a row an example; inputs, truth, sample. Empty where a system has no pictures to show.
    """

    step: int
    steps: int
    terms: Mapping[str, float]
    best: bool
    picture: str

    @property
    def notices(self) -> tuple[str, ...]:
        """What was found, in a sentence."""
        mark = ", the best so far" if self.best else ""
        where = f"{self.where}, " if self.where else ""
        picture = f"; {self.picture}" if self.picture else ""
        return (f"{where}step {self.step}: validation loss {self.terms['loss']:.4g}{mark}{picture}",)


@dataclass(frozen=True, kw_only=True)
class TrainingFinished(InRound):
    """Training ended: to its plan or by early stopping (`complete`), or cancelled.

    Attributes
    ----------
    out : str
        Model folder, or "" where training was cancelled before the last round's first validation.
    complete : bool
        False where it was cancelled: ``resume`` goes on with it.
    step, steps : int
        Optimiser steps done and in the plan; of those done 0 where it was cancelled before a step of its own.
    kept : int
        Step whose averaged weights the model has.
    seconds : float
        Since the first step of this process.
    figures : dict of str to float
        Measured on the model folder, as on its card.
    """

    out: str
    complete: bool
    step: int
    steps: int
    kept: int
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)


TrainingEvent = TrainingStarted | StepDone | Validating | Validated | Progress | Notice | TrainingFinished
