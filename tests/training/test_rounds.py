"""Rounds: what a round leaves alone, rates of parts, and several rounds as one training."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import any_to_any
import pytest
import torch
import yaml
from safetensors.torch import load_file

from diffuscope.api.train import train
from diffuscope.cases import find_cases, split
from diffuscope.errors import InputError
from diffuscope.model.folder import load_model
from diffuscope.simulation.tumour.dataset import Plan, write_cohort
from diffuscope.systems.registry import build_system, systems
from diffuscope.systems.staindiffuser.system import StainDiffuser
from diffuscope.training import trainer
from diffuscope.training.card import make_card
from diffuscope.training.data.batches import TrainingData
from diffuscope.training.events import StepDone, TrainingFinished, TrainingStarted, Validated
from diffuscope.training.module import learning_rate
from diffuscope.training.norms import settle_norms
from diffuscope.training.plan import plan_rounds
from diffuscope.training.prepare import Prepared, find_rounds, prepare
from diffuscope.training.recipe import Optimisation, Rate, Recipe, load_recipe
from diffuscope.training.rounds import WEIGHTS, train_rounds
from diffuscope.training.trainer import fit

sys.path.insert(0, str(Path(__file__).parents[1] / "standins"))
import toy_training as toy

RECIPES = Path(__file__).parents[2] / "src/diffuscope/training/recipes"
PLAN = Optimisation(steps=6, batch=4, learning_rate=1e-2, warmup=2, ema=0.9, seed=3, validations=2, keep="last")
CPU = torch.device("cpu")
SMALL: dict[str, dict[str, Any]] = {
    "staindiffuser": {"stain": "CD3", "size": "tiny", "T": 20, "encoder": "batch-norm"},
    "multi-staindiffuser": {"stains": ["CD3", "CD8"], "size": "tiny", "T": 20},
    "bidirectional-staindiffuser": {"stain": "CD3", "size": "tiny", "T": 20},
    "unet-regression": {"stain": "CD3", "size": "tiny"},
    "pix2pix": {"stain": "CD3", "size": "tiny"},
    "palette": {"stain": "CD3", "size": "tiny"},
    "bbdm": {"stain": "CD3", "size": "tiny"},
    "damm": {"size": "tiny", "patch": 32, "space": "latent", "norm": "group", "agreement": True},
    "midiffusion": {"target": {"name": "CT"}, "source": {"name": "MR"}, "size": "tiny"},
    "cell-masks": {"stain": "CD3"},
    "medm2g": any_to_any.SMALL | {"text": any_to_any.TEXT},
    "medm2g-slices": any_to_any.SMALL,
    "mmfusion": {"tables": [{"name": "blood", "key": "blood", "columns": [{"name": "platelets"}]}], "width": 8}
    | {"images": {"backbone": "resnet10", "planes": 4, "stem": "small", "tumour": [8, 8, 8], "node": [8, 8, 8]}},
}


@pytest.fixture(scope="module", autouse=True)
def quickly():
    """Norms are settled by few batches: how well is not what is tried here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "settle_norms", partial(settle_norms, batches=3))
        yield


class InParts(toy.Toy):
    """The toy, whose players are two parts."""

    def parts(self):
        return {"network": (self.net,), "rival": (self.rival,)}


def in_parts() -> InParts:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return InParts()


@pytest.mark.parametrize("name", systems())
def test_every_parameter_lies_in_one_part(name: str):
    system = build_system(name, SMALL[name])
    parts = system.parts()
    lying = [id(one) for modules in parts.values() for module in modules for one in module.parameters()]
    assert sorted(lying) == sorted(id(one) for one in system.parameters())
    assert all(part in parts for needed in system.objectives.values() for part in needed)
    for objective, needed in system.objectives.items():
        system.begin(objective)
        moving = {id(one) for one in system.parameters() if one.requires_grad}
        assert moving == {id(p) for part in needed or parts for module in parts[part] for p in module.parameters()}


@pytest.mark.parametrize(("trained", "left"), [("rival", "net"), ("network", "rival")])
def test_what_a_round_does_not_name_stays_byte_for_byte(tmp_path: Path, trained: str, left: str):
    system = in_parts()
    before = {key: value.clone() for key, value in system.state_dict().items()}
    fit(system, toy.DATA, PLAN, folder=tmp_path, device=CPU, train={trained: Rate()}, precision="fp32")
    same = {key for key, value in system.state_dict().items() if torch.equal(value, before[key])}
    # Running means and the number of batches of the norm are among them.
    assert same == {key for key in before if key.startswith(left)}


def by_hand(rates: dict[str, tuple[float, float]], kind: type[torch.optim.Optimizer]) -> InParts:
    """Train the toy with an optimiser of its own a part."""
    system = in_parts().to(memory_format=torch.channels_last).train()
    own = {name: list(modules[0].parameters()) for name, modules in system.parts().items()}
    optimisers = {
        name: kind(own[name], lr=peak, betas=(0.9, 0.99), weight_decay=decay) for name, (peak, decay) in rates.items()
    }
    mean = {p: p.detach().clone() for p in system.parameters()}
    for step in range(PLAN.steps):
        for name, optimiser in optimisers.items():
            optimiser.param_groups[0]["lr"] = learning_rate(step, PLAN, rates[name][0])
            optimiser.zero_grad()
        seed = PLAN.seed * 1_000_003 + step
        torch.manual_seed(seed)
        terms = system.loss(toy.batch_at(step), torch.Generator().manual_seed(seed))
        (terms["loss"] + terms["rival"]).backward()
        for name, optimiser in optimisers.items():
            torch.nn.utils.clip_grad_norm_(own[name], 1.0)
            optimiser.step()
        for p in system.parameters():
            mean[p].lerp_(p.detach(), 1 - min(PLAN.ema, (step + 1) / (step + 10)))
    with torch.no_grad():
        for p in system.parameters():
            p.copy_(mean[p])
    return system


@pytest.mark.parametrize(("word", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_parts_have_rates_and_weight_decays_of_their_own(tmp_path: Path, word: str, kind):
    system = in_parts()
    rates = {"network": Rate(learning_rate=2e-3, weight_decay=0.5), "rival": Rate()}
    plan = PLAN.model_copy(update={"optimiser": word, "weight_decay": 0.01})
    events = []
    fit(system, toy.DATA, plan, folder=tmp_path, device=CPU, train=rates, precision="fp32", report=events.append)
    truth = by_hand({"network": (2e-3, 0.5), "rival": (1e-2, 0.01)}, kind)
    for (name, one), other in zip(system.named_parameters(), truth.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7, msg=name)
    told = [event for event in events if isinstance(event, StepDone)][-1]
    assert told.learning_rate == learning_rate(told.step - 1, plan, 2e-3)


# --- several rounds -------------------------------------------------------------------------------------------------

CONFIG = {"size": "tiny", "patch": 32, "T": 20, "draws": 1, "norm": "group", "lambda_dfl": 0.01}
FIRST = {"steps": 3, "batch": 2, "learning_rate": 1e-3, "warmup": 1, "validations": 1, "keep": "last"}
SECOND = FIRST | {"steps": 4, "seed": 1, "learning_rate": 1e-2}


# How often it is asked whether it is cancelled while both rounds read their six cases.
READ = 14


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tumours")
    write_cohort(folder / "tumours", Plan(animals=3, external=0, fields=2, size=64))
    return folder


def written(folder: Path, name: str, **entries: Any) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"name": name, "data": {"path": "tumours", "validate_on": ["breast-2"]}} | entries))
    return path


def two_rounds(cohort: Path, **config: Any) -> Path:
    rounds = [
        {"name": "branches", "objective": "diffusion"},
        {"name": "divergence", "objective": "divergence", "config": config, "optimisation": SECOND},
    ]
    return written(cohort, "rounds", system="damm", config=CONFIG, optimisation=FIRST, rounds=rounds)


@pytest.fixture(scope="module")
def whole(cohort: Path) -> tuple[Path, list[Any]]:
    return cohort / "whole", list(train(two_rounds(cohort, draws=2), cohort / "whole", threads=1))


@pytest.fixture(scope="module")
def first(cohort: Path) -> Path:
    list(train(written(cohort, "first", system="damm", config=CONFIG, optimisation=FIRST), cohort / "one", threads=1))
    return cohort / "one"


@pytest.mark.parametrize("config", [{"draws": 2}, {}], ids=["of another configuration", "of the same system"])
@pytest.mark.slow
def test_two_rounds_are_two_recipes_one_after_the_other(whole, first: Path, cohort: Path, tmp_path: Path, config):
    # As recipes said it before there were rounds.
    stated = {"stage": "divergence", **config}
    second = written(cohort, "second", init_from=str(first), config=stated, optimisation=SECOND)
    list(train(second, tmp_path / "two", threads=1))
    rounds = whole[0] if config else tmp_path / "rounds"
    if not config:
        list(train(two_rounds(cohort), rounds, threads=1))
    one, two, model = (load_model(path) for path in (first, tmp_path / "two", rounds))
    assert model.hash == two.hash != one.hash
    assert model.stated.config == two.stated.config and model.stated.config["draws"] == config.get("draws", 1)
    assert "stage" not in model.stated.config


def test_the_second_round_leaves_the_branches_as_the_first_made_them(whole):
    out, _ = whole
    first = load_file(out.with_name("whole.training") / "1-branches" / WEIGHTS)
    after = load_file(out / "model.safetensors")
    moved = {key for key in first if not torch.equal(first[key], after[key])}
    own = ("weight", "bias")
    assert moved == {"network.attention.uncertainty.weight", *(f"network.attention.source_norm.{one}" for one in own)}


def test_events_and_logs_know_the_round(whole):
    out, events = whole
    started = [event for event in events if isinstance(event, TrainingStarted)]
    assert [(one.round, one.rounds, one.name, one.steps) for one in started] == [
        (1, 2, "branches", 3), (2, 2, "divergence", 4),
    ]  # fmt: skip
    assert started[1].where == "round 2 of 2 (divergence)"
    assert [(e.round, e.step) for e in events if isinstance(e, Validated)] == [(1, 3), (2, 4)]
    assert {(e.round, e.step, e.steps) for e in events if isinstance(e, StepDone)} >= {(1, 3, 3), (2, 4, 4)}
    end = events[-1]
    assert isinstance(end, TrainingFinished) and end.complete
    assert (end.round, end.rounds, end.step, end.kept) == (2, 2, 4, 4)
    for name, steps in (("1-branches", 3), ("2-divergence", 4)):
        with (out.with_name("whole.training") / name / "log.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["step"]) for row in rows if row["part"] == "training"] == list(range(1, steps + 1))
        assert "feedback" in rows[0]


@pytest.mark.parametrize("asked", [2, 5], ids=["in the first round", "in the second"])
@pytest.mark.slow
def test_a_training_that_is_cancelled_in_any_round_goes_on(whole, cohort: Path, tmp_path: Path, asked: int):
    recipe, out = two_rounds(cohort, draws=2), tmp_path / "mine"
    answers = iter([False] * (READ + asked) + [True])
    *_, end = train(recipe, out, threads=1, cancelled=lambda: next(answers))
    assert not end.complete and end.out == "" and not out.exists()
    assert (end.round, end.step) == ((1, 2) if asked == 2 else (2, 2))
    _, _, _, _, first, *_, end = train(recipe, out, threads=1, resume=True)
    assert (first.round, first.done) == ((1, 2) if asked == 2 else (2, 2))
    assert end.complete and load_model(out).hash == load_model(whole[0]).hash


def test_another_round_is_another_recipe(cohort: Path, tmp_path: Path):
    recipe = two_rounds(cohort)
    list(zip(range(7), train(recipe, tmp_path / "mine", threads=1), strict=False))
    begun = tmp_path / "mine.training" / "recipe.json"
    stated = json.loads(begun.read_text())
    stated["rounds"][1]["optimisation"]["steps"] = 5
    begun.write_text(json.dumps(stated))
    with pytest.raises(InputError, match=r"begun with rounds\.1\.optimisation\.steps 5 and the recipe now says 4"):
        train(recipe, tmp_path / "mine", resume=True)


def test_a_round_that_ended_and_is_damaged_is_said(whole, cohort: Path, tmp_path: Path):
    answers = iter([False] * (READ + 5) + [True])
    list(train(two_rounds(cohort), tmp_path / "mine", threads=1, cancelled=lambda: next(answers)))
    (tmp_path / "mine.training" / "1-branches" / WEIGHTS).write_bytes(b"none")
    with pytest.raises(InputError, match="is damaged: begin again with --overwrite"):
        list(train(two_rounds(cohort), tmp_path / "mine", threads=1, resume=True))
    # Which is what it says: what the rounds left is of a training, and goes.
    *_, first = zip(range(5), train(two_rounds(cohort), tmp_path / "mine", threads=1, overwrite=True), strict=False)
    assert (first[1].round, first[1].done) == (1, 0)


@pytest.mark.slow
def test_two_processes_go_from_round_to_round_with_the_same_weights(cohort: Path, tmp_path: Path):
    """DDP on two CPU processes: none may wait for the other, or begin the second round from other weights."""
    script = tmp_path / "ddp.py"
    script.write_text(f"""
import os, torch
from pathlib import Path
from diffuscope.training.prepare import prepare
from diffuscope.training.recipe import load_recipe
from diffuscope.training.rounds import train_rounds
torch.set_num_threads(1)
rounds = prepare(load_recipe({str(two_rounds(cohort))!r}), Path({str(cohort)!r}))
folder, cpu = Path({str(tmp_path)!r}), torch.device("cpu")
last, done = train_rounds(rounds, folder=folder, device=cpu, precision="fp32", devices=2)
assert done.complete and last is rounds[1]
torch.save(last.start.system.state_dict(), folder / f"rank-{{os.environ['LOCAL_RANK']}}.pt")
""")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    one, other = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    first = load_file(tmp_path / "1-branches" / WEIGHTS)
    for key, value in one.items():
        torch.testing.assert_close(value, other[key])
        moves = key.startswith(("network.attention.uncertainty", "network.attention.source_norm"))
        assert moves or torch.equal(value, first[key].to(value.dtype))
    assert not torch.equal(one["network.attention.uncertainty.weight"], first["network.attention.uncertainty.weight"])


# --- learned masks --------------------------------------------------------------------------------------------------


def masked(**entries: Any) -> dict[str, Any]:
    plan = {"steps": 2, "batch": 2, "learning_rate": 1e-2, "warmup": 0, "validations": 1, "keep": "last"}
    stain = {"stain": "CD3", "patch": 32}
    return {
        "name": "masked",
        "system": "staindiffuser",
        "config": stain | {"size": "tiny", "T": 20, "auxiliary": "distance"},
        "data": {"path": "pairs", "mpp": 0.5, "validation": 0.25},
        "optimisation": plan,
        "rounds": [
            {"name": "masks", "system": "cell-masks", "config": stain, "optimisation": plan | {"steps": 30}},
            {"name": "staining", "masks": "masks"},
        ],
    } | entries


def noisy(number: int) -> dict[str, torch.Tensor]:
    """Coarse noise as IHC, and a mask of what is bright in it, of which a tenth is wrong."""
    generator = torch.Generator().manual_seed(number)
    he, ihc = (
        torch.rand(2, 3, 8, 8, generator=generator).repeat_interleave(4, 2).repeat_interleave(4, 3) * 255
        for _ in range(2)
    )
    wrong = torch.rand(2, 1, 32, 32, generator=generator) < 0.1
    return {"he": he, "ihc": ihc, "mask": ((ihc[:, :1] > 128) != wrong).float()}


@pytest.mark.slow
def test_a_round_draws_the_masks_of_the_next(user_pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[dict[str, torch.Tensor]] = []
    loss = StainDiffuser.loss

    def watched(self, batch, generator):
        seen.append(dict(batch))
        return loss(self, batch, generator)

    def rounds() -> list[Prepared]:
        made = prepare(Recipe.model_validate(masked()), user_pairs)
        return [replace(one, data=TrainingData(noisy, [noisy(99)])) for one in made]

    monkeypatch.setattr(StainDiffuser, "loss", watched)
    whole = rounds()
    last, done = train_rounds(whole, folder=tmp_path / "whole", device=CPU, precision="fp32")
    assert last is whole[1] and done.complete
    network = build_system("cell-masks", {"stain": "CD3", "patch": 32}).eval()
    network.load_state_dict(load_file(tmp_path / "whole" / "1-masks" / WEIGHTS))
    judged = next(batch for batch in seen[2:] if torch.equal(batch["ihc"], noisy(99)["ihc"]))
    for batch, given in zip((*seen[:2], judged), (noisy(0), noisy(1), noisy(99)), strict=True):
        mask = (torch.sigmoid(network.network(given["ihc"] / 127.5 - 1)) > 0.5).float()
        assert torch.equal(batch["mask"], mask) and "distance" in batch
        assert 0.2 < mask.mean() < 0.8 and not torch.equal(mask, given["mask"])
    # Stopped while the second round trains, and gone on with: the masks are drawn by the network that the first made.
    answers = iter([False] * 31 + [True])
    train_rounds(rounds(), folder=tmp_path / "cut", device=CPU, precision="fp32", cancelled=lambda: next(answers))
    cut = rounds()
    _, done = train_rounds(cut, folder=tmp_path / "cut", device=CPU, precision="fp32", resume=True)
    one, other = (made[1].start.system.state_dict() for made in (cut, whole))
    assert done.complete and all(torch.equal(one[key], other[key]) for key in other)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"rounds": [{"name": "a", "masks": "b"}]}, "takes its masks from b, which is no earlier round"),
        ({"rounds": [{"name": "a"}, {"name": "a"}]}, "two rounds are called a"),
        ({"rounds": [{"name": "a", "system": "cell-masks"}]}, "the last round, a, trains another system"),
        ({"rounds": [{"name": "a b"}]}, r"rounds\.0\.name"),
        ({"rounds": [{"name": "a", "train": {"network": {"rate": 1}}}]}, r"rounds\.0\.train\.network\.rate"),
        ({"rounds": [{"name": "a", "train": {"network": -1.0}}]}, "greater than 0"),
    ],
)
def test_rounds_that_cannot_be_are_refused(tmp_path: Path, entries, words: str):
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(masked(**entries)))
    with pytest.raises(InputError, match=words):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("rounds", "words"),
    [
        ([{"name": "a", "objective": "magic"}], "has no objective 'magic': choose one of all"),
        ([{"name": "a", "train": ["decoder"]}], "has no part 'decoder': choose one of network"),
        ([{"name": "a"}, {"name": "b", "masks": "a"}], "a draws no masks: give it system: cell-masks"),
        ([{"name": "a"}, {"name": "b", "config": {"size": "small"}}], "rounds before do not fit .* take size out"),
    ],
)
def test_rounds_that_do_not_fit_the_system_are_refused(user_pairs: Path, rounds, words: str):
    with pytest.raises(InputError, match=words):
        prepare(Recipe.model_validate(masked(rounds=rounds)), user_pairs)


def test_short_forms_of_what_trains():
    rounds = [{"name": "a", "train": ["network"]}, {"name": "b", "train": {"network": 1e-4}}]
    one, two = plan_rounds(Recipe.model_validate(masked(rounds=rounds)))
    assert one.train == {"network": Rate()} and two.train == {"network": Rate(learning_rate=1e-4)}
    assert (one.number, two.number, two.rounds) == (1, 2, 2) and one.optimisation.steps == 2


def test_the_second_round_of_the_shipped_weights_has_the_split_that_made_them(tmp_path: Path):
    """They were made by a recipe with a split of its own, by its seed."""
    _, second = plan_rounds(load_recipe(RECIPES / "nanoparticles-demo.yaml"))
    keys = ("vessels", "nuclei", "nanoparticles")
    for key in keys:
        (tmp_path / key).mkdir()
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "group", "part", *keys])
        for animal in range(10):
            files = [f"{key}/{animal}.tif" for key in keys]
            for name in files:
                (tmp_path / name).write_bytes(b"")
            table.writerow([f"breast-{animal}-0", f"breast-{animal}", "", *files])
    parts = split(find_cases(tmp_path, list(keys)), validation=0.2, seed=second.optimisation.seed)
    assert sorted({case.group for case in parts["validation"]}) == list(second.data.validate_on)


def pairs_of(folder: Path, names: str) -> None:
    for key in ("he", "ihc"):
        (folder / key).mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / key / f"{name}.png").write_bytes(b"")


def on_more(**data: object) -> dict[str, Any]:
    """Words of a recipe whose second round has other data."""
    return masked(
        system="pix2pix",
        config={"mpp": 0.5, "stain": "CD3", "patch": 32},
        data={"path": "few"},
        rounds=[{"name": "one"}, {"name": "two", "data": {"path": "more", **data}}, {"name": "three"}],
    )


def test_no_round_validates_on_who_trained_before(tmp_path: Path):
    pairs_of(tmp_path / "few", "abcdefghij")
    pairs_of(tmp_path / "more", "abcdefghijmopr")
    few, more = (find_cases(tmp_path / name, ["he", "ihc"]) for name in ("few", "more"))
    alone = [{case.name for case in split(cases)["validation"]} for cases in (few, more)]
    assert len(alone[0]) == 2 and len(alone[1] - alone[0] - set("mopr")) == 1  # who would have trained before
    one, two, three = (ready.found.parts for ready in find_rounds(Recipe.model_validate(on_more()), tmp_path))
    assert {name for name, part in one.items() if part == "validation"} == alone[0] and three == one
    assert one == {name: part for name, part in two.items() if name in one}
    assert Counter(two.values()) == {"train": 11, "validation": 3}  # a fifth of 14, rounded


def test_what_the_data_of_a_round_states_stays(tmp_path: Path):
    pairs_of(tmp_path / "few", "abcdefghij")
    pairs_of(tmp_path / "more", "abc")
    one, two, _ = find_rounds(Recipe.model_validate(on_more(validate_on=["b"])), tmp_path)
    assert two.found.parts == {"a": "train", "b": "validation", "c": "train"}
    pairs_of(tmp_path / "more", "".join(one.found.parts))
    for name in [name for name, part in one.found.parts.items() if part == "validation"]:
        for key in ("he", "ihc"):
            (tmp_path / "more" / key / f"{name}.png").unlink()
    with pytest.raises(InputError, match=r"^nobody of a round's data validates, as \w and all others had other parts"):
        find_rounds(Recipe.model_validate(on_more()), tmp_path)


def test_the_card_counts_the_data_of_each_round_by_its_name(tmp_path: Path):
    pairs_of(tmp_path / "few", "abcdefghij")
    pairs_of(tmp_path / "more", "abcdefghijmopr")
    words = on_more()
    recipe = Recipe.model_validate(words | {"rounds": words["rounds"][:2]})
    rounds = find_rounds(recipe, tmp_path)
    trained = [(one.planned.data, one.found.parts) for one in rounds]
    card = make_card(recipe, rounds[-1].start, trained, tmp_path)
    few, more = "8 cases in training, 2 in validation", "11 cases in training, 3 in validation"
    end = "0 set apart; they do not come with the model."
    assert card.data == f"few: {few}, 0 set apart; then more: {more}, {end}"
    assert "its user's own 11 cases" in card.what_it_is and "3 cases of the same data set" in card.what_it_is_not


def test_batches_that_validate_are_changed_like_those_that_train():
    data = TrainingData(toy.batch_at, [toy.batch_at(7)])
    changed = data.changed(lambda batch: {**batch, "he": batch["he"] + 1})
    for before, after in ((toy.batch_at(7), changed.batch_at(7)), (data.validation[0], changed.validation[0])):
        assert torch.equal(after["he"], before["he"] + 1) and torch.equal(after["ihc"], before["ihc"])
    assert len(changed.validation) == 1
