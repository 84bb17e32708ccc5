"""The teacher's truth on tiles that no training saw, and how near a picture comes to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import lab2rgb, rgb2lab

from benchmarks.shared.places import RECIPES
from benchmarks.shared.slide import sample, takes_normalised, teacher_sample
from diffuscope.evaluation.metrics.paired import psnr, ssim
from diffuscope.measurement.dab import area_error_percent, dice
from diffuscope.model.folder import Model
from diffuscope.ports.settings import SampleSettings
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.sources import BLOCK, Pair, Restaining, held_out, make_pairs
from diffuscope.simulation.restaining.teacher import SourceSample, Stain, paint
from diffuscope.stains import dab_density
from diffuscope.training.recipe import Recipe, load_recipe

#: OD above which a pixel counts as positive, for the teacher and for every method: fixed on the training slides.
THRESHOLD = 0.2
NEAR = 10.0  # µm
MPP = 0.5
TILES = 24
SAMPLED_AT_ONCE = 4
COLUMNS = ("psnr_db", "ssim", "psnr_db_near", "dab_od_error", "area_error_percent", "dice")


@dataclass(frozen=True, kw_only=True)
class Tiles:
    """Tiles of one set or slide that no training saw, with their truth.

    Attributes
    ----------
    name : str
        Of the set.
    places : list of (y, x)
        Upper left corners, px.
    he, ihc : ndarray of shape (n, h, w, 3)
        uint8 input, as it was scanned, and truth.
    dab : ndarray of shape (n, h, w)
        DAB of the truth, OD.
    """

    name: str
    places: list[tuple[int, int]]
    he: NDArray[np.uint8]
    ihc: NDArray[np.uint8]
    dab: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class HeldOut(Tiles):
    """Tiles (n, 256, 256) with one draw of the teacher, which can be asked again.

    Attributes
    ----------
    teacher_samples : list of SourceSample
        One a tile.
    """

    teacher_samples: list[SourceSample]

    @property
    def normalised(self) -> NDArray[np.uint8]:
        """H&E (n, h, w, 3) as a model takes it whose input is normalised."""
        pairs = zip(self.teacher_samples, self.places, strict=True)
        return np.stack([taught.normalised[_window(place)] for taught, place in pairs])

    @property
    def probability(self) -> NDArray[np.float32]:
        """Probability (n, h, w) that a pixel is painted."""
        pairs = zip(self.teacher_samples, self.places, strict=True)
        return np.stack([taught.probability()[_window(place)] for taught, place in pairs])

    @classmethod
    def of(cls, name: str, tiles: list[tuple[SourceSample, tuple[int, int]]]) -> HeldOut:
        """Cut the tiles (teacher's sample, upper left corner)."""
        painted = [paint(taught, np.random.default_rng(0), _window(place)) for taught, place in tiles]
        return cls(
            name=name,
            teacher_samples=[taught for taught, _ in tiles],
            places=[place for _, place in tiles],
            he=np.stack([taught.he[_window(place)] for taught, place in tiles]),
            ihc=np.stack([one.ihc for one in painted]),
            dab=np.stack([one.dab for one in painted]),
        )

    def repainted(self, seed: int, *, scale: float = 1.0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Return another draw of the teacher, IHC and DAB, with its probabilities multiplied by `scale`."""
        painted = [
            paint(replace(taught, chance=scale * taught.chance), np.random.default_rng(seed), _window(place))
            for taught, place in zip(self.teacher_samples, self.places, strict=True)
        ]
        return np.stack([one.ihc for one in painted]), np.stack([one.dab for one in painted])


def stain_word(stain: Stain) -> str:
    """Return a stain's name as names of models and files hold it: ``"cd3"``, ``"ck818"``."""
    return stain.lower().replace("/", "")


def shipped_recipe(model: str) -> Recipe:
    """Return the recipe of a shipped model."""
    return load_recipe(RECIPES / f"{model}.yaml")


def restained_data(recipe: Recipe) -> Restaining:
    """Return a recipe's data, which the teacher paints."""
    assert isinstance(recipe.data, Restaining)
    return recipe.data


def taught_stain(recipe: Recipe) -> Stain:
    """Return the one stain that the teacher paints for a recipe."""
    (stain,) = restained_data(recipe).painted
    return stain


def held_out_sets(recipe: Recipe) -> tuple[HeldOut, HeldOut, NDArray[np.uint8]]:
    """Return the held-out slide's tiles, the sources' held-out blocks, and IHC colours (1, n, 3) of the sources."""
    pairs = source_pairs(recipe)
    colours = [paint(pair.sample, np.random.default_rng(9)).ihc.reshape(-1, 3)[::97] for pair in pairs]
    slide = HeldOut.of("held-out slide", slide_tiles(teacher_sample(taught_stain(recipe))))
    return slide, HeldOut.of("held-out blocks", _block_tiles(pairs)), np.concatenate(colours)[None]


def source_pairs(recipe: Recipe) -> list[Pair]:
    """Return the teacher's samples of a recipe's real sources."""
    return make_pairs(restained_data(recipe).model_copy(update={"phantoms": 0}), sample_path(), mpp=MPP)


def trained_tiles(pairs: list[Pair]) -> HeldOut:
    """Return tiles that training saw, evenly picked, on which thresholds are chosen."""
    return HeldOut.of("training blocks", _block_tiles(pairs, held=False))


def scores(
    found: NDArray[np.uint8], dab: NDArray[np.float32], truth: NDArray[np.uint8], true_dab: NDArray[np.float32]
) -> dict[str, float]:
    """Compare pictures (n, h, w, 3) and DAB densities (n, h, w) with the teacher's.

    `psnr_db_near` counts what lies within 10 µm of a positive pixel; `area_error_percent` is of the positive area.
    """
    positive = true_dab > THRESHOLD
    reach = NEAR / MPP
    near = np.stack([ndimage.distance_transform_edt(~mask) <= reach if mask.any() else mask for mask in positive])
    values = {
        "psnr_db": psnr(truth, found, data_range=255),
        "ssim": np.mean([ssim(a, b, data_range=255) for a, b in zip(truth, found, strict=True)]),
        "psnr_db_near": psnr(truth[near], found[near], data_range=255),
        "dab_od_error": np.abs(dab - true_dab).mean(),
        "area_error_percent": area_error_percent(true_dab, dab, threshold=THRESHOLD),
        "dice": dice(true_dab, dab, threshold=THRESHOLD),
    }
    return {key: float(value) for key, value in values.items()}


def taken(model: Model, tiles: Tiles) -> NDArray[np.uint8]:
    """Return the H&E (n, h, w, 3) of tiles as a model takes it.

    Raises
    ------
    TypeError
        The model takes normalised H&E, and of these tiles only the scanned one is known.
    """
    if not takes_normalised(model):
        return tiles.he
    if not isinstance(tiles, HeldOut):
        raise TypeError(f"{model.name} takes normalised H&E, which {tiles.name} does not hold")
    return tiles.normalised


def stain_all(
    model: Model, tiles: Tiles, *, quality: str | None = None, settings: SampleSettings | None = None
) -> dict[str, NDArray[np.float32]]:
    """Sample the tiles, one sample at a quality, at settings or by default: all outputs (n, h, w, c) by key.

    See `taken` for what is refused.
    """
    presets = model.system.presets
    settings = settings or (presets[quality] if quality else next(iter(presets.values())))
    he = taken(model, tiles)
    parts = [
        sample(model, he[i : i + SAMPLED_AT_ONCE], tiles.places[i : i + SAMPLED_AT_ONCE], settings)
        for i in range(0, len(he), SAMPLED_AT_ONCE)
    ]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def stain(model: Model, tiles: Tiles, *, key: str = "ihc") -> NDArray[np.uint8]:
    """Sample the tiles at default quality, one sample: pictures (n, h, w, 3) of the output `key`."""
    return stain_all(model, tiles)[key].round().astype(np.uint8)


def score_model(model: Model, tiles: Tiles) -> dict[str, float]:
    """Sample the tiles at default quality, one sample, and compare."""
    ihc = stain(model, tiles)
    return scores(ihc, dab_density(ihc), tiles.ihc, tiles.dab)


def score_baselines(tiles: HeldOut, colours: NDArray[np.uint8]) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield what needs no model, and what a model could reach at most: the teacher asked a second time."""
    pictures: Mapping[str, NDArray[np.uint8]] = {
        "H&E itself": tiles.he,
        "colour transfer": colour_transfer(tiles.he, colours),
        "haematoxylin only, no DAB": tiles.repainted(0, scale=0.0)[0],
    }
    for name, picture in pictures.items():
        yield name, scores(picture, dab_density(picture), tiles.ihc, tiles.dab)
    yield "the teacher's next draw", scores(*tiles.repainted(1), tiles.ihc, tiles.dab)


def _window(place: tuple[int, int]) -> tuple[slice, slice]:
    y, x = place
    return slice(y, y + BLOCK), slice(x, x + BLOCK)


def _lattice(side: int) -> list[int]:
    return list(range(0, side - BLOCK, BLOCK)) if side > 2 * BLOCK else sorted({0, side - BLOCK})


def slide_tiles(taught: SourceSample) -> list[tuple[SourceSample, tuple[int, int]]]:
    """Return tiles of a slide, on a lattice over its tissue; of a small one, its four corners (which may overlap)."""
    dark = ndimage.uniform_filter((taught.he.mean(axis=-1) < 225).astype(float), BLOCK)
    rows, columns = (_lattice(n) for n in taught.he.shape[:2])
    places = [(y, x) for y in rows for x in columns if dark[y + BLOCK // 2, x + BLOCK // 2] > 0.5]
    return [(taught, place) for place in places[:: max(len(places) // TILES, 1)][:TILES]]


def _block_tiles(pairs: list[Pair], *, held: bool = True) -> list[tuple[SourceSample, tuple[int, int]]]:
    """Return blocks of the training sources, held out or not, evenly picked."""
    places = [
        (pair.sample, (int(row) * BLOCK, int(column) * BLOCK))
        for pair in pairs
        for row, column in np.argwhere(held_out(pair.sample.he.shape[:2]) == held)
    ]
    return places[:: max(len(places) // TILES, 1)][:TILES]


def colour_transfer(he: NDArray[np.uint8], like: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give `he` the mean and standard deviation of `like` in CIELAB (Reinhard et al. 2001)."""
    source, target = rgb2lab(he), rgb2lab(like)
    axes = tuple(range(source.ndim - 1))
    moved = (source - source.mean(axes)) / source.std(axes) * target.std((0, 1)) + target.mean((0, 1))
    return np.asarray(np.clip(np.rint(255 * lab2rgb(moved)), 0, 255), dtype=np.uint8)
