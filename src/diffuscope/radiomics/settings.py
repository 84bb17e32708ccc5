"""How a region is measured: what stands in a model's configuration, and the configurations of IBSI."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from diffuscope.radiomics.tags import OF_LEVELS, PARTS, tags

# What a CT scanner gives, and more: beyond is a slip.
_Intensity = Annotated[float, Field(ge=-1e6, le=1e6)]
_Width = Annotated[float, Field(ge=1e-3, le=1e5)]
_Count = Annotated[int, Field(ge=2, le=4096)]

_SHAPE = (
    "volume area_mesh av sphericity diam pca_maj_axis pca_min_axis pca_least_axis pca_elongation pca_flatness "
    "vol_dens_conv_hull"
)
# Of each direction a small node has few pairs and runs: those of all directions are counted together.
_TEXTURE = {
    "stat": "mean var skew kurt median p10 p90 iqr",
    "ih": "entropy uniformity",
    "cm": "joint_entr energy contrast inv_diff corr clust_shade info_corr1",
    "rlm": "sre lre lrhge glnu_norm rlnu_norm r_perc gl_var rl_entr",
}
#: Morphology, intensities and two textures: 36 features that a table of some hundred patients can carry.
COMPACT = (
    *(f"morph_{name}" for name in _SHAPE.split()),
    *(
        f"{family}_{name}{'_3D_comb' if family in {'cm', 'rlm'} else ''}"
        for family, names in _TEXTURE.items()
        for name in names.split()
    ),
)


class RadiomicsSettings(BaseModel):
    """How a region of a CT is measured.

    The defaults are for soft tissue in a CT of the neck or the chest. 1 mm: a node of 5 mm across is 65 voxels, and
    fewer give textures no statistics. Linear: no overshoot beside bone and air. −200 to 300 HU: fat and enhanced tissue
    stay, air, bone and metal do not. Levels 25 HU wide: IBSI's width for CT; a fixed width keeps levels comparable
    between patients, since HU are calibrated.

    Attributes
    ----------
    by_slice : bool
        Slices apart, as in 2D; otherwise as a volume.
    spacing : float, optional
        mm between voxels after resampling, in all directions, or within slices where they stand apart. Without, voxels
        are taken as they are.
    interpolation : {"nearest", "linear", "cubic"}
        Of intensities; masks are interpolated linearly and kept from 0.5 on.
    range : (float or None, float or None)
        HU that are kept, open where None. Levels of a width begin at its lower end.
    outliers : float, optional
        Standard deviations from the mean of the region beyond which intensities are left out.
    bin_width, bin_count : float and int, optional
        HU of a level, or how many levels lie between lowest and highest; one of them, or none where intensities are
        levels already: 1, 2, 3 …
    ivh_width, ivh_count : float and int, optional
        The same for the intensity-volume histogram, which needs none.
    features : tuple of str
        Tags of IBSI, as `diffuscope.radiomics.tags` lists them: the columns, in this order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    by_slice: bool = False
    spacing: Annotated[float, Field(ge=0.05, le=50)] | None = 1.0
    interpolation: Literal["nearest", "linear", "cubic"] = "linear"
    range: tuple[_Intensity | None, _Intensity | None] = (-200.0, 300.0)
    outliers: Annotated[float, Field(gt=0, le=100)] | None = None
    bin_width: _Width | None = 25.0
    bin_count: _Count | None = None
    ivh_width: _Width | None = None
    ivh_count: _Count | None = None
    features: Annotated[tuple[str, ...], Field(min_length=1, max_length=len(PARTS))] = COMPACT

    @field_validator("range", mode="before")
    @classmethod
    def _is_pair(cls, given: Any) -> Any:
        if not isinstance(given, list | tuple) or len(given) != 2:
            raise ValueError("give two numbers, low and high, either of which may be null, as [-200, null]")
        return given

    @model_validator(mode="after")
    def _fits(self) -> Self:
        low, high = self.range
        if low is not None and high is not None and low >= high:
            raise ValueError(f"range: {low:g} is not below {high:g}")
        for name in ("bin", "ivh"):
            if getattr(self, f"{name}_width") is not None and getattr(self, f"{name}_count") is not None:
                raise ValueError(f"{name}_width and {name}_count are both there: leave one of the two out")
        unknown = [tag for tag in self.features if tag not in PARTS]
        if unknown:
            raise ValueError(f"“{unknown[0][:60]}” is no feature that IBSI has a value of")
        if len(set(self.features)) < len(self.features):
            raise ValueError("a feature is there twice")
        families = {PARTS[tag][0] for tag in self.features}
        if self.bin_width is not None and low is None and families & OF_LEVELS:
            raise ValueError("levels of a width begin at the lower end of range: give one")
        if self.by_slice and any(PARTS[tag][2].startswith("3D") for tag in self.features):
            raise ValueError("textures of the volume are there although slices stand apart")
        return self


_SLICES = tuple(tags(ways=("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "2D", "2_5D")))
_VOLUME = tuple(tags(ways=("3D_avg", "3D_comb", "3D")))

#: Configurations for which IBSI has reference values: of the digital phantom, and A to E of the chest CT.
IBSI: dict[str, RadiomicsSettings] = {
    "digital": RadiomicsSettings(spacing=None, range=(None, None), bin_width=None, features=tuple(tags())),
    "A": RadiomicsSettings(by_slice=True, spacing=None, range=(-500, 400), features=_SLICES),
    "B": RadiomicsSettings(by_slice=True, spacing=2, range=(-500, 400), bin_width=None, bin_count=32, features=_SLICES),
    "C": RadiomicsSettings(spacing=2, range=(-1000, 400), ivh_width=2.5, features=_VOLUME),
    "D": RadiomicsSettings(spacing=2, range=(None, None), outliers=3, bin_width=None, bin_count=32, features=_VOLUME),
    "E": RadiomicsSettings(
        spacing=2,
        interpolation="cubic",
        range=(-1000, 400),
        outliers=3,
        bin_width=None,
        bin_count=32,
        ivh_count=1000,
        features=_VOLUME,
    ),
}
