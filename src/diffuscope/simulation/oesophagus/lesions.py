"""Tumour and nodes, painted into a scene so that they show the measures that were drawn."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from diffuscope.simulation.oesophagus.anatomy import Field, Scene, blend, millimetres, smooth

#: Label of the tumour and of the largest node in a mask; further nodes count on.
TUMOUR, NODE = 1, 2
#: Noise of a CT voxel, HU.
NOISE = 9.0
_LUMEN = 3.0  # mm, radius of the oesophagus inside its wall
_FARTHEST = 40.0  # mm, of a node from the oesophagus
_TRIES = 400
_BUMPS, _MOST = 3.0, 1.5  # waves of a rough margin around a node, and how far its roughness goes


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node to be painted.

    Attributes
    ----------
    axis : float
        Short axis, mm.
    eccentricity, roughness, pattern, necrosis : float
        See `diffuscope.simulation.oesophagus.factors.Drawn.measures`.
    """

    axis: float
    eccentricity: float
    roughness: float
    pattern: float
    necrosis: float

    @property
    def reach(self) -> float:
        """Half of its long axis with all its roughness, mm."""
        return self.axis / 2 / float(np.sqrt(1 - self.eccentricity**2)) * (1 + _MOST * self.roughness)


def paint(
    scene: Scene, *, length: float, depth: float, pattern: float, nodes: list[Node], rng: np.random.Generator
) -> tuple[NDArray[np.int16], NDArray[np.uint8]]:
    """Paint a tumour and nodes, and the noise of the scanner.

    Parameters
    ----------
    scene : Scene
        What they grow in; stays as it is.
    length, depth, pattern : float
        Of the tumour: mm, mm, and how it enhances.
    nodes : list of Node
        The largest first; label `NODE` and on.
    rng : Generator
        Consumed.

    Returns
    -------
    ct : ndarray (d, h, w)
        int16 HU.
    mask : ndarray (d, h, w)
        uint8: 0, `TUMOUR`, `NODE` and on.
    """
    scene = replace(scene, hu=scene.hu.copy())
    mask = np.zeros(scene.hu.shape, np.uint8)
    distance, middle = _tumour(scene, length, depth, rng)
    blend(scene.hu, distance, enhancement(pattern, scene, rng), scene.spacing)
    mask[distance < 0] = TUMOUR
    placed: list[tuple[NDArray[np.float64], float]] = []
    for number, node in enumerate(nodes):
        place = _place(scene, distance, middle, node, placed, rng)
        placed.append((place, node.reach))
        inside = _paint_node(scene, place, node, rng)
        mask[inside & (mask == 0)] = NODE + number
    noise = smooth(scene.hu.shape, scene.spacing, 1.6, rng)
    return np.clip(np.rint(scene.hu + NOISE * noise), -1024, 3071).astype(np.int16), mask


def enhancement(pattern: float, scene: Scene, rng: np.random.Generator) -> Field:
    """Return the HU of a lesion: weak and even at a pattern of −1 (55 HU), strong and patchy at 1 (115 HU)."""
    patches = smooth(scene.hu.shape, scene.spacing, 5.0, rng)
    return np.float32(85.0 + 30.0 * pattern) + np.float32(2.0 + 7.0 * max(pattern + 1.0, 0.0)) * patches


def _tumour(scene: Scene, length: float, depth: float, rng: np.random.Generator) -> tuple[Field, float]:
    """Return the signed distance to a tumour about the middle of the oesophagus, and the height of its middle, mm."""
    z, y, x = millimetres(scene.hu.shape, scene.spacing)
    planes = np.flatnonzero(np.isfinite(scene.centre[:, 0]))
    step = scene.spacing[0]
    free = max((planes[-1] - planes[0]) * step - length, 0.0) / 2
    middle = (planes[0] + planes[-1]) / 2 * step + rng.uniform(-0.5, 0.5) * free
    # Beyond its ends the oesophagus is taken to run on as it does there.
    path = [np.interp(np.arange(len(scene.centre)), planes, scene.centre[planes, axis]) for axis in (0, 1)]
    down, aside = (values - line[:, None, None] for values, line in zip((y, x), path, strict=True))
    profile = np.sqrt(np.clip(1 - ((z - middle) / (length / 2)) ** 2, 0.0, 1.0))
    # Thickest to one side, where it has its full depth.
    side = rng.uniform(0, 2 * np.pi)
    around = 0.8 + 0.2 * np.cos(np.arctan2(down, aside) - side)
    wall = depth * profile * around * (1 + 0.1 * smooth(scene.hu.shape, scene.spacing, 9.0, rng))
    distance = np.hypot(down, aside) - _LUMEN - wall
    return np.where(profile > 0, distance, np.maximum(distance, 1.0)).astype(np.float32), float(middle)


def _place(
    scene: Scene,
    tumour: Field,
    middle: float,
    node: Node,
    placed: list[tuple[NDArray[np.float64], float]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return where a node lies, (z, y, x) in mm: beside the oesophagus, clear of the tumour, of organs, of other nodes.

    Where nothing is free for a large one, the place with most room: it pushes the organ aside.
    """
    spacing = np.array(scene.spacing)
    edge = (np.array(scene.hu.shape) - 1) * spacing
    angle, far = rng.uniform(0, 2 * np.pi, _TRIES), rng.uniform(10.0, _FARTHEST, _TRIES)
    height = np.clip(middle + rng.normal(0.0, 18.0, _TRIES), node.reach + 2, edge[0] - node.reach - 2)
    plane = np.rint(height / spacing[0]).astype(int)
    planes = np.flatnonzero(np.isfinite(scene.centre[:, 0]))
    path = np.stack([np.interp(plane, planes, scene.centre[planes, axis]) for axis in (0, 1)], axis=1)
    places = np.stack([height, path[:, 0] + far * np.sin(angle), path[:, 1] + far * np.cos(angle)], axis=1)
    places[:, 1:] = np.clip(places[:, 1:], node.reach + 2, edge[1:] - node.reach - 2)
    at = tuple(np.rint(places / spacing).astype(int).T)
    room = tumour[at] - node.reach - 2.0
    for other, reach in placed:
        room = np.minimum(room, np.linalg.norm(places - other, axis=1) - reach - node.reach - 2.0)
    # What another lesion takes can hardly be had; an organ gives way.
    room = np.minimum(np.where(room < 0, 10 * room, room), scene.clearance[at] - node.reach)
    free = np.flatnonzero(room >= 0)
    return np.asarray(places[free[0] if len(free) else int(room.argmax())], np.float64)


def _paint_node(scene: Scene, place: NDArray[np.float64], node: Node, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Paint a node, an ellipsoid with a rough margin and maybe a core without blood, and return what it fills."""
    shape, spacing = scene.hu.shape, np.array(scene.spacing)
    low = np.maximum(np.floor((place - node.reach) / spacing).astype(int) - 2, 0)
    high = np.minimum(np.ceil((place + node.reach) / spacing).astype(int) + 3, shape)
    window = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    part = Scene(scene.hu[window], scene.spacing, scene.centre, scene.clearance)
    offsets = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    offsets = offsets * spacing - place
    short = node.axis / 2
    axes = np.array([short / np.sqrt(1 - node.eccentricity**2), short, short])
    # Most nodes lie along the oesophagus.
    turned = Rotation.from_rotvec(rng.normal(0.0, 0.5, 3)).apply(offsets.reshape(-1, 3)).reshape(offsets.shape)
    radius = np.sqrt(((turned / axes) ** 2).sum(axis=-1))
    # Where the margin lies depends on the direction alone, so that a rough node has no islands.
    direction = turned / np.maximum(np.linalg.norm(turned, axis=-1, keepdims=True), 1e-6)
    waves = np.cos(direction @ rng.normal(0.0, _BUMPS, (3, 4)) + rng.uniform(0, 2 * np.pi, 4)).sum(axis=-1) / np.sqrt(2)
    margin = 1 + node.roughness * np.clip(waves, -_MOST, _MOST)
    distance = ((radius - margin) * short).astype(np.float32)
    blend(part.hu, distance, enhancement(node.pattern, part, rng), scene.spacing)
    if node.necrosis > 0:
        core = ((radius - node.necrosis ** (1 / 3)) * short).astype(np.float32)
        blend(part.hu, core, np.float32(10.0), scene.spacing)
    inside = np.zeros(shape, np.bool_)
    inside[window] = distance < 0
    return inside
