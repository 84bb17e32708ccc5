"""What the page says of each study."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from benchmarks.reproduce.claims import cell
from benchmarks.reproduce.mmfusion import trusted
from benchmarks.reproduce.mmfusion.report import Line, grouped, table, tests
from benchmarks.reproduce.mmfusion.tasks import TIMES
from diffuscope.simulation.oesophagus import bayes

_SIMULATED = """## Simulated oesophagus: the paper's Tables 2 and 3 in kind

{patients} simulated patients with CT, outlines, clinical data and blood (`docs/simulation-oesophagus.md`),
{positive:.0f} % with a metastasis. Who knows the rule and every factor decides {bayes:.1f} % of them rightly (AUROC
{order:.3f}, Brier {brier:.3f}): "gap" is how far a row's accuracy lies below. **Nothing here says how a model does on a
patient.**

The image encoders are {eyes}, trained to read measures of tumour and largest
node off the crops of {others} other simulated patients, without a label. They are the same in all rows and stay as they
are (the paper's go on training), so that rows differ by what they make of what is seen. Base: means over tokens, an
MLP a table, side by side. Radiomics are nine simple ones of tumour and of largest node (volume, axes, HU), and the
number of nodes.

What was tried on another 1500 patients, guides alone (AUROC, two or four seeds of three folds). Base 0.793, with normed
nodes 0.802, which all rows have since. HGA with the mean of the nodes 0.767, of normed ones 0.778, with normed ones
side by side 0.798; the attention of GATv2 0.804, of products 0.803; two layers after it, twice the width or the steps,
other rates and weight decay up to 0.5: nothing. MMRL in place of the tokens 0.797, added to them 0.816, where the base
had 0.791. Joint, as in Eq. 7, the second round overfitted the guide there (of those who train 0.93 to 0.98, of
those who test 0.82 to 0.80), which is why rows are frozen; below neither is better of one seed.

{table}

{gap}

### Which steps help

Accuracy of the paper: base 86.46, + MMRL 87.94, + HGA 88.65, + CFD 89.14 %.

{tests}
"""
_MANY = """### With {times} times the patients

{patients} patients of the same simulation and {times} times the steps, {seeds} seeds. Who knows the rule decides
{bayes:.1f} % rightly (AUROC {order:.3f}).

{table}

{tests}
"""
_PROBES = """### What each step sees

AUROC of a logistic regression on the features of each step ("MMFusion: all three", mean ± standard deviation over
folds and seeds), fitted to those who train and measured on those who test.

| features | AUROC |
|---|---|
{probes}

Davies–Bouldin score of the class vector over the steps of CFD (Fig. 3 of the paper; lower is better parted), from y_T
to the estimate of y_0: {parted}.
"""
_HANCOCK = """## HANCOCK: real patients, tables alone

{patients} head-and-neck patients of one hospital whose nodes were examined, {positive:.0f} % with a positive one. Known
before surgery: age, sex, smoking, distant metastasis; site and p16; 16 blood values. The leaks that the data's README
names (pN, perinodal invasion and whether it is noted, ICD codes of nodes) and all that only surgery tells are not used.
**MMRL relates images to images and cannot be tested here**; HGA, CFD, the ways to train them and the calibration can.

What was tried, on those who validate with two seeds (guide alone; log loss, AUROC): widths 8, 16 and 32 (0.604 to
0.610, 0.64), rates 1e-3 to 3e-3, weight decay up to 20, dropout up to 0.4, table encoders that are linear, without norm
or with a linear way around them, site and p16 in the clinical node: nothing gained. Leaving more nodes out in training
did: 0.2, 0.5 and 0.7 of them 0.610, 0.608, 0.605 (0.64, 0.65, 0.66). Logistic regression in the same places: 0.600,
0.65; without blood, which tells nearly nothing and whose noise is learned, 0.587, 0.68. Ten guides for five: 0.602,
0.67; five without blood, 0.3 of the nodes left out, 200 steps: 0.591, 0.68.

{table}

{tests}
"""
_LYDATA = """## lyDATA: is level III involved?

{patients} patients with cancer of the oropharynx whose ipsilateral level III was opened (2021 cohort of the CLB), in
{positive:.0f} % of them with a metastasis. Known before: what imaging said of every level of both sides, T and subsite,
age, sex, smoking, alcohol, HPV. lymph-model gets of this what it is made for: imaging of levels Ib to IV of that side,
and whether T is late. N, and whether the neck was dissected, are not used.

{table}

{tests}
"""
_TCGA = {
    "esca": """## TCGA oesophagus by itself

{patients} patients, three folds: age, sex, smoking, BMI, alcohol; location, histology, whether imaging saw a node;
reflux, Barrett. cT and cN look copied from pathology and are not used, nor is the centre, with which histology and node
status go together: within one histology a model has to know more than where a patient was.

{groups}
""",
    "stomach": """## TCGA: trained on the stomach, tested on the oesophagus

By what both tables have: age, sex, reflux, Barrett. {trained} patients with cancer of the stomach train and validate.

{groups}
""",
    "outside": """## TCGA: trained on head and neck, tested on oesophagus and stomach

By what HANCOCK shares with TCGA: age, sex and (but for the stomach) smoking; site, p16 and blood TCGA does not have.
Within HANCOCK these columns reach about 0.53.

{groups}
""",
}
_PAIRS = (
    ("mmfusion", "logistic"),
    ("mmfusion", "boosting"),
    ("mmfusion", "lymph"),
    ("hga", "base"),
    ("side", "base"),
    ("hga", "side"),
    ("cfd", "base"),
    ("mmfusion", "base"),
    ("mmfusion", "hga"),
    ("joint", "mmfusion"),
    ("gcn", "mmfusion"),
    ("mmfusion", "single"),
    ("ten", "logistic"),
    ("ten-hga", "logistic"),
    ("ten", "ten-hga"),
    ("few-logistic", "logistic"),
    ("few-hga", "few-logistic"),
)


_STEPS = (
    ("mmrl", "base"),
    ("mmrl-hga", "mmrl"),
    ("mmfusion", "mmrl-hga"),
    ("mmfusion", "base"),
    ("hga", "base"),
    ("cfd", "base"),
    ("mmfusion", "hga-cfd"),
    ("mmfusion", "mmrl-cfd"),
    ("mmfusion", "gcn"),
    ("mmfusion", "densenet"),
    ("mmfusion", "unhidden"),
    ("mmfusion", "joint"),
    ("mmfusion", "mean"),
    ("measured", "mmfusion"),
    ("mmfusion", "tumour"),
    ("mmfusion", "images"),
    ("mmfusion", "radiomics"),
    ("mmfusion", "boosted"),
    ("base", "boosted"),
)
# What is no row of the table.
_BESIDE = ("fresh",)


def of(study: str, lines: Mapping[str, Line]) -> list[str]:
    """Return what the page says of a study by its name, of whom some rows are complete."""
    rows = {name: line for name, line in lines.items() if name not in _BESIDE}
    if not rows:
        return []
    label = next(iter(rows.values())).study.label
    facts = {"patients": len(label), "positive": 100 * label.mean(), "table": table(list(rows.values()))}
    if study in _TCGA:
        tested = next(iter(rows.values())).label
        return [
            _TCGA[study].format(
                patients=len(tested), trained=len(label) - len(tested), groups=grouped(list(rows.values()))
            )
        ]
    if study == "many":
        line = next(iter(rows.values()))
        assert line.study.truth is not None
        best = bayes(line.study.truth)
        known = {"bayes": 100 * best.accuracy, "order": best.auroc, "times": TIMES, "seeds": len(line.seeds)}
        return [_MANY.format(tests=tests(rows, _STEPS), **known, **facts)]
    if study != "simulated":
        text = {"hancock": _HANCOCK, "lydata": _LYDATA}[study]
        return [text.format(tests=tests(rows, _PAIRS), **facts)]
    return [_simulated(rows, facts), _stages(rows), trusted.of(lines)]


def _simulated(rows: Mapping[str, Line], facts: Mapping[str, object]) -> str:
    study = next(iter(rows.values())).study
    assert study.truth is not None
    best = bayes(study.truth)
    text = ["| row | gap, points |", "|---|---|"]
    for line in rows.values():
        gaps = [100 * (best.accuracy - own["accuracy"]) for own in line.figures]
        text.append(f"| {line.row.told} | {cell(gaps, 1)} |")
    known = {"bayes": 100 * best.accuracy, "order": best.auroc, "brier": best.brier, "gap": "\n".join(text)}
    known |= {"eyes": "a ResNet-10 of 8 planes (DenseNet: 22 layers)", "others": study.facts["others"]}
    return _SIMULATED.format(tests=tests(rows, _STEPS), **known, **facts)


def _stages(rows: Mapping[str, Line]) -> str:
    if "mmfusion" not in rows:
        return ""
    found = rows["mmfusion"].seeds.values()
    every = [fold for one in found for fold in one["probes"]]
    probes = "\n".join(f"| {name} | {cell([fold[name] for fold in every], 3)} |" for name in every[0])
    steps = np.mean([fold for one in found for fold in one["parted"]], axis=0)
    return _PROBES.format(probes=probes, parted=", ".join(f"{step:.2f}" for step in steps))
