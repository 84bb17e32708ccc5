"""How near a written text comes to the true one, word by word: BLEU and ROUGE-L.

Words are runs of letters and digits in lower case; punctuation does not count. Both look at words alone: "no nodule"
and "a nodule" are near, so that what a text says is measured as well (see `diffuscope.evaluation.metrics.items`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import exp, log

from diffuscope.errors import InputError

#: Longest n-gram of BLEU.
LONGEST = 4
# How much recall counts against precision in ROUGE-L: what report generation reports (pycocoevalcap) has 1.2.
_BETA = 1.2


def words(text: str) -> list[str]:
    """Return the words of a text, in lower case."""
    return re.findall(r"\w+", text.lower())


def bleu(truth: Sequence[str], found: Sequence[str]) -> tuple[float, ...]:
    """BLEU-1 to BLEU-4 of a corpus (Papineni et al. 2002, §2.3), one true text each.

    Matches and lengths are summed over all texts before they are divided, as in the paper: the mean of single texts'
    values is another number. Without smoothing: where no n-gram matches, it is 0 from that n on.

    Parameters
    ----------
    truth, found : sequence of str
        Of one length, at least one.

    Returns
    -------
    tuple of float
        Four, in [0, 1].

    Raises
    ------
    InputError
        There are not as many of one as of the other, or none.
    """
    pairs = _pairs(truth, found)
    own, true = (sum(len(one) for one in side) for side in zip(*pairs, strict=True))
    if not own:
        return (0.0,) * LONGEST
    brevity = min(1.0 - true / own, 0.0)
    values, total = [], 0.0
    for n in range(1, LONGEST + 1):
        grams = [(_grams(a, n), _grams(b, n)) for a, b in pairs]
        matched = sum((a & b).total() for a, b in grams)
        total += log(matched / sum(a.total() for a, _ in grams)) if matched else float("-inf")
        values.append(exp(brevity + total / n))
    return tuple(values)


def rouge_l(truth: Sequence[str], found: Sequence[str]) -> float:
    """ROUGE-L (Lin 2004, §3.1): mean over texts of the F measure, β = 1.2, of the longest common subsequence of words.

    Parameters
    ----------
    truth, found : sequence of str
        Of one length, at least one.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    InputError
        As of `bleu`.
    """
    values = []
    for own, true in _pairs(truth, found):
        common = _common(own, true)
        precision, recall = common / max(len(own), 1), common / max(len(true), 1)
        weighted = recall + _BETA**2 * precision
        values.append((1 + _BETA**2) * precision * recall / weighted if common else 0.0)
    return sum(values) / len(values)


def _pairs(truth: Sequence[str], found: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Return the words of found and true texts."""
    if len(truth) != len(found) or not len(truth):
        raise InputError(f"{len(found)} texts cannot be held against {len(truth)}: give one true text for each.")
    return [(words(b), words(a)) for a, b in zip(truth, found, strict=True)]


def _grams(some: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(some[i : i + n]) for i in range(len(some) - n + 1))


def _common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence."""
    row = [0] * (len(b) + 1)
    for word in a:
        before, row = row, [0]
        for j, other in enumerate(b):
            row.append(before[j] + 1 if word == other else max(before[j + 1], row[j]))
    return row[-1]
