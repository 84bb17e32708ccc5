"""The page's sections of claims: never seen together, made at once, of use downstream, apart, not memorised, sure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.reproduce.medm2g import directions
from benchmarks.reproduce.medm2g.modalities import draw
from benchmarks.reproduce.medm2g.report import Column, Line, figure, interval, over_cases, table
from benchmarks.reproduce.medm2g.rows import ABLATION, ROWS, WHOLE
from benchmarks.reproduce.medm2g.sections import methods
from benchmarks.reproduce.medm2g.tasks import Budget, seeds
from benchmarks.reproduce.medm2g.wording import DOWNSTREAM, JOINT, MEMORY, MISSING, MODALITIES, SURENESS, UNSEEN
from benchmarks.shared.places import ROOT, RUNS
from diffuscope.evaluation.metrics.statistics import holm, permutation_test

Lines = Mapping[str, Line]
_PICTURE = "medm2g-modalities.png"


def unseen(lines: Lines) -> str:
    """Modalities that nobody who trained has together: findings above chance."""
    text = [
        UNSEEN,
        f"| row | direction | figure | found | chance | margin (95 %) | p |\n|{'---|' * 7}",
    ]
    told, margins = [], []
    for line in methods(lines):
        for one in dict.fromkeys(each for each in (*directions.ALL, *directions.BRIDGED) if each.unseen):
            if not line.has(one):
                continue
            for name in ("findings", "kind", "side", "zone"):
                own, chance = (line.cases(one, full) for full in (name, f"{name}, chance"))
                margin = [own[seed] - chance[seed] for seed in own]
                if np.isfinite(np.mean(margin, axis=0)).sum() > 1:
                    means = [float(np.nanmean(list(each.values()))) for each in (own, chance)]
                    told.append((line.row.told, one.told, name, *(f"{mean:.3f}" for mean in means)))
                    margins.append(margin)
    if not told:
        return ""
    raised = [np.mean(each, axis=0) for each in margins]
    raised = [each[np.isfinite(each)] for each in raised]
    adjusted = holm([permutation_test(each, np.zeros(len(each))) for each in raised])
    for names, margin, p in zip(told, margins, adjusted, strict=True):
        text.append(f"| {' | '.join(names)} | {interval(over_cases(margin))} | {p:.2g} |")
    return "\n".join([*text, ""])


def joint(lines: Lines) -> str:
    """Images that were made at once, against runs by themselves."""
    text = [
        JOINT,
        f"| row | from | figure | at once | by themselves | difference (95 %) | p |\n|{'---|' * 7}",
    ]
    told, apart = [], []
    for line in lines.values():
        if any("joint" not in found for found in line.seeds.values()):
            continue
        for one in directions.JOINT:
            for name in ("agree", "place", *(["truth"] if one.given else [])):
                both = [
                    np.array([found[how][one.name][name] for found in line.seeds.values()])
                    for how in ("joint", "apart")
                ]
                told.append((line.row.told, one.told, name, *(f"{each.mean():.3f}" for each in both)))
                apart.append(both[0] - both[1])
    if not told:
        return ""
    adjusted = holm([permutation_test(each.mean(axis=0), np.zeros(each.shape[1])) for each in apart])
    for names, each, p in zip(told, apart, adjusted, strict=True):
        text.append(f"| {' | '.join(names)} | {interval(over_cases(list(each)))} | {p:.2g} |")
    return "\n".join([*text, ""])


def downstream(lines: Lines) -> str:
    """Table 8 in kind."""
    found: dict[str, list[Mapping[str, object]]] = {}
    for line in lines.values():
        for name in ("few", "generated", "real"):
            told = {"few": "few real CTs", "generated": f"and pairs of {line.row.told}", "real": "and as many real CTs"}
            own = [seed["downstream"][name] for seed in line.seeds.values() if name in seed.get("downstream", {})]
            if own:
                found[told[name]] = own
    if not found:
        return ""
    text = [
        DOWNSTREAM,
        f"| trained on | seeds | mean AUROC | labels right | less few alone (95 %) |\n|{'---|' * 5}",
    ]
    few = found.get("few real CTs")
    for name, own in found.items():
        aurocs = [float(one["AUROC"]) for one in own]  # type: ignore[arg-type]
        rights = np.array([one["right"] for one in own], np.float64)
        gain = "–"
        if few is not None and own is not few:
            count = min(len(few), len(own))
            base = np.array([one["right"] for one in few[:count]], np.float64)
            gain = interval(over_cases(list(rights[:count] - base)))
        spread = f" ± {np.std(aurocs, ddof=1):.3f}" if len(aurocs) > 1 else ""
        text.append(f"| {name} | {len(own)} | {np.mean(aurocs):.3f}{spread} | {rights.mean():.3f} | {gain} |")
    return "\n".join([*text, ""])


def modalities(lines: Lines, *, kind: str) -> str:
    """VI: a linear probe, how mixed modalities are, and the picture."""
    rows = [
        lines[row.name] for row in ROWS if row.name in lines and "probe" in next(iter(lines[row.name].seeds.values()))
    ]
    if not rows:
        return ""
    names = {
        "probe": "probe", "mixed": "mixed", "davies_bouldin": "Davies–Bouldin", "findings": "AUROC of attributes",
        "own report": "own report found",
    }  # fmt: skip
    columns = [
        Column(heading, lambda line, name=name: [found["probe"][name] for found in line.seeds.values()])  # type: ignore[misc]
        for name, heading in names.items()
    ]
    folder = ROOT / "docs/reproduce" if kind == "standard" else RUNS / "reproduce/medm2g"
    shown = [lines[name] for name in ("encoders-ca", "encoders-ca-vi", WHOLE.name) if name in lines]
    if shown:
        draw([(line.row.told, next(iter(line.seeds.values()))["probe"]) for line in shown], folder / _PICTURE)
    image = f"![Vectors of CT, MRI and X-ray in the aligned space]({_PICTURE})\n" if shown else ""
    return "\n".join(
        [
            MODALITIES,
            table(rows, columns),
            "",
            image,
        ]
    )


def memory(lines: Lines) -> str:
    """Nearest training images."""
    some = [one for one in directions.PICTURES[:2] if any(line.has(one) for line in lines.values())]
    names = {
        "nearest": "to the nearest", "nearest, held out": "held out", "nearer": "chance to be nearer", "nearer, p": "p",
        "copies": "nearer than 99 %",
    }  # fmt: skip
    text = [
        MEMORY,
    ]
    for one in some:
        columns = [figure(one, name, 3 if name != "nearer, p" else 4, heading) for name, heading in names.items()]
        text += [f"### {one.told}\n", table(methods(lines), columns), ""]
    return "\n".join(text) if some else ""


def sureness(lines: Lines) -> str:
    """Does a report's confidence tell of its errors."""
    one = directions.REPORTS[0]
    text = [
        SURENESS.format(told=one.told),
        f"| row | sentences | right | confidence | ECE | Brier | AUROC |\n|{'---|' * 7}",
    ]
    count = len(text)
    for line in lines.values():
        own = [
            found["confidence"][one.name] for found in line.seeds.values() if one.name in found.get("confidence", {})
        ]
        own = [each for each in own if each["sentences"]]
        if own:
            cells = [f"{np.mean([each['sentences'] for each in own]):.0f}"]
            for name in ("right", "confidence", "ECE", "Brier", "AUROC"):
                values = [each[name] for each in own if name in each]
                cells.append(f"{np.mean(values):.3f}" if values else "–")
            text.append(f"| {line.row.told} | {' | '.join(cells)} |")
    return "\n".join([*text, ""]) if len(text) > count else ""


def missing(lines: Lines, budget: Budget) -> str:
    """Say what the issue asks for and this page does not have."""
    found = [
        f"- {row.told}: {len(lines[row.name].seeds) if row.name in lines else 0} of {seeds(row, budget)} seeds."
        for row in ROWS
        if row.name not in lines or len(lines[row.name].seeds) < seeds(row, budget)
    ]
    if any(row.name not in lines for row in ABLATION):
        found.append("- Table 7 has fewer than its eight rows, and a step's effect fewer than its four pairs.")
    return "\n".join(["## What is missing\n", *found, MISSING, ""])
