"""How many slides are run over: as a record, and whether what is there already is of the same slides."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from math import isclose
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffuscope.errors import InputError
from diffuscope.files.read import is_file
from diffuscope.jobs.drawn.regions import GivenRegion, find_region
from diffuscope.jobs.given import by_key, given_rasters, read_given_text
from diffuscope.jobs.inputs import split_channel
from diffuscope.jobs.provenance import command_line, make_record, state_model
from diffuscope.jobs.rows import read_row
from diffuscope.jobs.settings import choose_quality, choose_settings
from diffuscope.ports.heads import listed
from diffuscope.ports.table import Table
from diffuscope.ports.text import Text
from diffuscope.scans import open_input
from diffuscope.scans.fingerprint import is_same

if TYPE_CHECKING:
    from diffuscope.cases.slides import Slide
    from diffuscope.model.folder import Model
    from diffuscope.ports.declaration import Declaration
    from diffuscope.results.result import Result

#: Of a record: the µm/px of slides that state none.
ASSUMED = "assumed_mpp"
# QuPath keeps µm/px of both axes, and of those the mean is taken.
_SAME = 1e-3
_SAMPLING = ("quality", "sampler", "steps", "samples", "options", "want")


def make_summary_record(
    model: Model, over: str, out: Path, options: Mapping[str, Any], notices: Sequence[str]
) -> dict[str, Any]:
    """Put the record of a run over many slides together: of what determines their pixels, whatever computes them.

    Parameters
    ----------
    model : Model
        Loaded.
    over : str
        What `name_of` says of the folder, the pattern or the table; empty where slides were given one by one.
    out : Path
        Folder of the results.
    options : mapping
        As of `diffuscope.api.run_many.run_many`.
    notices : sequence of str
        Of how the slides were found.

    Raises
    ------
    InputError
        The settings are none of the model's.
    """
    asked = {name: options[name] for name in _SAMPLING if options.get(name) is not None}
    settings = choose_settings(model.system, **asked)
    region, want, ranges = as_text(options.get("region")), [*options.get("want", ())], dict(options.get("ranges") or {})
    sampled = {**settings.stated(), "seed": options.get("seed", 0)}
    normalise = options.get("normalise", True)
    flags = [("slices", options["slices"])] if options.get("slices") else []
    flags += [("range", f"{key}={low!r}:{high!r}") for key, (low, high) in ranges.items()]
    flags += [("want", ",".join(want))] if want else []
    together = [Path(path).name for path in options.get("stains_of", ())]
    flags += [("stains-of", name) for name in together]
    assumed = options.get(ASSUMED)
    flags += [("assumed-mpp", repr(assumed))] if assumed is not None else []
    line = command_line(
        model=model.name,
        source=over,
        out=out.name,
        flags=sampled,
        shape=region,
        mpp=options.get("mpp"),
        options=settings.options,
        inputs=flags,
        switches=[] if normalise else ["no-normalise"],
    )
    return make_record(
        model=state_model(model),
        inputs={},
        parameters={
            **sampled,
            "quality": choose_quality(model.system, options.get("quality")),
            "options": dict(settings.options),
            "region": region,
            "slices": options.get("slices"),
            "ranges": {key: list(ends) for key, ends in ranges.items()},
            "normalise": normalise,
            "mpp": options.get("mpp"),
            "wanted": want,
            # An older Diffuscope states nothing of it.
            **({"stains_of": together} if together else {}),
            **({ASSUMED: assumed} if assumed is not None else {}),
        },
        compute={},
        command=line if over else "",
        notices=tuple(notices),
    ) | {"over": over}


def name_of(slides: str | Path) -> str:
    """Return what is run over without the folders where it lies: of a pattern all from its first mark on."""
    path = Path(slides)
    patterned = [number for number, part in enumerate(path.parts) if glob.has_magic(part)]
    return Path(*path.parts[patterned[0] :]).as_posix() if patterned and not path.exists() else path.name


def as_text(region: GivenRegion | None) -> str | None:
    """Return a region as a record states it.

    Raises
    ------
    InputError
        It is none.
    """
    return None if region is None else str(find_region(region)[0])


def mpp_told(slide: Slide, *, asked: float | None, assumed: float | None) -> float | None:
    """Return µm/px that a run is told: what is asked for, else what a project or table says and the file does not.

    Where none of them says it, what is assumed of such slides.

    Parameters
    ----------
    slide : Slide
        Which.
    asked, assumed : float or None
        µm/px of all slides, and of those of which nothing says it.

    Raises
    ------
    InputError
        Its file cannot be read.
    """
    if asked is not None or (slide.mpp is None and assumed is None):
        return asked
    if not isinstance(slide.source, str | Path):
        return slide.mpp
    stated = getattr(open_input(split_channel(slide.source)[0]), "stated_mpp", slide.mpp)
    if slide.mpp is None:
        return assumed if stated is None else None
    return None if stated is not None and isclose(stated, slide.mpp, rel_tol=_SAME) else slide.mpp


def check_same_slide(
    slide: Slide,
    result: Result,
    region: str | None,
    declared: Declaration,
    *,
    asked: float | None = None,
    assumed: float | None = None,
) -> None:
    """Refuse a whole result of the slide's name that is of another file, row, text, region, channel or µm/px.

    Or of other inputs, one more or less. A file that has gone is no other.

    Parameters
    ----------
    slide : Slide
        Which.
    result : Result
        That is there.
    region : str or None
        What is asked for, as `as_text` returns it.
    declared : Declaration
        Of the system.
    asked, assumed : float or None
        As of `mpp_told`.

    Raises
    ------
    InputError
        It is another one, or a row or text cannot be read.
    """
    way_out = "move that result away, give this slide another name, or say --overwrite to begin all again"
    before = result.record["parameters"].get("region")
    if before != region:
        raise InputError(
            f"{result.path.name} is of {before or 'all tissue'}, and {region or 'all tissue'} is asked for: {way_out}."
        )
    stated, source = result.record["inputs"], by_key(slide.source, declared, result.record["model"]["name"])
    names = {port.key: port.name for port in declared.inputs}
    keys = set(source) if isinstance(source, Mapping) else {one.key for one in given_rasters(source, declared)}
    if keys != set(stated):
        of, wanted = (listed([name for key, name in names.items() if key in some]) for some in (stated, keys))
        raise InputError(f"{result.path.name} is of {of}, and one of {wanted} is asked for: {way_out}.")
    if isinstance(source, Mapping):
        for port in _changed(source, stated, declared):
            raise InputError(f"{result.path.name} is of another {port.name} than {slide.name} has now: {way_out}.")
    for key, about in stated.items():
        given = source.get(key) if isinstance(source, Mapping) else source
        if not isinstance(given, str | Path) or "fingerprint" not in about:
            continue
        other = ""
        with suppress(InputError):
            other = _other(given, about, mpp_told(slide, asked=asked, assumed=assumed))
        if other:
            raise InputError(f"{result.path.name} is of {other}: {way_out}.")


def _changed(source: Mapping[str, Any], stated: Mapping[str, Any], declared: Declaration) -> Iterator[Table | Text]:
    """Yield the ports whose row or text is another one than that which a record states."""
    elsewhere = {column.name for port in declared.inputs if isinstance(port, Table) for column in port.columns}
    for port in declared.inputs:
        given = source.get(port.key)
        if given is None or not isinstance(port, Table | Text) or _is_gone(given, port):
            continue
        if isinstance(port, Table):
            now: Any = {"row": read_row(given, port, elsewhere)[0]}
        else:
            now = {"text": read_given_text(given, port)[0]}
        if now != stated[port.key]:
            yield port


def _is_gone(given: Any, port: Table | Text) -> bool:
    """Whether a row or a text is of a file that is there no longer."""
    if isinstance(given, Mapping):
        return False
    text = str(given)
    if isinstance(port, Text):
        return (isinstance(given, Path) or text.startswith("@")) and not is_file(Path(text.removeprefix("@")))
    # A row that is typed has its columns' names.
    return "=" not in text and not is_file(Path(text.partition("#")[0]))


def _other(given: str | Path, about: Mapping[str, Any], mpp: float | None) -> str:
    """Say what a result is of, by its record of an input, and not of what is given now; empty where it is of that."""
    path, channel = split_channel(given)
    image = open_input(path, mpp=mpp)
    if not is_same(about["fingerprint"], image.fingerprint):
        return f"another {Path(given).name}, or that was changed since"
    before, now = about.get("mpp"), image.to_json()["mpp"]
    if before is not None and now is not None and not isclose(before, now, rel_tol=_SAME):
        return f"{path.name} at {before:.4g} µm/px, and {now:.4g} µm/px are asked for"
    if channel is not None and len(image.channels) > 1 and about.get("channel_number") != image.find_channel(channel):
        return f"channel {about.get('channel', '(all)')} of {path.name}, and channel {channel} is asked for"
    return ""
