"""The verb `register`: two stains of one section in, the second in the first one's frame out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.errors import InputError
from diffuscope.exports.target import in_place_of
from diffuscope.jobs.provenance import make_registration_record, registration_command
from diffuscope.jobs.room import check_out
from diffuscope.scans import open_scan, tissue_mask
from diffuscope.tiling.plan import parse_region

if TYPE_CHECKING:
    from diffuscope.registration import Transform

TRANSFORM = "transform.json"
#: What `register` says once it writes; before, nothing is on disk.
WRITING = "Writing"


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What `register` wrote and how good it is.

    Attributes
    ----------
    path : Path
        The OME-Zarr folder; its ``transform.json`` holds the transform.
    transform : Transform
        From µm of the fixed slide to µm of the moving one.
    figures : dict of str to dict of str to float
        By stage (``"before"``, ``"affine"``, ``"B-spline"``): mutual information and, with landmarks, their error.
    correlation : float
        Of the haematoxylin of both slides after the affine stage.
    """

    path: Path
    transform: Transform
    figures: dict[str, dict[str, float]]
    correlation: float


def register(
    fixed: str | Path,
    moving: str | Path,
    out: str | Path,
    *,
    landmarks: str | Path | None = None,
    affine_only: bool = False,
    picture: str | Path | None = None,
    window: str | None = None,
    fixed_mpp: float | None = None,
    moving_mpp: float | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] = lambda _what: None,
) -> Registered:
    """Register a restained slide to the slide it was, and write it in that slide's frame.

    What can be checked is checked before the work begins. Nothing appears under `out` before all of it is there.

    Parameters
    ----------
    fixed, moving : str or Path
        The slide that stays, such as the H&E, and the one that is moved, such as the IHC.
    out : str or Path
        Result folder to write, e.g. ``"ihc.ome.zarr"``.
    landmarks : str or Path, optional
        CSV file of pairs of points (`diffuscope.registration.read_landmarks`) on which the error is measured; they
        have no part in the registration.
    affine_only : bool
        Leave the B-spline out.
    picture : str or Path, optional
        ``….png`` to write: checkerboards before and after, and a curtain.
    window : str, optional
        What the picture shows, ``"x,y,width,height"`` in level-0 px of the fixed slide; default 600 µm of tissue.
    fixed_mpp, moving_mpp : float, optional
        µm per level-0 px; overrides what the slide says.
    overwrite : bool
        Replace a Diffuscope result, and a picture, in the way.
    progress : callable, optional
        Called with what is being done, in words. What it raises ends the work, and nothing is written.

    Returns
    -------
    Registered

    Raises
    ------
    InputError
        What was given cannot be used, the slides do not match, or the disk is full; nothing was written.
    """
    from diffuscope.registration.library import check_library

    check_library()
    from diffuscope.registration import read_landmarks, write_warped
    from diffuscope.registration.density import check_slide
    from diffuscope.registration.find import find_transform
    from diffuscope.registration.views import densest
    from diffuscope.registration.views import picture as draw

    out, still, other = Path(out), open_scan(fixed, mpp=fixed_mpp), open_scan(moving, mpp=moving_mpp)
    for scan in (still, other):
        check_slide(scan)
        check_out(out, scan.path, overwrite=overwrite)
    if picture is not None:
        _check_picture(Path(picture), overwrite=overwrite)
    elif window is not None:
        raise InputError("a window is for the picture: say --checkerboard FILE.png as well.")
    shown = parse_region(window) if window is not None else None
    if shown is not None and not (
        shown.polygon is None
        and min(shown.x, shown.y) >= 0
        and min(shown.width, shown.height) > 0
        and shown.x + shown.width <= still.shape[1]
        and shown.y + shown.height <= still.shape[0]
    ):
        raise InputError(f"window {window} is no rectangle inside {still.name}: give x,y,width,height in its pixels.")
    pairs = read_landmarks(landmarks, still, other) if landmarks is not None else None
    found = find_transform(still, other, affine_only=affine_only, tell=progress)
    figures = {
        name: {
            "mutual information (nats)": found.information[name],
            **(pairs.summary(stage) if pairs is not None else {}),
        }
        for name, stage in found.stages.items()
    }
    given = {"fixed-mpp": fixed_mpp, "moving-mpp": moving_mpp, "landmarks": landmarks and Path(landmarks).name}
    record = make_registration_record(
        inputs={
            key: {"name": scan.name, "fingerprint": scan.fingerprint, "mpp": scan.mpp, "mpp_stated": scan.stated_mpp}
            for key, scan in (("fixed", still), ("moving", other))
        },
        parameters=found.settings,
        figures={**figures, "correlation": found.correlation},
        command=registration_command(
            fixed=still.name, moving=other.name, out=out.name, affine_only=affine_only, flags=given
        ),
        notices=still.notices + other.notices,
    )
    progress(WRITING)
    out.parent.mkdir(parents=True, exist_ok=True)
    with in_place_of(out) as part:
        write_warped(
            part,
            other,
            found.transform,
            fixed=still,
            record=record,
            told=lambda done, blocks: progress(f"{WRITING}: {done} of {blocks} blocks"),
        )
        found.transform.save(part / TRANSFORM, record)
    if picture is not None:
        box = (shown.x, shown.y, shown.width, shown.height) if shown else densest(tissue_mask(still), still)
        drawn = draw(still, other, before=found.stages["before"], after=found.transform, window=box)
        with in_place_of(Path(picture)) as part:
            drawn.save(part)
    return Registered(path=out, transform=found.transform, figures=figures, correlation=found.correlation)


def _check_picture(path: Path, *, overwrite: bool) -> None:
    """Refuse a place where no picture can be written."""
    if path.suffix.lower() != ".png":
        raise InputError(f"{path.name} does not end in .png: name the picture so.")
    if not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written: there is no folder {path.absolute().parent}; make it first.")
    if path.exists() and not (overwrite and path.is_file()):
        raise InputError(f"{path} exists already: choose another name, or say --overwrite.")
