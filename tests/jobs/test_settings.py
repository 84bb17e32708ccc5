"""What of a run's settings is stated, and that a new one needs no other place than its field."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from diffuscope.errors import InputError
from diffuscope.jobs.input_text import check_ranges
from diffuscope.jobs.settings import choose_settings
from diffuscope.ports.numbers import Option
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from tests.standins.toy_tiles import Toy


@dataclass(frozen=True, kw_only=True)
class Hotter(SampleSettings):
    """With one parameter more, as it would be added."""

    heat: float = 1.0


class Oven(Toy):
    presets: ClassVar = {"fast": Hotter(sampler="ddim", steps=3)}


def test_what_was_not_set_is_not_stated():
    told = {"sampler": "ddim", "steps": 5, "samples": 1}
    assert SampleSettings(sampler="ddim", steps=5, options={"a": 1.0}, wanted=("ihc",)).stated() == told
    assert Hotter(sampler="ddim", steps=5).stated() == told
    assert Hotter(sampler="ddim", steps=5, heat=2.0).stated() == told | {"heat": 2.0}


def test_a_parameter_more_reaches_the_settings_by_its_name():
    chosen = choose_settings(Oven(), heat=2.0, steps=4)
    assert (chosen.heat, chosen.steps, chosen.stated()["heat"]) == (2.0, 4, 2.0)
    assert choose_settings(Oven(), heat=None) == Oven.presets["fast"]
    with pytest.raises(InputError, match="steps must be at least 1, got 0"):
        choose_settings(Oven(), steps=0)


class Dial(Toy):
    options: ClassVar = (Option(name="Heat", key="heat", default=1.0, range=(0.0, 4.0)),)


@pytest.mark.parametrize("value", ["0.5", True, None])
def test_an_option_or_a_range_that_is_no_number_is_refused(value: object):
    assert choose_settings(Dial(), options={"heat": 2}).options == {"heat": 2}
    with pytest.raises(InputError, match=f"heat must be a number, got {value!r}"):
        choose_settings(Dial(), options={"heat": value})
    port = Raster(name="MR", key="mr", kind="map", channels=("MR",), mpp=0.5, range=(0.0, 1.0), scale="percentile")
    if value is not True:
        with pytest.raises(InputError, match="the range of MR must be two numbers"):
            check_ranges({"mr": (value, 3.0)}, [port])
