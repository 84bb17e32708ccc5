"""Reports by a small grammar, for tests of what reads and writes texts."""

from __future__ import annotations

import random
import re

KINDS = {
    "solid": ("solid nodule", "soft-tissue nodule", "solid lesion"),
    "calcified": ("calcified nodule", "calcified granuloma", "dense calcified lesion"),
    "cavity": ("cavity", "cavitary lesion", "thin-walled cyst"),
}
SIZES = {"small": ("small", "subcentimetre", "tiny"), "large": ("large", "bulky", "sizeable")}
SIDES = ("left", "right")
ZONES = {
    "upper": ("upper zone", "apical region"),
    "middle": ("middle zone", "perihilar region"),
    "lower": ("lower zone", "basal region"),
}
BEGIN = ("chest study .", "frontal view of the chest .", "examination of the thorax .", "")
NORMAL = ("no focal lesion is seen .", "the lungs are clear .", "there is no suspicious finding .")
CLOSE = ("no pleural effusion .", "the heart is of normal size .", "no pneumothorax is present .", "")
FORMS = (
    "there is a {size} {kind} in the {side} {zone} .",
    "a {size} {kind} is seen in the {zone} on the {side} .",
    "{side} {zone} : {size} {kind} .",
    "the {zone} on the {side} shows a {size} {kind} .",
)


def _sentence(rng: random.Random) -> str:
    return rng.choice(FORMS).format(
        size=rng.choice(SIZES[rng.choice(sorted(SIZES))]),
        kind=rng.choice(KINDS[rng.choice(sorted(KINDS))]),
        side=rng.choice(SIDES),
        zone=rng.choice(ZONES[rng.choice(sorted(ZONES))]),
    )


def write_report(rng: random.Random) -> str:
    """Return a report of up to three findings, 4 to 50 words."""
    count = rng.choice((0, 1, 1, 2, 2, 3))
    middle = [_sentence(rng) for _ in range(count)] or [rng.choice(NORMAL)]
    return " ".join(one for one in (rng.choice(BEGIN), *middle, rng.choice(CLOSE)) if one)


def write_reports(count: int, seed: int = 0) -> list[str]:
    """Return different reports."""
    rng, found = random.Random(seed), {}
    while len(found) < count:
        found[write_report(rng)] = None
    return list(found)


def _any(options: tuple[str, ...]) -> str:
    return "(?:" + "|".join(re.escape(one) for one in options) + ")"


def _all(named: dict[str, tuple[str, ...]]) -> str:
    return _any(tuple(one for options in named.values() for one in options))


_PARTS = {"size": _all(SIZES), "kind": _all(KINDS), "side": _any(SIDES), "zone": _all(ZONES)}
_SENTENCE = "(?:" + "|".join(form.format(**_PARTS).replace(" .", " \\.") for form in FORMS) + ")"
_REPORT = re.compile(
    f"(?:{_any(BEGIN[:-1])} )?(?:{_any(NORMAL)}|{_SENTENCE}(?: {_SENTENCE}){{0,2}})(?: {_any(CLOSE[:-1])})?"
)


def is_report(text: str) -> bool:
    """Whether a text is one that the grammar can write."""
    return _REPORT.fullmatch(text) is not None
