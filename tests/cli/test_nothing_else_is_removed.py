"""Every verb in arrangements in which it could remove what is not its own: refused, and no byte is another one."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml
from nano_result import write_nano
from PIL import Image
from score_model import write_model
from stain_result import write_stain
from typer.testing import CliRunner

from diffuscope.cli import app
from diffuscope.evaluation.report.folder import REPORT
from diffuscope.files.place import Kind, check_place
from diffuscope.model.folder import MODEL
from diffuscope.results.result import RESULT
from diffuscope.training.resume import TRAINING


def tree(folder: Path) -> dict[str, str]:
    """Return the digest of every file by its path, where each link leads, and the folders."""
    found = {}
    for place, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = Path(place) / name
            key = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[key] = f"-> {path.readlink()}"
            else:
                found[key] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Path:
    """Return a folder with an input, a result, a model, a training and a report, and files of a user's in each."""
    home = tmp_path_factory.mktemp("home")
    slide, _ = write_nano(home)
    shutil.copy(slide, home / "a copy.ome.tif")
    os.link(slide, home / "other-name.csv")
    (home / "link.ome.tif").symlink_to(slide)
    (home / "scans.csv").write_text("patient_id,ct,mask\nP1,pairs,slide.ome.tif#1=tumour\n")
    write_model(home / "scorer")
    (home / "cohort.csv").write_text("patient_id,age\n1,60\n")
    (home / "taken.csv.record.json").write_text('{"mine": 1}')
    for name in ("begun", "mine"):
        (home / f"{name}.csv.unfinished").mkdir()
        (home / f"{name}.csv.unfinished" / "plots.py").write_text("mine")
    (home / "begun.csv.unfinished" / "record.json").write_text('{"note": "", "model": {}, "inputs": {}}')
    shutil.copytree(home / "nano.ome.zarr", home / "noted.ome.zarr")
    (home / "noted.ome.zarr" / "my counts.xlsx").write_bytes(b"mine")
    shutil.copytree(home / "nano.ome.zarr", home / "labelled.ome.zarr")
    (home / "labelled.ome.zarr" / "labels" / "0").mkdir(parents=True)
    (home / "labelled.ome.zarr" / "labels" / "0" / ".zarray").write_bytes(b"mine")
    (home / "link.ome.zarr").symlink_to(home / "nano.ome.zarr")
    (home / "stain").mkdir()
    (home / "same").symlink_to(write_stain(home / "stain").path)
    shutil.copytree(tiny_model, home / "model")
    shutil.copytree(tiny_model, home / "noted-model")
    (home / "noted-model" / "lab book.txt").write_text("mine")
    (home / "repository" / ".git").mkdir(parents=True)
    (home / "repository" / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (home / "repository" / "config.json").write_text("{}")
    for name in ("kept.training", "model.training"):
        (home / name / "checkpoints").mkdir(parents=True)
        (home / name / "recipe.json").write_text("{}")
    (home / "kept.training" / "plots.py").write_text("mine")
    for key in ("he", "ihc"):
        (home / "pairs" / key).mkdir(parents=True)
        for name in "abcd":
            Image.fromarray(np.full((160, 160, 3), (180, 120, 170), np.uint8)).save(
                home / "pairs" / key / f"{name}.png"
            )
    recipe = {"name": "mine", "init_from": str(home / "model"), "data": {"path": "pairs", "mpp": 0.5}}
    recipe["optimisation"] = {"steps": 2, "batch": 1, "learning_rate": 1e-3}
    (home / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (home / "pictures" / "predictions").mkdir(parents=True)
    shutil.copytree(home / "pairs" / "ihc", home / "pictures" / "predictions" / "ihc")
    shutil.copytree(home / "nano.ome.zarr", home / "report" / "predictions" / "a.ome.zarr")
    (home / "report" / "report.json").write_text("{}")
    (home / "report" / "predictions" / "a.ome.zarr" / "outlines.geojson").write_text("mine")
    shutil.copytree(home / "nano.ome.zarr", home / "clean report" / "predictions" / "<a> b.ome.zarr")
    (home / "clean report" / "report.html").touch()
    (home / "patients" / "p1").mkdir(parents=True)
    shutil.copy(slide, home / "patients" / "p1" / "T1.tif")
    (home / "demo").mkdir()
    (home / "demo" / "demo.png").write_bytes(b"mine")
    (home / "a file").write_bytes(b"mine")
    he = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    for name in ("he.ome.tif", "ihc.ome.tif"):
        tifffile.imwrite(home / name, np.full((99, 99, 3), 200, np.uint8), photometric="rgb", metadata=he)
    os.link(home / "ihc.ome.tif", home / "other-name.png")
    return home


RUN = "run model he.ome.tif --overwrite -o"
MEASURE = "measure nano.ome.zarr slide.ome.tif --overwrite -o"
RADIOMICS = "radiomics scans.csv --overwrite -o"
SCORE = "score scorer cohort.csv --device cpu --overwrite -o"
EXPORT = "export nano.ome.zarr --overwrite -o"
TRAIN = "train recipe.yaml --overwrite -o"
EVALUATE = "evaluate model pairs --mpp 0.5 --overwrite -o"
REGISTER = "register he.ome.tif ihc.ome.tif --overwrite -o"


@pytest.mark.parametrize(
    ("line", "place", "sentence"),
    [
        (RUN, "he.ome.tif", "is, or holds, he.ome.tif, which is read for it"),
        (RUN, "noted.ome.zarr", "holds my counts.xlsx, which is no part of a Diffuscope result"),
        (RUN, "labelled.ome.zarr/", "holds labels/0/.zarray, which is no part of"),
        (RUN, "link.ome.zarr", "is a link and is never overwritten"),
        (RUN, "a file", "not a Diffuscope result and is never overwritten"),
        (RUN, "a file/out", "is no folder"),
        (RUN, ".", "is, or holds, he.ome.tif, which is read"),
        (RUN, "pairs/..", "is, or holds, he.ome.tif, which is read"),
        (RUN, "/", "is, or holds, he.ome.tif, which is read"),
        (RUN, "~", "is, or holds, he.ome.tif, which is read"),
        (RUN, "repository", "not a Diffuscope result"),
        (RUN, "n" * 300, "cannot be written (File name too long)"),
        (
            "run model stain/r.ome.zarr --overwrite -o",
            "stain/r.ome.zarr/new",
            "lies in stain/r.ome.zarr, which is only",
        ),
        ("run model stain/r.ome.zarr --overwrite -o", "same/new", "lies in stain/r.ome.zarr, which is only read"),
        (MEASURE, "slide.ome.tif", "is, or holds, slide.ome.tif"),
        (MEASURE, "pairs/../slide.ome.tif", "is, or holds, slide.ome.tif"),
        (MEASURE, "link.ome.tif", "is, or holds, slide.ome.tif"),
        (MEASURE, "other-name.csv", "is, or holds, slide.ome.tif"),
        (MEASURE, "a copy.ome.tif", "is what the result was made from"),
        (MEASURE, "nano.ome.zarr/table.csv", "lies in nano.ome.zarr, which is only read"),
        (MEASURE, "pairs", "not a file and is never overwritten"),
        (RADIOMICS, "scans.csv", "is, or holds, scans.csv"),
        (RADIOMICS, "other-name.csv", "is, or holds, slide.ome.tif"),
        (RADIOMICS, "pairs/table.csv", "lies in pairs, which is only read"),
        (SCORE, "cohort.csv", "is, or holds, cohort.csv, which is read for it"),
        (SCORE, "scans.csv", "not a table of scores and is never overwritten"),
        (SCORE, "link.ome.tif", "is a link and is never overwritten"),
        (SCORE, "taken.csv", "taken.csv.record.json exists already, is not the record of a table of scores"),
        (SCORE, "begun.csv", "holds plots.py, which is no part of an unfinished table of scores"),
        (SCORE, "mine.csv", "mine.csv.unfinished exists already, is not an unfinished table of scores"),
        (EXPORT, "slide.ome.tif", "is what the result was made from"),
        (EXPORT, "a copy.ome.tif", "is what the result was made from"),
        (EXPORT, "link.ome.tif", "is a link and is never overwritten"),
        (EXPORT, "nano.ome.zarr", "is, or holds, nano.ome.zarr"),
        (EXPORT, "link.ome.zarr/0/x.ome.tif", "lies in nano.ome.zarr, which is only read"),
        (EXPORT, "noted.ome.zarr", "holds my counts.xlsx"),
        (TRAIN, "noted-model", "holds lab book.txt, which is no part of a model folder"),
        (TRAIN, "repository", "not a model folder and is never overwritten"),
        (TRAIN, "kept", "holds plots.py, which is no part of a training"),
        (TRAIN, "model", "is, or holds, {home}/model, which is read for it"),
        (TRAIN, ".", "is, or holds, recipe.yaml, which is read"),
        (TRAIN, "/", "is, or holds, recipe.yaml, which is read"),
        (EVALUATE, "pictures", "holds predictions/ihc/a.png, which is no part of a report"),
        (f"{EVALUATE[:-2]} --predictions pictures/predictions -o", "pictures", "which is read for it"),
        (EVALUATE, "report", "holds predictions/a.ome.zarr/outlines.geojson, which is no part of a report"),
        (EVALUATE, "pairs", "is, or holds, pairs"),
        (EVALUATE, "model", "not a report and is never overwritten"),
        (REGISTER, "noted.ome.zarr", "holds my counts.xlsx"),
        (f"{REGISTER} new.ome.zarr --checkerboard", "other-name.png", "is, or holds, ihc.ome.tif"),
        ("make patients patients", "patients", "is, or holds, patients"),
        ("make patients patients", "model", "exists already"),
        ("make tumours", "model", "exists already"),
        ("make tumour", "slide.ome.tif", "exists already"),
        ("make pairs", "model", "exists already"),
        ("demo --no-view -o", "demo", "demo.png exists already"),
        ("check-data pairs --keys he,ihc --json", "pairs/he/a.png", "not a report of check-data and is never"),
        ("check-data pairs --keys he,ihc --json", "model/config.json", "not a report of check-data and is never"),
    ],
)
def test_what_is_not_ours_stays(
    made: Path, monkeypatch: pytest.MonkeyPatch, line: str, place: str, sentence: str
) -> None:
    monkeypatch.chdir(made)
    before = tree(made)
    last = ["t1=T1.tif"] if "patients" in line else []
    done = CliRunner().invoke(app, [*line.split(), place.replace("~", str(made.parent)), *last])
    assert done.exit_code == 2, done.output
    assert sentence.format(home=made) in done.output
    assert done.output.count("Error: ") == 1
    assert tree(made) == before


@pytest.mark.parametrize(
    ("name", "kind"),
    [("nano.ome.zarr", RESULT), ("model", MODEL), ("model.training", TRAINING), ("clean report", REPORT)],
)
def test_what_is_ours_gives_way_with_what_systems_and_processes_put_into_it(made: Path, name: str, kind: Kind) -> None:
    place = made / name
    for passing in (".DS_Store", "._x", "Thumbs.db", ".part-0123-x/new/file"):
        (place / passing).parent.mkdir(parents=True, exist_ok=True)
        (place / passing).touch()
    assert check_place(place, kind, overwrite=True) == "replaced"
