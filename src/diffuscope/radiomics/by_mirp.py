"""Features of a region by mirp (Zwanenburg et al., Journal of Open Source Software 2024; EUPL-1.2).

Its own reader of arrays knows no spacing, and its workflow sets up the log of the whole process: the region is prepared
by `region`, and only its features are taken, from modules of 2.7 whose names begin with an underscore.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.radiomics.autocorrelation import moran_and_geary
from diffuscope.radiomics.region import Region
from diffuscope.radiomics.settings import RadiomicsSettings
from diffuscope.radiomics.tags import OF_LEVELS, PARTS

# What mirp calls the ways in which textures are brought together.
_DIRECTED = {
    "2D_avg": "2d_average",
    "2D_comb": "2d_slice_merge",
    "2_5D_avg": "2.5d_direction_merge",
    "2_5D_comb": "2.5d_volume_merge",
    "3D_avg": "3d_average",
    "3D_comb": "3d_volume_merge",
}
_UNDIRECTED = {"2D": "2d", "2_5D": "2.5d", "3D": "3d"}
_WAY_OF = {name: way for way, name in (*_DIRECTED.items(), *_UNDIRECTED.items())}
# Its names of families.
_FAMILIES = {
    "loc": "loc_int",
    "cm": "glcm",
    "rlm": "glrlm",
    "szm": "glszm",
    "dzm": "gldzm",
    "ngt": "ngtdm",
    "ngl": "ngldm",
}
# Features of which it takes a list of percentiles, by the features of one.
_LISTED = {
    f"{name}{end}": name
    for name, ends in {
        "stat_p": ("10", "90"),
        "ih_p": ("10", "90"),
        "ivh_v": ("10", "90"),
        "ivh_i": ("10", "90"),
        "ivh_diff_v": ("10_v90",),
        "ivh_diff_i": ("10_i90",),
    }.items()
    for end in ends
}
# Not taken from mirp (see `autocorrelation`).
_OF_PAIRS = ("morph_moran_i", "morph_geary_c")
# Zero through zero where all is of one intensity, or of one level: mirp gives 0, 1 or a million.
_OF_ONE_INTENSITY = frozenset({"stat_skew", "stat_kurt", "ih_skew", "ih_kurt"})
_OF_ONE_LEVEL = frozenset(
    {"ih_skew", "ih_kurt", "cm_corr", "cm_info_corr1", "ngt_coarseness", "ngt_contrast", "ngt_busyness", "ngt_strength"}
)
# Of levels there are as many rows as columns in a matrix, of steps of the intensity-volume histogram one row each.
_LEVELS, _STEPS = 4096, 1_000_000
# mirp keeps the matrices of one image on its classes.
_ONE = threading.Lock()


def check_mirp() -> None:
    """Refuse to measure without mirp.

    Raises
    ------
    InputError
        It is not installed.
    """
    if importlib.util.find_spec("mirp") is None:
        raise InputError('radiomics are computed by mirp, which is not installed: pip install "diffuscope[scoring]".')


def compute(region: Region, settings: RadiomicsSettings) -> dict[str, float]:
    """Return all features that are asked for, by tag in the order of the settings; NaN where one is not defined."""
    values = region.image[region.tissue]
    if values.size:
        _check_levels(values, settings)
    # It warns of regions of one level, and divides by zero where a feature is not defined: both are NaN here.
    with _ONE, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        found = _found(region, settings)
    if not found.keys() >= set(settings.features):
        found |= dict(zip(_OF_PAIRS, moran_and_geary(region), strict=True))
    undefined = _undefined(values, settings)
    return {tag: np.nan if PARTS[tag][1] in undefined else found[tag] for tag in settings.features}


def _check_levels(values: NDArray[np.float64], settings: RadiomicsSettings) -> None:
    """Refuse levels that are none, and more of them than matrices are made of."""
    families = {PARTS[tag][0] for tag in settings.features}
    low, high = values.min(), values.max()
    if families & OF_LEVELS and settings.bin_count is None:
        if settings.bin_width is None and low < 1:
            raise InputError(f"intensities are levels 1, 2, 3 … here, and one is {low:g}: give bin_width or bin_count.")
        if (count := (high - low) / (settings.bin_width or 1)) > _LEVELS:
            raise InputError(f"{count:,.0f} levels are too many: give a larger bin_width, a range, or bin_count.")
    # Its histogram spans the range, where one is given.
    ends = zip(settings.range, (low, high), strict=True)
    first, last = (found if end is None else end for end, found in ends)
    if "ivh" in families and settings.ivh_count is None and (last - first) / (settings.ivh_width or 1) > _STEPS:
        raise InputError("the intensity-volume histogram has too many steps: give ivh_count, or a larger ivh_width.")


def _undefined(values: NDArray[np.float64], settings: RadiomicsSettings) -> frozenset[str]:
    """Return the features that divide by zero in a region, although mirp gives them."""
    if not values.size:
        return frozenset()
    # A width without a lower end is only accepted where nothing is counted in levels.
    low, width = settings.range[0] or 0.0, settings.bin_width
    levels = values if width is None else np.floor((values - low) / width)
    undefined = _OF_ONE_INTENSITY if np.ptp(values) == 0 else frozenset()
    undefined |= _OF_ONE_LEVEL if np.ptp(levels) == 0 else frozenset()
    undefined |= {"stat_cov"} if values.mean() == 0 else frozenset()
    return undefined | ({"stat_qcod"} if np.percentile(values, (25, 75)).sum() == 0 else frozenset())


def _found(region: Region, settings: RadiomicsSettings) -> dict[str, float]:
    """Return the features, and some that come with them."""
    from mirp._features.feature_generator import generate_features
    from mirp._images.ct_image import CTImage
    from mirp._masks.base_mask import BaseMask

    lattice = {
        "image_spacing": region.spacing,
        "image_origin": (0.0, 0.0, 0.0),
        "image_orientation": np.eye(3),
        "image_modality": "ct",
        "separate_slices": settings.by_slice,
    }
    image = CTImage(image_data=region.image, **lattice)
    mask = BaseMask(roi_name="region", image_data=region.shape, **lattice)
    mask.generate_masks()
    mask.roi_intensity.set_voxel_grid(region.tissue)
    # Where levels of a width begin; also what the intensity-volume histogram spans.
    mask.intensity_range = tuple(np.nan if end is None else end for end in settings.range)
    wanted = dict.fromkeys(
        _LISTED.get(PARTS[tag][1], PARTS[tag][1]) for tag in settings.features if tag not in _OF_PAIRS
    )
    features = list(generate_features(settings=_settings(settings), features=list(wanted)))
    found: dict[str, float] = {}
    try:
        for feature, after in zip(features, [*features[1:], None], strict=True):
            feature.compute(image=image, mask=mask)
            if after is not None:
                feature.clear_local_cache(after)
            way = _WAY_OF.get(getattr(feature, "spatial_method", ""))
            found[f"{feature.abbr_name}_{way}" if way else feature.abbr_name] = _number(feature.value)
    finally:
        for feature in features:
            feature.clear_cache()
    return found


def _settings(settings: RadiomicsSettings) -> Any:
    """Return settings of mirp's, with all families whose features are asked for."""
    from mirp.settings.feature_parameters import FeatureExtractionSettingsClass

    ways: dict[str, list[str]] = {}
    for tag in settings.features:
        family, _, way = PARTS[tag]
        if way:
            ways.setdefault(f"{_FAMILIES[family]}_spatial_method", []).append({**_DIRECTED, **_UNDIRECTED}[way])
    families = {PARTS[tag][0] for tag in settings.features}
    return FeatureExtractionSettingsClass(
        by_slice=settings.by_slice,
        base_feature_families=[_FAMILIES.get(family, family) for family in sorted(families)],
        **_levels("base_discretisation", settings.bin_width, settings.bin_count),
        **_levels("ivh_discretisation", settings.ivh_width, settings.ivh_count),
        **{key: list(dict.fromkeys(found)) for key, found in ways.items()},
    )


def _levels(key: str, width: float | None, count: int | None) -> dict[str, Any]:
    if width is not None:
        return {f"{key}_method": "fixed_bin_size", f"{key}_bin_width": width}
    if count is not None:
        return {f"{key}_method": "fixed_bin_number", f"{key}_n_bins": count}
    return {f"{key}_method": "none"}


def _number(value: object) -> float:
    """Return a value of mirp's; NaN for none and for what is not finite."""
    number = float("nan") if value is None else float(value)  # type: ignore[arg-type]
    return number if np.isfinite(number) else float("nan")
