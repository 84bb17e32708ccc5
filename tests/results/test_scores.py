"""Scores and rows of a result: with members and without, as they were, in words, and refused where they are damaged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from diffuscope.ports.score import Score
from diffuscope.ports.table import Column, Table
from diffuscope.results.beside.others import read_others, summaries, write_others
from diffuscope.results.beside.spread import over_guides
from diffuscope.results.scores import Scored, read_scores, write_scores

PORT = Score(name="metastasis", key="metastasis", classes=("none", "metastasis"), threshold=0.5)
SHARES = Table(
    name="contributions",
    key="shapley",
    columns=(
        Column(name="tumour", range=(-1.0, 1.0)),
        Column(name="clinical", range=(-1.0, 1.0)),
        Column(name="blood", title="blood values", range=(-1.0, 1.0)),
        Column(name="volume", unit="mm³"),
    ),
)
NAN = float("nan")


def test_draws_of_members_come_back_with_both_intervals(tmp_path: Path):
    draws = [[0.0, 1.0, 1.0, 1.0], [1.0, 1.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]]
    write_scores(tmp_path, {"metastasis": draws})
    found = read_scores(tmp_path, [PORT])["metastasis"]
    assert found.draws == tuple(map(tuple, draws)) and len(found.samples) == 12
    assert found.mean == pytest.approx(8 / 12) and found.predictive == (0.0, 1.0)
    assert found.over_guides == over_guides(draws)
    low, high = found.over_guides
    assert found.decision == "undecided"
    assert found.summary == (
        f"metastasis 0.67 (trained on other such patients: {low:.2f} to {high:.2f}, nominally 90 %; "
        "90 % of the 12 draws of the class: 0.00 to 1.00); not below the threshold of 0.50, "
        "which such models disagree about: undecided"
    )


def test_a_score_without_members_is_as_it_was(tmp_path: Path):
    (tmp_path / "scores.json").write_text('{"metastasis": [0.25, 0.5]}', encoding="utf-8")
    found = read_scores(tmp_path, [PORT])["metastasis"]
    assert found.samples == (0.25, 0.5) and found.over_guides is None
    assert found.summary == (
        "metastasis 0.38 (90 % of the 2 draws of the class: 0.26 to 0.49); below the threshold of 0.50: none"
    )
    write_scores(tmp_path, {"metastasis": [0.25, 0.5]})
    assert json.loads((tmp_path / "scores.json").read_text()) == {"metastasis": [0.25, 0.5]}


def test_a_single_number_and_what_is_not_known():
    plain = Score(name="light", key="light", classes=("dark", "bright"))
    assert Scored(plain, ((0.3,),)).summary == "bright 0.30" and Scored(plain, ((0.3,),)).predictive is None
    unknown = Scored(PORT, ((0.3, NAN), (0.1, 0.2)))
    assert unknown.over_guides is None and unknown.decision == "" and unknown.summary == "metastasis not known"


@pytest.mark.parametrize("stated", ["[]", "[[], []]", "[0.1, [0.2]]", "[[0.1], [0.2, 0.3]]", '["0.1"]', "[1.5]", "0.3"])
def test_what_no_version_wrote_is_no_score(tmp_path: Path, stated: str):
    (tmp_path / "scores.json").write_text(f'{{"metastasis": {stated}}}', encoding="utf-8")
    with pytest.raises((ValueError, TypeError)):
        read_scores(tmp_path, [PORT])


def test_a_row_that_comes_out_is_kept_and_put_in_words(tmp_path: Path):
    write_others(tmp_path, {"shapley": [0.123, NAN, -0.034, 1234.4], "metastasis": [0.3]}, [PORT, SHARES])
    found = read_others(tmp_path, [PORT, SHARES])
    assert found["shapley"].by_name == {"tumour": 0.123, "clinical": None, "blood": -0.034, "volume": 1234.4}
    assert dict(summaries(found, [PORT, SHARES]))["contributions"] == (
        "tumour +0.12, blood values −0.03, volume 1234 mm³"
    )


@pytest.mark.parametrize("stated", ["[0.1]", '[0.1, 0.2, 0.3, "x"]', "[0.1, 0.2, 0.3, NaN]", "7"])
def test_a_row_that_is_damaged_is_said(tmp_path: Path, stated: str):
    (tmp_path / "rows.json").write_text(f'{{"shapley": {stated}}}', encoding="utf-8")
    with pytest.raises((ValueError, TypeError)):
        read_others(tmp_path, [SHARES])
