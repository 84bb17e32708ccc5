"""A result that an earlier Diffuscope began on a volume is gone on with: that stated less, and rounded otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.resume import check_resumed
from diffuscope.scans.formats.volumes.nifti_forms import forms_of
from diffuscope.scans.lattice import Lattice

DIRECTIONS = ((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))
LATTICE = Lattice((4, 6, 5), (3.0, 1.0, 1.0), (-10.0, 20.0, 30.0), DIRECTIONS)


def record(*, off: float = 0.0, forms: bool = True, fingerprint: str = "a1") -> dict[str, Any]:
    """Return a record whose voxels are `off` mm larger along x."""
    lattice = Lattice(LATTICE.shape, (3.0, 1.0, 1.0 + off), LATTICE.origin, LATTICE.directions)
    about = {
        "name": "v.nii", "fingerprint": fingerprint, "format": "NIfTI", "shape": [4, 6, 5], "mpp": 1000 * (1 + off),
        "mpp_stated": 1000 * (1 + off), "lattice": lattice.to_json(), "storage": {"order": [0, 1, 2]},
        **({"forms": forms_of(lattice).to_json()} if forms else {}),
    }  # fmt: skip
    return {"model": {"hash": "h"}, "inputs": {"ct": about}, "parameters": {"seed": 0}, "compute": {}}


def test_what_was_not_stated_and_what_was_rounded_is_no_other_input():
    for begun in (record(), record(forms=False), record(off=1e-7, forms=False)):
        check_resumed(Path("out"), begun, record())


@pytest.mark.parametrize(
    "begun", [record(off=0.1), record(off=0.1, forms=False), record(fingerprint="b2", forms=False)]
)
def test_another_volume_or_another_place_is(begun):
    with pytest.raises(InputError, match=r"out was begun with input v\.nii"):
        check_resumed(Path("out"), begun, record())


@pytest.mark.parametrize("key", ["name", "mpp", "lattice"])
def test_a_record_that_is_damaged_is_refused_as_one(key: str):
    begun = record(fingerprint="b2")
    begun["inputs"]["ct"][key] = None if key != "lattice" else {}
    del begun["inputs"]["ct"]["name" if key == "mpp" else "format"]
    with pytest.raises(InputError, match=r"out (is damaged|was begun with)"):
        check_resumed(Path("out"), begun, record())
