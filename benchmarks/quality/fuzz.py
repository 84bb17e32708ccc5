"""Whether hostile files are opened or refused: seeded mutants of all that is read, opened in children with limits.

A mutant must be opened, or refused in one sentence, within 5 s of processor and 1 GB more than before, and leave
nothing behind. What fails is written into a folder with what was said. Linux only: limits are read from /proc.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.fuzz.child import Mutant, Outcome
from benchmarks.fuzz.openers import KINDS, make_samples
from benchmarks.fuzz.pool import run
from benchmarks.shared.figures import Goal

_BAD = ("traceback", "crash", "hang", "memory", "stray", "unclear")
_WORDS = ("opened", "refused", *_BAD)
GOALS = {word: Goal(high=0.0) for word in _BAD}


def measure(
    *,
    mutants: int = 10000,
    seed: int = 0,
    kind: str | None = None,
    processes: int = 0,
    failures: Path | None = None,
) -> dict[str, float]:
    """Open mutants, print a table of what came of them by kind, and count.

    Parameters
    ----------
    mutants : int
        How many in all, the same number of each kind.
    seed : int
        Of all of them.
    kind : str
        Only kinds whose name begins so, as the table has it; several with | between.
    processes : int
        Children that open them side by side; 0: one a core.
    failures : Path
        Folder for what failed, one folder each; default: nothing is kept.
    """
    kinds = [name for name in KINDS if name.startswith(tuple((kind or "").split("|")))]
    counts: dict[str, Counter[str]] = {name: Counter() for name in kinds}
    noisy: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        made = make_samples(Path(folder) / "samples", kinds)
        todo = _mutants(made, mutants, seed)
        for mutant, outcome in run(todo, Path(folder) / "scratch", processes or os.cpu_count() or 1):
            counts[mutant.kind][outcome.word] += 1
            noisy[mutant.kind] += bool(outcome.noise)
            if outcome.word in _BAD or outcome.noise:
                _tell(mutant, outcome)
            if outcome.word in _BAD and failures is not None:
                _keep(mutant, outcome, failures)
    print(table(counts, noisy))
    total = sum(counts.values(), Counter())
    return {"mutants": sum(total.values()), **{word: total[word] for word in _WORDS}, "noisy": sum(noisy.values())}


def table(counts: dict[str, Counter[str]], noisy: Counter[str]) -> str:
    """Return kinds and outcomes as a table in Markdown."""
    head = ("what", *_WORDS, "noisy")
    lines = [[name, *(str(found[word]) for word in _WORDS), str(noisy[name])] for name, found in counts.items()]
    rows = [head, ["---", *["---:"] * (len(head) - 1)], *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _mutants(made: dict[str, Path], count: int, seed: int) -> Iterator[Mutant]:
    names = list(made)
    for number in range(count):
        name = names[number % len(names)]
        yield Mutant(name, seed * 10_000_000 + number // len(names), made[name])


def _tell(mutant: Mutant, outcome: Outcome) -> None:
    said = outcome.said.strip().splitlines() or [outcome.noise]
    print(f"{outcome.word}: {mutant.kind}, seed {mutant.seed}: {said[-1][:300]}", flush=True)


def _keep(mutant: Mutant, outcome: Outcome, failures: Path) -> None:
    place = failures / f"{mutant.kind.replace(', ', '-').replace(' ', '-')}-{mutant.seed}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    mutant.write(place)
    (place / "outcome.txt").write_text(f"{outcome.word}\n{outcome.said}\n", encoding="utf-8")
