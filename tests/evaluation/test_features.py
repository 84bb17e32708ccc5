"""The extractors: shape and names of FID's Inception, weights from files and hub, and the stated substitute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.distributions import fid
from diffuscope.evaluation.metrics.features import InceptionFeatures, RandomConvFeatures
from diffuscope.evaluation.metrics.inception import InceptionV3

IMAGES = np.random.default_rng(12).integers(0, 256, (2, 32, 40, 3)).astype(np.uint8)


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Random weights, with the classifier that FID's file has besides."""
    torch.manual_seed(0)
    return InceptionV3().state_dict() | {"fc.weight": torch.zeros(1008, 2048), "fc.bias": torch.zeros(1008)}


@pytest.fixture(scope="module")
def weights(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(state, path)
    return path


def test_the_network_has_torchvision_s_tensors():
    # torchvision's Inception3 without auxiliary head has 23 834 568 parameters, 1000 × 2049 of them the classifier's.
    network = InceptionV3()
    assert sum(parameter.numel() for parameter in network.parameters()) == 23_834_568 - 1000 * 2049
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    assert len(shapes) == 94 * 6
    assert shapes["Conv2d_4a_3x3.conv.weight"] == (192, 80, 3, 3)
    assert shapes["Mixed_6c.branch7x7dbl_4.conv.weight"] == (160, 160, 7, 1)
    assert shapes["Mixed_7c.branch3x3dbl_3b.bn.running_var"] == (384,)


def test_features_and_maps_of_inception(weights: Path):
    extractor = InceptionFeatures(weights)
    features, maps = extractor(IMAGES), extractor.maps(IMAGES)
    assert (features.shape, features.dtype, extractor.dimension) == ((2, 2048), np.float64, 2048)
    assert [m.shape[1:] for m in maps] == [(64, 73, 73), (192, 35, 35), (768, 17, 17), (2048, 8, 8)]
    np.testing.assert_allclose(features, maps[-1].mean(axis=(2, 3)))
    assert extractor.name.startswith("Inception-v3 pool3, weights model.safetensors (SHA-256 ")


def test_average_pools_leave_the_padding_out_and_the_last_block_takes_the_maximum(state: dict[str, Tensor]):
    network = InceptionV3()
    ones = torch.ones(1, 1, 3, 3)
    for block, inputs in ((network.Mixed_5b, 192), (network.Mixed_6b, 768), (network.Mixed_7b, 1280)):
        pooled: list[Tensor] = []
        block.branch_pool.register_forward_pre_hook(lambda _, x, pooled=pooled: pooled.append(x[0]))
        block(ones.expand(1, inputs, 3, 3))
        assert (pooled[0] == 1).all()
    block = network.Mixed_7c
    block.branch_pool.register_forward_pre_hook(lambda _, x: pooled.append(x[0]))
    x = torch.zeros(1, 2048, 3, 3)
    x[..., 1, 1] = 5.0
    block(x)
    assert (pooled[-1] == 5).all()


def test_pytorch_fid_s_file_is_read_without_running_code(state: dict[str, Tensor], weights: Path, tmp_path: Path):
    # Older files have no counters.
    old = {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "pt_inception.pth")
    np.testing.assert_array_equal(
        InceptionFeatures(tmp_path / "pt_inception.pth")(IMAGES[:1]), InceptionFeatures(weights)(IMAGES[:1])
    )

    class Code:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"fc.weight": Code()}, tmp_path / "evil.pth")
    with pytest.raises(InputError, match="no weights that can be read safely"):
        InceptionFeatures(tmp_path / "evil.pth")


def test_weights_from_the_hub(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import huggingface_hub

    snapshot = tmp_path / "models--lab--fid" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(weights)
    (tmp_path / "models--lab--fid" / "refs").mkdir()
    (tmp_path / "models--lab--fid" / "refs" / "main").write_text("0" * 40)
    fetch = huggingface_hub.snapshot_download

    def offline(address: str, **options):
        return fetch(address, cache_dir=tmp_path, local_files_only=True, **options)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    np.testing.assert_array_equal(InceptionFeatures("hub:lab/fid")(IMAGES[:1]), InceptionFeatures(weights)(IMAGES[:1]))
    # No substitute in silence.
    with pytest.raises(InputError, match="lab/other could not be fetched"):
        InceptionFeatures("hub:lab/other")


def test_other_weights_are_refused(state: dict[str, Tensor], tmp_path: Path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="there are no weights to read"):
        InceptionFeatures(path)
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="no weights that can be read safely"):
        InceptionFeatures(path)
    save_file(state | {"fc.weight": torch.zeros(1000, 2048)}, path)
    with pytest.raises(InputError, match="torchvision's Inception, not FID's"):
        InceptionFeatures(path)
    save_file({key: value for key, value in state.items() if key != "Mixed_6a.branch3x3.bn.bias"}, path)
    with pytest.raises(InputError, match=r"lacks tensor Mixed_6a\.branch3x3\.bn\.bias"):
        InceptionFeatures(path)
    save_file(state | {"Conv2d_1a_3x3.conv.weight": torch.zeros(32, 1, 3, 3)}, path)
    with pytest.raises(InputError, match=r"Conv2d_1a_3x3\.conv\.weight is \(32, 1, 3, 3\)"):
        InceptionFeatures(path)


def test_the_substitute_says_what_it_is_and_is_the_same_everywhere():
    extractor = RandomConvFeatures()
    assert extractor.name == "random-conv features, not Inception: only comparable with themselves"
    ramp = np.arange(16 * 16 * 3).reshape(1, 16, 16, 3).astype(np.uint8)
    features = extractor(ramp)
    assert features.shape == (1, extractor.dimension)
    # From the first run: other weights would make stored values incomparable.
    assert features[0, [0, 100, 300, 511]] == pytest.approx([0.48437331, 0.16330739, 0.11254493, 0.05146447], abs=1e-7)
    assert [m.shape[1:] for m in extractor.maps(IMAGES)] == [(32, 32, 40), (64, 16, 20), (64, 8, 10), (96, 4, 5)]


def test_the_substitute_tells_textures_and_colours_apart(rng: np.random.Generator):
    extractor = RandomConvFeatures()
    noise = rng.integers(0, 256, (40, 16, 16, 3)).astype(np.uint8)
    same = fid(extractor(noise[:20]), extractor(noise[20:]))
    assert fid(extractor(noise[:20]), extractor(noise[20:] // 2)) > 3 * same
    blurred = (noise[20:] // 2 + np.roll(noise[20:], 1, axis=1) // 2).astype(np.uint8)
    assert fid(extractor(noise[:20]), extractor(blurred)) > 3 * same


def test_features_are_of_8_bit_rgb_alone():
    extractor = RandomConvFeatures()
    for images in (IMAGES / 255, IMAGES[0], IMAGES[..., :1], IMAGES[:0]):
        with pytest.raises(InputError, match="8-bit RGB"):
            extractor.maps(images)
    with pytest.raises(InputError, match="need 8 px a side"):
        extractor(IMAGES[:, :7])
