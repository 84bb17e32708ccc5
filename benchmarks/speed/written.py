"""An OME-TIFF written of a result: speed beside plain tifffile's of the same px, and memory against size.

Pictures are one colour image: the shipped slide mirrored side by side, with its pyramid as a result has it. *Plain* is
tifffile given each level as an array in a mapped file, with the same tiles and compression, and as many threads as it
takes by itself: half of the processors. Both write in turns, and the best of each counts. The exporter reads and
decompresses besides, with all processors: on a busy machine the seconds of processors tell more.
``--side 60000 --rounds 1`` needs 45 GB of disk.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.shared.figures import Goal
from benchmarks.speed._written import ours, plain, write_arrays, write_levels

GOALS = {"speed_beside_tifffile": Goal(low=0.8), "rss_growth_mb": Goal(high=64.0)}


def peak_mb(levels: Path, out: Path) -> float:
    """Return the peak memory of a process that writes by the exporter."""
    line = [sys.executable, "-m", "benchmarks.speed._written", str(levels), str(out)]
    return float(subprocess.run(line, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def measure(*, side: int = 8192, rounds: int = 3) -> dict[str, float]:
    """Write pictures of `side` px, and of a quarter of it for the memory.

    Parameters
    ----------
    side : int
        Px of a side of the larger picture.
    rounds : int
        How often both write.
    """
    with tempfile.TemporaryDirectory() as folder:
        large, small, out = (Path(folder) / name for name in ("large", "small", "out.ome.tif"))
        write_levels(large, side)
        write_levels(small, side // 4)
        arrays = write_arrays(large, Path(folder))
        taken: dict[str, list[tuple[float, float]]] = {"ours": [], "plain": []}
        for _ in range(rounds):
            taken["ours"].append(ours(large, out))
            taken["plain"].append(plain(arrays, out))
        peaks = [peak_mb(one, out) for one in (small, large)]
    best = {name: [min(one[clock] for one in some) for clock in (0, 1)] for name, some in taken.items()}
    return {
        "side": float(side),
        "megapixels_per_second": side * side / best["ours"][0] / 1e6,
        "speed_beside_tifffile": best["plain"][0] / best["ours"][0],
        "processors_beside_tifffile": best["plain"][1] / best["ours"][1],
        "rss_mb": peaks[1],
        "rss_growth_mb": peaks[1] - peaks[0],
    }
