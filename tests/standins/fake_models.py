"""Models that a dock can choose, without weights: their runs are those of `fake_verbs`."""

from __future__ import annotations

from diffuscope.plugin.layers.facts import ModelFacts
from diffuscope.ports.raster import Raster


def _model(name: str) -> ModelFacts:
    port = Raster(name="H&E", key="he", kind="rgb", channels=("R", "G", "B"), mpp=0.5, range=(0.0, 255.0))
    return ModelFacts(
        name=name,
        title=name,
        what_it_is="",
        what_it_is_not="",
        task="virtual staining",
        inputs=(port,),
        presets={"fast": ("ddim", 1)},
    )


#: Three models by what their runs do.
MODELS = [_model(name) for name in ("quick", "endless", "crashing")]
