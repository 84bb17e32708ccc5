"""What the report of a case says, in words and numbers, whatever it is written as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from diffuscope.exports.report.pictures import Picture, draw_sections
from diffuscope.ports.table import Table

if TYPE_CHECKING:
    from diffuscope.exports.request import Request
    from diffuscope.results.result import Result
    from diffuscope.results.scores import Scored

# What tells how much each input counted: key of the output, heading, what it means, whether it has a sign.
_MEASURES = (
    ("shapley", "Shapley value", "what the input added to the score, over all orders of adding inputs", True),
    ("left_out", "Left out", "the score less the score without the input", True),
    ("attention", "Attention", "how much the inputs looked at it, neither for nor against", False),
)

_OF_GUIDES = (
    "where models trained on other patients of the same kind would put the score. It is made for 90 % of them, and "
    "held about as many where that was measured, on simulated patients (docs/mmfusion.md)."
)
_OF_DRAWS = (
    "90 % of the draws of the class lie here. A draw is near 0 or near 1, so this is no interval of the probability: "
    "it is wide where both classes are likely."
)


@dataclass(frozen=True)
class Span:
    """An interval, what it is called, and what it covers."""

    name: str
    low: float
    high: float
    covers: str


@dataclass(frozen=True)
class Measure:
    """One way to tell how much each input counted: its name, what it means, the largest of it, if it has a sign."""

    heading: str
    meaning: str
    most: float
    signed: bool

    def text(self, value: float | None) -> str:
        """Return a value as it is printed."""
        return "not there" if value is None else f"{value:+.3f}" if self.signed else f"{value:.3f}"


@dataclass(frozen=True)
class Contribution:
    """What one input counted, in the order of the measures that there are; None where nothing is known."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that stands on the page.

    Attributes
    ----------
    case, date : str
        Name of the result, and when it was computed; empty of an anonymous one.
    title : str
        What is scored.
    classes : tuple of str
        Without, and with it.
    score, threshold : float, float or None
        Probability of the second class, NaN where it is not known; from where it is decided for.
    decision : str
        Class, or that it is undecided; empty where nothing is decided.
    is_undecided : bool
        Whether the interval of the probability holds the threshold.
    spans : tuple of Span
        Intervals.
    measures : tuple of Measure
        A column of the contributions each.
    contributions : tuple of Contribution
        A row an input.
    about : tuple of (str, str)
        Model: name and text.
    warnings : tuple of str
        What not to believe of it.
    missing : tuple of str
        Inputs that the case lacks.
    unknown : tuple of str
        What is not known of each table.
    notices : tuple of str
        What the run told.
    tables : tuple of (str, tuple of (str, str))
        Name of each table, and its values with their names and units.
    pictures : tuple of Picture
        One of each thing that is outlined.
    pictured : str
        What the pictures are, or why there is none; empty of a model without images.
    """

    case: str
    date: str
    title: str
    classes: tuple[str, str]
    score: float
    threshold: float | None
    decision: str
    is_undecided: bool
    spans: tuple[Span, ...]
    measures: tuple[Measure, ...]
    contributions: tuple[Contribution, ...]
    about: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    notices: tuple[str, ...]
    tables: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    pictures: tuple[Picture, ...]
    pictured: str

    @property
    def probability(self) -> str:
        """The score as it is printed."""
        return "not known" if math.isnan(self.score) else f"{self.score:.2f}"

    @property
    def verdict(self) -> tuple[str, str]:
        """What is decided, and why."""
        if self.threshold is None or math.isnan(self.score):
            return "Not decided", "the model has no threshold" if self.threshold is None else "the score is not known"
        side = "at or above" if self.score >= self.threshold else "below"
        why = f"{side} the threshold of {self.threshold:.2f}"
        if self.is_undecided:
            return "Undecided", f"{why}, which its interval holds"
        return self.decision[:1].upper() + self.decision[1:], why

    @property
    def pictures_heading(self) -> str:
        """What stands above the pictures."""
        return "Where the model looked" if any(one.is_heated for one in self.pictures) else "What was outlined"

    @property
    def meaning(self) -> str:
        """What the contributions are, in sentences."""
        means = "; ".join(f"{one.heading}: {one.meaning}" for one in self.measures)
        neither = "; grey ones neither" if any(not one.signed for one in self.measures) else ""
        return (
            f"{means}. Red bars, to the right, speak for {self.classes[1]}, blue ones, to the left, against{neither}."
        )

    @property
    def lacks(self) -> str:
        """What was missing, in a sentence."""
        told = [f"Missing: {', '.join(self.missing)}."] if self.missing else []
        told += [f"Not known: {', '.join(self.unknown)}."] if self.unknown else []
        if not told:
            return "Nothing was missing: every input of the model was given."
        return " ".join([*told, "The score rests on less than the model can use."])


def contents_of(request: Request) -> Report:
    """Gather what the report of a result says.

    Parameters
    ----------
    request : Request
        Of a result with a score; the first is the report's.
    """
    result, record = request.result, request.record
    scored = next(iter(result.scores.values()))
    pictures = draw_sections(result)
    measures, contributions = _contributions(result)
    case = record.get("case", {})
    return Report(
        case="" if request.is_anonymous else result.path.name.removesuffix(".ome.zarr"),
        date=str(record.get("started", "")).replace("T", " ").removesuffix("+00:00"),
        title=scored.port.name,
        classes=scored.port.classes,
        score=scored.mean,
        threshold=scored.port.threshold,
        decision=scored.decision,
        is_undecided=scored.is_undecided,
        spans=_spans(scored),
        measures=measures,
        contributions=contributions,
        about=tuple(about_model(record)),
        warnings=tuple(model_warnings(record)),
        missing=tuple(map(str, case.get("missing", ()))),
        unknown=tuple(_unknown(record.get("inputs", {}), case.get("tables", {}))),
        notices=tuple(map(str, record.get("notices", ()))),
        tables=tuple(_tables(record.get("inputs", {}), case.get("tables", {}))),
        pictures=pictures,
        pictured=_pictured(result, pictures),
    )


def _spans(scored: Scored) -> tuple[Span, ...]:
    """Return the intervals that there are, that of the probability first."""
    known = (("the probability", scored.over_guides, _OF_GUIDES), ("this patient", scored.predictive, _OF_DRAWS))
    return tuple(Span(name, *ends, covers) for name, ends, covers in known if ends is not None)


def _contributions(result: Result) -> tuple[tuple[Measure, ...], tuple[Contribution, ...]]:
    """Return which measures there are, and the rows; the inputs as the first of them names its columns."""
    ports = {port.key: port for port in result.others if isinstance(port, Table) and port.key in result.found}
    there = [one for one in _MEASURES if one[0] in ports]
    if not there:
        return (), ()
    columns = ports[there[0][0]].columns
    values = [[result.found[key].by_name.get(column.name) for column in columns] for key, *_ in there]
    measures = tuple(
        Measure(heading, meaning, max((abs(one) for one in told if one is not None), default=0.0) or 1.0, signed)
        for (_, heading, meaning, signed), told in zip(there, values, strict=True)
    )
    names = (column.title or column.name for column in columns)
    return measures, tuple(Contribution(name, tuple(told)) for name, *told in zip(names, *values, strict=True))


def about_model(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is known of the model and of what ran it."""
    model = record.get("model", {})
    simulated = {"yes": "simulated, not measured", "no": "measured"}.get(str(model.get("simulated")), "")
    lines = [
        ("model", str(model.get("title") or model.get("name") or "")),
        ("name", str(model.get("name") or "")),
        ("weights", str(model.get("hash") or "")[:16]),
        ("trained on", str(model.get("trained_on") or "")),
        ("truth", simulated),
        ("software", f"Diffuscope {record.get('versions', {}).get('diffuscope', '')}".strip()),
        ("seed", str(record.get("parameters", {}).get("seed", ""))),
    ]
    return [(name, text) for name, text in lines if text]


def model_warnings(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield what not to believe of a model, as its card has it."""
    model = record.get("model", {})
    if model.get("simulated") == "yes":
        yield f"Demonstration: the model learned from what was simulated ({model.get('trained_on', '')})."
    if model.get("what_it_is_not"):
        yield f"What the model is not: {model['what_it_is_not']}"


def _unknown(inputs: Mapping[str, Any], named: Mapping[str, Any]) -> Iterator[str]:
    for key, one in inputs.items():
        row = one.get("row")
        lacking = sum(value is None for value in row.values()) if isinstance(row, dict) else 0
        if lacking:
            yield f"{lacking} of {len(row)} values of {named.get(key, {}).get('name', key)}"


def _tables(inputs: Mapping[str, Any], named: Mapping[str, Any]) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    """Return the values that were given, by table; what is not known is told with the table's name."""
    found = []
    for key, one in inputs.items():
        row = one.get("row")
        if not isinstance(row, dict):
            continue
        about = named.get(key, {})
        labels = about.get("columns", {})
        values = tuple((str(labels.get(name, name)), _value(value)) for name, value in row.items() if value is not None)
        lacking = len(row) - len(values)
        told = f" ({lacking} of {len(row)} not known)" if lacking else ""
        found.append((f"{about.get('name', key)}{told}", values))
    return found


def _value(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _pictured(result: Result, pictures: Sequence[Picture]) -> str:
    images = any("lattice" in one for one in result.record.get("inputs", {}).values())
    if pictures:
        bar = "Each slice is the one where what it shows is largest; white outline: what was given."
        heat = " Orange: where the model looked, against the strongest place shown." if pictures[0].is_heated else ""
        return bar + heat
    return "No picture: nothing was outlined, or the result is older than pictures are kept." if images else ""
