"""``python -m benchmarks.speed._copy_run SLIDE OUT``: a stand-in system's run, whose memory another process watches."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch

from torch import Tensor

from diffuscope import run
from diffuscope.engine.events import Finished, Started
from diffuscope.model.folder import Model
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.systems.base import Estimate, Noise, Tiled

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

    def loss(self, batch: Mapping[str, Tensor], generator: Any) -> dict[str, Tensor]:
        """Nothing is learned."""
        raise NotImplementedError


def copy_run(slide: Path, out: Path) -> None:
    """Run the stand-in over a slide; print the seconds of planning and of running."""
    stated: Any = SimpleNamespace(card=SimpleNamespace(title="copy"), sha256="")
    model = Model("copy", Copy(), slide, stated)
    with patch("diffuscope.jobs.prepare.load_model", lambda _: model):
        start = time.perf_counter()
        events = run("copy", slide, out)
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
