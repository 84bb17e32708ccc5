"""Reports tell their findings, and are read by what their words mean, in texts that no template made too."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuscope.errors import InputError
from diffuscope.simulation.thorax_brain import Finding, Findings, read_report, reports, simulate, write_report
from diffuscope.simulation.thorax_brain.findings import KINDS, REGIONS, SIDES, SIZES, ZONES
from diffuscope.simulation.thorax_brain.reports.write import FEWEST, LONGEST

SITES = st.lists(st.tuples(st.sampled_from(SIDES), st.sampled_from(ZONES)), max_size=3, unique=True)
FINDINGS = st.builds(
    lambda region, sites, kinds, sizes: Findings(
        region, tuple(Finding(kind, *site, size) for site, kind, size in zip(sites, kinds, sizes, strict=False))
    ),
    st.sampled_from(REGIONS),
    SITES,
    st.lists(st.sampled_from(KINDS), min_size=3, max_size=3),
    st.lists(st.sampled_from(SIZES), min_size=3, max_size=3),
)


@settings(deadline=None, max_examples=400)
@given(findings=FINDINGS, seed=st.integers(0, 2**32))
def test_a_report_is_read_as_it_was_meant(findings: Findings, seed: int):
    text = write_report(findings, np.random.default_rng(seed))
    assert read_report(text) == findings, text
    assert FEWEST <= len(text.split()) <= LONGEST


def test_reports_are_those_of_the_subjects_and_differ():
    texts = list(reports(3000, seed=4))
    assert texts[:4] == [simulate(n, seed=4, region=REGIONS[n % 2]).report for n in range(4)]
    assert len(set(texts)) > 2900


SMALL_SOLID = ("solid", "left", "upper", "small")
BIG_CYST = ("cystic", "right", "lower", "large")


@pytest.mark.parametrize(
    ("text", "items"),
    [
        # Order.
        ("Small solid nodule, left upper zone.", [SMALL_SOLID]),
        ("Upper zone, left: solid, small.", [SMALL_SOLID]),
        ("In the upper third of the left lung I see a nodule. It is small. It is solid.", [SMALL_SOLID]),
        ("There is a small nodule. It is solid, and it lies in the left upper zone.", [SMALL_SOLID]),
        ("A small solid nodule is seen at the left. It lies in the upper zone.", [SMALL_SOLID]),
        # Several.
        ("Left upper zone: small solid nodule; right lower zone: large cavity.", [SMALL_SOLID, BIG_CYST]),
        (
            "A small solid nodule and a large cyst lie in the left upper and the right lower zone.",
            [SMALL_SOLID, BIG_CYST],
        ),
        (
            "Two small solid nodules in the upper zones of the left and the right lung",
            [SMALL_SOLID, ("solid", "right", "upper", "small")],
        ),
        (
            "Small solid nodules: left upper and middle zone, right lower zone",
            [SMALL_SOLID, ("solid", "left", "middle", "small"), ("solid", "right", "lower", "small")],
        ),
        (
            "Two tiny solid foci, left upper and left mid zone, and a large cyst in the right lower zone.",
            [SMALL_SOLID, ("solid", "left", "middle", "small"), BIG_CYST],
        ),
        # Negation.
        ("No small solid nodule in the left upper zone.", []),
        ("No calcified, cystic or solid lesion.", []),
        ("A calcified nodule is not seen.", []),
        ("The lungs are free of calcified nodules.", []),
        ("Calcification: absent. The right lung is clear.", []),
        ("Without any large nodule in the right lung.", []),
        ("The left lung is clear.", []),
        ("A small nodule in the left upper zone, not calcified or cystic but solid.", [SMALL_SOLID]),
        ("A small solid nodule without calcification in the left upper zone.", [SMALL_SOLID]),
        ("A small solid non-calcified nodule in the left upper zone.", [SMALL_SOLID]),
        ("Neither calcified nor cystic, but solid and small: a nodule of the left upper zone.", [SMALL_SOLID]),
        ("The right lung is clear, while the left shows a small solid nodule in its upper zone.", [SMALL_SOLID]),
        ("The left lung is clear except for a small solid nodule in its upper zone.", [SMALL_SOLID]),
        ("No lesion in the left lung apart from a small solid nodule in the upper zone.", [SMALL_SOLID]),
        ("No cyst, a small solid nodule in the left upper zone.", [SMALL_SOLID]),
        # What is not told, and what tells nothing.
        ("A nodule in the left upper zone.", [(None, "left", "upper", None)]),
        ("Large cavity.", [("cystic", None, None, "large")]),
        ("", []),
        ("The patient was well: 12/7, ok!", []),
    ],
)
def test_texts_that_no_template_made(text: str, items: list[tuple[str | None, ...]]):
    assert read_report(text).items == Findings(None, tuple(Finding(*item) for item in items)).items


@pytest.mark.parametrize(
    ("text", "region"),
    [("Pulmonary nodule.", "chest"), ("Cerebral cyst", "head"), ("BRAIN: normal", "head"), ("A nodule.", None)],
)
def test_the_region_is_read(text: str, region: str | None):
    assert read_report(text).region == region


def test_what_is_not_known_is_not_reported():
    with pytest.raises(InputError, match="give all of them"):
        write_report(Findings("chest", (Finding(None, "left", "upper", "small"),)), np.random.default_rng(0))
