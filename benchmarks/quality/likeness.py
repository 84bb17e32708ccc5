"""How often a run says that an input is unlike what its model is for: of images like those of training, and of others.

The data lie beside the repository (``../shared/data``); nothing that is counted as alike trained a model, but for the
line that says so. Each line tells of how many images something was said, and of the first the sentence.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import tifffile
from skimage import data as pictures

from benchmarks.shared.figures import Goal
from diffuscope.jobs.likeness.notices import unlike_files
from diffuscope.model.find import model_info
from diffuscope.sample_data import sample_path

GOALS = {"alike_told_percent": Goal(high=2.0), "unlike_told_percent": Goal(low=80.0)}

_STAIN = "stain-cd3-demo"
_SARCOMA, _HEADS = (
    {"mr-to-ct-sarcoma": "mr_t1", "ct-to-mr-sarcoma": "ct"},
    {"t1-to-flair-ms": "T1", "flair-to-t1-ms": "FLAIR"},
)
_HELD = ("STS_004", "STS_010", "STS_012", "STS_018", "STS_025", "STS_029", "STS_031")
_NANO, _SECTION = "nanoparticles-demo", "tumour-simulated.ome.tif"
#: Model, the file of its input or those of several, and µm/px where they do not say it.
Given = tuple[str, Path | Mapping[str, str], float | None]


def measure(*, data: Path = "../shared/data") -> dict[str, float]:
    """Look at every image.

    Parameters
    ----------
    data : Path
        Folder of the real test data.
    """
    data = Path(data)
    with tempfile.TemporaryDirectory() as folder:
        counts = {"alike": _count(_alike(data)), "unlike": _count(_unlike(data, Path(folder)))}
    figures = {}
    for kind, (told, number) in counts.items():
        figures |= {f"{kind}_images": float(number), f"{kind}_told_percent": 100.0 * told / max(number, 1)}
    return figures


def _count(groups: Iterable[tuple[str, list[Given]]]) -> tuple[int, int]:
    told = number = 0
    for name, given in groups:
        found = [_told(*one) for one in given]
        said = [sentence for sentence in found if sentence]
        print(f"{name:<60} {len(said):>3} of {len(found):>3}  {said[0] if said else ''}", flush=True)
        told, number = told + len(said), number + len(found)
    return told, number


def _told(model: str, files: Path | Mapping[str, str], mpp: float | None) -> str:
    key = model_info(model).declared.input_rasters[0].key
    return " ".join(unlike_files(model, {key: files} if isinstance(files, Path) else files, mpp=mpp))


def _channels(file: Path, vessels: str, nuclei: str) -> Mapping[str, str]:
    return {"vessels": f"{file}#{vessels}", "nuclei": f"{file}#{nuclei}"}


def _alike(data: Path) -> Iterator[tuple[str, list[Given]]]:
    orion = sorted((data / "he-orion").glob("*.png"))
    yield "H&E: slide CMU-1, of no training", [(_STAIN, sample_path("CMU-1-Small-Region.svs"), None)]
    sheets = [sample_path(f"he-orion-{slide}.jpg") for slide in ("C01", "C03", "C05")]
    yield "H&E: sheets of three slides, ORION", [(_STAIN, sheet, 0.325) for sheet in sheets]
    yield "H&E: single tiles of 73 µm, ORION", [(_STAIN, tile, 0.325) for tile in orion]
    yield "nanoparticles-demo: sample", [(_NANO, _channels(sample_path(_SECTION), "CD31", "DAPI"), None)]
    for model, name in _SARCOMA.items():
        yield (
            f"{model}: held-out patients",
            [(model, data / f"sarcoma-ct-mr/{one}/{name}.nii.gz", None) for one in _HELD],
        )
    for model, name in _HEADS.items():
        yield f"{model}: held-out patient", [(model, data / f"ms-brain/patient19/{name}.nii.gz", None)]


def _unlike(data: Path, folder: Path) -> Iterator[tuple[str, list[Given]]]:
    slide, small = data / "slides/OS-2-ndpi.ome.tif", sample_path("OS-1-detail.ome.tif")
    strips = sorted((data / "deepliif-strips").glob("*.png"))
    yield (
        "H&E: DAB slide, DAB and fluorescence side by side",
        [(_STAIN, slide, None), *((_STAIN, one, 0.5) for one in strips)],
    )
    yield "H&E: DAB picture of scikit-image", [(_STAIN, _saved(folder, pictures.immunohistochemistry), 0.5)]
    photos = (pictures.astronaut, pictures.coffee, pictures.chelsea, pictures.rocket, pictures.retina)
    yield "H&E: photographs", [(_STAIN, _saved(folder, photo), 0.5) for photo in photos]
    slides = (sample_path("CMU-1-Small-Region.svs"), small, sample_path("he-orion-C05.jpg"))
    for times, steps in (("four", (0.25, 4.0)), ("two", (0.5, 2.0))):
        wrong = [
            (_STAIN, one, mpp * step) for one, mpp in zip(slides, (0.499, 0.227, 0.325), strict=True) for step in steps
        ]
        yield f"H&E: µm/px {times} times too small or too large", wrong
    section, own = sample_path(_SECTION), _channels(sample_path(_SECTION), "CD31", "DAPI")
    yield "nanoparticles-demo: channels swapped", [(_NANO, _channels(section, "DAPI", "CD31"), None)]
    yield "nanoparticles-demo: µm/px four times too small or too large", [(_NANO, own, mpp) for mpp in (0.25, 4.0)]
    ions = {"vessels": str(data / "breast-mibi/CD31.tif"), "nuclei": str(data / "breast-mibi/HH3.tif")}
    yield "nanoparticles-demo: ion counts (MIBI)", [(_NANO, ions, 0.5)]
    for model, name in _SARCOMA.items():
        other = {"mr_t1": "ct", "ct": "mr_t1"}[name]
        every = sorted(path for path in (data / "sarcoma-ct-mr").iterdir() if path.is_dir())
        yield f"{model}: {other} instead", [(model, path / f"{other}.nii.gz", None) for path in every]
        yield (
            f"{model}: inverted",
            [(model, _changed(folder, data / f"sarcoma-ct-mr/{one}/{name}.nii.gz"), None) for one in _HELD],
        )
    bodies = [*sorted((data / "templates").glob("totalseg_??.nii.gz")), *sorted((data / "liver-ct").glob("*.nii.gz"))]
    yield "mr-to-ct-sarcoma: whole bodies", [("mr-to-ct-sarcoma", body, None) for body in bodies]
    for model, name in _HEADS.items():
        own = data / f"ms-brain/patient19/{name}.nii.gz"
        skulls = [data / f"templates/{one}_2mm.nii.gz" for one in ("flair181", "flair366", "scct", "scct_stripped")]
        yield f"{model}: heads of other scanners, or CT", [(model, one, None) for one in skulls]
        yield (
            f"{model}: spacing half and twice",
            [(model, _changed(folder, own, spacing=by), None) for by in (0.5, 2.0)],
        )
        yield f"{model}: inverted", [(model, _changed(folder, own), None)]
        for other in sorted({"T1", "T2", "FLAIR"} - {name}):
            yield (
                f"{model}: {other} instead",
                [(model, data / f"ms-brain/patient{one}/{other}.nii.gz", None) for one in ("07", "19")],
            )


def _saved(folder: Path, picture: Callable[[], np.ndarray]) -> Path:
    path = folder / f"{picture.__name__}.tif"
    tifffile.imwrite(path, picture(), photometric="rgb")
    return path


def _changed(folder: Path, file: Path, *, spacing: float | None = None) -> Path:
    """Return a copy with a spacing so many times as wide, or else with its greys inverted."""
    image = sitk.ReadImage(str(file))
    if spacing is None:
        voxels = sitk.GetArrayFromImage(image)
        inverted = sitk.GetImageFromArray(voxels.max() + voxels.min() - voxels)
        inverted.CopyInformation(image)
        image = inverted
    else:
        image.SetSpacing([step * spacing for step in image.GetSpacing()])
    path = folder / f"{file.parent.name}-{spacing}-{file.name}"
    sitk.WriteImage(image, str(path))
    return path
