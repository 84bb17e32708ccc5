"""The page's sections of tasks: reports, images from reports, images from images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.reproduce.medm2g import directions
from benchmarks.reproduce.medm2g.directions import REPORT, Direction
from benchmarks.reproduce.medm2g.figures import ATTRIBUTES
from benchmarks.reproduce.medm2g.report import (
    Claimed,
    Line,
    differences,
    figure,
    table,
)
from benchmarks.reproduce.medm2g.rows import WHOLE

Lines = Mapping[str, Line]
_READ = ("findings", *ATTRIBUTES)
_OTHERS = ("retrieval", "ldm", "codi", "single", "supervised")


def methods(lines: Lines) -> list[Line]:
    """Return the rows that make something."""
    return [line for name, line in lines.items() if name != "truth"]


def _truth(lines: Lines, key: str, names: Sequence[str]) -> str:
    """Return what true ones reach, as a sentence; nothing where that cell is not complete."""
    if "truth" not in lines:
        return ""
    found = []
    for name in names:
        values = lines["truth"].figures(Direction((key,), (key,)), name) if key in _known(lines["truth"]) else []
        found += [f"{name} {np.mean(values):.3f}"] if values else []
    return f"True ones, read or held against others: {', '.join(found)}." if found else ""


def _known(line: Line) -> list[str]:
    return [name.split(">")[0] for name in next(iter(line.seeds.values()))["directions"]]


def reports(lines: Lines) -> str:
    """Images to reports: the paper's Table 1 in kind."""
    text = ["## Reports (Table 1 in kind)\n"]
    for one in directions.REPORTS:
        columns = [figure(one, name) for name in ("BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L")]
        columns += [figure(one, name) for name in ("precision", "recall", "f1", *_READ, "count")]
        note = " (never seen together)" if one.unseen else ""
        text += [f"### {one.told}{note}\n", table(methods(lines), columns), ""]
    text += [_truth(lines, REPORT, ("findings", "BLEU-4", "ROUGE-L")), ""]
    one = directions.REPORTS[0]
    text += [
        differences(
            lines, [Claimed(WHOLE.name, name, one, what) for name in _OTHERS for what in ("ROUGE-L", "findings")]
        )
    ]
    return "\n".join([*text, ""])


def pictures(lines: Lines) -> str:
    """Reports to images: Tables 3 to 5 in kind."""
    text = ["## Images from reports (Tables 3 to 5 in kind)\n"]
    for one in directions.PICTURES:
        columns = [figure(one, name) for name in (*_READ, "count", "region")]
        columns += [figure(one, "FID", 2), figure(one, "KID", 3), figure(one, "MS-SSIM"), figure(one, "NIQE", 2)]
        columns += [figure(one, "PSNR", 2), figure(one, "SSIM")]
        note = " (never seen together)" if one.unseen else ""
        text += [f"### {one.told}{note}\n", table(methods(lines), columns), ""]
        text += [_truth(lines, one.made[0], (*_READ, "FID", "KID", "MS-SSIM, true", "NIQE, true")), ""]
    claimed = [Claimed(WHOLE.name, name, one, "findings") for one in directions.PICTURES[:2] for name in _OTHERS]
    return "\n".join([*text, differences(lines, claimed), ""])


def translation(lines: Lines) -> str:
    """Images to images: Tables 2 and 6 in kind, and CT to X-ray."""
    text = ["## MRI from MRI, CT from MRI, X-ray from CT (Tables 2 and 6 in kind)\n"]
    for heading, some in (
        ("MRI from other contrasts", directions.SYNTHESIS),
        ("CT from MRI", directions.TRANSLATION),
        ("X-ray from CT (never seen together)", directions.ACROSS[:1]),
    ):
        columns = [
            figure(one, name, digits, heading=f"{name}, {one.told}")
            for one in some
            for name, digits in (("PSNR", 2), ("SSIM", 3), ("findings", 3))
        ]
        text += [f"### {heading}\n", table(methods(lines), columns), ""]
    some = (*directions.SYNTHESIS, *directions.TRANSLATION)
    claimed = [Claimed(WHOLE.name, name, one, "PSNR") for one in some for name in ("ldm", "single", "supervised")]
    told = "Supervised networks give the mean of what may be there, which is nearer in PSNR than any sample.\n"
    return "\n".join([*text, told, differences(lines, claimed), ""])
