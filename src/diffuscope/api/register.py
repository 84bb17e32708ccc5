"""The verb `register`: two stains of one section in, the second in the first one's frame out."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from diffuscope.api.events import Registered
from diffuscope.api.forms import checked
from diffuscope.errors import InputError
from diffuscope.events import Notice, Progress
from diffuscope.exports.table import check_names_result
from diffuscope.files.place import FILE, check_place
from diffuscope.files.put import in_place_of
from diffuscope.jobs.drawn.copied import LayerCopy, copy_notices
from diffuscope.jobs.provenance import make_registration_record, registration_command
from diffuscope.results.own import TRANSFORM
from diffuscope.results.result import RESULT
from diffuscope.scans import Scan, open_scan, tissue_mask
from diffuscope.tiling.region import parse_region

if TYPE_CHECKING:
    from diffuscope.registration.landmarks import Landmarks


@checked
def register(
    fixed: str | Path | LayerCopy,
    moving: str | Path | LayerCopy,
    out: str | Path,
    *,
    landmarks: str | Path | None = None,
    affine_only: bool = False,
    picture: str | Path | None = None,
    window: str | None = None,
    fixed_mpp: float | None = None,
    moving_mpp: float | None = None,
    overwrite: bool = False,
) -> Generator[Progress | Notice | Registered, None, None]:
    """Register a restained slide to the slide it was, and write it in that slide's frame.

    What can be checked is checked when this is called; the work is done while the returned generator is iterated.
    Nothing appears under `out` before all of it is there.

    Parameters
    ----------
    fixed, moving : str, Path or LayerCopy
        The slide that stays, such as the H&E, and the one that is moved, such as the IHC; or what a layer shows.
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

    Returns
    -------
    generator of Progress, Notice and Registered
        A `Progress` as each stage begins, and for each block that is written, a `Notice` of a bend that did not help,
        and of how numbers of the landmarks were read; last what came out. Where it is closed before its end, nothing
        is written.

    Raises
    ------
    InputError
        What was given cannot be used. While iterating: the slides do not match, or the disk is full; nothing was
        written.
    """
    from diffuscope.registration.library import check_library

    check_library()
    from diffuscope.registration import read_landmarks
    from diffuscope.registration.density import check_slide

    out, still, other = Path(out), _opened(fixed, fixed_mpp), _opened(moving, moving_mpp)
    copies = [one for one in (fixed, moving) if isinstance(one, LayerCopy)]
    for scan in (still, other):
        check_slide(scan)
    if picture is not None and Path(picture).suffix.lower() != ".png":
        raise InputError(f"{Path(picture).name} does not end in .png: name the picture so.")
    if picture is None and window is not None:
        raise InputError("a window is for the picture: say --checkerboard FILE.png as well.")
    shown = _window(window, still) if window is not None else None
    points = read_landmarks(landmarks, still, other) if landmarks is not None else None
    check_names_result(out)
    read = [still.path, other.path, *([Path(landmarks)] if landmarks is not None else [])]
    replaces = check_place(out, RESULT, overwrite=overwrite, keep=read, outside=read) == "replaced"
    if picture is not None:
        check_place(Path(picture), FILE, overwrite=overwrite, keep=read, outside=[out])
    given = {"fixed-mpp": fixed_mpp, "moving-mpp": moving_mpp, "landmarks": landmarks and Path(landmarks).name}
    return _register(
        _Work(
            fixed=still,
            moving=other,
            out=out,
            landmarks=points,
            affine_only=affine_only,
            picture=Path(picture) if picture is not None else None,
            window=shown,
            command=""
            if copies
            else registration_command(
                fixed=still.name, moving=other.name, out=out.name, affine_only=affine_only, flags=given
            ),
            notices=(*copy_notices(copies), *still.notices, *other.notices),
            replaces=replaces,
            overwrite=overwrite,
        )
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Work:
    """A registration that was checked and may begin; the window is (x, y, width, height)."""

    fixed: Scan
    moving: Scan
    out: Path
    landmarks: Landmarks | None
    affine_only: bool
    picture: Path | None
    window: tuple[int, int, int, int] | None
    command: str
    notices: tuple[str, ...]
    replaces: bool
    overwrite: bool


def bend_notices(information: Mapping[str, float]) -> tuple[str, ...]:
    """Say of the mutual information of stages where the bend, which is fitted to coarser densities, lost some of it."""
    affine, bent = (information.get(stage, 0.0) for stage in ("affine", "B-spline"))
    if "B-spline" not in information or bent >= affine:
        return ()
    told = (
        f"The nuclei of the two agree less after the bend than before it (mutual information {bent:.3g} after "
        f"{affine:.3g} nats): compare both, or register again with --affine-only (in the dock: Affine only)."
    )
    return (told,)


def _register(work: _Work) -> Generator[Progress | Notice | Registered, None, None]:
    from diffuscope.registration import write_warped
    from diffuscope.registration.find import WRITTEN, find_transform
    from diffuscope.registration.views import densest, picture

    fixed, moving, out = work.fixed, work.moving, work.out
    found = yield from find_transform(fixed, moving, affine_only=work.affine_only)
    figures = {
        name: {
            "mutual information (nats)": found.information[name],
            **(work.landmarks.summary(stage) if work.landmarks is not None else {}),
        }
        for name, stage in found.stages.items()
    }
    told = (*(work.landmarks.notices if work.landmarks is not None else ()), *bend_notices(found.information))
    yield from map(Notice, told)
    record = make_registration_record(
        inputs={
            key: {"name": scan.name, "fingerprint": scan.fingerprint, "mpp": scan.mpp, "mpp_stated": scan.stated_mpp}
            for key, scan in (("fixed", fixed), ("moving", moving))
        },
        parameters=found.settings,
        figures={**figures, "correlation": found.correlation},
        command=work.command,
        notices=work.notices + told,
    )
    with in_place_of(out, replace=work.replaces) as part:
        begun = WRITTEN[work.affine_only]
        for at in write_warped(part, moving, found.transform, fixed=fixed, record=record):
            share = at.done / at.total if at.total else 0.0
            yield Progress(done=begun + (100 - begun) * share, total=100, what=f"{at.what}, {at.counted}")
        found.transform.save(part / TRANSFORM, record)
    if work.picture is not None:
        window = work.window or densest(tissue_mask(fixed), fixed)
        drawn = picture(fixed, moving, before=found.stages["before"], after=found.transform, window=window)
        with in_place_of(work.picture, replace=work.overwrite) as part:
            drawn.save(part)
    yield Registered(path=out, transform=found.transform, figures=figures, correlation=found.correlation)


def _opened(given: str | Path | LayerCopy, mpp: float | None) -> Scan:
    opener = partial(open_scan, mpp=mpp)
    return given.open(opener) if isinstance(given, LayerCopy) else opener(given)


def _window(text: str, fixed: Scan) -> tuple[int, int, int, int]:
    """Read what the picture shows."""
    shown = parse_region(text)
    if not (
        shown.polygon is None
        and min(shown.x, shown.y) >= 0
        and min(shown.width, shown.height) > 0
        and shown.x + shown.width <= fixed.shape[1]
        and shown.y + shown.height <= fixed.shape[0]
    ):
        raise InputError(f"window {text} is no rectangle inside {fixed.name}: give x,y,width,height in its pixels.")
    return shown.x, shown.y, shown.width, shown.height
