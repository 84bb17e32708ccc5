"""`diffuscope make`: what it lists, what each command writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from typer.testing import CliRunner

from diffuscope.cases import find_cases
from diffuscope.cli import app
from diffuscope.model.folder import load_model
from diffuscope.sample_data import sample_path
from diffuscope.training.recipe import load_recipe


def make(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["make", *(str(word) for word in words)])
    return done.exit_code, done.output


def test_alone_it_lists_what_it_makes():
    _, said = make()
    assert all(
        f" {name} " in said for name in ("tumours", "tumour", "oesophagus", "thorax", "pairs", "patients", "card")
    )


def test_tumours_are_cases(tmp_path: Path):
    out = tmp_path / "cohort"
    plan = ["--animals", 1, "--external", 1, "--fields", 2, "--size", 64, "--workers", 1, "--seed", 3]
    assert make("tumours", out, *plan) == (0, f"Wrote 4 cases into {out}\n")
    cases = find_cases(out, ["vessels", "nuclei", "nanoparticles"])
    assert [case.part for case in cases] == [None, None, "test", "test"]
    plan = ["--animals", 1, "--external", 0, "--fields", 1, *plan[6:]]
    assert make("tumours", tmp_path / "one", *plan) == (0, f"Wrote 1 case into {tmp_path / 'one'}\n")
    code, said = make("tumours", out)
    assert code == 2 and "exists already" in said
    code, said = make("tumours", tmp_path / "other", "--phantom", "endosome")
    assert code == 2 and "no phantom 'endosome'" in said


def test_patients_with_oesophageal_cancer_are_a_cohort_with_what_it_can_come_to(tmp_path: Path):
    out = tmp_path / "cohort"
    code, said = make("oesophagus", out, "--patients", 3, "--seed", 2, "--no-ct", 0.5, "--prevalence", 0.3)
    assert code == 0 and said.startswith(f"Wrote 3 patients into {out}\n") and "Brier score 0." in said
    assert (out / "cohort.csv").read_text(encoding="utf-8").count("\n") == 4
    code, said = make("oesophagus", out)
    assert code == 2 and "exists already" in said
    code, said = make("oesophagus", tmp_path / "other", "--prevalence", 1)
    assert code == 2 and "prevalence" in said and not (tmp_path / "other").exists()
    code, said = make("oesophagus", tmp_path / "other", "--background", tmp_path)
    assert code == 2 and "labels.json" in said


@pytest.mark.slow
def test_a_tumour_is_the_sample_that_ships(tmp_path: Path):
    out = tmp_path / "tumour.ome.tif"
    assert make("tumour", out)[0] == 0
    np.testing.assert_array_equal(tifffile.imread(out), tifffile.imread(sample_path("tumour-simulated.ome.tif")))
    assert make("tumour", out)[0] == 2


@pytest.mark.slow
def test_pairs_come_with_a_recipe_that_trains_on_them(tmp_path: Path):
    out = tmp_path / "tutorial"
    assert make("pairs", out)[0] == 0
    recipe = load_recipe(out / "finetune.yaml")
    assert len(find_cases(out / recipe.data.path, ["he", "ihc"])) == 26
    code, said = make("pairs", out)
    assert code == 2 and "exists already" in said


def test_patients_are_laid_out_as_cases(tmp_path: Path):
    for name in "ab":
        (tmp_path / "source" / name).mkdir(parents=True)
        (tmp_path / "source" / name / "T1.nii.gz").write_bytes(b"x")
    out = tmp_path / "cases"
    assert make("patients", tmp_path / "source", out, "t1=T1.nii.gz", "--only", "b")[0] == 0
    assert [path.relative_to(out).as_posix() for path in out.rglob("*.gz")] == ["t1/b.nii.gz"]
    code, said = make("patients", tmp_path / "source", tmp_path / "no", "T1.nii.gz")
    assert code == 2 and "say KEY=FILE" in said


def test_figures_of_benchmarks_go_on_a_card(tmp_path: Path, tiny_model: Path):
    model, figures, others = tmp_path / "model", tmp_path / "figures.json", tmp_path / "others.json"
    shutil.copytree(tiny_model, model)
    figures.write_text(json.dumps({"figures": {"dice": 0.25, "ssim": 0.4}}))
    others.write_text(json.dumps({"figures": {"seconds": 3.0}}))
    assert make("card", model, figures, others)[0] == 0
    assert load_model(model).card.figures == {"dice": 0.25, "ssim": 0.4, "seconds": 3.0}
    figures.write_text("[]")
    code, said = make("card", model, figures)
    assert code == 2 and "holds no figures" in said


def test_chests_and_heads_are_cases_with_reports(tmp_path: Path):
    out = tmp_path / "cohort"
    assert make("thorax", out, "--patients", 2, "--regions", "head") == (0, f"Wrote 2 patients into {out}\n")
    assert [case.name for case in find_cases(out, ["ct", "flair", "xray"])] == ["head-0000", "head-0001"]
    assert ",report" in (out / "cases.csv").read_text(encoding="utf-8").splitlines()[0]
    code, said = make("thorax", tmp_path / "other", "--regions", "chest,knee")
    assert code == 2 and "no region 'knee'" in said
