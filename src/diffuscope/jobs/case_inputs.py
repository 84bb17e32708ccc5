"""One case's files as a whole system takes them, without a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray

from diffuscope.engine.case import case_tensors
from diffuscope.jobs.inputs import Frame, open_inputs
from diffuscope.jobs.masks import GivenMask, open_masks
from diffuscope.ports.mask import Mask
from diffuscope.systems.base import CaseInput, Whole
from diffuscope.tiling.whole import make_whole_plan


def prepare_case(
    system: Whole,
    files: Mapping[str, GivenMask],
    rows: Mapping[str, NDArray[np.float32]],
    *,
    texts: Mapping[str, str] = MappingProxyType({}),
    device: torch.device,
    tell: Callable[[str], object] | None = None,
) -> dict[str, CaseInput]:
    """Return what the network sees of a case (see `Whole.prepare`).

    Parameters
    ----------
    system : Whole
        Whose inputs they are.
    files : mapping of str to Path
        Images and labels, by port key; those that a case does without are left out.
    rows : mapping of str to ndarray (columns,)
        By table, as `Table.encode` gives them.
    texts : mapping of str to str
        By port key.
    device : torch.device
        Where what is seen goes.
    tell : callable, optional
        Takes each sentence that the user should know of the files.

    Raises
    ------
    InputError
        A file cannot be opened or does not fit, or the case is none for this system.
    """
    arrays: dict[str, NDArray[np.generic]] = dict(rows)
    spacing = None
    rasters = [port for port in system.input_rasters if port.key in files]
    labels = [port for port in system.inputs if isinstance(port, Mask) and port.key in files]
    if labels and not rasters:
        open_masks({port.key: files[port.key] for port in labels}, labels, [])  # which says what they lie on
    if rasters:
        opened = open_inputs(
            {port.key: str(files[port.key]) for port in rasters}, rasters, type(system).__name__, mpp=None
        )
        masks = open_masks({port.key: files[port.key] for port in labels}, labels, opened)
        scan, port = opened[0].scan, opened[0].port
        factors = scan.factors(port)
        plan = make_whole_plan(shape=scan.shape, factors=factors, spacing=scan.spacing)
        [tile] = plan.tiles()
        frame = Frame(shape=plan.shape, factors=factors)
        arrays |= {one.port.key: one.read(tile, frame) for one in opened}
        arrays |= {one.port.key: one.read(plan.shape, factors) for one in masks}
        spacing = plan.spacing
        # What is odd about voxels is known once they are read.
        for notice in (
            *(told for one in opened for told in one.scan.notices),
            *(t for one in masks for t in one.notices),
        ):
            if tell is not None:
                tell(notice)
    return system.prepare(case_tensors(system, arrays, device) | dict(texts), spacing)
