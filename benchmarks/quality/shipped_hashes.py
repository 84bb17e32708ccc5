"""Whether every shipped model gives the pixels that it gave before the house was rebuilt: hashes of small runs.

Runs in fp32 by one thread, tile by tile. Last bits depend on the processor and on the versions of the libraries: where
another machine finds others, the same table made there at the older commit tells more than the stored one.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from benchmarks.shared.figures import Goal
from diffuscope import finish, run
from diffuscope.sample_data import sample_path

# Made at commit 6b9f9af, on an Intel CPU with AVX-512 and bf16, torch 2.13.0; those of both stains with
# their weights of today, on an AMD CPU.
STORED = Path(__file__).with_name("shipped_hashes.json")
GOALS = {"changed": Goal(high=0.0)}

_CMU, _PLACE = "CMU-1-Small-Region.svs", {"region": "800,640,256,256"}
_SLICE = {"slices": "20:21", "steps": 6}
_CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "stain-cd3-demo": (_CMU, _PLACE),
    "stain-ck818-demo": (_CMU, _PLACE),
    "nanoparticles-demo": ("tumour-simulated.ome.tif", {"region": "64,64,128,128"}),
    "ms-flair-demo": (
        {"t1": "head-patient19-T1.nii.gz", "t2": "head-patient19-T2.nii.gz"},
        {"slices": "20:22"},
    ),
    "t1-to-flair-ms": ("head-patient19-T1.nii.gz", _SLICE),
    "flair-to-t1-ms": ("head-patient19-FLAIR.nii.gz", _SLICE),
    "mr-to-ct-sarcoma": ("sarcoma-STS_010-MR.nii.gz", {"slices": "5:6", "steps": 6}),
    "ct-to-mr-sarcoma": ("sarcoma-STS_010-CT.nii.gz", {"slices": "5:6", "steps": 6}),
}


def measure() -> dict[str, float]:
    """Run every shipped model, print the hashes, and count those that are not the stored ones."""
    stored = json.loads(STORED.read_text(encoding="utf-8"))
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (source, more) in _CASES.items():
            out = Path(folder) / f"{name}.ome.zarr"
            files = _files(source)
            finish(run(name, files, out, seed=3, device="cpu", precision="fp32", threads=1, batch=1, **more))
            found[name] = digest(out)
            print(f"{name:<20} {found[name]} {'as before' if found[name] == stored[name] else 'OTHERWISE'}")
    return {"models": len(found), "changed": sum(found[name] != stored[name] for name in found)}


def digest(result: Path) -> str:
    """Return the SHA-256 of the arrays of a result: images at every level, values, tissue.

    Where something was computed (``coverage``) is left out: it says nothing of pixels, and older results have none.
    """
    total = hashlib.sha256()
    paths = {str(file.parent.relative_to(result)) for file in result.rglob(".zarray")}
    for path in sorted(paths - {"coverage"}):
        array: Any = zarr.open_array(result / path, mode="r")
        total.update(path.encode())
        total.update(np.ascontiguousarray(array[...]).tobytes())
    return total.hexdigest()


def _files(source: str | Mapping[str, str]) -> Any:
    if isinstance(source, str):
        return sample_path(source)
    return {key: sample_path(name) for key, name in source.items()}
