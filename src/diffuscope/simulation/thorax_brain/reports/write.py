"""Reports by templates: region, number, and of each finding kind, side, zone and size, in varied words and order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from diffuscope.errors import InputError
from diffuscope.simulation.thorax_brain.findings import (
    REGIONS,
    Finding,
    Findings,
    Region,
    check_region,
    draw_findings,
    generator,
)
from diffuscope.simulation.thorax_brain.reports.phrases import SENTENCES, Voice, article
from diffuscope.simulation.thorax_brain.reports.words import COUNT_WORDS, HALVES, KIND_WORDS, REGION_WORDS

#: Words of a report, fewest and most.
FEWEST, LONGEST = 10, 45
_SHARES = np.array([share for _, share in SENTENCES])


def write_report(findings: Findings, rng: np.random.Generator) -> str:
    """Write a report of 10–45 words.

    Parameters
    ----------
    findings : Findings
        With a region, and all that there is to say of each finding.
    rng : Generator
        Consumed.

    Returns
    -------
    str
        Sentences; the first word of each is capital.

    Raises
    ------
    InputError
        What is to be told is not known.
    """
    if findings.region is None or any(None in vars(finding).values() for finding in findings.items):
        raise InputError("A report tells the region, and kind, side, zone and size of each finding: give all of them.")
    voice = Voice(findings.region, rng)
    while True:
        text = " ".join(_capital(sentence) for sentence in _sentences(findings.region, list(findings.items), voice))
        if FEWEST <= len(text.split()) <= LONGEST:
            return text


def reports(number: int, *, seed: int, regions: Sequence[Region] = REGIONS) -> Iterator[str]:
    """Yield the reports of subjects 0 … number − 1 without their images, as texts to train a vocabulary on.

    Parameters
    ----------
    number : int
        Texts.
    seed : int
        Of the cohort: with `simulate` it gives the same reports.
    regions : sequence of {"chest", "head"}
        Subjects take turns.
    """
    for one in range(number):
        region = check_region(regions[one % len(regions)])
        findings = draw_findings(region, generator(seed, one, region, "findings"))
        yield write_report(findings, generator(seed, one, region, "report"))


def _sentences(region: Region, items: list[Finding], voice: Voice) -> list[str]:
    """Return the sentences of a report, each with its stop."""
    name = voice.one(REGION_WORDS[region])
    study = voice.one(("{}.", "imaging of the {}.", "study of the {}.", "{}:", "examination of the {}."))
    if not items:
        told = [_nothing(region, voice)]
        more = [_negative(region, items, voice) for _ in range(voice.one((0, 1)))]
        return [study.format(name), *told, *more, *([_closing(items, voice)] if voice.chance(0.6) else [])]
    order = [items[number] for number in voice.shuffled(len(items))]
    if len(items) > 1 and len({(one.kind, one.size) for one in items}) == 1 and voice.chance(0.7):
        told = [_shared(order, voice)]
    else:
        told = _told(order, voice)
    more = [_negative(region, items, voice) for _ in range(voice.one((0, 0, 1)))]
    return [study.format(name), *told, *more, *([_closing(items, voice)] if voice.chance(0.5) else [])]


def _told(items: list[Finding], voice: Voice) -> list[str]:
    """Return sentences on findings that are told one by one, their number first."""
    said = [SENTENCES[voice.by_share(_SHARES)][0](voice, finding).rstrip(",") for finding in items]
    count, noun = COUNT_WORDS[len(items)], voice.noun(several=len(items) > 1)
    if voice.chance(0.3):
        return [f"{count} {noun}: {'; '.join(said)}."]
    verb = "are" if len(items) > 1 else "is"
    announced = voice.one(
        (f"{count} {noun}.", f"{count} {noun} {verb} seen.", f"there {verb} {count} {noun}.", f"{count} {noun} in all.")
    )
    if len(said) > 1 and voice.chance(0.3):
        link = voice.one((", and ", "; ", ", while "))
        said = [f"{said[0]}{link}{said[1]}", *said[2:]]
    return [announced, *(f"{sentence}." for sentence in said)]


def _shared(items: list[Finding], voice: Voice) -> str:
    """Return one sentence on findings of one kind and size."""
    places = [voice.where(finding) for finding in items]
    listed = f"{', '.join(places[:-1])} and {places[-1]}"
    return (
        f"{COUNT_WORDS[len(items)]} {voice.thing(items[0], several=True)}{voice.one((': ', ' in the ', ', '))}{listed}."
    )


def _nothing(region: Region, voice: Voice) -> str:
    noun, several, halves = voice.noun(), voice.noun(several=True), HALVES[region][1]
    return voice.one(
        (
            f"no {noun} is seen.",
            f"there is no {noun} in either {HALVES[region][0]}.",
            f"both {halves} are clear.",
            f"no focal {noun} on either side.",
            f"no {several} are present.",
            f"the {halves} are free of {several}.",
            f"{article(noun)} is not seen.",
        )
    )


def _negative(region: Region, items: list[Finding], voice: Voice) -> str:
    """Return a sentence on what is not there."""
    absent = [kind for kind in KIND_WORDS[region] if kind not in {finding.kind for finding in items}]
    empty = [side for side in ("left", "right") if side not in {finding.side for finding in items}]
    if empty and (not absent or voice.chance(0.5)):
        return voice.one(("the {} {} is clear.", "{} {} without findings.", "nothing in the {} {}.")).format(
            voice.one(empty), HALVES[region][0]
        )
    if not absent:
        return _closing(items, voice)
    adjective = voice.one(KIND_WORDS[region][voice.one(absent)].adjectives)
    thing = f"{adjective} {voice.noun()}"
    return voice.one(
        (f"no {thing}.", f"there is no {thing}.", f"{thing} not seen.", f"{article(thing)} is not present.")
    )


def _closing(items: list[Finding], voice: Voice) -> str:
    if not items:
        return voice.one(("normal study.", "nothing abnormal is found.", "no abnormality.", "normal appearances."))
    return voice.one(("otherwise normal.", f"no other {voice.noun()}.", "no further findings.", "the rest is normal."))


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
