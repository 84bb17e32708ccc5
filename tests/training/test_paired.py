"""Any from any is trained on cases that have some of each: rounds, what each of them sees, a model that runs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import any_to_any
import numpy as np
import pytest
import tifffile
import torch
import yaml

import diffuscope
from diffuscope.errors import InputError
from diffuscope.events import Progress
from diffuscope.training.prepare import find_rounds, open_rounds, prepare
from diffuscope.training.recipe import Recipe, load_recipe

MPP = 4000.0
SIZE = {"PhysicalSizeX": MPP, "PhysicalSizeY": MPP, "PhysicalSizeXUnit": "µm", "PhysicalSizeYUnit": "µm"}
BRIEF = {"steps": 2, "batch": 4, "learning_rate": 1e-3, "warmup": 1, "validations": 1}


def write_pairs(folder: Path, count: int = 12) -> Path:
    """Write cases: the first has no CT, the second no text, the third nothing but a text, in a file."""
    rng = np.random.default_rng(0)
    with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["case", "report", "ct", "t1", "t2", "xray", "note"])
        writer.writeheader()
        for number in range(count):
            row = {
                "case": f"c{number:02d}",
                "report": f"Chest with one nodule on the {'left' if number % 2 else 'right'}.",
            }
            for key, low, high in (("ct", -1000, 400), ("t1", 0, 1), ("t2", 0, 1), ("xray", 0, 1)):
                path = folder / f"c{number:02d}-{key}.ome.tif"
                pixels = rng.uniform(low, high, (16, 12)).astype(np.float32)
                tifffile.imwrite(path, pixels, metadata={"axes": "YX", **SIZE})
                row[key] = path.name
            if number == 0:
                row["ct"] = ""
            if number == 1:
                row["report"] = ""
            if number == 2:
                (folder / "said.txt").write_text("Head with no cyst on the left.\n", encoding="utf-8")
                row = {"case": "c02", "report": "said.txt"}
            writer.writerow(row)
    return folder / "cases.csv"


def recipe(rounds: list[dict], **changed: object) -> dict:
    given = {
        "name": "pairs",
        "system": "medm2g",
        "config": any_to_any.SMALL | {"text": any_to_any.TEXT},
        "data": {"pairs": "cases.csv", "validation": 0.2},
        "rounds": rounds,
        "optimisation": BRIEF,
        "card": None,
        **changed,
    }
    return json.loads(json.dumps(given))


def test_images_that_no_round_needs_are_not_opened(tmp_path: Path):
    write_pairs(tmp_path)
    for path in tmp_path.glob("*-xray.ome.tif"):
        path.write_bytes(b"no image")
    rounds = [{"name": one, "objective": one} for one in ("encode-text", "align-text-ct")]
    made = prepare(Recipe.model_validate(recipe(rounds)), tmp_path)
    assert set(made[1].data.batch_at(0)) == {"report", "ct"}
    with pytest.raises(InputError, match=r"c\d\d: .*xray"):
        prepare(Recipe.model_validate(recipe([*rounds, {"name": "more", "objective": "generate-xray"}])), tmp_path)


def test_cases_of_a_table_are_counted_once_whatever_rounds_there_are(tmp_path: Path):
    write_pairs(tmp_path)
    rounds = [{"name": one, "objective": one} for one in ("align-text-ct", "generate-ct")]
    found = find_rounds(Recipe.model_validate(recipe(rounds)), tmp_path)
    heard: list[Progress] = []
    open_rounds(found, heard.append)
    assert [(at.done, at.total, at.unit) for at in heard] == [(done, 12, "cases") for done in range(13)]


def test_parts_that_all_cases_state_are_theirs_however_few_validate(tmp_path: Path):
    table = write_pairs(tmp_path)
    head, *rows = table.read_text(encoding="utf-8").splitlines()
    lines = [f"{head},part", *(f"{row},{'validation' if n == 11 else 'train'}" for n, row in enumerate(rows))]
    table.write_text("\n".join(lines), encoding="utf-8")
    rounds = [{"name": "one", "objective": "align-text-ct"}]
    (one,) = find_rounds(Recipe.model_validate(recipe(rounds)), tmp_path)
    assert [name for name, part in one.found.parts.items() if part == "validation"] == ["c11"]


def test_each_round_sees_the_cases_that_have_what_it_needs(tmp_path: Path):
    write_pairs(tmp_path)
    rounds = [
        {"name": one, "objective": one} for one in ("encode-text", "generate-mri", "align-text-ct", "cross-mri-mri")
    ]
    made = prepare(Recipe.model_validate(recipe(rounds)), tmp_path)
    names = [name for name, part in made[0].parts.items() if part == "train"]
    held = [name for name, part in made[0].parts.items() if part == "validation"]
    assert len(held) == 2 and len(names) == 10 and made[0].parts == made[3].parts
    lacking = {"encode-text": {"c01"}, "generate-mri": {"c02"}, "align-text-ct": {"c00", "c01", "c02"}}
    for one in made[:3]:
        batches = [one.data.batch_at(number) for number in range(12)]
        there = set(names) - lacking[one.planned.objective]
        assert sum(len(next(iter(batch.values()))) for batch in one.data.validation) == len(
            set(held) - lacking[one.planned.objective]
        )
        assert all(len(next(iter(batch.values()))) == min(4, len(there)) for batch in batches)
    assert set(made[0].data.batch_at(0)) == {"report"} and set(made[1].data.batch_at(0)) == {"t1", "t2"}
    mr = made[3].data.batch_at(0)["t1"]
    # 12 px wide as it was, and nothing beside it.
    assert mr.shape == (4, 1, 16, 16) and bool((mr[..., :2] == -1).all()) and bool((mr[..., 2:14] > -1).any())


@pytest.mark.slow
def test_from_a_table_to_a_model_that_makes_any_from_any(tmp_path: Path):
    write_pairs(tmp_path)
    (tmp_path / "vocabulary.json").write_text(json.dumps(any_to_any.VOCABULARY.model_dump()), encoding="utf-8")
    names = ["encode-text", "encode-xray", "generate-text", "align-text-xray", "cross-text-xray", "cross-ct-mri"]
    given = recipe([{"name": name, "objective": name} for name in names])
    given["config"]["text"]["vocabulary"] = "vocabulary.json"
    del given["card"]
    (tmp_path / "pairs.yaml").write_text(yaml.safe_dump(given), encoding="utf-8")
    assert load_recipe(tmp_path / "pairs.yaml").config["text"]["vocabulary"]["words"][0] == "[PAD]"
    model = tmp_path / "model"
    diffuscope.finish(diffuscope.train(tmp_path / "pairs.yaml", model, device="cpu"))
    out = tmp_path / "made.ome.zarr"
    given = {"ct": str(tmp_path / "c03-ct.ome.tif")}
    diffuscope.finish(diffuscope.run(model, given, out, device="cpu", steps=3, want=["report", "xray", "t1"]))
    result = diffuscope.open_result(out)
    assert {port.key for port in result.ports} == {"xray", "xray_sd", "t1", "t1_sd"}
    assert np.asarray(result.images["xray"][0]).shape == (16, 12, 1)
    [written] = result.texts.values()
    assert all(0 <= sure <= 1 for _, sure in written.tokens)
    again = tmp_path / "text.ome.zarr"
    said = {"report": "Chest with two cyst on the left."}
    diffuscope.finish(diffuscope.run(model, said, again, device="cpu", steps=3, want=["ct"]))
    assert np.asarray(diffuscope.open_result(again).images["ct"][0]).shape == (16, 16, 1)


@pytest.mark.parametrize(
    ("head", "row", "said"),
    [
        ("case,words", "a,b", "has no column report, ct"),
        ("case,report,ct", "a,,", "no case with an image or a text"),
        ("case,report,ct", "a,,gone.tif", "gone.tif does not exist"),
        ("case,report,part", "a,Chest,sometimes", "states the part sometimes"),
    ],
)
def test_a_table_that_is_none_is_told(tmp_path: Path, head: str, row: str, said: str):
    (tmp_path / "cases.csv").write_text(f"{head}\n{row}\n", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        prepare(Recipe.model_validate(recipe([{"name": "one", "objective": "encode-text"}])), tmp_path)


def test_of_the_many_objectives_the_nearest_are_told(tmp_path: Path):
    write_pairs(tmp_path)
    with pytest.raises(
        InputError, match=r"'align-ct-text': .*\balign-text-ct\b.* others \(docs/medm2g.md lists all\)"
    ) as told:
        prepare(Recipe.model_validate(recipe([{"name": "one", "objective": "align-ct-text"}])), tmp_path)
    assert len(str(told.value)) < 160 and "docs/medm2g.md" in str(told.value)


def test_a_round_that_no_case_can_train_is_told(tmp_path: Path):
    (tmp_path / "cases.csv").write_text("case,report\na,Chest\nb,Head\nc,Chest\n", encoding="utf-8")
    with pytest.raises(InputError, match="no case that trains has report and ct"):
        prepare(Recipe.model_validate(recipe([{"name": "one", "objective": "cross-text-ct"}])), tmp_path)


def test_contrasts_that_guide_each_other_need_a_case_with_two(tmp_path: Path):
    write_pairs(tmp_path)
    table = tmp_path / "cases.csv"
    with table.open(newline="", encoding="utf-8") as file:
        rows = [row | {"t2": ""} for row in csv.DictReader(file)]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    asked = Recipe.model_validate(recipe([{"name": "one", "objective": "cross-mri-mri"}]))
    with pytest.raises(InputError, match="no case that trains has 2 of t1, t2, t1_fast: add one"):
        prepare(asked, tmp_path)
    rows[5]["t2"] = rows[5]["t1"]
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    (made,) = prepare(asked, tmp_path)
    assert all(len(values) == 1 for values in made.data.batch_at(0).values())


def test_ids_are_exact_in_what_is_kept():
    system = any_to_any.make(text=any_to_any.TEXT)
    ids = system.tokens.encode("Chest with one nodule on the left.")
    assert ids.dtype == torch.float32 and torch.equal(ids.long().float(), ids)
    assert system.tokens.decode([int(one) for one in ids[24:] if int(one) != system.tokens.end]) == (
        "Chest with one nodule on the left."
    )
