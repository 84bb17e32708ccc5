"""``python -m benchmarks.speed._copy_run SLIDE OUT``: a stand-in system's run, whose memory another process watches."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel
from torch import Tensor

from diffuscope import run
from diffuscope.engine.events import Finished, Started
from diffuscope.model.folder import save_model
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled
from diffuscope.systems.registry import Row, register_system

SLIDE = Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
COPY = Raster(name="copy", key="copy", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))


class Copy(Tiled):
    """Gives back what it gets."""

    inputs, outputs, tile, overlap = (SLIDE,), (COPY,), 288, 32
    presets: ClassVar = {"fast": SampleSettings(sampler="ddim", steps=1)}

    def sample(
        self,
        inputs: Mapping[str, Tensor],
        noise: Noise,  # noqa: ARG002
        settings: SampleSettings,  # noqa: ARG002
    ) -> Generator[Estimate, None, dict[str, Tensor]]:
        """Return the input."""
        yield Estimate(1, 1, {"copy": inputs["he"]})
        return {"copy": inputs["he"]}


class NoConfig(BaseModel):
    """Nothing to configure."""


CARD = dict.fromkeys(("title", "what_it_is", "what_it_is_not", "data", "licence", "trained_on"), "copy")


def copy_run(slide: Path, out: Path) -> None:
    """Run the stand-in over a slide; print the seconds of planning and of running."""
    register_system("copy", Row(config=NoConfig, declare=lambda _: Copy().declared, system=lambda _: Copy()))
    with tempfile.TemporaryDirectory() as folder:
        model = save_model(Path(folder) / "copy", Copy(), "copy", {}, {**CARD, "simulated": True})
        start = time.perf_counter()
        events = run(model, slide, out)
        planned = time.perf_counter() - start
        tiles, seconds = 0, 0.0
        for event in events:
            if isinstance(event, Started):
                tiles = event.tiles
            if isinstance(event, Finished):
                assert event.complete
                seconds = event.seconds
    print(json.dumps({"plan_seconds": planned, "tiles": tiles, "seconds": seconds}))


if __name__ == "__main__":
    copy_run(Path(sys.argv[1]), Path(sys.argv[2]))
