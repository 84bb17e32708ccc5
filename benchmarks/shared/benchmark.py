"""A benchmark as its source shows it: what it measures and the options that it takes, read without importing it.

Every module of ``benchmarks/speed`` and ``benchmarks/quality`` whose name has no underscore in front is one. It has a
docstring, whose first line says what is measured; a function ``measure``, whose parameters are the options on the
command line and which returns figures by key; and ``GOALS``, the bounds of some of them. What it imports (torch, Qt)
is waited for when it runs, and neither for the list of all nor for ``--help``.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.shared.figures import Goals

ROOMS = ("speed", "quality")
_TYPES: Mapping[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float, "Path": Path}


@dataclass(frozen=True)
class Benchmark:
    """A module that measures something.

    Attributes
    ----------
    name : str
        As it is asked for.
    file : Path
        Its source.
    """

    name: str
    file: Path

    @cached_property
    def _source(self) -> ast.Module:
        return ast.parse(self.file.read_text(encoding="utf-8"))

    @property
    def about(self) -> str:
        """Its docstring."""
        return ast.get_docstring(self._source) or ""

    @property
    def first_line(self) -> str:
        """What it measures."""
        return self.about.partition("\n")[0]

    @property
    def module(self) -> str:
        """Dotted name."""
        return f"benchmarks.{self.file.parent.name}.{self.name}"

    @property
    def parser(self) -> argparse.ArgumentParser:
        """What reads its options."""
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks {self.name}",
            description=self.about,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.add_argument("--json", type=Path, metavar="FILE", help='write {"figures": {key: number}}')
        for flag, options in self._options():
            parser.add_argument(flag, **options)
        return parser

    def measure(self, options: Mapping[str, Any]) -> tuple[Mapping[str, float], Goals]:
        """Import it and measure: figures by key, and the goals of some."""
        module = import_module(self.module)
        return module.measure(**options), module.GOALS

    def _options(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name or flag, and what else argparse wants to know, of each parameter of `measure`."""
        [measure] = [one for one in self._source.body if isinstance(one, ast.FunctionDef) and one.name == "measure"]
        about = _parameters(ast.get_docstring(measure) or "")
        needed = measure.args.args
        for one in needed:
            yield one.arg, {"help": about.get(one.arg), **_kind(one)}
        for one, given in zip(measure.args.kwonlyargs, measure.args.kw_defaults, strict=True):
            default = None if given is None else ast.literal_eval(given)
            known = f"{about.get(one.arg, '')} (default: {default})" if default else about.get(one.arg)
            yield f"--{one.arg.replace('_', '-')}", {"help": known, "default": default, **_kind(one)}


def find() -> dict[str, Benchmark]:
    """Return all that there are, by name: those of speed, then those of quality."""
    root = Path(__file__).parents[1]
    files = [file for room in ROOMS for file in sorted((root / room).glob("[!_]*.py"))]
    return {file.stem: Benchmark(file.stem, file) for file in files}


def _kind(parameter: ast.arg) -> dict[str, Any]:
    """Return how argparse reads what a parameter is annotated with."""
    assert parameter.annotation is not None
    written = ast.unparse(parameter.annotation).removesuffix(" | None")
    if written == "bool":
        return {"action": "store_true"}
    if isinstance(parameter.annotation, ast.Subscript) and written.startswith("Literal["):
        some = ast.literal_eval(parameter.annotation.slice)
        return {"choices": some if isinstance(some, tuple) else (some,)}
    return {"type": _TYPES[written]}


def _parameters(docstring: str) -> dict[str, str]:
    """Return what a numpydoc docstring says of each parameter."""
    _, _, section = docstring.partition("Parameters\n----------\n")
    found = re.findall(r"^(\w+) : .*\n((?:    .*\n?)+)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in found}
