"""A kind of output that is no image is a port and a row: written, read, put in words and exported by it alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from model_card import CARD
from pydantic import BaseModel

import diffuscope
from diffuscope.cli.describe import table
from diffuscope.model.folder import save_model
from diffuscope.ports import state
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Text
from diffuscope.results.beside import others
from diffuscope.results.beside.others import Kind
from diffuscope.systems import registry
from diffuscope.systems.base import Estimate, Whole
from diffuscope.systems.registry import Row, build_system


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Numbers in a row."""

    kind: ClassVar[str] = "curve"
    name: str
    key: str


class Config(BaseModel):
    """Nothing to configure."""


DECLARED = Declaration(
    task="counting",
    inputs=(Text(name="word", key="word"),),
    outputs=(Curve(name="letters", key="letters"),),
    presets={"fast": SampleSettings(sampler="direct", steps=1)},
)


class Count(Whole):
    def sample(self, inputs, noise, settings):
        yield Estimate(1, 1, {})
        return {"letters": torch.tensor([[float(ord(one) - 96)] for one in inputs["word"]])}


def write(folder: Path, given: Mapping[str, Any]) -> None:
    (folder / "curves.json").write_text(json.dumps(dict(given)), encoding="utf-8")


def read(folder: Path, ports: Sequence[Any]) -> dict[str, Any]:
    path = folder / "curves.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return {port.key: found[port.key] for port in ports if port.key in found}


def test_a_port_and_a_row_are_a_kind_of_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    row = Kind(port=Curve, name="curves.json", write=write, read=read, summary=lambda found: f"{len(found)} numbers")
    monkeypatch.setitem(state._KINDS, "curve", Curve)
    monkeypatch.setattr(others, "KINDS", (*others.KINDS, row))
    monkeypatch.setitem(registry._ROWS, "count", Row(Config, lambda _: DECLARED, lambda _: Count(DECLARED)))
    save_model(tmp_path / "count", build_system("count", {}), "count", {}, CARD)
    out = tmp_path / "out.ome.zarr"
    diffuscope.finish(diffuscope.run(tmp_path / "count", {"word": "abc"}, out, device="cpu"))
    result = diffuscope.open_result(out)
    assert result.found == {"letters": [[1.0], [2.0], [3.0]]} and not result.scores and not result.texts
    assert list(table(result)) == ["letters: 3 numbers"]
