"""The radiomics row of a case: its tumour and its lymph nodes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from diffuscope.errors import InputError
from diffuscope.radiomics.columns import columns, parts
from diffuscope.radiomics.measure import measure
from diffuscope.radiomics.settings import RadiomicsSettings

#: Labels of a case: the tumour, and from where on nodes.
TUMOUR, FIRST_NODE = 1, 2


def case_row(
    ct: NDArray[np.generic], labels: NDArray[np.integer], spacing: Sequence[float], settings: RadiomicsSettings
) -> dict[str, float]:
    """Measure the tumour and the lymph nodes of a case.

    Parameters
    ----------
    ct : ndarray (d, h, w)
        HU.
    labels : ndarray of int (d, h, w)
        1 tumour, 2, 3 … nodes, 0 neither; any of them may be missing.
    spacing : sequence of float
        (z, y, x) mm.
    settings : RadiomicsSettings
        How.

    Returns
    -------
    dict of str to float
        By `columns`; NaN where there is no such tissue, and where a feature is not defined.

    Raises
    ------
    InputError
        CT and labels differ in shape, the spacing is not known, the CT has no value at some of them, or mirp is not
        installed.
    """
    nodes = labels >= FIRST_NODE
    largest = int(np.bincount(labels[nodes], minlength=FIRST_NODE + 1).argmax())
    row = dict.fromkeys(columns(settings), float("nan"))
    for part, tags in parts(settings).items():
        mask = {"tumour": labels == TUMOUR, "nodes": nodes, "largest_node": nodes & (labels == largest)}[part]
        if not tags or not mask.any():
            continue
        try:
            found = measure(ct, mask, spacing, settings.model_copy(update={"features": tags}))
        except InputError as error:
            raise InputError(f"{part.replace('_', ' ')}: {error}") from error
        row |= {f"{part}_{tag}": value for tag, value in found.items()}
    return row
