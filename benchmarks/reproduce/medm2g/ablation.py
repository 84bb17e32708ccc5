"""Tables 7 and 9 in kind: what each of the three steps earns, and other ways for modalities to guide each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.reproduce.medm2g import directions
from benchmarks.reproduce.medm2g.report import Claimed, Column, Line, differences, figure, interval, over_cases, table
from benchmarks.reproduce.medm2g.rows import ABLATION, LETTER, WHOLE
from benchmarks.reproduce.medm2g.wording import NINE, SEVEN
from diffuscope.evaluation.metrics.statistics import holm, permutation_test

_READ, _XRAY, _CT = directions.REPORTS[0], directions.PICTURES[0], directions.PICTURES[1]
_BRATS, _PD, _T2_CT = directions.SYNTHESIS[0], directions.SYNTHESIS[4], directions.TRANSLATION[0]
#: What a step is judged by, one figure of every patient for each column of the paper's table.
JUDGED = (
    (_READ, "ROUGE-L"),
    (_READ, "findings"),
    (_XRAY, "findings"),
    (_CT, "findings"),
    (_PD, "PSNR"),
    (_T2_CT, "PSNR"),
)
#: The same of other ways to guide.
OTHERWISE = ((_READ, "findings"), (_XRAY, "findings"), (_BRATS, "PSNR"), (_T2_CT, "PSNR"))
_STEPS = {"CA": "align", "LCAG": "context", "VI": "invariant"}


def of(lines: Mapping[str, Line]) -> str:
    """Return the two sections."""
    return "\n".join([_seven(lines), _nine(lines)])


def _seven(lines: Mapping[str, Line]) -> str:
    rows = [lines[row.name] for row in ABLATION if row.name in lines]
    columns = [
        *(figure(_READ, name, heading=f"{name}, {_READ.told}") for name in ("BLEU-1", "BLEU-4", "ROUGE-L")),
        figure(_READ, "findings", heading="findings of it"),
        figure(_CT, "FID", 2, heading=f"FID, {_CT.told}"),
        figure(_XRAY, "FID", 2, heading=f"FID, {_XRAY.told}"),
        *(figure(_PD, name, digits, heading=f"{name}, {_PD.told}") for name, digits in (("PSNR", 2), ("SSIM", 3))),
        *(
            figure(_T2_CT, name, digits, heading=f"{name}, {_T2_CT.told}")
            for name, digits in (("PSNR", 2), ("SSIM", 3))
        ),
        Column("own rounds, min", lambda line: [found["training"]["own"] / 60 for found in line.seeds.values()], 1),
        Column("hours an epoch", _hours, 4),
        Column("added parameters, M", lambda line: [found["added"] / 1e6 for found in line.seeds.values()][:1], 2),
    ]
    claimed = [
        Claimed(WHOLE.name, row.name, *judged)
        for row in ABLATION
        if sum((row.align, row.context == WHOLE.context, row.invariant)) == 2
        for judged in JUDGED
    ]
    return "\n".join(
        [
            SEVEN,
            table(rows, columns),
            "\nEach step with all others as they are, over the four pairs of rows that differ in it alone:\n",
            _effects(lines),
            "\nMedM2G less the rows that lack one step:\n",
            differences(lines, claimed),
            "",
        ]
    )


def _hours(line: Line) -> Sequence[float]:
    found = []
    for seed in line.seeds.values():
        told = seed["training"]
        pace = (told["own"] + told["base"]) / (told["steps"] + told["base_steps"])
        found.append(pace * told["an_epoch"] / 3600)
    return found


def _effects(lines: Mapping[str, Line]) -> str:
    """Return what each step earns on average over the other two, of every figure."""
    text = ["| step | of | figure | with less without (95 %) | p |", f"|{'---|' * 5}"]
    told, values = [], []
    for step, name in _STEPS.items():
        pairs = _pairs(lines, name)
        for one, what in JUDGED if pairs else ():
            apart = []
            for own, other in pairs:
                both = own.cases(one, what), other.cases(one, what)
                apart += [both[0][seed] - both[1][seed] for seed in both[0].keys() & both[1].keys()]
            if apart:
                told.append((f"{step} ({len(pairs)} of 4 pairs)", one.told, what))
                values.append(np.array(apart))
    if not values:
        return "No two rows that differ in one step alone are complete."
    adjusted = holm([permutation_test(each.mean(axis=0), np.zeros(each.shape[1])) for each in values])
    for names, each, p in zip(told, values, adjusted, strict=True):
        text.append(f"| {' | '.join(names)} | {interval(over_cases(each))} | {p:.2g} |")
    return "\n".join(text)


def _pairs(lines: Mapping[str, Line], step: str) -> list[tuple[Line, Line]]:
    """Return complete rows with and without a step, of which the others are the same."""
    known = [lines[row.name] for row in ABLATION if row.name in lines]

    def has(line: Line, name: str) -> bool:
        value = getattr(line.row, name)
        return value == WHOLE.context if name == "context" else bool(value)

    def rest(line: Line) -> list[bool]:
        return [has(line, name) for name in _STEPS.values() if name != step]

    return [(a, b) for a in known for b in known if has(a, step) and not has(b, step) and rest(a) == rest(b)]


def _nine(lines: Mapping[str, Line]) -> str:
    names = ("ldm", "codi", LETTER.name, "single", "supervised", WHOLE.name)
    rows = [lines[name] for name in names if name in lines]
    columns = [
        figure(_XRAY, "FID", 2, heading=f"FID, {_XRAY.told}"),
        figure(_XRAY, "findings", heading="findings of it"),
        *(
            figure(_BRATS, name, digits, heading=f"{name}, {_BRATS.told}")
            for name, digits in (("PSNR", 2), ("SSIM", 3))
        ),
        *(
            figure(_T2_CT, name, digits, heading=f"{name}, {_T2_CT.told}")
            for name, digits in (("PSNR", 2), ("SSIM", 3))
        ),
        Column("parameters, M", lambda line: [found["parameters"] / 1e6 for found in line.seeds.values()][:1], 2),
    ]
    claimed = [Claimed(WHOLE.name, name, *each) for name in names[:-1] for each in OTHERWISE]
    return "\n".join(
        [
            NINE,
            table(rows, columns),
            "",
            differences(lines, claimed),
            "",
        ]
    )
