"""What a run would refuse is said before it, of the pixels that a layer shows."""

from __future__ import annotations

import numpy as np
import pytest

from diffuscope.jobs.port_checks import Pixels
from diffuscope.model.find import model_info
from diffuscope.plugin.layers.inputs.pixels import refused


@pytest.mark.parametrize(
    ("shape", "mpp", "large"),
    [
        ((64, 64), 4000.0, ""),
        ((100, 80), 4000.0, "32.0 × 40.0"),
        ((100, 80), 2560.0, ""),
        ((101, 80), 2560.0, "20.8 × 26.0"),
        ((100, 80), None, ""),
    ],
)
def test_a_picture_that_is_larger_than_what_a_model_sees_is_told(shape: tuple[int, int], mpp: float | None, large: str):
    [ct] = [port for port in model_info("any-to-any-demo").declared.input_rasters if port.key == "ct"]
    assert ct.mpp * ct.largest == 256_000
    pixels = Pixels(name="a", axes="yx", rgb=False, channels=("a",), dtype=np.dtype(np.float32), shape=shape)
    said = refused(pixels, None, ct, "any-to-any-demo", mpp)
    assert said == (large and f"CT is {large} cm, and this model sees 25.6 × 25.6 cm: crop it to what matters.")
