"""What the features are called: the tags of the reference values of the Image Biomarker Standardisation Initiative.

Zwanenburg et al., *The Image Biomarker Standardization Initiative*, Radiology 295 (2020), and its reference manual
(arXiv 1612.07003), which defines every feature. Only features with a reference value are here.
"""

from __future__ import annotations

from collections.abc import Collection

_MORPHOLOGY = """volume vol_approx area_mesh av comp_1 comp_2 sph_dispr sphericity asphericity com diam pca_maj_axis
    pca_min_axis pca_least_axis pca_elongation pca_flatness vol_dens_aabb area_dens_aabb vol_dens_aee area_dens_aee
    vol_dens_conv_hull area_dens_conv_hull integ_int moran_i geary_c"""
_STATISTICS = "mean var skew kurt median min p10 p90 max iqr range mad rmad medad cov qcod energy rms"
_HISTOGRAM = """mean var skew kurt median min p10 p90 max mode iqr range mad rmad medad cov qcod entropy uniformity
    max_grad max_grad_g min_grad min_grad_g"""
_COOCCURRENCE = """joint_max joint_avg joint_var joint_entr diff_avg diff_var diff_entr sum_avg sum_var sum_entr energy
    contrast dissimilarity inv_diff inv_diff_norm inv_diff_mom inv_diff_mom_norm inv_var corr auto_corr clust_tend
    clust_shade clust_prom info_corr1 info_corr2"""
_RUNS = "sre lre lgre hgre srlge srhge lrlge lrhge glnu glnu_norm rlnu rlnu_norm r_perc gl_var rl_var rl_entr"
_ZONES = "sze lze lgze hgze szlge szhge lzlge lzhge glnu glnu_norm zsnu zsnu_norm z_perc gl_var zs_var zs_entr"
_DISTANCES = "sde lde lgze hgze sdlge sdhge ldlge ldhge glnu glnu_norm zdnu zdnu_norm z_perc gl_var zd_var zd_entr"
_DEPENDENCES = """lde hde lgce hgce ldlge ldhge hdlge hdhge glnu glnu_norm dcnu dcnu_norm dc_perc gl_var dc_var dc_entr
    dc_energy"""

#: Families by the beginning of their tags, and what follows; tags of textures end in a way to bring matrices together.
FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(text.split())
    for family, text in {
        "morph": _MORPHOLOGY,
        "loc": "peak_loc peak_glob",
        "stat": _STATISTICS,
        "ih": _HISTOGRAM,
        "ivh": "v10 v90 i10 i90 diff_v10_v90 diff_i10_i90",
        "cm": _COOCCURRENCE,
        "rlm": _RUNS,
        "szm": _ZONES,
        "dzm": _DISTANCES,
        "ngt": "coarseness contrast busyness complexity strength",
        "ngl": _DEPENDENCES,
    }.items()
}

#: Textures with a matrix for each direction: in slices or in the volume, features averaged or matrices merged first.
DIRECTED = ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb")
#: Textures with one matrix.
UNDIRECTED = ("2D", "2_5D", "3D")

#: How the matrices of a family can be brought together.
WAYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("cm", "rlm"), DIRECTED),
    **dict.fromkeys(("szm", "dzm", "ngt", "ngl"), UNDIRECTED),
}

#: Families that need levels, not intensities.
OF_LEVELS = frozenset({"ih", *WAYS})


_OF_UNITS = {
    "mm": "morph_com morph_diam morph_pca_maj_axis morph_pca_min_axis morph_pca_least_axis",
    "mm²": "morph_area_mesh",
    "mm³": "morph_volume morph_vol_approx",
    "1/mm": "morph_av",
    "HU": """stat_mean stat_median stat_min stat_p10 stat_p90 stat_max stat_iqr stat_range stat_mad stat_rmad stat_medad
        stat_rms loc_peak_loc loc_peak_glob""",
    "HU²": "stat_var stat_energy",
    "HU·mm³": "morph_integ_int",
}
_UNITS = {tag: unit for unit, names in _OF_UNITS.items() for tag in names.split()}


def unit(tag: str) -> str:
    """Return the unit of a feature of a CT; empty of numbers without one, and of what is counted in levels."""
    return _UNITS.get(tag, "")


#: How much of a shape there is, which no distance between its parts changes.
VOLUMES = frozenset({"morph_volume", "morph_vol_approx"})


def is_local(tag: str) -> bool:
    """Whether a feature asks for no more than a voxel and its neighbours: how far parts lie apart is nothing to it."""
    return tag in VOLUMES or not tag.startswith(("morph_", "loc_"))


def tags(families: Collection[str] = tuple(FAMILIES), ways: Collection[str] = (*DIRECTED, *UNDIRECTED)) -> list[str]:
    """Return the tags of families, in the order of the reference tables.

    Parameters
    ----------
    families : collection of str
        Keys of `FAMILIES`.
    ways : collection of str
        Of `DIRECTED` and `UNDIRECTED`: those that textures are taken by.
    """
    found = []
    for family, features in FAMILIES.items():
        if family in families:
            ends = [f"_{way}" for way in WAYS[family] if way in ways] if family in WAYS else [""]
            found += [f"{family}_{feature}{end}" for end in ends for feature in features]
    return found


#: Every tag: its family, its feature without the way, as ``cm_contrast``, and the way, empty where there is none.
PARTS: dict[str, tuple[str, str, str]] = {
    f"{family}_{feature}{f'_{way}' if way else ''}": (family, f"{family}_{feature}", way)
    for family, features in FAMILIES.items()
    for feature in features
    for way in WAYS.get(family, ("",))
}
