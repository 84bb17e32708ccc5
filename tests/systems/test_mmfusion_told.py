"""What MMFusion tells beside a score: shares that add up, what it looked at, a calibrated mean, an odd case."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from model_card import CARD

from diffuscope.diffusion.case_noise import CaseNoise
from diffuscope.model.folder import load_model, save_model
from diffuscope.ports.settings import SampleSettings
from diffuscope.ports.table import Table
from diffuscope.systems.calibration import evidence
from diffuscope.systems.mmfusion.config import SHARED, MMFusionConfig
from diffuscope.systems.mmfusion.declare import declare
from diffuscope.systems.mmfusion.system import MMFusion

NAN = float("nan")
TABLES = [
    {"name": key, "key": key, "columns": [{"name": f"{key} {number}"} for number in range(3)]}
    for key in ("clinical", "blood", "radiomics")
]
CASE = {"clinical": torch.tensor([1.0, -2.0, NAN]), "blood": torch.full((3,), NAN), "radiomics": torch.ones(3)}
SETTINGS = SampleSettings(sampler="card", steps=10, samples=30)
NOISE = CaseNoise(3, torch.device("cpu"))


def make(**config: object) -> MMFusion:
    torch.manual_seed(0)
    return MMFusion(MMFusionConfig.model_validate({"tables": TABLES, "width": 16, "members": 3, **config})).eval()


def told(system: MMFusion, *, settings: SampleSettings = SETTINGS, inputs: dict = CASE) -> dict:
    steps = system.sample(system.prepare(inputs, None), NOISE, settings)
    with torch.no_grad():
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value


@pytest.mark.parametrize("diffusion", [True, False])
def test_shares_add_up_to_the_score_less_the_share_of_the_class(diffusion: bool):
    system = make(diffusion=diffusion)
    system.prevalence.fill_(0.3)
    found = told(system)
    score = float(found["metastasis"].mean())
    assert found["metastasis"].shape == (3, 30) and found["shapley"].shape == (3,)
    assert float(found["shapley"][[0, 2]].sum()) == pytest.approx(score - 0.3, abs=1e-5)
    assert found["shapley"][1].isnan() and found["left_out"][1].isnan() and found["attention"][1].isnan()
    assert float(found["attention"][[0, 2]].sum()) == pytest.approx(1.0, abs=1e-5)
    alone = told(system, inputs={"radiomics": CASE["radiomics"]})["metastasis"].mean()
    assert float(found["left_out"][0]) == pytest.approx(score - float(alone), abs=1e-5)


def test_only_what_is_wanted_is_computed(monkeypatch: pytest.MonkeyPatch):
    system = make()
    monkeypatch.setattr(system, "scores", lambda *_: pytest.fail("nobody wants shares"))
    for wanted in (("metastasis",), ("metastasis", "attention")):
        assert tuple(told(system, settings=replace(SETTINGS, wanted=wanted))) == wanted
    with pytest.raises(pytest.fail.Exception):
        told(system, settings=replace(SETTINGS, wanted=("left_out",)))


def test_a_calibrated_score_is_the_logistic_of_its_evidence_and_its_shares_add_up_too():
    plain, right = make(), make(calibration=[0.5, 0.7])
    before, found = told(plain)["metastasis"].mean(), told(right)
    after = float(found["metastasis"].mean())
    assert after == pytest.approx(float(torch.sigmoid(0.5 * evidence(before, 90) + 0.7)), abs=1e-5)
    assert float(found["shapley"].nansum()) == pytest.approx(after - 0.5, abs=1e-5)


def test_an_odd_case_is_told_once_it_knows_its_training(tmp_path: Path):
    system = make()
    assert system.unlike(CASE) == ""
    rows = {key: torch.randn(200, 3, generator=torch.Generator().manual_seed(one)) for one, key in enumerate(CASE)}
    rows["blood"] = rows["blood"] * 1e4 + 3e5  # platelets: more than float16 holds
    system.fit(rows | {"label": torch.arange(200) % 2})
    usual, odd = ({"blood": torch.tensor([one, 3e5, 3e5])} for one in (3.1e5, 4e5))
    folder = save_model(tmp_path / "model", system, "mmfusion", system.config.model_dump(mode="json"), CARD)
    for one in (system, load_model(folder).system):
        assert one.unlike(usual) == "" and "blood 0 is 4e+05" in one.unlike(odd)
        assert float(one.scales[1].mean[0]) == float(system.scales[1].mean[0])


def test_of_pictures_volume_and_mean_are_looked_at():
    images = {"backbone": "resnet10", "planes": 4, "stem": "small", "tumour": [16] * 3, "node": [16] * 3, "nodes": 1}
    system = make(images={**images, "spacing": [1, 1, 1]}, members=1, width=8)
    generator = torch.Generator().manual_seed(0)
    batch = {
        key: torch.full((100, *shape), -1.0)
        for key, shape in (("tumour", (1, *[16] * 3)), ("nodes", (1, 1, *[16] * 3)))
    }
    for number in range(100):
        side = int(torch.randint(6, 10, (), generator=generator))
        batch["tumour"][number, 0, :side, :side, :side] = 0.1 + 0.05 * torch.rand((), generator=generator)
    batch["nodes"][:] = NAN
    system.fit(batch | {key: torch.full((100, 3), NAN) for key in CASE} | {"label": torch.arange(100) % 2})
    assert system.unlike({"tumour": batch["tumour"][5]}) == ""
    bright = torch.where(batch["tumour"][5] > -1, 0.95, -1.0)
    assert "mean of what the model sees of the tumour is 230 HU" in system.unlike({"tumour": bright})
    full = torch.full((1, 16, 16, 16), 0.12)
    assert "volume of what the model sees of the tumour is 4.096 ml" in system.unlike({"tumour": full})


def test_shares_are_declared_where_every_subset_can_be_scored():
    many = [{"name": f"t{n}", "key": f"t{n}", "columns": [{"name": "x"}]} for n in range(SHARED + 1)]
    keys = {
        count: [port.key for port in declare(MMFusionConfig(tables=many[:count])).outputs if isinstance(port, Table)]
        for count in (SHARED, SHARED + 1)
    }
    assert keys == {SHARED: ["shapley", "left_out", "attention"], SHARED + 1: ["attention"]}
    with pytest.raises(ValueError, match="cannot have the key shapley"):
        MMFusionConfig(tables=many[:1], key="shapley")
