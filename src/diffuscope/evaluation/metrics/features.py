"""What sets of images are compared by: feature extractors, FID's Inception and a stated substitute without weights.

Nothing here falls back on anything: whoever has no Inception weights asks for `RandomConvFeatures` by name, and the
name that goes with its values says what they are.
"""

from __future__ import annotations

import hashlib
import pickle
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics import inception
from diffuscope.model.find import HUB, WEIGHTS, fetch

# Images that go through a network at once.
_BATCH = 16


class FeatureExtractor(Protocol):
    """Turns images into vectors and maps that distances between images are taken of.

    Attributes
    ----------
    name : str
        Goes with every value: what extractor, what weights.
    dimension : int
        Numbers per image.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def dimension(self) -> int: ...  # noqa: D102

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return features (n, dimension) of RGB images (n, h, w, 3)."""
        ...

    def maps(self, images: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """Return the maps (n, c, h', w') of every layer that a perceptual distance looks at, finest first."""
        ...


class InceptionFeatures:
    """The 2048 numbers of Inception's last pool, as FID takes them.

    Images are brought to 299 × 299 px as by pytorch-fid: bilinear, without a filter before, so that large images alias
    (Parmar et al. 2022); tiles up to about 299 px do not.

    Parameters
    ----------
    weights : str or Path
        A safetensors file; pytorch-fid's ``pt_inception-2015-12-05-6726825d.pth`` (read without running code); or
        ``"hub:owner/name"``, a repository of the Hugging Face Hub that holds them as ``model.safetensors``.
    device : str
        Where it runs.

    Raises
    ------
    InputError
        The weights cannot be had or read, are another network's, or are torchvision's instead of FID's.
    """

    dimension = inception.DIMENSION

    def __init__(self, weights: str | Path, *, device: str = "cpu") -> None:
        path = _weights_file(weights)
        network = inception.InceptionV3()
        network.load_state_dict(_fid_state(path, network.state_dict()))
        self._network = network.to(device)
        self._device = device
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        self.name = f"Inception-v3 pool3, weights {path.name} (SHA-256 {digest[:8]}…)"

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return pool3 (n, 2048) of RGB images (n, h, w, 3)."""
        batches = [images[i : i + _BATCH] for i in range(0, len(images), _BATCH)]
        return np.concatenate([self.maps(batch)[-1].mean(axis=(2, 3)) for batch in batches])

    def maps(self, images: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """Return maps of 64, 192, 768 and 2048 channels, 73, 35, 17 and 8 px a side."""
        x = _tensor(images).to(self._device)
        x = F.interpolate(x, size=(inception.SIDE, inception.SIDE), mode="bilinear", align_corners=False)
        with torch.inference_mode():
            return [_array(layer) for layer in self._network(2 * x - 1)]


class RandomConvFeatures:
    """Means and standard deviations of the maps of a convolutional network that was never trained.

    The substitute where there are no Inception weights. Random filters at four scales tell colours and textures apart,
    not what a pathologist sees: the values rank what differs grossly, and are comparable only with themselves.
    Weights are He's (2015), drawn by numpy from a fixed seed, in float64: the same on every machine.
    """

    name = "random-conv features, not Inception: only comparable with themselves"
    dimension = 512

    _CHANNELS = (3, 32, 64, 64, 96)
    _SMALLEST = 8

    def __init__(self) -> None:
        rng = np.random.default_rng(2015)
        self._filters = [
            torch.from_numpy(rng.normal(scale=sqrt(2 / (9 * inputs)), size=(outputs, inputs, 3, 3)))
            for inputs, outputs in pairwise(self._CHANNELS)
        ]

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return features (n, 512) of RGB images (n, h, w, 3), at least 8 px a side."""
        found = []
        for i in range(0, len(images), _BATCH):
            layers = self.maps(images[i : i + _BATCH])
            found.append(np.concatenate([f(x, axis=(2, 3)) for x in layers for f in (np.mean, np.std)], axis=1))
        return np.concatenate(found)

    def maps(self, images: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
        """Return maps of 32, 64, 64 and 96 channels, at every, every second, fourth and eighth px."""
        x = 2 * _tensor(images, smallest=self._SMALLEST).double() - 1
        layers = []
        for scale, filters in enumerate(self._filters):
            x = F.relu(F.conv2d(F.avg_pool2d(x, 2) if scale else x, filters, padding=1))
            layers.append(_array(x))
        return layers


def _tensor(images: NDArray[np.uint8], *, smallest: int = 1) -> Tensor:
    """Return images (n, h, w, 3) as float32 (n, 3, h, w) in [0, 1]."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3 or min(images.shape[:3]) < 1:
        raise InputError(f"features are of 8-bit RGB images (n, h, w, 3), not of {images.dtype} {images.shape}.")
    if min(images.shape[1:3]) < smallest:
        raise InputError(f"images of {images.shape[1:3]} px are too small: these features need {smallest} px a side.")
    return torch.from_numpy(images.astype(np.float32)).permute(0, 3, 1, 2) / 255


def _array(maps: Tensor) -> NDArray[np.float64]:
    return np.asarray(maps.double().cpu().numpy())


def _weights_file(weights: str | Path) -> Path:
    text = str(weights)
    return fetch(text.removeprefix(HUB), [WEIGHTS]) / WEIGHTS if text.startswith(HUB) else Path(weights)


def _fid_state(path: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Read the file; refuse any tensor that is missing, unknown or of another shape. The classifier is left out."""
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pth" else load_file(path)
    except OSError as error:
        raise InputError(f"there are no weights to read at {path}: name a .safetensors or .pth file.") from error
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise InputError(f"{path} holds no weights that can be read safely: fetch it again.") from error
    if "fc.weight" in stored and len(stored["fc.weight"]) != 1008:
        raise InputError(f"{path} holds torchvision's Inception, not FID's (1008 classes): values would not be FID.")
    state = {key: value for key, value in stored.items() if not key.startswith("fc.")}
    # Older files lack these counters, which only training reads.
    counters = {key: value for key, value in expected.items() if key.endswith("num_batches_tracked")}
    state = counters | state
    for key in sorted(state.keys() ^ expected.keys()):
        fault = "lacks" if key in expected else "has an unknown"
        raise InputError(f"{path} is not FID's Inception: it {fault} tensor {key}.")
    for key, value in expected.items():
        if state[key].shape != value.shape:
            raise InputError(
                f"{path} is not FID's Inception: {key} is {tuple(state[key].shape)}, not {tuple(value.shape)}."
            )
    return state
