"""BLEU and ROUGE-L against torchmetrics; what was found against counting by hand and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support
from torchmetrics.functional.text import bleu_score
from torchmetrics.functional.text.rouge import rouge_score

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.items import exact, matched, overlap
from diffuscope.evaluation.metrics.texts import bleu, rouge_l

WORDS = ("a", "the", "small", "large", "solid", "nodule", "cyst", "in", "left", "right", "upper", "zone", "is", "no")


def texts(rng: np.random.Generator, count: int = 30) -> tuple[list[str], list[str]]:
    """Return texts of 6 to 25 words, and others that have about three quarters of their words."""
    truth, found = [], []
    for _ in range(count):
        own = rng.choice(WORDS, rng.integers(6, 26))
        other = [word if rng.random() < 0.75 else rng.choice(WORDS) for word in own][: rng.integers(5, 26)]
        truth.append(" ".join(own))
        found.append(" ".join(other))
    return truth, found


@pytest.mark.parametrize("side", ["longer", "shorter"])
def test_bleu_of_a_corpus_is_that_of_torchmetrics(rng: np.random.Generator, side: str):
    truth, found = texts(rng)
    if side == "longer":
        truth, found = found, truth
    theirs = [float(bleu_score(found, [[one] for one in truth], n_gram=n)) for n in (1, 2, 3, 4)]
    assert bleu(truth, found) == pytest.approx(theirs, abs=1e-6)
    assert min(theirs) > 0.05


def test_bleu_is_not_the_mean_of_single_texts_and_does_not_see_case_or_commas(rng: np.random.Generator):
    truth, found = texts(rng)
    single = np.mean([bleu([a], [b]) for a, b in zip(truth, found, strict=True)], axis=0)
    assert abs(single[1] - bleu(truth, found)[1]) > 1e-3
    assert bleu(["A small Cyst, left."], ["a small cyst left"]) == pytest.approx((1.0,) * 4)


def test_rouge_l_is_that_of_torchmetrics_with_its_beta(rng: np.random.Generator):
    truth, found = texts(rng)
    values = []
    for a, b in zip(truth, found, strict=True):
        told = rouge_score([b], [a], rouge_keys="rougeL")
        p, r = float(told["rougeL_precision"]), float(told["rougeL_recall"])
        values.append((1 + 1.2**2) * p * r / (r + 1.2**2 * p))
    assert rouge_l(truth, found) == pytest.approx(np.mean(values), abs=1e-6)


def test_texts_without_a_word_count_as_nothing_and_unequal_numbers_are_refused():
    assert bleu(["a b c"], [""]) == (0.0,) * 4 and rouge_l(["a b c"], [""]) == 0.0
    # No four words in a row match: 0 from there on.
    assert bleu(["a b c x"], ["a b c y"])[2] > 0 and bleu(["a b c x"], ["a b c y"])[3] == 0
    with pytest.raises(InputError, match="2 texts cannot be held against 1"):
        bleu(["a"], ["a", "b"])


def test_what_was_found_is_counted_as_scikit_learn_counts_it(rng: np.random.Generator):
    there, said = rng.random((40, 6)) < 0.3, rng.random((40, 6)) < 0.4
    truth, found = ([list(np.flatnonzero(row)) for row in which] for which in (there, said))
    theirs = precision_recall_fscore_support(there, said, average="micro")[:3]
    assert matched(truth, found) == pytest.approx(theirs)
    assert exact(truth, found) == list((there == said).all(axis=1))


def test_a_thing_that_is_there_twice_is_to_be_found_twice():
    assert matched([["cyst", "cyst"]], [["cyst"]]) == pytest.approx((1.0, 0.5, 2 / 3))
    assert exact([["cyst", "cyst"]], [["cyst"]]) == [False]
    assert overlap(["cyst", "solid"], ["solid"]) == pytest.approx(2 / 3) and overlap([], []) == 1.0
    nothing = matched([[]], [[]])
    assert all(map(math.isnan, nothing))
