"""DICOM whole-slide images: which files belong together, and what they are when they are put together."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from diffuscope.errors import InputError
from diffuscope.scans.contents import Contents
from diffuscope.scans.formats.dicom.files import files_in, is_dicom
from diffuscope.scans.formats.dicom.slides.instance import Instance, begins_as_slide, read_instance
from diffuscope.scans.formats.dicom.slides.level import DicomLevel
from diffuscope.scans.formats.generated import generated_notice
from diffuscope.scans.physical import micrometres
from diffuscope.scans.source import Cache, Source

#: What tells a slide stands in the first bytes of a file.
BEGINNING = 1024
# A folder that someone drops into the window is not searched for minutes.
_LOOKED_AT = 2000
_VOLUME = "VOLUME"
# Names under which a slide's other pictures are found.
_ASSOCIATED = {"LABEL": "label", "OVERVIEW": "macro", "THUMBNAIL": "thumbnail"}


def holds_slide(folder: Path) -> bool:
    """Whether a folder, or one inside it, has a DICOM slide; of a very large one only the first files are looked at."""
    return any(_is_slide(file) for file in islice(files_in(folder), _LOOKED_AT))


def read_slide(path: Path) -> Contents:
    """Contents of a DICOM slide: all files of its series, from their heads alone.

    Parameters
    ----------
    path : Path
        A folder, those inside it included, with one slide; or any file of a slide, whose others lie beside it.

    Raises
    ------
    InputError
        There is none or more than one; a file is damaged, or of a kind that is not read; files are missing.
    """
    is_folder = path.is_dir()
    place = path if is_folder else path.parent
    files = list(files_in(place, deep=is_folder))
    found = [read_instance(file) for file in files if _is_slide(file)]
    left = sum(1 for file in files if is_dicom(file)) - len(found) if is_folder else 0
    if not is_folder:
        series = read_instance(path).series
        found = [one for one in found if one.series == series]
    slides = sorted({one.series for one in found if one.flavour == _VOLUME})
    if len(slides) > 1:
        firsts = [next(one.path for one in found if one.series == uid).relative_to(place).as_posix() for uid in slides]
        raise InputError(
            f"{place.name} holds {len(slides)} DICOM slides (of {', '.join(firsts)}): give one file of the slide to "
            "open, or its folder."
        )
    if not slides:
        kinds = ", ".join(sorted({one.flavour.lower() for one in found if one.flavour})) or "none"
        raise InputError(f"{path.name} holds no DICOM slide, but other pictures of one ({kinds}); give its folder.")
    found = [one for one in found if one.series == slides[0]]
    told = (f"{left} other DICOM file(s) in {place.name} are not read.",) if left else ()
    return _contents(place.name if is_folder else path.name, found, told)


def _is_slide(path: Path) -> bool:
    if not is_dicom(path):
        return False
    with path.open("rb") as file:
        return begins_as_slide(file.read(BEGINNING))


def _contents(name: str, found: Sequence[Instance], told: tuple[str, ...]) -> Contents:
    cache = Cache()
    images = _images([one for one in found if one.flavour == _VOLUME])
    finest = images[0][0]
    levels: list[Source] = [DicomLevel(parts, cache) for parts in images]
    beside: dict[str, Source] = {}
    for one in found:
        key = _ASSOCIATED.get(one.flavour)
        if key is not None and key not in beside:
            try:
                beside[key] = DicomLevel([one], cache)
            except InputError as error:  # the slide itself may be as good as any
                told += (f"The {key} of {name} is left out: {error}",)
    told += generated_notice(finest.about, name)
    if all(parts[0].is_reduced for parts in images):
        told += (f"All levels of {name} are reduced copies, by what they say: files of finer ones may be missing.",)
    if finest.focal_planes > 1:
        told += (
            f"{name} has {finest.focal_planes} focal planes, of which number {finest.focal_planes // 2 + 1} is taken.",
        )
    if finest.icc and finest.samples == 3:
        told += (f"{name} has an ICC colour profile, which is not applied: its colours are taken as they are stored.",)
    spacing = finest.spacing
    mpp = None if spacing is None else tuple(micrometres(side, "mm") for side in spacing)
    return Contents(
        format="DICOM slide",
        levels=levels,
        mpp=None if mpp is None or mpp[0] is None or mpp[1] is None else (mpp[0], mpp[1]),
        rgb=finest.samples == 3,
        channels=finest.paths if finest.samples == 1 and all(finest.paths) else (),
        notices=told,
        associated=beside,
        files=tuple(sorted({one.path for one in found})),
    )


def _images(found: Sequence[Instance]) -> list[list[Instance]]:
    """Return the files of each level, finest first, those of a concatenation in the order of their frames."""
    levels: dict[tuple[int, int], dict[str, list[Instance]]] = {}
    for one in found:
        levels.setdefault(one.shape, {}).setdefault(one.concatenation or str(one.path), []).append(one)
    images = []
    for shape in sorted(levels, key=lambda shape: -shape[0] * shape[1]):
        [parts, *others] = levels[shape].values()
        if others:
            raise InputError(
                f"{parts[0].path.name} and {others[0][0].path.name} hold images of one size, of which one is the "
                "slide's: take the other out of the folder."
            )
        parts.sort(key=lambda one: one.first)
        starts = [0, *(one.first + len(one.frames.starts) for one in parts)]
        kinds = {(one.tile, one.samples, one.bits, one.photometric, one.syntax, one.paths) for one in parts}
        if len(kinds) > 1 or any(one.first != start for one, start in zip(parts, starts, strict=False)):
            raise InputError(f"{parts[0].path.name} is one of several files of an image, of which others are missing.")
        images.append(parts)
    return images
