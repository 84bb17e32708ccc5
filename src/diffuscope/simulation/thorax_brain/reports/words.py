"""The words of reports: one table, from which reports are written and by which they are read."""

from __future__ import annotations

from typing import NamedTuple

from diffuscope.simulation.thorax_brain.findings import Kind, Region, Side, Size, Zone


class Kinds(NamedTuple):
    """What a kind is called: words before a noun, and nouns (one, several) of its own."""

    adjectives: tuple[str, ...]
    nouns: tuple[tuple[str, str], ...] = ()


SIZE_WORDS: dict[Size, tuple[str, ...]] = {"small": ("small", "tiny", "little"), "large": ("large", "big", "sizeable")}
SIDE_WORDS: dict[Side, tuple[str, ...]] = {"left": ("left", "left-sided"), "right": ("right", "right-sided")}
ZONE_WORDS: dict[Zone, tuple[str, ...]] = {
    "upper": ("upper", "superior"),
    "middle": ("middle", "mid"),
    "lower": ("lower", "inferior"),
}
KIND_WORDS: dict[Region, dict[Kind, Kinds]] = {
    "chest": {
        "solid": Kinds(("solid", "soft-tissue")),
        "calcified": Kinds(("calcified", "calcific"), (("calcification", "calcifications"),)),
        "cystic": Kinds(("cavitary", "hollow", "air-filled"), (("cavity", "cavities"),)),
    },
    "head": {
        "solid": Kinds(("solid", "soft-tissue")),
        "calcified": Kinds(("calcified", "calcific"), (("calcification", "calcifications"),)),
        "cystic": Kinds(("cystic", "fluid-filled"), (("cyst", "cysts"),)),
    },
}
#: Nouns that say nothing of a kind, one and several.
NOUNS: dict[Region, tuple[tuple[str, str], ...]] = {
    "chest": (("nodule", "nodules"), ("lesion", "lesions"), ("focus", "foci"), ("opacity", "opacities")),
    "head": (("lesion", "lesions"), ("focus", "foci"), ("nodule", "nodules"), ("finding", "findings")),
}
ZONE_NOUNS = (("zone", "zones"), ("third", "thirds"))
#: What has a side: one, and both.
HALVES: dict[Region, tuple[str, str]] = {"chest": ("lung", "lungs"), "head": ("hemisphere", "hemispheres")}
#: How a report says what was looked at; the first word of each tells the region.
REGION_WORDS: dict[Region, tuple[str, ...]] = {
    "chest": ("chest", "thorax", "lungs"),
    "head": ("head", "brain", "cranium"),
}
#: More words that tell a region to a reader, beside those above.
REGION_HINTS: dict[Region, tuple[str, ...]] = {
    "chest": ("lung", "pulmonary", "thoracic"),
    "head": ("hemisphere", "hemispheres", "cerebral", "intracranial", "cranial"),
}
COUNT_WORDS = ("no", "one", "two", "three")
