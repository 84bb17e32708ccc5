"""The verb `train`, from Python and from a shell."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from skimage.data import immunohistochemistry
from typer.testing import CliRunner
from user_pairs import write_pairs

from diffuscope import load_model, train
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.jobs.likeness.notices import unlike_files
from diffuscope.training.events import StepDone, TrainingFinished, TrainingStarted, Validated

# How often it is asked whether it is cancelled while four cases are read.
READ = 5


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("user"))


def changed(user: Path, where: Path, **entries) -> Path:
    recipe = yaml.safe_load((user / "recipe.yaml").read_text())
    recipe = {**recipe, **entries}
    recipe["data"] = {**recipe["data"], "path": str(user / "pairs")}
    path = where / "recipe.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in recipe.items() if value is not None}))
    return path


def test_a_recipe_becomes_a_model_that_is_measured_and_says_what_it_is(user: Path, tmp_path: Path):
    events = list(train(user / "recipe.yaml", tmp_path / "mine", threads=1))
    assert [event.text for event in events[:2]] == [f"{done} of 4 cases, reading the data" for done in (0, 4)]
    assert isinstance(events[2], TrainingStarted) and isinstance(events[-1], TrainingFinished)
    assert [event.step for event in events if isinstance(event, Validated)] == [3, 6]
    assert any(isinstance(event, StepDone) for event in events)
    end = events[-1]
    assert end.complete and end.step == end.steps == 6 and end.out == str(tmp_path / "mine")
    model = load_model(tmp_path / "mine")
    assert model.card.trained_on == "its user's own data" and "3 cases" in model.card.what_it_is
    assert "1 in validation" in model.card.data and not model.card.simulated
    assert model.stated.recipe == "diffuscope train recipe.yaml -o mine"
    # 1 case of 128 px; the card rounds to four digits
    assert model.card.figures == pytest.approx(end.figures, rel=1e-3)
    assert model.card.figures["validation crops"] >= 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine", "mine.training"]
    seen = model.stated.seen["he"]
    assert seen.images == 3 and seen.of == "what trained it"
    assert "How its inputs look" in (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert unlike_files(tmp_path / "mine", {"he": next((user / "pairs" / "he").iterdir())}, mpp=0.5) == ()
    Image.fromarray(immunohistochemistry()).save(tmp_path / "dab.png")
    assert "does not look like" in unlike_files(tmp_path / "mine", {"he": tmp_path / "dab.png"}, mpp=0.5)[0]


def test_the_figures_are_those_of_scikit_image_on_the_stored_model(user: Path, tmp_path: Path):
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    from diffuscope.training.data.crops import crops_of, read_cases
    from diffuscope.training.pictures import sample
    from diffuscope.training.recipe import load_recipe

    *_, end = train(user / "recipe.yaml", tmp_path / "mine", threads=1)
    recipe, system = load_recipe(user / "recipe.yaml"), load_model(tmp_path / "mine").system
    parts = read_cases(recipe, recipe.data, system, user)
    data = crops_of(parts, recipe.data, system, seed=0, batch=2, side=32)
    pairs = [
        (truth.permute(1, 2, 0).numpy(), found.clamp(0, 255).permute(1, 2, 0).numpy())
        for batch in data.validation
        for truth, found in zip(batch["ihc"], sample(system, batch, device=torch.device("cpu"))["ihc"], strict=True)
    ]
    psnr = np.mean([peak_signal_noise_ratio(a, b, data_range=255) for a, b in pairs])
    options = {"data_range": 255, "channel_axis": 2, "gaussian_weights": True, "sigma": 1.5}
    ssim = np.mean([structural_similarity(a, b, use_sample_covariance=False, **options) for a, b in pairs])
    assert end.figures["validation PSNR (dB)"] == pytest.approx(psnr, rel=1e-4)
    assert end.figures["validation SSIM"] == pytest.approx(ssim, abs=1e-3)


def test_fine_tuning_begins_at_the_weights_and_tells_what_it_brought(user: Path, tmp_path: Path, tiny_model: Path):
    still = {"steps": 1, "batch": 1, "learning_rate": 1e-12, "warmup": 0, "validations": 1}
    recipe = changed(
        user, tmp_path, system=None, config={"patch": 32}, init_from=str(tiny_model), optimisation=still
    )  # fmt: skip
    *_, end = train(recipe, tmp_path / "tuned", threads=1)
    before, after = load_model(tiny_model), load_model(tmp_path / "tuned")
    for a, b in zip(before.system.parameters(), after.system.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-3)
    assert after.stated.config == before.stated.config | {"patch": 32}
    assert not after.card.simulated and after.card.simulated_before == f"{tiny_model.name} (nothing)"
    assert f"of {tiny_model.name} (" in after.card.what_it_is
    now, then = (end.figures[f"validation PSNR {when}(dB)"] for when in ("", "before fine-tuning "))
    assert now == pytest.approx(then, abs=0.02)


def test_weights_that_do_not_fit_are_said(user: Path, tmp_path: Path, tiny_model: Path):
    recipe = changed(user, tmp_path, system=None, config={"size": "small"}, init_from=str(tiny_model))
    with pytest.raises(InputError, match="do not fit this configuration: take size out"):
        train(recipe, tmp_path / "tuned")


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"config": {"stain": "CD3", "size": "huge"}}, r"wrong entry at 'config\.size'"),
        ({"system": "no-such"}, "asks for the system 'no-such'"),
        ({"init_from": "no-such", "system": None}, "no-such"),
    ],
)
def test_a_wrong_recipe_is_said_before_anything_is_written(user: Path, tmp_path: Path, entries, words: str):
    recipe = changed(user, tmp_path, **entries)
    with pytest.raises(InputError, match=words):
        train(recipe, tmp_path / "mine")
    assert [p.name for p in tmp_path.iterdir()] == ["recipe.yaml"]


def test_what_is_in_the_way_stays(user: Path, tmp_path: Path, tiny_model: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a model folder and is never overwritten"):
        train(user / "recipe.yaml", tmp_path / "mine", overwrite=True)
    with pytest.raises(InputError, match="exists already"):
        train(user / "recipe.yaml", tiny_model)
    (tmp_path / "other.training").mkdir()
    (tmp_path / "other.training" / "notes.txt").touch()
    with pytest.raises(InputError, match="is not a training of Diffuscope and is never overwritten"):
        train(user / "recipe.yaml", tmp_path / "other", overwrite=True)


@pytest.mark.slow
def test_a_training_that_is_closed_goes_on_and_one_of_another_recipe_does_not(user: Path, tmp_path: Path):
    events = train(user / "recipe.yaml", tmp_path / "mine", threads=1)
    for event in events:
        if isinstance(event, Validated):
            break
    events.close()
    with pytest.raises(InputError, match="say --resume to go on"):
        train(user / "recipe.yaml", tmp_path / "mine", overwrite=False)
    other = changed(user, tmp_path, optimisation={"steps": 7})
    with pytest.raises(InputError, match=r"begun with .* put it back"):
        train(other, tmp_path / "mine", resume=True)
    _, _, first, *_, end = train(user / "recipe.yaml", tmp_path / "mine", resume=True, threads=1)
    assert 0 < first.done <= 6 and end.complete
    *_, straight = train(user / "recipe.yaml", tmp_path / "straight", threads=1)
    one, two = (load_model(tmp_path / name).hash for name in ("mine", "straight"))
    assert one == two and straight.figures == end.figures


def test_a_training_does_not_go_on_with_other_cases(user: Path, tmp_path: Path):
    """Who trained before the break would validate after it, and choose the weights."""
    shutil.copytree(user, tmp_path / "data")
    pairs = tmp_path / "data" / "pairs"

    def resumed() -> object:
        return train(tmp_path / "data" / "recipe.yaml", tmp_path / "mine", threads=1, resume=True)

    asked = iter([False] * (READ + 1) + [True])
    list(train(tmp_path / "data" / "recipe.yaml", tmp_path / "mine", threads=1, cancelled=lambda: next(asked)))
    begun = tmp_path / "mine.training" / "parts.json"
    [parts] = json.loads(begun.read_text())
    assert sorted(parts) == list("abcd") and sorted(parts.values()) == ["train"] * 3 + ["validation"]
    resumed()
    for key in ("he", "ihc"):
        shutil.copy(pairs / key / "a.png", pairs / key / "e.png")
    with pytest.raises(
        InputError, match=r"begun with case \w (not in it|training|validating), which now .*put the data"
    ):
        resumed()
    for key in ("he", "ihc"):
        (pairs / key / "e.png").unlink()
    resumed()
    begun.write_text(json.dumps([parts | {"away": "train"}]))
    with pytest.raises(InputError, match=r"begun with case away training, which now is not in it: put"):
        resumed()
    name = next(name for name, part in parts.items() if part == "validation")
    begun.write_text(json.dumps([parts | {name: "train"}]))
    with pytest.raises(InputError, match=f"begun with case {name} training, which now validates: put the data back"):
        resumed()
    begun.write_text(json.dumps([parts | {"away": "test"}]))
    resumed()  # who tests is never read
    begun.write_text("[1]")
    with pytest.raises(InputError, match=r"parts\.json states no parts of cases: say --overwrite"):
        resumed()
    begun.unlink()
    resumed()  # as an older version began it


@pytest.mark.slow
def test_a_training_that_an_older_version_began_goes_on(user: Path, tmp_path: Path):
    asked = iter([False] * (READ + 4) + [True])
    list(train(user / "recipe.yaml", tmp_path / "mine", threads=1, cancelled=lambda: next(asked)))
    begun = tmp_path / "mine.training" / "recipe.json"
    stated = json.loads(begun.read_text())
    # As recipes were written when there were no rounds.
    del stated["rounds"], stated["optimisation"]["optimiser"], stated["optimisation"]["weight_decay"]
    stated |= {"stain": None, "stains": [], "masks": "threshold", "sources": [], "positive_share": 0.5, "phantoms": 0}
    begun.write_text(json.dumps(stated))
    _, _, first, *_, end = train(user / "recipe.yaml", tmp_path / "mine", threads=1, resume=True)
    assert first.done == 4 and end.complete
    begun.write_text("{}")
    with pytest.raises(InputError, match="is no recipe that can be gone on with"):
        train(user / "recipe.yaml", tmp_path / "mine", resume=True)


def test_a_cancelled_training_keeps_the_best(user: Path, tmp_path: Path):
    asked = iter([False] * (READ + 4) + [True])
    *_, end = train(user / "recipe.yaml", tmp_path / "mine", threads=1, cancelled=lambda: next(asked))
    assert (end.complete, end.step, end.kept) == (False, 4, 3)
    assert "stopped at step 4 of 6" in load_model(tmp_path / "mine").card.what_it_is


def test_pictures_are_opened_while_it_is_iterated_and_that_can_be_cancelled(tmp_path: Path):
    (write_pairs(tmp_path) / "pairs" / "he" / "d.png").write_bytes(b"no picture")
    events = train(tmp_path / "recipe.yaml", tmp_path / "mine", threads=1)
    with pytest.raises(InputError, match=r"d\.png"):
        list(events)
    asked = iter([False, True])
    first, end = train(tmp_path / "recipe.yaml", tmp_path / "mine", threads=1, cancelled=lambda: next(asked))
    assert (first.done, first.total) == (0, 4)
    assert (end.out, end.complete, end.step, end.steps) == ("", False, 0, 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs", "recipe.yaml"]


def test_a_training_that_is_cancelled_while_it_reads_says_so_in_a_shell(
    user: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    asked_to_end = SimpleNamespace(is_set=lambda: True)
    monkeypatch.setattr("diffuscope.cli.train.threading", SimpleNamespace(Event=lambda: asked_to_end))
    done = CliRunner().invoke(app, ["train", str(user / "recipe.yaml"), "-o", str(tmp_path / "mine")])
    assert done.exit_code == 130 and done.stderr == "Cancelled before the first step; --resume goes on.\n"


def test_from_a_shell(user: Path, tmp_path: Path):
    out = str(tmp_path / "mine")
    done = CliRunner().invoke(app, ["train", str(user / "recipe.yaml"), "-o", out, "--threads", "1"])
    assert done.exit_code == 0, done.output
    assert re.search(r"validation PSNR \(dB\) +\d", done.stdout) and f"Wrote {out}" in done.stdout
    assert done.stderr.startswith("4 of 4 cases, reading the data, ") and "step 6: validation loss" in done.stderr
    again = CliRunner().invoke(app, ["train", str(user / "recipe.yaml"), "-o", out])
    assert again.exit_code == 2 and "exists already: say --resume to go on" in again.stderr
    with Image.open(tmp_path / "mine.training/validation/step-00000006.png") as picture:
        assert picture.width == 3 * 36
    assert json.loads((tmp_path / "mine.training/recipe.json").read_text())["optimisation"]["steps"] == 6
