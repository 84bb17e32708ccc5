"""DAMM-Diffusion with parts left out or exchanged: what is left of it, and configurations in the words of before."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from benchmarks.reproduce.damm import tasks as damm
from diffuscope.model.find import BUNDLED
from diffuscope.systems.damm.config import DAMMConfig
from diffuscope.systems.damm.system import DAMM
from diffuscope.systems.damm.variants.config import Variant
from diffuscope.systems.registry import build_system, configure
from tests.systems.drawn_damm import CONFIG, check_loss, drain, images, make, told

BUDGET = damm.BUDGETS["quick"]
BARE = {"mmfm": False, "attention": "none", "dammp": False}


@pytest.mark.parametrize(
    ("variant", "error", "weighted"),
    [
        ({"loss_weighting": "epsilon"}, lambda wrong, _a: (wrong**2).mean(), False),
        ({"error": "l1"}, lambda wrong, a: np.abs(wrong).mean() / np.sqrt(a), True),
        ({"error": "l1", "loss_weighting": "epsilon"}, lambda wrong, _a: np.abs(wrong).mean(), False),
    ],
)
def test_the_loss_has_the_error_that_is_asked_for(variant, error, weighted):
    check_loss(make(variant=variant, lambda_dfl=0.25, alpha=0.4, draws=1), error, weighted=weighted)


def test_without_dammp_the_multimodal_branch_always_counts():
    system = make(variant={"dammp": False}, lambda_dfl=0.0)
    assert not system.options
    estimates, _ = drain(system, images(system))
    assert told(estimates, "multimodal").all()


def test_without_uncertainty_nothing_tells_of_it():
    system = make(variant=BARE, lambda_dfl=0.0)
    _, found = drain(system, images(system))
    assert not system.values and [port.key for port in system.outputs] == ["nanoparticles", "uncertainty"]
    assert found.keys() == {"nanoparticles", "uncertainty"}
    terms = system.train().loss(images(system), torch.Generator().manual_seed(0))
    assert terms.keys() == {"loss", "unimodal", "multimodal"}
    assert float(terms["loss"]) == pytest.approx(float(terms["unimodal"] + terms["multimodal"]))


def test_u_of_the_main_feature_is_the_sigmoid_of_it():
    """As in the authors' code: it does not see the auxiliary modality."""
    system = make(variant={"uncertainty": "main"})
    x, main, auxiliary = torch.randn(3, 2, 1, 32, 32).unbind()
    time = torch.tensor([0.3])
    with torch.no_grad():
        encoded = system.network.encode(x, time, main, auxiliary)
        expected = system.network.attention.uncertain(encoded.main[-1])
        assert torch.equal(encoded.uncertainty, expected)
        assert torch.equal(system.network.encode(x, time, main, -auxiliary).uncertainty, expected)


def test_what_is_not_named_is_the_method_itself():
    assert type(make()) is DAMM and type(make(variant={"mmfm": True})) is DAMM
    assert type(make(variant={"mmfm": False})) is not DAMM


@pytest.mark.parametrize(
    "wrong", [{"attention": "plain"}, {"attention": "none", "dammp": False, "agreement": True}, {"mmfn": False}]
)
def test_a_variant_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Variant(**wrong)


def test_without_uncertainty_there_is_no_feedback():
    with pytest.raises(ValidationError, match="no divergence to feed back to"):
        DAMMConfig(variant=Variant(**BARE))


# What rows of the table stated before, beside what all of them have.
ROWS = {
    damm.BASELINE: BARE | {"lambda_dfl": 0.0},
    damm.MMFM: {"attention": "none", "dammp": False, "lambda_dfl": 0.0},
    damm.UAFM: {"mmfm": False, "dammp": False, "lambda_dfl": 0.0},
    damm.BOTH: {"dammp": False, "lambda_dfl": 0.0},
    damm.DAMMP: {},
    damm.PLAIN: {"attention": "plain", "dammp": False, "lambda_dfl": 0.0},
    damm.NO_DFL: {"lambda_dfl": 0.0},
    damm.NUCLEI: {"uni": "nuclei"},
    damm.ROUNDS: {"stage": "divergence"},
    damm.AGREED: {"agreement": True, "stage": "divergence"},
}


@pytest.mark.parametrize("row", ROWS)
def test_a_row_is_what_it_was_in_the_words_of_before(row):
    now = damm.Task(damm.Fold(0, BUDGET.cohort), damm.ROW[row], BUDGET).training.config
    whole = damm.Task(damm.Fold(0, BUDGET.cohort), damm.ROW[damm.DAMMP], BUDGET).training.config
    assert configure("damm", whole | {"warmup": now["warmup"]} | ROWS[row]) == configure("damm", now)
    training = damm.Task(damm.Fold(0, BUDGET.cohort), damm.ROW[row], BUDGET).training
    assert training.objective == ROWS[row].get("stage", "")


def test_the_models_that_ship_are_read_in_the_words_of_before():
    """Every switch stands beside the others there."""
    variants = {}
    for name in ("ms-flair-demo", "nanoparticles-demo"):
        stated = json.loads((BUNDLED / name / "config.json").read_text())["config"]
        assert {"mmfm", "attention", "dammp", "agreement", "error"} <= stated.keys() and "variant" not in stated
        config = configure("damm", stated)
        variants[name] = config.variant
        # Written again, it is today's form and the same.
        again = config.model_dump(mode="json")
        assert "mmfm" not in again and "uni" not in again and configure("damm", again) == config
    assert variants == {"ms-flair-demo": Variant(), "nanoparticles-demo": Variant(agreement=True)}


def test_words_of_today_count_beside_those_of_before():
    """A recipe that goes on from an older model says its own."""
    stated = {"agreement": True, "mmfm": True, "variant": {"mmfm": False}}
    assert DAMMConfig(**stated).variant == Variant(agreement=True, mmfm=False)


def test_uni_had_an_input_change_places_with_the_main_one():
    config = DAMMConfig(main="t1", auxiliaries=["t2", {"key": "pd", "unit": "a"}], output="flair", uni="pd")
    assert config.main.unit == "a" and [one.key for one in (config.main, *config.auxiliaries)] == ["pd", "t1", "t2"]
    assert DAMMConfig(uni="nuclei").auxiliaries == (DAMMConfig().main,)
    assert DAMMConfig(uni="") == DAMMConfig(uni="vessels") == DAMMConfig()
    with pytest.raises(ValidationError, match="uni must be one of the inputs vessels, nuclei, not t2"):
        DAMMConfig(uni="t2")


@pytest.mark.parametrize(
    ("variant", "attention", "fusion"),
    [
        ({}, {"query", "key", "value", "uncertainty", "project"}, {"main", "auxiliary", "channels", "compress"}),
        ({"attention": "plain"}, {"query", "key", "value", "project"}, {"main", "auxiliary", "channels", "compress"}),
        ({"attention": "none", "mmfm": False}, set(), {"compress"}),
    ],
)
def test_weights_have_the_names_that_they_had(variant, attention, fusion):
    keys = build_system("damm", CONFIG | {"variant": variant | {"dammp": False}, "lambda_dfl": 0.0}).state_dict()
    assert {key.split(".")[2] for key in keys if key.startswith("network.attention.")} == attention
    assert {key.split(".")[3] for key in keys if key.startswith("network.fusion.0.")} == fusion
    assert {key.split(".")[1] for key in keys if key.startswith("network.")} - {"attention"} == {
        "embed", "unimodal", "multimodal", "fusion",
    }  # fmt: skip
