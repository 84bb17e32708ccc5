"""What training saw of an input, as a few numbers of how images look, and whether another image looks like it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

# A sentence names so many traits at most.
_NAMED = 3

#: Lowest, middle and highest value.
Spread = tuple[FiniteFloat, FiniteFloat, FiniteFloat]


@dataclass(frozen=True, kw_only=True)
class Trait:
    """One number of how an image looks.

    Attributes
    ----------
    key : str
        Its name in config.json.
    name : str
        What the user sees.
    unit : str
        As it follows a number.
    margin : float
        How far beyond what training saw a value may lie and is not told, in its unit.
    less, more : float
        How many times less and more than what training saw it may be besides.
    low, high : str
        What an image may be that has less, or more: the end of a sentence.
    """

    key: str
    name: str
    unit: str = ""
    margin: float = 0.0
    less: float = 1.0
    more: float = 1.0
    low: str = ""
    high: str = ""

    def bounds(self, seen: Spread, *, few: bool = False) -> tuple[float, float]:
        """Return the lowest and the highest value that is not told; a hue, the only one below 0, has no factor.

        Of an image of a few windows the factors count twice: their median varies as windows do.
        """
        low, _, high = seen
        less, more = (factor**2 if few else factor for factor in (self.less, self.more))
        return low / less - self.margin, high * more + self.margin

    def said(self, value: float) -> str:
        """Return a value as a sentence has it."""
        digits = 3 if abs(value) >= 1 else 2
        return f"{float(f'{value:.{digits}g}') + 0.0:.10g}{self.unit}"


_STAIN = "another stain, a fluorescence picture or a photograph"
_SCALE = "a wrong µm/px"
_PALE, _BLUR = "a picture that is hardly stained", f"a blurred picture, or {_SCALE}"
_SPACING = "another part of the body, or a wrong spacing"
_OF_RANGE = " % of the range"

#: Of a colour picture; measured in windows of its tissue at the model's µm/px. The most telling first.
COLOUR = (
    Trait(key="hue", name="hue of what absorbs", unit="°", margin=30, low=_STAIN, high=_STAIN),
    Trait(key="brown", name="brown part", unit=" %", margin=5, high="an immunostain with DAB, or a photograph"),
    Trait(
        key="density",
        name="optical density",
        unit=" OD",
        margin=0.15,
        low=_PALE,
        high=_STAIN,
    ),
    Trait(key="spots", name="diameter of dark spots", unit=" µm", less=1.3, more=1.3, low=_SCALE, high=_SCALE),
    Trait(
        key="fine",
        name="detail below 1 µm",
        unit=" %",
        less=1.3,
        more=1.4,
        low=_BLUR,
        high=_SCALE,
    ),
    Trait(key="nuclei", name="nuclei", unit=" per mm²", margin=2000, less=2, more=2.5, low=_SCALE, high=_SCALE),
)

#: Of a map or a volume; measured in windows or slices of its foreground at the model's spacing. A scan that was cut out
#: is small and no other kind for that.
GREY = (
    Trait(key="negative", name="part below 0", unit=" %", margin=8, low="an MR, or no CT in HU", high="a CT"),
    Trait(key="beside", name="grey beside the foreground", unit=_OF_RANGE, margin=15, high="inverted greys"),
    Trait(key="size", name="width of the body", unit=" mm", less=1.8, more=1.3, low=_SPACING, high=_SPACING),
    Trait(key="lit", name="part above a tenth of the range", unit=" %", margin=10),
    Trait(key="dark", name="darker quarter", unit=_OF_RANGE, margin=15),
    Trait(key="middle", name="middle grey", unit=_OF_RANGE, margin=15),
    Trait(key="bright", name="brighter quarter", unit=_OF_RANGE, margin=15),
    Trait(key="full", name="part at the high end", unit=" %", margin=4),
    Trait(key="empty", name="part at the low end", unit=" %", margin=20),
    Trait(key="grain", name="grain", unit=" %", less=1.7, more=1.7, low="a smoothed scan", high="a noisy scan"),
)

TRAITS = {trait.key: trait for trait in (*COLOUR, *GREY)}


class Seen(BaseModel):
    """What is kept of an input in a model's config.json.

    Attributes
    ----------
    of : str
        Of which images, in a few words: those of training, or which others.
    images : int
        How many.
    traits : dict of str to Spread
        By key of a `Trait`: 1st percentile, median and 99th percentile over windows or slices of all images; of the
        size and the spots, of which an image has one, the extremes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: Annotated[str, Field(max_length=200)]
    images: Annotated[int, Field(ge=1)]
    traits: Annotated[dict[str, Spread], Field(max_length=100)]

    def lines(self) -> list[str]:
        """Return each trait that this version knows with its spread."""
        known = [(TRAITS[key], spread) for key, spread in self.traits.items() if key in TRAITS]
        return [f"{trait.name} {_between(trait, low, high)}" for trait, (low, _, high) in known]


def unlike(found: Mapping[str, float], seen: Seen, *, few: bool = False) -> str:
    """Say in which traits an image lies outside of what a model is known to take.

    Parameters
    ----------
    found : mapping of str to float
        Its traits by key, the median over its windows or slices.
    seen : Seen
        What training saw.
    few : bool
        Whether it has a few windows only.

    Returns
    -------
    str
        ``"hue of what absorbs 30° (there 62 to 163°); perhaps another stain …"``, three traits at most, the most
        telling first; empty where it lies inside, or no trait is known of both.
    """
    both = (
        (trait, found[key], seen.traits[key]) for key, trait in TRAITS.items() if key in found and key in seen.traits
    )
    outside = [(trait, value, spread) for trait, value, spread in both if not _inside(trait, value, spread, few)][
        :_NAMED
    ]
    if not outside:
        return ""
    told = ", ".join(
        f"{trait.name} {trait.said(value)} (there {_between(trait, low, high)})"
        for trait, value, (low, _, high) in outside
    )
    hints = (trait.low if value < low else trait.high for trait, value, (low, _, _) in outside)
    hint = next((hint for hint in hints if hint), "")
    return f"{told}; perhaps {hint}" if hint else told


def _inside(trait: Trait, value: float, seen: Spread, few: bool) -> bool:
    low, high = trait.bounds(seen, few=few)
    return low <= value <= high


def _between(trait: Trait, low: float, high: float) -> str:
    one, other = trait.said(low), trait.said(high)
    return one if one == other else f"{one.removesuffix(trait.unit)} to {other}"
