"""A case that is unlike those of training is told before its score, kept in the record, and told in words with it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from model_card import CARD

import diffuscope
from diffuscope.cli.describe import table
from diffuscope.events import Notice, Progress
from diffuscope.model.folder import save_model
from diffuscope.systems.mmfusion.config import MMFusionConfig
from diffuscope.systems.mmfusion.system import MMFusion

CONFIG = {
    "tables": [
        {"name": "blood", "key": "blood", "columns": [{"name": "leukocytes", "unit": "10³/µl"}]},
        {"name": "clinical data", "key": "clinical", "columns": [{"name": "age"}]},
    ],
    "width": 8,
    "members": 2,
    "threshold": 0.5,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    system = MMFusion(MMFusionConfig.model_validate(CONFIG))
    rows = {key: 8 + torch.randn(100, 1) for key in ("blood", "clinical")}
    system.fit(rows | {"label": torch.arange(100) % 2})
    return save_model(tmp_path_factory.mktemp("model") / "nodes", system, "mmfusion", CONFIG, CARD)


def test_it_is_told_before_the_score_and_stands_in_the_record(model: Path, tmp_path: Path):
    out = tmp_path / "odd.ome.zarr"
    events = list(diffuscope.run(model, {"blood": {"leukocytes": 60}}, out, device="cpu"))
    kinds = [type(one) for one in events if isinstance(one, Notice | Progress)]
    [said] = [one.sentence for one in events if isinstance(one, Notice)]
    assert kinds[0] is Notice and "leukocytes is 60 10³/µl (99 % of them: " in said
    result = diffuscope.open_result(out)
    assert result.record["notices"].count(said) == 1 and result.complete
    lines = list(table(result))
    assert lines[0].startswith("lymph-node metastasis: metastasis 0.") and "nominally 90 %" in lines[0]
    assert lines[1].startswith("contributions: blood ") and "clinical" not in lines[1]
    assert [one.partition(":")[0] for one in lines[2:]] == ["score less the score without", "attention received"]


def test_a_run_that_was_broken_off_has_it_once(model: Path, tmp_path: Path):
    out = tmp_path / "odd.ome.zarr"
    source = {"blood": {"leukocytes": 60}}
    diffuscope.finish(diffuscope.run(model, source, out, device="cpu", cancelled=iter([False, True, True]).__next__))
    diffuscope.finish(diffuscope.run(model, source, out, device="cpu", resume=True))
    notices = diffuscope.open_result(out).record["notices"]
    assert sum("Unlike the patients of training" in one for one in notices) == 1


def test_a_usual_case_is_told_nothing(model: Path, tmp_path: Path):
    events = list(diffuscope.run(model, {"blood": {"leukocytes": 8}}, tmp_path / "out.ome.zarr", device="cpu"))
    assert not [one for one in events if isinstance(one, Notice)]
