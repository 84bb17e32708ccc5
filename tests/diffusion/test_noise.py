"""Noise: Philox against its published vectors, normals against NumPy, and one value a place."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from diffuscope.diffusion import noise as noise_module
from diffuscope.diffusion.noise import TileNoise, normal, philox, words

STREAM = {"seed": 7, "port": "ihc", "sample": 1, "step": 3}


# Random123's kat_vectors for philox4x32-10: counter, key, result.
@pytest.mark.parametrize(
    ("counter", "key", "result"),
    [
        ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
        ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
        ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ],
)
def test_philox_gives_the_published_words(counter: str, key: str, result: str):
    words_in = [torch.tensor(int(word, 16)) for word in counter.split()]
    first, second = (int(word, 16) for word in key.split())
    assert [int(word) for word in philox(words_in, (first, second))] == [int(word, 16) for word in result.split()]


def test_philox_agrees_with_numpy_over_a_window():
    """NumPy's Philox is the 64-bit one, so the 32-bit rounds are written out in NumPy's unsigned integers instead."""
    bits = words(**STREAM, channels=4, y=-2, x=5, height=4, width=3).numpy()[0]
    digest = hashlib.blake2b(repr((7, "ihc", 1, 3)).encode(), digest_size=8).digest()
    k0, k1 = (int.from_bytes(digest[i : i + 4], "little") for i in (0, 4))
    for i in range(4):
        for j in range(3):
            c = [5 + j, (i - 2) % 2**32, 0, 0]
            for r in range(10):
                p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
                a, b = (k0 + r * 0x9E3779B9) % 2**32, (k1 + r * 0xBB67AE85) % 2**32
                c = [(p1 >> 32) ^ c[1] ^ a, p1 % 2**32, (p0 >> 32) ^ c[3] ^ b, p0 % 2**32]
            assert bits[:, i, j].tolist() == c


def test_normals_are_box_muller_of_the_words():
    place = {"y": 100, "x": 200, "height": 16, "width": 24}
    bits = words(**STREAM, channels=6, **place).numpy().astype(np.float64)
    u = (bits // 2**8 + 0.5) / 2**24
    expected = []
    for block in u:
        for a, b in ((block[0], block[1]), (block[2], block[3])):
            expected += [
                np.sqrt(-2 * np.log(a)) * np.cos(2 * np.pi * b),
                np.sqrt(-2 * np.log(a)) * np.sin(2 * np.pi * b),
            ]
    found = normal(**STREAM, channels=6, **place)
    assert found.shape == (6, 16, 24)
    np.testing.assert_allclose(found.numpy(), np.stack(expected[:6]), atol=4e-6)


def test_the_largest_and_the_smallest_word_give_numbers(monkeypatch):
    for word in (0, 2**32 - 1):
        monkeypatch.setattr(noise_module, "words", lambda word=word, **_: torch.full((1, 4, 2, 2), word))
        drawn = normal(**STREAM, channels=4, y=0, x=0, height=2, width=2)
        assert drawn.isfinite().all()
        assert drawn.abs().max() <= 5.9


def test_normals_are_standard_and_independent():
    noise = normal(**STREAM, channels=8, y=0, x=0, height=256, width=256).double().numpy()
    assert stats.kstest(noise.ravel()[::7], "norm").pvalue > 1e-3
    correlation = np.corrcoef(noise.reshape(8, -1))
    assert np.abs(correlation - np.eye(8)).max() < 5 / 256
    for shift in ((0, 1), (1, 0)):
        rolled = np.roll(noise, shift, axis=(1, 2))
        assert abs((noise * rolled).mean()) < 5 / np.sqrt(noise.size)


@settings(max_examples=30)
@given(
    y=st.integers(-300, 70_000), x=st.integers(-300, 70_000), dy=st.integers(0, 9), dx=st.integers(0, 9),
    h=st.integers(1, 9), w=st.integers(1, 9), channels=st.integers(1, 9),
)  # fmt: skip
def test_a_place_has_the_same_noise_in_whatever_window(y, x, dy, dx, h, w, channels):
    whole = normal(**STREAM, channels=9, y=y, x=x, height=dy + h, width=dx + w)
    part = normal(**STREAM, channels=channels, y=y + dy, x=x + dx, height=h, width=w)
    torch.testing.assert_close(part, whole[:channels, dy:, dx:], rtol=0, atol=0)


@pytest.mark.parametrize("other", [{"seed": 8}, {"port": "segmentation"}, {"sample": 0}, {"step": 4}, {"z": 1}])
def test_each_part_of_the_key_makes_other_noise(other):
    place = {"channels": 1, "y": 0, "x": 0, "height": 64, "width": 64}
    one, two = normal(**STREAM, **place), normal(**(STREAM | other), **place)
    assert abs((one * two).mean()) < 5 / 64


@settings(max_examples=30)
@given(
    z=st.integers(-9, 400), y=st.integers(-300, 700), x=st.integers(-300, 700), dz=st.integers(0, 5),
    dy=st.integers(0, 5), dx=st.integers(0, 5), d=st.integers(1, 5), h=st.integers(1, 5), w=st.integers(1, 5),
)  # fmt: skip
def test_a_voxel_has_the_same_noise_in_whatever_window(z, y, x, dz, dy, dx, d, h, w):
    whole = normal(**STREAM, channels=5, z=z, y=y, x=x, depth=dz + d, height=dy + h, width=dx + w)
    assert whole.shape == (5, dz + d, dy + h, dx + w)
    part = normal(**STREAM, channels=5, z=z + dz, y=y + dy, x=x + dx, depth=d, height=h, width=w)
    torch.testing.assert_close(part, whole[:, dz:, dy:, dx:], rtol=0, atol=0)
    plane = normal(**STREAM, channels=5, z=z + dz, y=y, x=x, height=dy + h, width=dx + w)
    torch.testing.assert_close(plane, whole[:, dz], rtol=0, atol=0)


def test_a_volume_s_first_plane_has_the_noise_of_a_slide():
    place = {"channels": 3, "y": 5, "x": 6, "height": 8, "width": 9}
    volume = normal(**STREAM, **place, depth=2)
    torch.testing.assert_close(volume[:, 0], normal(**STREAM, **place), rtol=0, atol=0)


def test_normals_are_independent_from_slice_to_slice():
    noise = normal(**STREAM, channels=1, y=0, x=0, depth=64, height=32, width=32).double().numpy()[0]
    assert stats.kstest(noise.ravel()[::7], "norm").pvalue > 1e-3
    assert abs((noise * np.roll(noise, 1, axis=0)).mean()) < 5 / np.sqrt(noise.size)


def test_a_batch_has_each_tile_s_own_noise():
    places = [(0, 0), (40, 24)]
    noise = TileNoise(7, places, 32, 48, torch.device("cpu"))
    batch = noise("ihc", sample=1, step=3, channels=3)
    for found, (y, x) in zip(batch, places, strict=True):
        expected = normal(**STREAM, channels=3, y=y, x=x, height=32, width=48)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_batch_of_a_volume_has_each_tile_s_own_noise():
    places = [(0, 0, 0), (5, 40, 24)]
    for depth in (None, 4):
        batch = TileNoise(7, places, 16, 24, depth=depth)("ihc", sample=1, step=3, channels=3)
        for found, (z, y, x) in zip(batch, places, strict=True):
            expected = normal(**STREAM, channels=3, z=z, y=y, x=x, depth=depth, height=16, width=24)
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_noise_of_a_coarser_grid_is_keyed_by_its_own_places():
    tiles = TileNoise(7, [(8, 16), (16, 16)], 16, 24)
    coarse = tiles("ihc", sample=1, step=3, channels=3, every=4)
    assert coarse.shape == (2, 3, 4, 6)
    expected = [normal(**STREAM, channels=3, y=y, x=4, height=4, width=6) for y in (2, 4)]
    assert torch.equal(coarse, torch.stack(expected))
    # where the tiles overlap they agree
    assert torch.equal(coarse[0, :, 2:], coarse[1, :, :2])
    with pytest.raises(ValueError, match="do not lie on a grid of 5 px"):
        tiles("ihc", sample=0, step=0, channels=1, every=5)


def test_torch_accepts_the_registration():
    places = torch.tensor([[0, 0, 0], [5, -3, 70_000]])
    arguments = (places, 7, "ihc", 1, 3, 3, 2, 8, 8)
    torch.library.opcheck(torch.ops.diffuscope.tile_normal, arguments, test_utils=("test_schema", "test_faketensor"))


_IN_THE_INTERPRETER = """
import torch
from diffuscope.diffusion.noise import key_of, normal, words
from diffuscope.diffusion.noise_kernel import draw
stream = dict(seed=7, port="ihc", sample=1, step=3)
places = [(0, 0, 0), (5, -3, 70_000), (2**32 - 1, 8, 16)]
for channels in (1, 2, 3, 4, 6, 7):
    for depth in (1, 3):
        window = stream | dict(channels=channels, depth=depth, height=8, width=11)
        there = [dict(z=z, y=y, x=x) for z, y, x in places]
        size = torch.tensor(places), key_of(**stream), depth, 8, 11
        bits = draw(size[0], size[1], 4 * (-(-channels // 4)), *size[2:], normal=False)
        assert torch.equal(bits, torch.stack([words(**window, **at).flatten(0, 1) for at in there]))
        found = draw(size[0], size[1], channels, *size[2:])
        expected = torch.stack([normal(**window, **at) for at in there])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="there is no Triton")
def test_the_kernel_has_the_same_words_and_normals_in_triton_s_interpreter():
    # In a process of its own: Triton reads the variable when it is imported.
    subprocess.run([sys.executable, "-c", _IN_THE_INTERPRETER], check=True, env=os.environ | {"TRITON_INTERPRET": "1"})
