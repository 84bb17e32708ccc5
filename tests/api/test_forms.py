"""Flags, numbers and words of another form are refused when a verb is called, and NumPy's are taken."""

from __future__ import annotations

import json
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import diffuscope
from diffuscope import check_data, evaluate, export, finish, measure, open_result, register, run, score, train
from diffuscope.api.prediction import Settings
from diffuscope.api.radiomics import radiomics
from diffuscope.api.run_many import run_many
from diffuscope.errors import InputError
from diffuscope.sample_data import sample_path

SLIDE = sample_path() / "OS-1-detail.ome.tif"
PART: dict[str, Any] = {"region": "0,0,64,64", "steps": 1, "device": "cpu"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"normalise": "no"}, 'normalise must be True or False, got "no"'),
        ({"normalise": 0}, "normalise must be True or False, got 0"),
        ({"overwrite": "false"}, 'overwrite must be True or False, got "false"'),
        ({"resume": None}, "resume must be True or False, got None"),
        ({"steps": 2.5}, r"steps must be a whole number, got 2\.5"),
        ({"steps": "3"}, 'steps must be a whole number, got "3"'),
        ({"steps": True}, "steps must be a whole number, got True"),
        ({"seed": 1.5}, r"seed must be a whole number, got 1\.5"),
        ({"seed": None}, "seed must be a whole number, got None"),
        ({"batch": "2"}, "batch must be a whole number"),
        ({"mpp": "0.5"}, r'mpp must be a number, got "0\.5"'),
        ({"devices": 1.5}, r"devices must be a whole number or a text, got 1\.5"),
        ({"device": 0}, "device must be a text, got 0"),
        ({"want": "ihc"}, r'want must be a list, as \["ihc"\], got "ihc"'),
        ({"stains_of": Path("he.png")}, r'stains_of must be a list, as \["he\.png"\]'),
        ({"region": (0, 0, 64)}, 'region "0,0,64" is not understood'),
        ({"region": (0, 0, 64, 6.5)}, r'region "0,0,64,6\.5" is not understood'),
        ({"region": 64}, 'region "64" is not understood'),
    ],
)
def test_a_run_refuses_them_at_the_call(tiny_model: Path, tmp_path: Path, given: dict[str, Any], said: str):
    with pytest.raises(InputError, match=said):
        run(tiny_model, SLIDE, tmp_path / "out.ome.zarr", **PART | given)
    if "region" not in given:
        with pytest.raises(InputError, match=said):
            run_many(tiny_model, SLIDE.parent, tmp_path / "many", **PART | given)
    assert not any(tmp_path.iterdir())


def test_other_verbs_refuse_them_at_the_call(tiny_model: Path, tmp_path: Path):
    out = tmp_path / "out"
    calls = [
        (lambda: evaluate(tiny_model, tmp_path, out, worst=1.5), "worst must be a whole number"),
        (lambda: evaluate(tiny_model, tmp_path, out, mpp="0.5"), "mpp must be a number"),
        (lambda: evaluate(tiny_model, tmp_path, out, settings=Settings(seed=-1)), "seed must be at least 0"),
        (lambda: Settings(steps=2.5), "steps must be a whole number"),
        (lambda: train(tmp_path, out, threads=1.5), "threads must be a whole number"),
        (lambda: train(tmp_path, out, resume="no"), "resume must be True or False"),
        (lambda: measure(tmp_path, threshold="0.2"), "threshold must be a number"),
        (lambda: export(tmp_path, out, anonymous="no"), "anonymous must be True or False"),
        (lambda: export(tmp_path, out, "all", 1), "overwrite must be True or False"),
        (lambda: score(tiny_model, [tmp_path], out, overwrite="no"), "overwrite must be True or False"),
        (lambda: score(tiny_model, "cohort.csv", out), r'cohort must be a list, as \["cohort\.csv"\]'),
        (lambda: register(tmp_path, tmp_path, out, affine_only="no"), "affine_only must be True or False"),
        (lambda: radiomics(tmp_path, out, overwrite="no"), "overwrite must be True or False"),
        (lambda: check_data(tmp_path, test="0.2"), "test must be a number"),
    ]
    for call, said in calls:
        with pytest.raises(InputError, match=said):
            call()


def test_every_verb_with_flags_or_numbers_looks_at_them():
    verbs = [getattr(diffuscope, name) for name in diffuscope.__all__]
    stated = [
        verb
        for verb in (*verbs, run_many, radiomics)
        if callable(verb) and not isinstance(verb, type) and "overwrite" in signature(verb).parameters
    ]
    assert len(stated) > 8
    for verb in stated:
        assert hasattr(verb, "__wrapped__"), verb.__name__


def test_numpys_numbers_and_a_region_of_four_are_taken(tiny_model: Path, tmp_path: Path):
    plain = finish(run(tiny_model, SLIDE, tmp_path / "a.ome.zarr", **PART, seed=3))
    given = PART | {"region": np.array([0, 0, 64, 64]), "steps": np.int64(1), "seed": np.uint8(3)}
    same = finish(run(tiny_model, SLIDE, tmp_path / "b.ome.zarr", **given, normalise=np.bool_(True)))
    assert plain.complete and same.complete
    first, second = (open_result(tmp_path / f"{name}.ome.zarr") for name in "ab")
    assert first.record["parameters"] == second.record["parameters"]
    assert json.dumps(second.record)
    key = first.ports[0].key
    assert np.array_equal(np.asarray(first.images[key][0]), np.asarray(second.images[key][0]))
