"""Every verb that writes where there is no room for it: one sentence, nothing half, nothing stray, and it goes on.

`NO_ROOM_STEPS=12 make test-all ARGS=tests/cli/test_no_room.py` tries finer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import standins
import tifffile
import toys
import yaml
from known_pair import MPP, turned, warp, write_slide
from model_card import CARD
from nano_result import write_nano
from no_room import Case, Trial
from score_model import write_model
from user_pairs import write_pairs

from diffuscope import run
from diffuscope.exports.table import FORMATS
from diffuscope.model.folder import save_model
from diffuscope.sample_data import sample_path
from diffuscope.simulation.restaining.teacher import paint, prepare
from diffuscope.systems import registry

STEPS = int(os.environ.get("NO_ROOM_STEPS", "1"))
PROGRAM = Path(__file__).resolve().parents[1] / "standins" / "no_room.py"
# Hold when, or by which process, they were written.
TIMED = (".zattrs", ".record.json", "report.json", "report.html", "config.json", "README.md", "recipe.json", ".dcm")
AT = "--device cpu --threads 1"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, small_slide: Path) -> Path:
    """Return a folder with what the verbs read."""
    pytest.importorskip("SimpleITK")
    import SimpleITK as sitk

    folder = tmp_path_factory.mktemp("inputs")
    for name in ("negative", "mood"):
        save_model(folder / name, toys.ROWS[name].system(None), name, {}, CARD)
    save_model(folder / "hounsfield", standins.Hounsfield(), "hounsfield", {}, CARD)
    voxels = np.full((9, 80, 72), -1000, np.int16)
    voxels[2:7, 20:60, 20:60] = np.random.default_rng(0).integers(-100, 200, (5, 40, 40))
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(folder / "ct.nii.gz"))
    shutil.copytree(tiny_model, folder / "model")
    # Each level is more than one file of a result, and no more than it takes.
    write_slide(folder / "slide.ome.tif", tifffile.imread(small_slide)[:300, :300])
    list(run(tiny_model, folder / "slide.ome.tif", folder / "slide.ome.zarr", steps=1, threads=1, device="cpu"))
    list(run(folder / "mood", {"report": "good"}, folder / "case.ome.zarr", device="cpu"))
    list(run(folder / "hounsfield", folder / "ct.nii.gz", folder / "volume.ome.zarr", threads=1, device="cpu"))
    write_model(folder / "scorer", members=1)
    lines = [f"{number},{number % 90},1,0\n" for number in range(100)]
    (folder / "patients.csv").write_text("".join(["patient_id,age,sex,site\n", *lines]), encoding="utf-8")
    write_pairs(folder / "user")
    recipe = yaml.safe_load((folder / "user" / "recipe.yaml").read_text())
    recipe["optimisation"] |= {"steps": 2, "warmup": 1, "validations": 1}
    (folder / "user" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    for key, name in product(("he", "ihc"), "ab"):
        (folder / "two" / key).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "user" / "pairs" / key / f"{name}.png", folder / "two" / key)
    write_nano(folder / "user")
    for name in ("p1", "p2"):
        (folder / "patients" / name).mkdir(parents=True)
        shutil.copy(folder / "ct.nii.gz", folder / "patients" / name / "CT.nii.gz")
    (folder / "figures.json").write_text('{"figures": {"a": 1.0}}')
    he = tifffile.imread(sample_path("CMU-1-Small-Region.svs"))[1000:1440, 700:1140]
    write_slide(folder / "he.ome.tif", he)
    ihc = paint(prepare(he, "CD3", mpp=MPP), np.random.default_rng(0)).ihc
    write_slide(folder / "ihc.ome.tif", warp(ihc, partial(turned, middle=np.full(2, 220 * MPP))))
    return folder


@pytest.fixture(scope="module", autouse=True)
def systems():
    """Have the stand-ins among the systems, as the program has."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, one in {**toys.ROWS, "hounsfield": standins.row(standins.Hounsfield)}.items():
            monkeypatch.setitem(registry._ROWS, name, one)
        yield


@pytest.fixture(scope="module")
def program(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[str]]:
    """Have one program that tries cases, for all verbs: it takes long to begin."""
    place = tmp_path_factory.mktemp("disk")
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    mount = f"mount -t tmpfs -o size=65536 tmpfs {place} && df --output=size {place}"
    if shutil.which(alone[0]) is None:
        pytest.skip("disks of any size need Linux")
    said = subprocess.run([*alone, "sh", "-c", mount], capture_output=True, text=True, check=False)
    if said.returncode or said.stdout.split()[-1:] != ["64"]:
        pytest.skip("this machine lets nobody mount disks of their own")
    line = [*alone, sys.executable, str(PROGRAM), str(place), str(STEPS)]
    with subprocess.Popen(line, cwd=inputs, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        yield started
        started.communicate()
    assert started.returncode == 0


def resumed(name: str, line: str) -> Case:
    """Return a case that --resume goes on with."""
    return Case(name=name, line=line.split(), again=[*line.split(), "--resume"])


def exported(result: str, of: str) -> list[Case]:
    """Return a case for each ending of the formats that hold a slide, a volume, or what is said of a case."""
    kinds = {of} if of == "case" else {None, of}
    # what holds one colour image takes no other layer; other endings of a format are the same file, but for .nii.gz
    endings = {
        (ending, form.of_colours)
        for form in FORMATS
        if form.of in kinds
        for ending in (form.endings if form.name == "NIfTI" else form.endings[:1])
    }
    lines = {
        one: ["export", result, "-o", f"DISK/out{one}", *(["--layer", "ihc"] if colours else [])]
        for one, colours in sorted(endings)
    }
    return [Case(name=f"{of}{one}", line=line) for one, line in lines.items()]


TUMOURS = "make tumours DISK/cohort --animals 1 --external 1 --fields 1 --size 64 --workers 1"
REGISTER = "register he.ome.tif ihc.ome.tif -o DISK/out.ome.zarr --affine-only --checkerboard DISK/board.png"
SCORE = f"score scorer patients.csv -o DISK/scores.csv --samples 4 {AT}"
CASES = {
    "run": [
        resumed("slide", f"run model slide.ome.tif -o DISK/out.ome.zarr --steps 1 {AT}"),
        resumed("volume", f"run hounsfield ct.nii.gz -o DISK/out.ome.zarr {AT}"),
        resumed("score", f"run negative slide.ome.tif -o DISK/out.ome.zarr {AT}"),
        resumed("case", "run mood --input report=good -o DISK/out --device cpu"),
    ],
    "export": [
        *exported("slide.ome.zarr", "slide"),
        *exported("volume.ome.zarr", "volume"),
        *exported("case.ome.zarr", "case"),
    ],
    "train": [resumed("train", f"train user/recipe.yaml -o DISK/m {AT}")],
    "score": [Case(name="score", line=SCORE.split(), again=SCORE.split())],
    "evaluate": [resumed("report", f"evaluate model two -o DISK/rep --steps 1 --mpp 0.5 {AT}")],
    "register": [Case(name="register", line=REGISTER.split())],
    "measure and make": [
        Case(name="measure", line=["measure", "user/nano.ome.zarr", "user/slide.ome.tif", "-o", "DISK/t.csv"]),
        Case(name="check-data", line=["check-data", "user/pairs", "--keys", "he,ihc", "--json", "DISK/r.json"]),
        Case(name="tumours", line=TUMOURS.split()),
        Case(name="pairs", line=["make", "pairs", "DISK/pairs"]),
        Case(name="patients", line=["make", "patients", "patients", "DISK/cases", "ct=CT.nii.gz"]),
        Case(name="card", line=["make", "card", "DISK/m", "figures.json"], before={"m": "model"}),
    ],
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="disks of any size need Linux")
@pytest.mark.parametrize("verbs", CASES)
def test_where_there_is_no_room(program: subprocess.Popen[str], verbs: str) -> None:
    assert program.stdin is not None and program.stdout is not None
    print(json.dumps([asdict(case) for case in CASES[verbs]]), file=program.stdin, flush=True)
    trials = [Trial(**json.loads(one)) for one in iter(program.stdout.readline, "\n")]
    wholes = {trial.case: trial for trial in trials if trial.kind == "room"}
    assert len(wholes) == len(CASES[verbs])
    assert len(trials) > 3 * len(wholes)
    wrong = [f"{one.case}, {one.kind} {one.amount}: {fault}" for one in trials for fault in faults(one, wholes)]
    assert not wrong, "\n".join(wrong)


def faults(trial: Trial, wholes: dict[str, Trial]) -> list[str]:
    """Return what is wrong with what came of a trial."""
    whole = wholes[trial.case]
    told = [line for line in trial.said.splitlines() if line.startswith("Error: ")]
    found = []
    if trial.status == 0:
        found += [f"ended well with other files: {name}" for name in differing(trial.tree, whole.tree)]
    elif trial.status != 2 or trial.kind == "room" or len(told) != 1 or trial.said.splitlines()[-1] != told[-1]:
        found.append(f"status {trial.status}, and said {trial.said[-500:]}")
    elif not ("is full" in told[0] or "a limit ends" in told[0]) or "/" not in told[0]:
        found.append(f"said {told[0]}")
    known = {name.partition("/")[0] for name in whole.tree}
    known |= {f"{name}.unfinished" for name in known}
    found += [f"left {name}" for name in trial.tree if name.partition("/")[0] not in known or ".part" in name]
    if trial.status_again is not None:
        found += [f"went on, and {trial.said_again[-500:]}"] if trial.status_again else []
        found += [f"went on to other files: {name}" for name in differing(trial.tree_again, whole.tree)]
    return found


def differing(tree: dict[str, str], whole: dict[str, str]) -> list[str]:
    """Return the files that only one of two trees has, or that differ, in content that no clock has a part in."""
    one, other = ({name: tree[name] for name in tree if "tfevents" not in name} for tree in (tree, whole))
    same = {name for name in one.keys() & other.keys() if one[name] == other[name] or name.endswith(TIMED)}
    return sorted((one.keys() | other.keys()) - same)
