"""``python -m benchmarks.speed._logged_run OUT LOG WORKERS REGION``: a run that logs its tiles, for another to kill."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from diffuscope import DEMO_MODEL, DEMO_SLIDE, run
from diffuscope.engine import tiles as engine
from diffuscope.results.computed import Computed
from diffuscope.sample_data import sample_path


def logged_run(out: Path, log: Path, workers: int | None, region: str) -> None:
    """Go on with a run, and log the place of every tile when it is computed."""
    put = engine._Writer.put

    def logged(self: object, item: Computed) -> None:
        with log.open("a") as file:
            file.write(" ".join(map(str, item.tile.index)) + "\n")
        put(self, item)

    with patch.object(engine._Writer, "put", logged):
        for _ in run(
            DEMO_MODEL,
            sample_path(DEMO_SLIDE),
            out,
            region=region,
            steps=2,
            workers=workers,
            resume=True,
        ):
            pass


if __name__ == "__main__":
    logged_run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) or None, sys.argv[4])
