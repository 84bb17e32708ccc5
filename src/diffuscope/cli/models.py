"""`diffuscope models`: what each is and is not, or all that one model's card says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from diffuscope.cli.columns import aligned
from diffuscope.errors import InputError
from diffuscope.model.find import ModelInfo, list_models, model_info
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.port import Port
from diffuscope.ports.table import Table


def models(
    model: Annotated[str | None, typer.Argument(metavar="MODEL", help="Show all that its card says.")] = None,
    *,
    dictionary: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv", help="Write what the columns of its tables are: names, units, ranges, categories."
        ),
    ] = None,
) -> None:
    """List the models that ship and those in the user's folder, or show the card of one."""
    if dictionary is not None:
        typer.echo(_write(dictionary, model))
        return
    for line in list_lines(list_models()) if model is None else card_lines(model_info(model)):
        typer.echo(line)


def _write(path: Path, model: str | None) -> str:
    """Write the data dictionary of a model, and say so."""
    from diffuscope.cases.dictionary import write_dictionary

    if model is None:
        raise InputError("say of which model: diffuscope models MODEL --dictionary FILE.csv.")
    info = model_info(model)
    tables = [port for port in info.declared.inputs if isinstance(port, Table) and not port.measured]
    if not tables:
        raise InputError(f"{info.name} takes no tables, and so has no dictionary.")
    write_dictionary(path, tables)
    return f"Wrote {path} ({sum(len(table.columns) for table in tables)} columns)"


def list_lines(infos: list[ModelInfo]) -> Iterator[str]:
    """Yield the models under their tasks: name and title, what goes in and comes out, what it is and is not."""
    for task in dict.fromkeys(info.declared.task for info in infos):
        yield f"{task[:1].upper()}{task[1:]}"
        for info in infos:
            if info.declared.task == task:
                yield f"  {info.name}: {info.title}"
                given = ", ".join(port.name for port in info.declared.inputs)
                lines = [
                    ("takes → gives", f"{given} → {_gives(info.declared)}"),
                    ("what it is", info.card.what_it_is),
                    ("what it is not", info.card.what_it_is_not),
                ]
                yield from aligned(lines, indent=4)
    yield "Figures, data and licence of one: diffuscope models MODEL"


def card_lines(info: ModelInfo) -> Iterator[str]:
    """Yield a model's name, its ports, and its card."""
    card, declared = info.card, info.declared
    presets = declared.presets.items()
    yield f"{info.name}: {card.title}"
    yield from aligned(
        [
            ("task", declared.task),
            ("takes", "; ".join(_called(port) for port in declared.inputs)),
            *(("at least one", ", ".join(group)) for group in declared.any_of),
            ("gives", "; ".join(_called(port) for port in declared.outputs)),
            ("qualities", "; ".join(f"{name} ({one.sampler}, steps {one.steps})" for name, one in presets)),
            ("what it is", card.what_it_is),
            ("what it is not", card.what_it_is_not),
            ("trained on", card.trained_on),
            ("data", card.data),
            ("licence", card.licence),
            *((name.replace("_", " "), f"{value:g}") for name, value in card.figures.items()),
            *(("looks of " + port.key, _looks(info, port.key)) for port in declared.input_rasters),
            ("folder", str(info.path)),
        ],
        indent=2,
    )


def _gives(declared: Declaration) -> str:
    """Name the main output, of a model that makes what it is not given any of them."""
    taken = {port.key for port in declared.inputs}
    either = [port.name for port in declared.outputs if port.key in taken]
    return f"any of {', '.join(either)}" if either else declared.outputs[0].name


def _called(port: Port) -> str:
    """Return a port's name, and the key that --input and --want know it by."""
    return f"{port.name} ({port.key})"


def _looks(info: ModelInfo, key: str) -> str:
    """Say what a run compares an input with."""
    seen = info.stated.seen.get(key)
    if seen is None:
        return "not stated: a run cannot tell an input that is unlike those of training"
    return f"{'; '.join(seen.lines())} ({seen.of}); a run tells an input that is unlike"
