"""Cards call a system as its paper does, with the article that its name is read with."""

from __future__ import annotations

import pytest

from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.medm2g.system import MedM2G
from diffuscope.systems.midiffusion.system import MIDiffusion
from diffuscope.systems.mmfusion.system import MMFusion
from diffuscope.training.card import _with_article


@pytest.mark.parametrize(
    ("system", "expected"),
    [(DAMM, "A DAMM"), (MedM2G, "A MedM2G"), (MIDiffusion, "An MIDiffusion"), (MMFusion, "An MMFusion")],
)
def test_a_card_names_the_system(system: type, expected: str):
    assert _with_article(system.__name__) == expected
