"""What MedM2G says that it makes of what."""

from __future__ import annotations

import pytest

from diffuscope.systems.medm2g.config import MedM2GConfig
from diffuscope.systems.medm2g.declare import declare, declare_slices


@pytest.mark.parametrize("said", [declare, declare_slices])
def test_neither_what_is_given_is_made_nor_how_far_it_spreads(said):
    images = [{"key": key, "name": key.upper(), "modality": "mri"} for key in ("t1", "t2")]
    fast = {"key": "t1_fast", "name": "fast T1", "modality": "mri", "made": False}
    declared = said(MedM2GConfig(images=[*images, fast]))
    keys = {
        given: [port.key for port in declared.made(given.split(","), wanted)]
        for given, wanted in (("t1", ()), ("t1_fast", ()), ("t1,t1_fast", ("t2",)))
    }
    assert keys == {"t1": ["t2", "t2_sd"], "t1_fast": ["t1", "t2", "t1_sd", "t2_sd"], "t1,t1_fast": ["t2", "t2_sd"]}
