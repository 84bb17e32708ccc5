"""A QuPath that runs beside: the image that it shows and what is selected there come here, objects go there.

QuPath answers over its Py4J extension (*Extensions → Py4J → Start Py4J Gateway*; part of QuPath from 0.6 on), on this
machine only. The calls are those of `QuPathEntryPoint`, as the QuBaLab library makes them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diffuscope.errors import InputError
from diffuscope.scans.qupath.annotations import Annotations, take_annotations
from diffuscope.scans.qupath.project import path_of

#: What stands for the QuPath that runs, in place of a path; a port may follow.
LIVE = "qupath:"
#: Where the gateway's token is looked for, where it was started with one.
TOKEN = "DIFFUSCOPE_QUPATH_TOKEN"  # noqa: S105  the name of a variable
_PORT = 25333
#: So many letters of an id say which result an object is of.
OF_RESULT = 18
# Features in a message: a text of Java has a longest length.
_AT_ONCE = 1000
_START = "in QuPath choose Extensions > Py4J > Start Py4J Gateway"


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What QuPath shows.

    Attributes
    ----------
    name : str
        Of the image, as QuPath lists it.
    path : Path
        Its file.
    shape : tuple of int
        (height, width) of its finest level.
    """

    name: str
    path: Path
    shape: tuple[int, int]


def is_live(text: str | Path) -> bool:
    """Whether a text means the QuPath that runs, ``qupath:`` or ``qupath:PORT``, and not a file."""
    return re.fullmatch(rf"{LIVE}\d*", str(text)) is not None


@contextmanager
def connected(text: str = LIVE) -> Iterator[Any]:
    """Hold a gateway to the QuPath that runs.

    Parameters
    ----------
    text : str
        ``qupath:`` or ``qupath:PORT``; the token is that of the environment variable `TOKEN`.

    Raises
    ------
    InputError
        py4j is missing, nothing answers, or it asks for another token; also where the connection is lost inside.
    """
    try:
        from py4j.java_gateway import GatewayParameters, JavaGateway
        from py4j.protocol import Py4JError
    except ImportError as error:
        raise InputError('py4j is missing: pip install "diffuscope[qupath]".') from error
    port = int(str(text).removeprefix(LIVE) or _PORT)
    if not 0 < port < 2**16:
        raise InputError(f"{port} is no port: give the one that QuPath shows when its Py4J gateway is started.")
    token = os.environ.get(TOKEN) or None
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=token))
    try:
        yield gateway
    except (Py4JError, OSError) as error:
        # Without a token py4j says so only in words.
        if "uthentication" in f"{type(error).__name__} {error}":
            raise InputError(f"QuPath asks for its token: set {TOKEN} to the one of its Py4J gateway.") from error
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(f"no answer from QuPath at port {port} ({said[0]}): {_START}.") from error
    finally:
        gateway.close()


def read_shown(gateway: Any) -> Shown:
    """Read what QuPath shows.

    Parameters
    ----------
    gateway : JavaGateway
        From `connected`.

    Raises
    ------
    InputError
        No image is open, it is none of a disk, or QuPath shows it otherwise than its file is: cropped, turned.
    """
    data = _open(gateway)
    server = data.getServer()
    name = str(server.getMetadata().getName())
    changed = _changed(server)
    if changed:
        raise InputError(f"QuPath shows {name} otherwise than its file is ({changed}): open the image itself.")
    files = [path_of(str(one.toString())) for one in server.getURIs()]
    if len(files) != 1 or files[0] is None:
        raise InputError(f"{name}, which QuPath shows, is not one file of this machine: open a slide from a disk.")
    return Shown(name=name, path=Path(str(files[0])), shape=(int(server.getHeight()), int(server.getWidth())))


def read_selected(gateway: Any) -> Annotations:
    """Read the outlines that are selected in QuPath.

    Parameters
    ----------
    gateway : JavaGateway
        From `connected`.

    Raises
    ------
    InputError
        No image is open, or what comes is damaged.
    """
    selected = _open(gateway).getHierarchy().getSelectionModel().getSelectedObjects()
    try:
        read = [json.loads(str(text)) for text in gateway.entry_point.toFeatureCollections(selected, _AT_ONCE)]
    except (ValueError, RecursionError) as error:
        raise InputError(f"what is selected in QuPath cannot be read ({error}): select annotations.") from error
    return take_annotations(Path("QuPath"), [feature for one in read for feature in one.get("features", [])])


def put_objects(gateway: Any, features: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Have the image that QuPath shows hold these objects, and no other of the same results.

    Those that are there stay as they are; so does what lies in an object that goes.

    Parameters
    ----------
    gateway : JavaGateway
        From `connected`.
    features : sequence of dict
        Features of GeoJSON, each with an id (see `OF_RESULT`), in px of that image.

    Returns
    -------
    added, removed : int
        How many were added, and how many of the same result went.
    """
    hierarchy = _open(gateway).getHierarchy()
    objects = hierarchy.getAllObjects(False)
    # As one text: of a list every item would be asked for by itself.
    there = str(gateway.entry_point.getObjectIds(objects).toString()).strip("[]").split(", ")
    wanted = {one["id"] for one in features}
    own = {one[:OF_RESULT] for one in wanted}
    others = [at for at, one in enumerate(there) if one[:OF_RESULT] in own and one not in wanted]
    if others:
        every = objects.toArray()
        for at in others:
            hierarchy.removeObjectWithoutUpdate(every[at], True)
        # At once: where objects that come belong is looked up among those that QuPath was told of.
        gateway.entry_point.fireHierarchyUpdate()
    known = set(there)
    missing = [one for one in features if one["id"] not in known]
    for at in range(0, len(missing), _AT_ONCE):
        text = json.dumps(missing[at : at + _AT_ONCE], allow_nan=False)
        hierarchy.addObjects(gateway.entry_point.toPathObjects(text))
    if missing:
        hierarchy.resolveHierarchy()
        gateway.entry_point.fireHierarchyUpdate()
    return len(missing), len(others)


def _open(gateway: Any) -> Any:
    data = gateway.entry_point.getQuPath().getImageData()
    if data is None:
        raise InputError("no image is open in QuPath: open one.")
    return data


def _changed(server: Any) -> str:
    """Return what QuPath wraps an image in that changes it, by the name of its class; empty where nothing does."""
    one = own = server.getClass()
    while one is not None:
        if str(one.getSimpleName()) == "TransformingImageServer":
            return str(own.getSimpleName())
        one = one.getSuperclass()
    return ""
