"""The rounds of a row: what trains, on whom, and for how long; round 0 is the same in all rows of a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.reproduce.medm2g.rows import Row

#: Central alignment: the text with each kind of image; CT and MRI stand for image–image pairs (§3.2).
ALIGNED = (("text", "xray"), ("text", "ct"), ("ct", "mri"))
#: Three rounds of pairs (§3.5), of which each freezes what the ones before trained; then MRI's contrasts among each
#: other, which the paper's synthesis takes for granted.
CROSSED = (("text", "xray"), ("text", "ct"), ("ct", "mri"), ("mri", "mri"))
MODALITIES = ("text", "ct", "mri", "xray")


@dataclass(frozen=True)
class Steps:
    """How long rounds are, and of which batches; the same for all rows.

    Attributes
    ----------
    encode, write : int
        Of an image autoencoder, and of the text's.
    generate : int
        Of a latent diffusion model alone.
    align, cross : int
        Of a pair of modalities.
    batch, pair : int
        Patients a step; of rounds of pairs that guide each other, of which a step costs three times as much.
    rate : float
        Peak learning rate; of autoencoders of images three times as much, of the text's twice.
    """

    encode: int
    write: int
    generate: int
    align: int
    cross: int
    batch: int
    pair: int
    rate: float = 1e-3

    def facts(self) -> dict[str, Any]:
        """Return JSON values for a cell's key."""
        return asdict(self)


@dataclass(frozen=True)
class Stage:
    """One round.

    Attributes
    ----------
    objective : str
        Of the system.
    train : tuple of str
        Parts that change.
    steps : int
    rate : float
    batch : int
        Patients a step.
    """

    objective: str
    train: tuple[str, ...]
    steps: int
    rate: float
    batch: int

    @property
    def name(self) -> str:
        """Safe in a file name; a system has one round of an objective."""
        return self.objective


def first(steps: Steps) -> Iterator[Stage]:
    """Yield round 0: autoencoders, then each modality's latent diffusion model alone."""
    for one in MODALITIES:
        number, times = (steps.write, 2) if one == "text" else (steps.encode, 3)
        yield Stage(f"encode-{one}", (f"autoencoder-{one}",), number, times * steps.rate, steps.batch)
    for one in MODALITIES:
        yield Stage(f"generate-{one}", (f"diffuser-{one}", f"cross-{one}"), steps.generate, steps.rate, steps.batch)


def own(row: Row, steps: Steps) -> Iterator[Stage]:
    """Yield the rounds of a row after round 0.

    Of a pair whatever an earlier pair trained stays as it is. Prompt encoders train by alignment (CA) and the visual
    invariant (VI), and are frozen then; without CA nothing has told them what a condition is, and they go on in the
    rounds of pairs, as the condition encoder of an LDM does.
    """
    rate = steps.rate
    done: set[str] = set()
    if row.align or row.invariant:
        for pair in ALIGNED:
            new = [one for one in pair if one not in done and (row.align or one != "text")]
            done.update(pair)
            yield Stage(
                f"align-{'-'.join(pair)}", tuple(f"prompt-{one}" for one in new), steps.align, rate, steps.batch
            )
    done = set()
    for pair in CROSSED:
        new = [one for one in dict.fromkeys(pair) if one not in done or pair[0] == pair[1]]
        parts = [] if done else ["embedding"]
        parts += ["layout"] if row.places and "text" in pair else []
        for one in new:
            parts += [f"cross-{one}"] + ([] if row.context["kind"] == "prompt" else [f"context-{one}"])
            parts += [f"adaptation-{one}"] if row.context.get("adaptation", 1) else []
            parts += [] if row.align else [f"prompt-{one}"]
        done.update(pair)
        yield Stage(f"cross-{'-'.join(pair)}", tuple(parts), steps.cross, rate, steps.pair)
