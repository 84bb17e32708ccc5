"""Every command line of the pages is typed as it stands, on small stand-ins of the files that it names.

Models are loaded and everything is checked, read and written; only what takes hours is not computed: a network's tiles
are empty, a training leaves the weights that it would begin with, and a registration ends once it may begin.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import any_toys
import made_dicom
import numpy as np
import pytest
import tifffile
from model_card import CARD
from score_model import write_model, write_patients
from typer.testing import CliRunner
from user_pairs import write_pairs

from diffuscope.cli import app
from diffuscope.engine.events import Finished
from diffuscope.errors import InputError
from diffuscope.evaluation.metrics.features import RandomConvFeatures
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.stains import StainStatistics, measure_stains
from diffuscope.systems import registry
from diffuscope.training.events import TrainingFinished
from diffuscope.training.prepare import open_rounds

ROOT = Path(__file__).resolve().parents[2]
OF_SHARED = "takes a data set that does not ship"
BEGINS = "all that is checked before it begins was right"
TOYS = {"contrasts": "any-slices"}
OF_QUPATH = "needs a QuPath that runs, for which tests/api/test_live_qupath.py has a stand-in"
NOT_RUN = {
    "diffuscope run stain-cd3-demo qupath:": OF_QUPATH,
    'diffuscope export "results/slide Tumour.ome.zarr" -o qupath:': OF_QUPATH,
    "diffuscope run … --scheduler tcp://localhost:8786": "leaves out what the lines above it say",
    "diffuscope run stain-cd3-demo slide.svs -o out.ome.zarr --scheduler": "needs a cluster at that address",
    "diffuscope make patients ../shared/data/ms-brain": OF_SHARED,
    "diffuscope check-data runs/data/ms-brain": OF_SHARED,
    "diffuscope train src/diffuscope/training/recipes/ms-flair-demo.yaml": OF_SHARED,
    "diffuscope run runs/ms-flair-demo": OF_SHARED,
    "diffuscope score nodes --ct CT": "takes a model that sees CT, which tests/api/test_score.py has",
}


def lines(page: Path) -> list[str]:
    """Return the command lines of a page's blocks, those of Python left out."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    found = (
        line.strip() for name, block in blocks if name != "python" for line in block.replace("\\\n", " ").splitlines()
    )
    return [line for line in found if line.startswith("diffuscope ")]


PAGES = [page for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if lines(page)]


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of the files that pages name."""
    folder = tmp_path_factory.mktemp("pages") / "desk"
    write_pairs(folder / "made")
    for name in ("sample_data", "src"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("slide.svs", "he.svs", "ihc.svs"):
        shutil.copy(sample_path("CMU-1-Small-Region.svs"), folder / name)
    (folder / "slides").mkdir()
    for name in ("a.svs", "b.svs"):
        shutil.copy(sample_path("CMU-1-Small-Region.svs"), folder / "slides" / name)
    (folder / "slides.csv").write_text('name,file,region\nleft,slides/a.svs,"0,0,512,512"\nb,slides/b.svs,\n')
    (folder / "points.csv").write_text("x_fixed,y_fixed,x_moving,y_moving\n100,100,100,100\n900,800,700,600\n")
    for name in ("T1", "T2"):
        shutil.copy(sample_path(f"head-patient19-{name}.nii.gz"), folder / f"{name}.nii.gz")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(made_dicom, "DEPTH", 84)
        made_dicom.write_ct(folder / "CT")
    tumour = [("CLOSED_PLANAR", made_dicom.box(0, 0, 9, 3.0 * z)) for z in range(30, 36)]
    shutil.move(made_dicom.write_structures(folder / "CT", [("GTVp", tumour)]), folder / "RS.dcm")
    (folder / "scans.csv").write_text("patient_id,ct,mask\nP1,CT,RS.dcm\nP2,,\n")
    write_model(folder / "nodes")
    write_patients(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, toy in TOYS.items():
            monkeypatch.setitem(registry._ROWS, toy, any_toys.ROWS[toy])
            save_model(folder / name, registry.build_system(toy, {}), toy, {}, CARD)
    drawn = {"type": "Polygon", "coordinates": [[[800, 640], [1100, 650], [1000, 900], [800, 640]]]}
    about = {"objectType": "annotation", "classification": {"name": "Tumour", "color": [200, 0, 0]}}
    (folder / "annotations.geojson").write_text(json.dumps([{"geometry": drawn, "properties": about}]))
    (folder / "how.yaml").write_text("features: [morph_volume]\n")
    with tifffile.TiffFile(sample_path("tumour-simulated.ome.tif")) as file:
        planes = np.tile(file.asarray(), (1, 2, 2))
    about = {"axes": "CYX", "Channel": {"Name": ["CD31", "DAPI", "nanoparticles"]}}
    size = {"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
    options = {"tile": (256, 256), "photometric": "minisblack", "compression": "zlib"}
    tifffile.imwrite(folder / "slide.ome.tif", planes, metadata=about | size, **options)
    shutil.move(folder / "made" / "pairs", folder / "data")
    shutil.copytree(folder / "data" / "ihc", folder / "pix2pix")
    return folder


@pytest.fixture
def desk(named: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder in which the files lie that pages name, and be in it."""
    folder = shutil.copytree(named, tmp_path / "desk", symlinks=True)
    for toy in TOYS.values():
        monkeypatch.setitem(registry._ROWS, toy, any_toys.ROWS[toy])
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def measure_once() -> Callable[..., StainStatistics | None]:
    """Return what measures the stains of a slide once: most lines of all pages name one slide."""
    measured: dict[tuple[float | int, ...], StainStatistics | None] = {}

    def measure(fields: Sequence[np.ndarray], *, mpp: float) -> StainStatistics | None:
        of = (mpp, *(hash(field.tobytes()) for field in fields))
        if of not in measured:
            measured[of] = measure_stains(fields, mpp=mpp)
        return measured[of]

    return measure


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, measure_once: Callable[..., StainStatistics | None]) -> None:
    """Leave out what takes hours."""
    import diffuscope.api.register
    import diffuscope.api.run
    import diffuscope.api.train
    import diffuscope.simulation.oesophagus.dataset
    import diffuscope.simulation.tumour.dataset
    import diffuscope.stains
    from diffuscope.simulation.restaining import example, sources

    computing, real_tiles = diffuscope.api.run.computing, diffuscope.api.run.run_tiles

    @contextmanager
    def nothing(*_: Any) -> Iterator[None]:
        yield None

    def only_cases(job: Any, *more: Any) -> Any:
        # A score takes no time, and a report has nothing to say without.
        return computing(job, *more) if job.model.system.declared.whole else nothing()

    def run_tiles(compute: Any, canvas: Any, **more: Any) -> Iterator[Any]:
        if compute is not None:
            yield from real_tiles(compute, canvas, **more)
            return
        values = {value.key: np.zeros(1, np.float32) for value in canvas._values._values}
        for tile in canvas.plan.tiles():
            empty = {port.key: np.zeros((len(port.channels), *canvas.plan.shape), np.float32) for port in canvas.ports}
            canvas.write_tile(tile, empty, values)
        complete = canvas.finish()
        yield Finished(out=str(canvas.path), complete=complete, done=canvas.count, tiles=canvas.count, seconds=0.0)

    def train(work: Any, report: Any, _cancelled: Any) -> None:
        # Data that do not fit are told, and what a system measures of them is measured.
        start = open_rounds(work.rounds)[-1].start
        save_model(work.out, start.system, start.name, start.config, work.card)
        told = {"steps": 1, "seconds": 0.0, "figures": {}, "round": 1, "rounds": 1, "name": ""}
        report(TrainingFinished(out=str(work.out), complete=True, step=1, kept=1, **told))

    def register(_work: Any) -> Iterator[None]:
        raise InputError(BEGINS)
        yield

    def read_corner(source: Any, folder: Path, mpp: float) -> Any:
        # A whole slide takes the teacher half a minute; one block in four is held out.
        return read_source(source, folder, mpp)[: 2 * sources.BLOCK, : 2 * sources.BLOCK]

    def prepare(he: Any, stain: Any, *, mpp: float, labels: Any = None) -> Any:
        return phantom(stain, mpp) if labels is not None else prepare_source(he, stain, mpp=mpp)

    # One phantom is all phantoms of a recipe.
    tissue, prepare_source, read_source = cache(sources.simulate_tissue), sources.prepare, sources.read_source
    phantom = cache(
        lambda stain, mpp: prepare_source(tissue(0, mpp=mpp).he, stain, mpp=mpp, labels=tissue(0, mpp=mpp).labels)
    )
    drawn = diffuscope.simulation.tumour.dataset._drawn
    patients = diffuscope.simulation.oesophagus.dataset.simulated
    # How alike pictures are is not what is tried here.
    monkeypatch.setattr(RandomConvFeatures, "_CHANNELS", (3, 2, 2, 2, 2))
    monkeypatch.setattr(RandomConvFeatures, "dimension", 16)
    monkeypatch.setattr(diffuscope.stains, "measure_stains", measure_once)
    monkeypatch.setattr(diffuscope.api.run, "computing", only_cases)
    monkeypatch.setattr(diffuscope.api.run, "run_tiles", run_tiles)
    monkeypatch.setattr(diffuscope.api.train, "_work", train)
    monkeypatch.setattr(diffuscope.api.register, "_register", register)
    monkeypatch.setattr(sources, "read_source", read_corner)
    monkeypatch.setattr(sources, "simulate_tissue", lambda _seed, *, mpp: tissue(0, mpp=mpp))
    monkeypatch.setattr(sources, "prepare", prepare)
    monkeypatch.setattr(example, "other_laboratory", lambda he: (he, he))
    monkeypatch.setattr(diffuscope.simulation.tumour.dataset, "_drawn", lambda plan: drawn(plan)[:2])
    monkeypatch.setattr(diffuscope.simulation.oesophagus.dataset, "simulated", lambda *of: islice(patients(*of), 30))


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_line_does_what_it_says(desk: Path, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = 0
    for line in lines(page):
        if any(line.startswith(start) for start in NOT_RUN):
            continue
        words = shlex.split(line.partition("  #")[0])[1:]
        if page.name == "damm.md" and words[0] == "measure":
            done = CliRunner().invoke(app, ["run", "nanoparticles-demo", "slide.ome.tif", "-o", "out.ome.zarr"])
            assert done.exit_code == 0, done.output
        if words[0] == "check-data" and (desk / "tutorial").is_dir():
            monkeypatch.chdir("tutorial")  # as the page says
            shutil.copy(desk / "slide.svs", "slide.svs")
        out = Path(words[words.index("-o") + 1]) if "-o" in words else None
        if out is not None and out.is_dir():
            shutil.rmtree(out)  # the line is another way to do what the one above did
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0 or BEGINS in done.output, f"{line}\n{done.output}"
        typed += 1
    assert typed or all(any(line.startswith(start) for start in NOT_RUN) for line in lines(page))


def test_lines_that_are_not_run_stand_on_a_page() -> None:
    every = [line for page in PAGES for line in lines(page)]
    assert all(any(line.startswith(start) for line in every) for start in NOT_RUN)
