from __future__ import annotations

import numpy as np
import pytest
from model_card import CARD
from scipy import stats

from diffuscope.errors import InputError
from diffuscope.evaluation.report.notices import caveats, unlike_cases
from diffuscope.evaluation.report.summary import against, by_group, summarise
from diffuscope.model.card import ModelCard


def rows(values: list[float | None], groups: list[str] | None = None, **more: float) -> list[dict]:
    return [
        {
            "case": f"c{i}",
            "group": groups[i] if groups else f"c{i}",
            "truth": f"t{i}",
            "figures": {**more, **({"psnr": value} if value is not None else {})},
            "input": {"psnr": 10.0},
        }
        for i, value in enumerate(values)
    ]


def test_a_patient_counts_once_whatever_its_cases():
    own = rows([1.0, 3.0, 10.0], ["p", "p", "q"])
    assert by_group(own, "psnr") == {"p": 2.0, "q": 10.0}
    summary = summarise(own)["psnr"]
    assert (summary["value"], summary["groups"], summary["cases"]) == (6.0, 2, 3)
    assert list(summarise(own)) == ["psnr"]
    assert summarise(own, "input")["psnr"]["value"] == 10.0


def test_intervals_are_those_of_scipy_and_one_patient_has_none(rng: np.random.Generator):
    values = rng.normal(20, 3, 15).tolist()
    summary = summarise(rows(values))["psnr"]
    expected = stats.bootstrap((values,), np.mean, n_resamples=20000, method="BCa", rng=1).confidence_interval
    assert (summary["low"], summary["high"]) == pytest.approx((expected.low, expected.high), abs=0.1)
    alone = summarise(rows([1.0, 2.0], ["p", "p"]))["psnr"]
    assert (alone["value"], alone["low"], alone["high"]) == (1.5, None, None)


def test_cases_without_a_figure_are_left_out_of_it():
    summary = summarise(rows([1.0, None, 3.0], ssim=0.5))
    assert (summary["psnr"]["cases"], summary["ssim"]["cases"], summary["psnr"]["value"]) == (2, 3, 2.0)


def test_two_models_are_paired_by_patient(rng: np.random.Generator):
    mine, theirs = rng.normal(20, 1, (2, 9))
    tests = against(rows(mine.tolist()), rows(theirs.tolist())[::-1])
    assert tests["psnr"]["difference"] == pytest.approx(mine.mean() - theirs.mean())
    assert tests["psnr"]["wilcoxon_p"] == pytest.approx(stats.wilcoxon(mine, theirs).pvalue)
    assert tests["psnr"]["permutation_p_holm"] == tests["psnr"]["permutation_p"]  # one test
    two = against(rows(mine.tolist(), ssim=0.4), rows(theirs.tolist(), ssim=0.4))
    assert two["psnr"]["permutation_p_holm"] == pytest.approx(min(2 * two["psnr"]["permutation_p"], 1))


def test_other_cases_truths_or_groups_are_refused():
    own = rows([1.0, 2.0])
    with pytest.raises(InputError, match="case c1 is not in the other report"):
        against(own, own[:1])
    with pytest.raises(InputError, match="case c1 is not in this evaluation"):
        against(own[:1], own)
    with pytest.raises(InputError, match="case c0 has another truth"):
        against(own, [own[0] | {"truth": "x"}, own[1]])
    with pytest.raises(InputError, match="case c0 is of another group"):
        against(own, [own[0] | {"group": "x"}, own[1]])
    with pytest.raises(InputError, match="two patients or slides"):
        against(rows([1.0, 2.0], ["p", "p"]), rows([1.0, 2.0], ["p", "p"]))


PLAIN = {
    "simulated_truth": None,
    "card": None,
    "tested": True,
    "sets": {},
    "uncertainty_unknown": False,
    "substitute": False,
}


@pytest.mark.parametrize(
    ("values", "groups", "more", "said"),
    [
        ([1.0, 2.0], ["p", "p"], {}, r"one patient or slide \(p\): an anecdote"),
        ([1.0, 2.0, 3.0], None, {}, r"3 patients or slides are few.*smallest is 0\.25"),
        ([1.0] * 6, None, {"simulated_truth": "by a rule."}, r"truth is simulated.*by a rule\."),
        (
            [1.0] * 6,
            None,
            {"card": ModelCard(**CARD | {"trained_on": "phantoms"})},
            r"weights are a demonstration, trained on simulated truth \(phantoms\)",
        ),
        (
            [1.0] * 6,
            None,
            {"card": ModelCard(**CARD | {"simulated": False, "simulated_before": "demo (phantoms)"})},
            r"^The model began from a demonstration, .* \(demo \(phantoms\)\); its last steps were on its user's own",
        ),
        ([1.0] * 6, None, {"tested": False}, "does not say which cases test"),
        ([1.0] * 6, None, {"substitute": True}, "not FID, KID or LPIPS"),
        ([1.0] * 6, None, {"sets": {"tiles": 10, "dimensions": 512}}, "10 tiles for features of 512 numbers"),
        ([1.0] * 6, None, {"uncertainty_unknown": True}, "ask for two samples"),
    ],
)
def test_what_limits_the_figures_is_said(values, groups, more, said):
    import re

    (sentence,) = caveats(rows(values, groups), **{**PLAIN, **more})
    assert re.search(said, sentence)
    assert caveats(rows([1.0] * 6), **PLAIN) == []


def test_the_smallest_p_of_few_patients_is_the_one_told():
    for n in (2, 3, 5, 6):
        tests = against(rows([1.0 + i for i in range(n)]), rows([0.0] * n))
        assert tests["psnr"]["permutation_p"] == pytest.approx(2.0 ** (1 - n))
        assert (2.0 ** (1 - n) >= 0.05) == bool(caveats(rows([1.0] * n), **PLAIN))


def test_inputs_unlike_training_are_told_by_case_and_many_are_counted():
    unlike = "H&E (slide.png) does not look like what this model is for (H&E): its colours are an immunostain's."
    runs = [{"notices": ["T1: 0 to 3 are its range.", unlike]}, {"notices": []}, {}]
    own = [{**row, "run": run} for row, run in zip(rows([1.0, 2.0, 3.0]), runs, strict=True)]
    assert unlike_cases(own) == [f"Case c0: {unlike}"]
    many = [{**row, "run": runs[0]} for row in rows([1.0] * 9)]
    assert unlike_cases(many)[5:] == [f"Case c5: {unlike}", "3 more inputs are unlike: report.json has them by case."]
