"""`evaluate` from data to report: real tissue, an untrained model, and truths that are known."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from typer.testing import CliRunner

from diffuscope import run
from diffuscope.api.evaluate import Settings, evaluate
from diffuscope.cases import Case, open_case
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.evaluation.fields import FIELD, fields
from diffuscope.evaluation.found import of_result
from diffuscope.evaluation.metrics.features import RandomConvFeatures
from diffuscope.evaluation.metrics.sets import set_figures
from diffuscope.events import finish
from diffuscope.results.result import open_result
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region, tissue_mask
from diffuscope.stains import dab_density

SIDE = 192
QUICK = Settings(steps=2, threads=1, seed=5)
PLACES = {"a": (700, 900), "b": (1200, 900), "<c>": (1700, 1200)}


@pytest.fixture(scope="module", autouse=True)
def _few_features():
    """Pictures are compared by few features: tests/evaluation has the many, which take most of an evaluation's time."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(RandomConvFeatures, "_CHANNELS", (3, 4, 4, 4, 4))
        monkeypatch.setattr(RandomConvFeatures, "dimension", 32)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three fields of the sample slide; their "IHC" is the H&E turned brown, in which two slides are one."""
    folder = tmp_path_factory.mktemp("cases")
    scan = open_scan(sample_path("CMU-1-Small-Region.svs"))
    lines = ["case,group,part,he,ihc,mask"]
    for number, (name, (y, x)) in enumerate(PLACES.items()):
        he = read_region(scan, y=y, x=x, height=SIDE, width=SIDE, factor=1.0)
        brown = np.stack([he[..., 1], he[..., 1] // 2 + 60, he[..., 1] // 3 + 40], axis=2)
        for key, picture in (("he", he), ("ihc", brown), ("mask", ((he[..., 0] < 140) * 255).astype(np.uint8))):
            Image.fromarray(picture).save(folder / f"{key}{number}.png")
        lines.append(f"{name},{'p' if number < 2 else 'q'},test,he{number}.png,ihc{number}.png,mask{number}.png")
    lines.append("left out,r,train,he0.png,ihc0.png,")
    (folder / "cases.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "SIMULATED.txt").write_text("H&E turned brown.\nMore.\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("out") / "report"
    return out, finish(evaluate(tiny_model, data, out, settings=QUICK, mpp=0.5)).report


def test_figures_are_those_of_the_results_that_were_kept(data: Path, made: tuple[Path, dict]):
    out, report = made
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == json.loads(json.dumps(report))
    assert {row["case"] for row in report["cases"]} == set(PLACES) and report["groups"] == 2
    for number, name in enumerate(PLACES):
        row = next(row for row in report["cases"] if row["case"] == name)
        truth = np.asarray(Image.open(data / f"ihc{number}.png"))
        result = open_result(out / "predictions" / f"{name}.ome.zarr")
        found = np.asarray(result.images["ihc"][0])
        assert row["figures"]["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, found, data_range=255))
        he = np.asarray(Image.open(data / f"he{number}.png"))
        assert row["input"]["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, he, data_range=255))
        threshold = row["run"]["parameters"]["dab_threshold"]
        positive, claimed = dab_density(truth) > threshold, np.asarray(result.images["dab"][0])[..., 0] > threshold
        both = 2 * (positive & claimed).sum() / (positive.sum() + claimed.sum())
        assert row["figures"]["dab_dice"] == pytest.approx(both)
        assert row["run"]["parameters"]["seed"] == 5 and "mask_dice_segmentation" in row["figures"]
    p = np.mean([row["figures"]["psnr"] for row in report["cases"] if row["group"] == "p"])
    q = next(row["figures"]["psnr"] for row in report["cases"] if row["group"] == "q")
    assert report["summary"]["psnr"]["value"] == pytest.approx((p + q) / 2)


def test_set_measures_are_those_of_the_features(data: Path, made: tuple[Path, dict]):
    extractor = RandomConvFeatures()
    truth = [extractor(np.asarray(Image.open(data / f"ihc{i}.png"))[None]) for i in range(3)]
    he = [extractor(np.asarray(Image.open(data / f"he{i}.png"))[None]) for i in range(3)]
    cases = [{"truth": a, "model": b} for a, b in zip(truth, he, strict=True)]
    expected = set_figures(cases)["model"]["fid"]
    assert made[1]["sets"]["input"]["fid"] == pytest.approx(expected, rel=1e-6)
    assert "kid" not in made[1]["sets"]["model"] and "kid" in set_figures(cases * 2)["model"]
    assert set_figures(cases[:1]) == {}


def test_the_page_needs_no_other_file_and_says_what_limits_it(made: tuple[Path, dict]):
    page = (made[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:)', page) and "<script" not in page and "url(" not in page
    assert "&lt;c&gt;" in page and "<c>" not in page
    assert page.count("<svg") >= 6 and page.count("data:image/") >= 15
    for said in ("The truth is simulated", "H&amp;E turned brown.", "demonstration", "2 patients or slides are few",
                 "not FID, KID or LPIPS", "not for diagnosis"):  # fmt: skip
        assert said in page, said
    assert "More." not in page and "left out" not in page


@pytest.mark.slow
def test_a_report_goes_on_and_takes_the_results_that_are_there(
    data: Path, made: tuple[Path, dict], tiny_model: Path, tmp_path: Path
):
    out = tmp_path / "report"
    shutil.copytree(made[0], out)
    (out / "report.json").unlink()
    shutil.rmtree(out / "predictions" / "b.ome.zarr")
    kept = (out / "predictions" / "a.ome.zarr" / ".zattrs").stat().st_mtime_ns
    *told, done = evaluate(tiny_model, data, out, settings=QUICK, mpp=0.5, resume=True)
    again = done.report
    assert again["summary"] == made[1]["summary"]
    assert (out / "predictions" / "a.ome.zarr" / ".zattrs").stat().st_mtime_ns == kept
    # Only the case whose result is missing is run, and counts by its tiles.
    assert {event.what.partition(", ")[0].partition(": ")[2] for event in told if ", " in event.what} == {"b"}
    assert [event.done for event in told] == sorted(event.done for event in told) and told[-1].total == 3
    with pytest.raises(InputError, match=r"was begun with seed 5 and this run asks for 6"):
        finish(evaluate(tiny_model, data, out, settings=Settings(steps=2, threads=1, seed=6), mpp=0.5, resume=True))


@pytest.mark.slow
def test_finished_pictures_are_judged_without_the_model(data: Path, made: tuple[Path, dict], tiny_model: Path):
    out = made[0].parent / "truth"
    perfect = made[0].parent / "perfect"
    (perfect / "ihc").mkdir(parents=True)
    for number, name in enumerate(PLACES):
        shutil.copy(data / f"ihc{number}.png", perfect / "ihc" / f"{name}.png")
    *cases, done = evaluate(tiny_model, data, out, predictions=perfect, mpp=0.5, against=made[0])
    report = done.report
    assert [event.done for event in cases] == [0, 1, 2]  # nothing was run
    assert report["summary"]["ssim"]["value"] == pytest.approx(1) and report["summary"]["mse"]["value"] == 0
    assert report["summary"]["dab_dice"]["value"] == 1 and "psnr" not in report["summary"]
    assert report["sets"]["model"]["fid"] == pytest.approx(0, abs=1e-6)
    test = report["against"]["tests"]["ssim"]
    assert test["difference"] == pytest.approx(1 - made[1]["summary"]["ssim"]["value"])
    assert test["permutation_p"] == 0.5  # two patients
    assert not any("demonstration" in notice for notice in report["notices"])
    flat = finish(evaluate(tiny_model, data, out, predictions=perfect / "ihc", mpp=0.5, overwrite=True)).report
    assert flat["summary"] == report["summary"]
    (perfect / "ihc" / "b.png").unlink()
    with pytest.raises(InputError, match="no picture of case b"):
        evaluate(tiny_model, data, out, predictions=perfect, mpp=0.5, overwrite=True)
    assert (out / "report.json").is_file()


def test_a_case_that_cannot_be_used_is_left_out_and_told(data: Path, tiny_model: Path, tmp_path: Path):
    broken = tmp_path / "data"
    shutil.copytree(data, broken)
    (broken / "ihc1.png").write_bytes((data / "ihc1.png").read_bytes()[:3000])
    Image.open(data / "ihc2.png").convert("L").save(broken / "ihc2.png")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number, name in enumerate(PLACES):
        shutil.copy(data / f"he{number}.png", pictures / f"{name}.png")
    report = finish(evaluate(tiny_model, broken, tmp_path / "report", predictions=pictures, mpp=0.5)).report
    assert [row["case"] for row in report["cases"]] == ["a"]
    told = "\n".join(report["notices"])
    assert "Case b was left out: ihc1.png is truncated" in told and "ihc2.png has 1 channel, but" in told
    assert "one patient or slide (p): an anecdote" in told and report["summary"]["ssim"]["low"] is None
    with pytest.raises(InputError, match=r"none of 3 cases .*µm/px"):
        finish(evaluate(tiny_model, broken, tmp_path / "none", predictions=pictures))
    assert not (tmp_path / "none").exists()


def test_pictures_of_another_type_than_the_output_are_left_out(data: Path, tiny_model: Path, tmp_path: Path):
    """Their values are no colours from 0 to 255, by which PSNR and DAB are measured."""
    odd, pictures = tmp_path / "data", tmp_path / "pictures"
    shutil.copytree(data, odd)
    pictures.mkdir()
    for number, name in enumerate(PLACES):
        shutil.copy(data / f"he{number}.png", pictures / f"{name}.png")
    deep = np.asarray(Image.open(data / "ihc0.png")).astype(np.uint16) * 257
    tifffile.imwrite(odd / "ihc0.tif", deep, photometric="rgb")
    table = (
        (odd / "cases.csv")
        .read_text(encoding="utf-8")
        .replace("a,p,test,he0.png,ihc0.png", "a,p,test,he0.png,ihc0.tif")
    )
    (odd / "cases.csv").write_text(table, encoding="utf-8")
    (pictures / "b.png").unlink()
    Image.open(data / "he1.png").convert("L").save(pictures / "b.png")
    Image.open(data / "he2.png").convert("L").save(odd / "he2.png")
    report = finish(evaluate(tiny_model, odd, tmp_path / "report", predictions=pictures, mpp=0.5)).report
    [row] = report["cases"]
    truth, found = (np.asarray(Image.open(path)) for path in (data / "ihc2.png", data / "he2.png"))
    assert row["case"] == "<c>"
    assert row["figures"]["psnr"] == pytest.approx(peak_signal_noise_ratio(truth, found, data_range=255))
    assert not row["input"]  # a grey H&E is no stain that could have been found
    told = "\n".join(report["notices"])
    assert "Case a was left out: ihc0.tif is an RGB image of type uint16, but" in told
    assert "Case b was left out: b.png is an image of 1 channel of type uint8, but" in told


def test_a_case_that_cannot_be_run_does_not_end_the_others(tiny_model: Path, tmp_path: Path):
    """Within 5 % a picture is run px for px: of 0.485 µm/px it does not lie on a grid of 0.5, which the truth fits."""
    rng = np.random.default_rng(0)

    def put(key: str, name: str, side: int, mpp: float, dtype: type = np.uint8) -> None:
        pixels = rng.integers(60, 220, (side, side, 3)).astype(dtype)
        how = {"resolution": (1e4 / mpp,) * 2, "resolutionunit": "CENTIMETER"}
        (tmp_path / "data" / key).mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(tmp_path / "data" / key / f"{name}.tif", pixels, photometric="rgb", **how)

    for key, side, mpp in (("he", 128, 0.485), ("ihc", 124, 0.5)):
        put(key, "a", side, mpp)
    put("he", "b", 128, 0.5, np.uint16)
    for key, name in (("ihc", "b"), ("he", "c"), ("ihc", "c")):
        put(key, name, 128, 0.5)
    report = finish(evaluate(tiny_model, tmp_path / "data", tmp_path / "report", settings=QUICK)).report
    assert [row["case"] for row in report["cases"]] == ["c"]
    told = "\n".join(report["notices"])
    assert "Case a was left out: the pictures of case a have slightly different µm/px" in told
    assert "Case b was left out: b.tif is an RGB image of type uint16, but" in told
    assert [path.name for path in (tmp_path / "report" / "predictions").iterdir()] == ["c.ome.zarr"]


def other_report(folder: Path, groups: Mapping[str, str]) -> Path:
    """Write what another report says of cases, whose truths are those of a data set."""
    truths = {name: open_scan(folder / f"ihc{number}.png").fingerprint for number, name in enumerate(PLACES)}
    cases = [{"case": name, "group": group, "truth": truths.get(name)} for name, group in groups.items()]
    path = folder.parent / "other.json"
    path.write_text(json.dumps({"format": 1, "cases": cases, "model": {"name": "other"}}), encoding="utf-8")
    return path


BOTH = {"a": "p", "b": "p", "<c>": "q"}


@pytest.mark.parametrize(
    ("groups", "change", "said"),
    [
        (BOTH | {"<c>": "p"}, None, r"two patients or slides at least, and all cases are of one \(p\)"),
        ({"a": "p", "<c>": "q"}, None, "case b is not in the other report"),
        (BOTH | {"d": "p"}, None, "case d is not in this evaluation"),
        (BOTH, ("he1.png", "SIMULATED.txt"), "case b is in the other report but cannot be used here: he1"),
        (BOTH, ("ihc1.png", "ihc0.png"), "case b has another truth"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_the_first_case(
    data: Path, tiny_model: Path, tmp_path: Path, groups: dict[str, str], change: tuple[str, str] | None, said: str
):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    table = (folder / "cases.csv").read_text(encoding="utf-8")
    (folder / "cases.csv").write_text(table.replace(",q,", f",{groups['<c>']},"), encoding="utf-8")
    report = other_report(folder, groups)
    if change is not None:
        shutil.copy(folder / change[1], folder / change[0])
    with pytest.raises(InputError, match=said):
        evaluate(tiny_model, folder, tmp_path / "report", settings=QUICK, mpp=0.5, against=report)
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("there", "more", "said"),
    [
        ("report.json", {}, "exists already"),
        ("report.json", {"settings": Settings(steps=0)}, "steps must be at least 1"),
        ("thesis.tex", {"overwrite": True}, "is not a report and is never overwritten"),
        ("report.json", {"overwrite": True, "resume": True}, "choose one"),
        ("report.json", {"overwrite": True, "settings": Settings(sampler="magic")}, 'no sampler "magic"'),
        ("report.json", {"overwrite": True, "against": "nowhere"}, "no report that this version reads"),
        ("report.json", {"overwrite": True, "inception": "nowhere.pth"}, "no weights to read"),
    ],
)
def test_nothing_in_the_way_is_lost_by_a_slip(data: Path, tiny_model: Path, tmp_path: Path, there, more, said):
    (tmp_path / there).write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=said):
        evaluate(tiny_model, data, tmp_path, mpp=0.5, **more)
    assert (tmp_path / there).read_text(encoding="utf-8") == "mine"


def test_what_is_read_is_not_overwritten(data: Path, tiny_model: Path, tmp_path: Path):
    (tmp_path / "predictions").mkdir()
    for number, name in enumerate(PLACES):
        shutil.copy(data / f"ihc{number}.png", tmp_path / "predictions" / f"{name}.png")
    (tmp_path / "report.json").touch()
    with pytest.raises(InputError, match=r"is, or holds, .*predictions, which is read for it"):
        evaluate(tiny_model, data, tmp_path, predictions=tmp_path / "predictions", overwrite=True)
    with pytest.raises(InputError, match="which is read for it"):
        evaluate(tiny_model, data / "cases.csv", data, overwrite=True)
    assert (tmp_path / "report.json").exists() and (data / "cases.csv").exists()


def test_a_table_without_test_cases_is_told(data: Path, tiny_model: Path, tmp_path: Path):
    folder = tmp_path / "data"
    shutil.copytree(data, folder)
    table = (folder / "cases.csv").read_text(encoding="utf-8").replace(",test,", ",validation,")
    (folder / "cases.csv").write_text(table, encoding="utf-8")
    with pytest.raises(InputError, match="states that it tests"):
        evaluate(tiny_model, folder, tmp_path / "report", mpp=0.5)


def test_fields_of_a_slide_are_squares_of_tissue():
    opened = open_case(Case("a", "a", {"he": sample_path("CMU-1-Small-Region.svs")}), mpp=0.5)
    found = fields(opened, "he")
    tissue = tissue_mask(opened.scans["he"])
    everywhere = [(y, x) for y in range(0, 2967 - FIELD + 1, FIELD) for x in range(0, 2220 - FIELD + 1, FIELD)]
    expected = [(y, x) for y, x in everywhere if tissue.fraction_in(y, x, FIELD, FIELD) >= 0.5]
    assert [(window.y, window.x) for window in found] == expected and 0 < len(found) < len(everywhere)
    assert {window[2:] for window in found} == {(FIELD, FIELD)}


@pytest.mark.parametrize(("height", "width"), [(250, 1100), (1100, 200)])
def test_a_narrow_picture_of_nothing_but_tissue_has_fields(tmp_path: Path, height: int, width: int):
    tissue = np.random.default_rng(0).normal((180, 90, 160), 25, (height, width, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(tissue).save(tmp_path / "he.png")
    opened = open_case(Case("a", "a", {"he": tmp_path / "he.png"}), mpp=0.5, assumed_mpp=0.5)
    long = [(0, 0), (0, FIELD)] if width > height else [(0, 0), (FIELD, 0)]
    sides = min(height, FIELD), min(width, FIELD)
    assert [tuple(window) for window in fields(opened, "he")] == [(*first, *sides) for first in long]


def test_windows_of_a_result_lie_where_they_were_computed(tiny_model: Path, small_slide: Path, tmp_path: Path):
    for _ in run(tiny_model, small_slide, tmp_path / "r.ome.zarr", region="60,40,300,200", steps=1, threads=1):
        pass
    result = open_result(tmp_path / "r.ome.zarr")
    found, (top, left, height, width) = of_result(result), result.window
    whole = np.asarray(result.images["ihc"][0])
    np.testing.assert_array_equal(found.read("ihc", top, left, height, width), whole)
    window = found.read("ihc", top - 10, left + 5, 50, width)
    assert (window[:10] == 255).all() and (window[:, -5:] == 255).all()
    np.testing.assert_array_equal(window[10:, :-5], whole[:40, 5:])
    assert (found.read("dab", 5000, 5000, 4, 4) == 0).all()


@pytest.mark.slow
def test_the_command_prints_figures_and_where_the_report_is(data: Path, made: tuple[Path, dict], tiny_model: Path):
    words = ["evaluate", tiny_model, data, "-o", made[0], "--mpp", 0.5, "--steps", 2, "--threads", 1, "--seed", 5]
    done = CliRunner().invoke(app, [str(word) for word in [*words, "--resume"]])
    assert done.exit_code == 0, done.output
    assert "Note: The truth is simulated" in done.stdout and "PSNR" in done.stdout and "report.html" in done.stdout
    refused = CliRunner().invoke(app, [str(word) for word in words])
    assert refused.exit_code == 2 and "exists already" in refused.stderr


def test_what_takes_volumes_is_refused_before_a_case_is_run(tmp_path: Path):
    with pytest.raises(InputError, match=r"^mr-to-ct-sarcoma takes volumes, and what is evaluated here is slides"):
        evaluate("mr-to-ct-sarcoma", tmp_path, tmp_path / "report")
