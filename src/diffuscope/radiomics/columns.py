"""The columns of a case's radiomics, known without what measures them: a model states them before it is loaded."""

from __future__ import annotations

from diffuscope.radiomics.settings import RadiomicsSettings
from diffuscope.radiomics.tags import is_local, unit


def columns(settings: RadiomicsSettings) -> dict[str, str]:
    """Return the columns of `diffuscope.radiomics.case.case_row`, in their order, with their units.

    ``tumour_…`` are all features of the tumour; ``nodes_…`` intensities, textures and volume of all nodes taken as one
    region; ``largest_node_…`` the shape of the node with the most voxels.
    """
    return {f"{part}_{tag}": unit(tag) for part, tags in parts(settings).items() for tag in tags}


def parts(settings: RadiomicsSettings) -> dict[str, tuple[str, ...]]:
    """Return which features of each part of a case are columns."""
    # Of several nodes taken as one, other shapes and peaks would tell how far they lie apart.
    shape = tuple(tag for tag in settings.features if tag.startswith(("morph_", "loc_")))
    others = tuple(tag for tag in settings.features if is_local(tag))
    return {"tumour": settings.features, "nodes": others, "largest_node": shape}
