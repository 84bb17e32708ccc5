"""What MedM2G declares: every key may go in, and come out."""

from __future__ import annotations

from diffuscope.diffusion.names import SAMPLERS
from diffuscope.ports.declaration import Declaration
from diffuscope.ports.numbers import Option
from diffuscope.ports.raster import Raster
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.text import Text
from diffuscope.systems.medm2g.config import REPORT, ImageConfig, MedM2GConfig

#: Ends the key of the map that says how far the samples of an image differ.
SPREAD = "_sd"
#: Key of the option that says whether what is made at once guides each other, where something is given.
TOGETHER = "together"
#: Key of the option that says how many reports are drafted.
DRAFTS = "drafts"
_PRESETS = {
    "fast": SampleSettings(sampler="dpmsolver++", steps=20),
    "reference": SampleSettings(sampler="ddim", steps=50),
}


def declare(config: MedM2GConfig) -> Declaration:
    """Return what goes in and comes out of a case: any of text and pictures."""
    text: tuple[Text, ...] = ()
    if config.text is not None:
        known = _words(config.text.vocabulary.words)
        # one piece is the end
        text = (Text(name="report", key=REPORT, required=False, words=known, most_words=config.text.longest - 1),)
    made = (Text(name="generated report", key=REPORT),) if config.text is not None else ()
    images = tuple(_raster(config, image, volumes=False) for image in config.images)
    return Declaration(
        task="text and images",
        inputs=(*text, *images),
        outputs=(*_outputs(config, volumes=False), *made),
        any_of=((*(port.key for port in text), *(port.key for port in images)),),
        presets=_PRESETS,
        samplers=SAMPLERS,
        options=(*_options(config), *(_drafts() if config.text is not None else ())),
        canvas=(config.size, config.size),
        patch=config.size,
    )


def declare_slices(config: MedM2GConfig) -> Declaration:
    """Return what goes in and comes out slice by slice, over volumes: images alone."""
    images = tuple(_raster(config, image, volumes=True) for image in config.images)
    return Declaration(
        task="modality translation",
        inputs=images,
        outputs=_outputs(config, volumes=True),
        any_of=(tuple(port.key for port in images),),
        presets=_PRESETS,
        samplers=SAMPLERS,
        options=_options(config),
        tile=config.size,
        overlap=config.size // 4,
        patch=config.size,
    )


def _words(pieces: tuple[str, ...]) -> tuple[str, ...]:
    """Return the pieces that are words as a whole, and no part or mark of one."""
    return tuple(piece for piece in pieces if piece.isalpha() and len(piece) > 1)


def _options(config: MedM2GConfig) -> tuple[Option, ...]:
    return (
        Option(
            name="guidance",
            key="guidance",
            default=config.guidance,
            range=(0.0, 20.0),
            about="How strongly what is given steers what is made; 1 is the model as it was trained, 0 ignores it.",
        ),
        Option(
            name="fresh noise (η)",
            key="eta",
            default=1.0,
            range=(0.0, 1.0),
            about="Fresh noise at each step of the ddim sampler; 0 is none.",
        ),
        Option(
            name="guide each other",
            key=TOGETHER,
            default=0.0,
            range=(0.0, 1.0),
            about="1: what is made at once is guided by the others on their way as well as by what is given; 0: by "
            "what is given alone. Where nothing is given it makes no difference.",
        ),
    )


def _drafts() -> tuple[Option, ...]:
    return (
        Option(
            name="drafts of the report",
            key=DRAFTS,
            default=32.0,
            range=(1.0, 256.0),
            about="Reports that are drafted where nothing else is made from images; the one that fits the images best, "
            "by the encoders that were aligned, is shown. 1 is the paper's way.",
        ),
    )


def _spacing(config: MedM2GConfig) -> tuple[None, float, float]:
    """Slices as they come, at the model's size of a px."""
    return None, config.mpp / 1000, config.mpp / 1000


def _raster(config: MedM2GConfig, image: ImageConfig, *, volumes: bool) -> Raster:
    return Raster(
        name=image.name,
        key=image.key,
        kind="map",
        channels=(image.name,),
        mpp=config.mpp,
        range=image.range,
        dtype="float32",
        unit=image.unit,
        spacing=_spacing(config) if volumes else None,
        scale=image.scale,
        required=False,
        largest=0 if volumes else config.size,
    )


def _outputs(config: MedM2GConfig, *, volumes: bool) -> tuple[Raster, ...]:
    images = [image for image in config.images if image.made]
    made = [_made(config, image, volumes=volumes) for image in images]
    spread = [
        Raster(
            name=f"uncertainty of {image.name}",
            key=f"{image.key}{SPREAD}",
            of=image.key,
            kind="map",
            channels=("uncertainty",),
            mpp=config.mpp,
            range=(0.0, (image.range[1] - image.range[0]) / 4),
            dtype="float32",
            unit=image.unit,
            colormap="magma",
            spacing=_spacing(config) if volumes else None,
        )
        for image in images
    ]
    return (*made, *spread)


def _made(config: MedM2GConfig, image: ImageConfig, *, volumes: bool) -> Raster:
    return Raster(
        name=f"generated {image.name}",
        key=image.key,
        kind="map",
        channels=(image.name,),
        mpp=config.mpp,
        range=image.range,
        dtype="float32",
        unit=image.unit,
        spacing=_spacing(config) if volumes else None,
        scale=image.scale,
    )
