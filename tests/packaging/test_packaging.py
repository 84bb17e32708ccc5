"""What is promised of the package as such: what an import costs, what the wheel holds, which links there are."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import diffuscope

ROOT = Path(__file__).parents[2]


def imports(statement: str) -> set[str]:
    """Return the top-level modules that a statement loads in a fresh interpreter."""
    code = f"import sys\n{statement}\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.slow
def test_what_reads_and_shows_does_not_load_torch():
    """All of it in one interpreter: what none of them loads, each of them does not load."""
    statements = (
        "import diffuscope",
        "import diffuscope.scans, diffuscope.stains, diffuscope.sample_data",
        "import diffuscope.results.result, diffuscope.plugin.layers.reader, diffuscope.plugin.layers.samples",
        "import diffuscope.plugin.layers.facts, diffuscope.plugin.jobs.child",
        "from diffuscope import DEMO_SLIDE, open, open_result, open_scan, open_volume",
    )
    assert not imports("\n".join(statements)) & {"torch", "diffusers"}


@pytest.mark.slow
def test_the_engine_knows_no_qt():
    verbs = "from diffuscope import *"
    assert not imports(f"{verbs}; import diffuscope.cli") & {"napari", "qtpy", "PySide6", "PyQt6"}


def test_the_base_has_no_qt_binding_and_no_napari():
    base = [r for r in importlib.metadata.requires("diffuscope") if "extra ==" not in r]
    names = {r.split(">")[0].split("=")[0].split("[")[0].strip().lower() for r in base}
    assert "torch" in names and "qtpy" in names
    assert not names & {"napari", "pyside6", "pyqt6", "pyqt5", "torchvision"}


def test_top_level_links_lead_into_the_package():
    assert (ROOT / "napari.yaml").resolve() == ROOT / "src/diffuscope/napari.yaml"
    assert (ROOT / "sample_data").resolve() == ROOT / "src/diffuscope/sample_data"


def test_constraints_pin_torch_and_cover_what_is_required():
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line and line[0] != "#"
    )
    assert pins["torch"] == "2.13.0"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]
    names = {r.split(">")[0].split("[")[0].split(";")[0].strip().lower() for r in wanted} - {"diffuscope"}
    assert names <= pins.keys()


@pytest.mark.slow
def test_the_wheel_has_weights_samples_and_manifest(tmp_path: Path):
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert "docs/window.md" in pages and {f"diffuscope/{page}" for page in pages} <= names
    assert {
        "diffuscope/napari.yaml",
        "diffuscope/py.typed",
        "diffuscope/sample_data/CMU-1-Small-Region.svs",
        "diffuscope/sample_data/README.md",
        *(
            f"diffuscope/model/weights/{model}/{file}"
            for model in ("stain-cd3-demo", "stain-ck818-demo", "nanoparticles-demo", "mr-to-ct-sarcoma")
            for file in ("model.safetensors", "config.json", "README.md")
        ),
        "diffuscope/training/recipes/stain-cd3-demo.yaml",
        "diffuscope/training/recipes/stain-ck818-demo.yaml",
    } <= names
    assert not [name for name in names if not name.startswith(("diffuscope/", f"diffuscope-{diffuscope.__version__}"))]
