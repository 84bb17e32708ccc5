from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuscope.api.check_data import check_data
from diffuscope.cases import Case, find_cases, split
from diffuscope.cases.likeness import alike, hashes
from diffuscope.cases.report import data_report
from diffuscope.cases.shift import find_shift, structure
from diffuscope.errors import InputError
from diffuscope.events import finish
from diffuscope.sample_data import sample_path
from diffuscope.scans import open_scan, read_region, tissue_mask
from diffuscope.simulation.restaining.teacher import paint, prepare

MPP = 0.5
SIDE = 256
# Row and column of fields that are tissue, on the slide at 0.5 µm/px.
PLACES = {"a": (700, 900), "b": (1200, 900), "c": (1700, 1200), "d": (900, 1300)}


@pytest.fixture(scope="module")
def stained() -> tuple[np.ndarray, np.ndarray]:
    """Real H&E and what the teacher paints on it."""
    he = read_region(open_scan(sample_path("CMU-1-Small-Region.svs")), y=650, x=850, height=1400, width=800, factor=1.0)
    return he, paint(prepare(he, "CD3", mpp=MPP), np.random.default_rng(0)).ihc


def field(image: np.ndarray, name: str, down: int = 0, right: int = 0) -> np.ndarray:
    y, x = PLACES[name][0] - 650 + down, PLACES[name][1] - 850 + right
    return image[y : y + SIDE, x : x + SIDE]


@pytest.fixture
def data(tmp_path: Path, stained: tuple[np.ndarray, np.ndarray]) -> Path:
    for key, image in zip(("he", "ihc"), stained, strict=True):
        (tmp_path / key).mkdir()
        for name in PLACES:
            Image.fromarray(field(image, name)).save(tmp_path / key / f"{name}.png")
    return tmp_path


def look(data: Path, **more):
    parts = {"train": find_cases(data, ["he", "ihc"])[:3], "test": find_cases(data, ["he", "ihc"])[3:]}
    return finish(data_report(parts, mpp=MPP, assumed_mpp=MPP, **more))


def test_a_sound_data_set_has_no_problem_and_its_numbers_are_right(data: Path):
    report = look(data, patch=128)
    assert report.problems == ()
    assert (report.parts["train"].cases, report.parts["test"].groups) == (3, 1)
    areas = [tissue_mask(open_scan(data / "he" / f"{name}.png")).area_px * MPP**2 / 1e6 for name in "abc"]
    assert report.parts["train"].tissue_mm2 == pytest.approx(sum(areas))
    pixels = np.stack([np.asarray(Image.open(data / "ihc" / f"{name}.png")) for name in PLACES])
    of_ihc = report.pictures["ihc"]
    assert of_ihc.values[0] == pixels.min() and of_ihc.values[3] == pixels.max()
    assert of_ihc.values[1] == min(np.percentile(one, 1) for one in pixels)
    assert (of_ihc.files, of_ihc.assumed, of_ihc.stated_mpp, of_ihc.types) == (4, 4, None, ("uint8 × 3",))
    assert "No problem found." in "\n".join(report.lines())
    assert report.pairs == 4 and "no shift could be told" not in "\n".join(report.lines())
    assert json.loads(json.dumps(report.to_json()))["shifts_um"]["a"]["ihc"] <= 0.1


def test_a_pair_that_is_off_is_told_with_direction_and_distance(data: Path, stained: tuple[np.ndarray, np.ndarray]):
    # What the file shows at (0, 0) lies 12 px below and 5 px left on the slide: it must move down and left to fit.
    Image.fromarray(field(stained[1], "b", down=12, right=-5)).save(data / "ihc" / "b.png")
    report = look(data)
    (problem,) = report.problems
    assert problem.kind == "misregistered" and problem.cases == ("b",)
    assert report.shifts_um["b"]["ihc"] == pytest.approx(MPP * np.hypot(12, 5), abs=0.1)
    assert "+2.5 right, -6.0 down" in problem.sentence
    assert look(data, shift_limit_um=10).problems == ()


def test_one_picture_in_two_parts_is_a_leak_also_turned_and_compressed(data: Path):
    picture = Image.open(data / "he" / "a.png")
    (data / "he" / "d.png").unlink()
    picture.rotate(90).resize((SIDE, SIDE)).save(data / "he" / "d.jpg", quality=80)
    leaks = [problem for problem in look(data).problems if problem.kind == "leak"]
    assert [set(problem.cases) for problem in leaks] == [{"a", "d"}]
    assert "look the same" in leaks[0].sentence
    (data / "he" / "d.jpg").unlink()
    picture.save(data / "he" / "d.png")
    assert any("are the same file" in problem.sentence for problem in look(data).problems)


def test_a_group_in_two_parts_is_a_leak(data: Path):
    cases = find_cases(data, ["he", "ihc"])
    parts = {"train": [Case("a", "p", cases[0].files)], "test": [Case("b", "p", cases[1].files)]}
    (problem,) = finish(data_report(parts, mpp=MPP, assumed_mpp=MPP)).problems
    assert problem.kind == "leak" and "group p is in train and in test" in problem.sentence


def test_a_slide_in_two_parts_is_a_leak_whatever_its_patients_are_called(data: Path):
    cases = find_cases(data, ["he", "ihc"])
    parts = {
        "train": [Case("a", "p", cases[0].files, slide="s")],
        "test": [Case("b", "q", cases[1].files, slide="s"), Case("c", "r", cases[2].files, slide="r")],
    }
    (problem,) = finish(data_report(parts, mpp=MPP, assumed_mpp=MPP)).problems
    assert problem.kind == "leak" and "slide s is in train and in test" in problem.sentence
    assert set(problem.cases) == {"a", "b"}


def test_pairs_that_were_exchanged_are_counted_as_not_comparable(data: Path):
    (data / "ihc" / "a.png").rename(data / "ihc" / "x.png")
    (data / "ihc" / "b.png").rename(data / "ihc" / "a.png")
    (data / "ihc" / "x.png").rename(data / "ihc" / "b.png")
    report = look(data)
    assert report.pairs == 4 and not {"a", "b"} & report.shifts_um.keys()
    assert "Of 2 of 4 pairs no shift could be told" in "\n".join(report.lines())


def test_what_cannot_be_used_is_told_and_the_rest_is_counted(data: Path):
    (data / "he" / "a.png").write_bytes((data / "he" / "a.png").read_bytes()[:5000])
    Image.fromarray(np.full((SIDE, SIDE, 3), 255, np.uint8)).save(data / "he" / "b.png")
    Image.open(data / "ihc" / "c.png").convert("L").save(data / "ihc" / "c.png")
    report = look(data, patch=128)
    assert {problem.kind for problem in report.problems} == {"unreadable", "blank", "tissue", "types"}
    told = {problem.kind: problem for problem in report.problems}
    assert told["unreadable"].cases == ("a",) and "truncated" in told["unreadable"].sentence
    assert told["blank"].cases == told["tissue"].cases == ("b",)
    assert "uint8 × 1, uint8 × 3" in told["types"].sentence
    assert report.pictures["he"].files == 3 and report.parts["train"].cases == 3


def test_a_pair_that_is_one_picture_is_told(data: Path):
    (data / "ihc" / "b.png").write_bytes((data / "he" / "b.png").read_bytes())
    (problem,) = look(data).problems
    assert problem.kind == "same" and problem.cases == ("b",)


def test_a_data_set_that_is_all_for_testing_is_looked_at(data: Path):
    lines = [f"{name},test,he/{name}.png,ihc/{name}.png" for name in PLACES]
    (data / "cases.csv").write_text("\n".join(["case,part,he,ihc", *lines]), encoding="utf-8")
    report = finish(check_data(data, keys=["he", "ihc"], assumed_mpp=MPP)).report
    assert {part: found.cases for part, found in report.parts.items()} == {"test": 4}


def test_no_two_fields_of_a_slide_look_the_same():
    scan = open_scan(sample_path("TCGA-CR-7395.svs"))
    found = []
    for y in range(0, scan.shape[0] - SIDE, 2 * SIDE):
        for x in range(0, scan.shape[1] - SIDE, 2 * SIDE):
            # A field as a scan of its own: hashes read whole pictures.
            path = read_region(scan, y=y, x=x, height=SIDE, width=SIDE, factor=1.0)
            found.append(path)
    many = [h for pixels in found if (h := hashes(_Pixels(pixels))) is not None]  # type: ignore[arg-type]
    assert len(many) > 20
    first = np.stack([h[0] for h in many])
    for number, one in enumerate(many):
        assert np.flatnonzero(alike(one, first)).tolist() == [number]


class _Pixels:
    """As much of a Scan as `read_region` asks for."""

    def __init__(self, pixels: np.ndarray) -> None:
        import dask.array as da

        self.levels, self.downsamples, self.sources = (da.from_array(pixels),), (1.0,), ()
        self.grids = self.levels
        self.shape, self.dtype = pixels.shape[:2], pixels.dtype


@pytest.mark.parametrize(("down", "right"), [(0, 0), (3, -7), (-25, 14)])
def test_shifts_between_two_stains_are_found(stained: tuple[np.ndarray, np.ndarray], down: int, right: int):
    first, second = structure(field(stained[0], "c")), structure(field(stained[1], "c", down, right))
    shift = find_shift(first, second)
    assert shift is not None
    assert (shift.y, shift.x) == pytest.approx((down, right), abs=0.3)
    assert shift.after > 0.9 and (shift.after > shift.before or down == right == 0)
    assert find_shift(first, np.ones_like(second)) is None


def test_check_data_takes_ports_from_a_model_or_by_name(data: Path, tiny_model: Path):
    by_model = finish(check_data(data, model=tiny_model, assumed_mpp=MPP, validation=0.25)).report
    assert {part: found.cases for part, found in by_model.parts.items()} == {"train": 3, "validation": 1}
    by_name = finish(check_data(data, keys=["he", "ihc"], assumed_mpp=MPP, validation=0.25)).report
    assert by_name == by_model
    chosen = split(find_cases(data, ["he", "ihc"]), validation=0.25)["validation"][0].name
    assert chosen in by_model.shifts_um
    with pytest.raises(InputError, match="say what the data is for"):
        check_data(data)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"shift_limit_um": -1.0}, "the limit of a shift is -1 µm: give a number from 0 on."),
        ({"shift_limit_um": float("nan")}, "the limit of a shift is nan µm: give a number from 0 on."),
        ({"shift_limit_um": float("inf")}, "the limit of a shift is inf µm: give a number from 0 on."),
        ({"patch": 0}, "patch must be at least 1, got 0."),
        ({"patch": -5}, "patch must be at least 1, got -5."),
        ({"patch": 3000}, "patch must be at most 2048, got 3000."),
        ({"assumed_mpp": 0.0}, "µm/px must be a positive number, got 0."),
        ({"mpp": float("nan")}, "µm/px must be a positive number, got nan."),
        ({"seed": -1}, "seed must be at least 0, got -1."),
    ],
)
def test_numbers_that_make_no_sense_are_refused(data: Path, given: dict[str, float], sentence: str):
    with pytest.raises(InputError) as refused:
        check_data(data, keys=["he", "ihc"], **given)
    assert str(refused.value) == sentence


def test_the_command_prints_the_report_and_writes_json(data: Path, tmp_path: Path):
    from typer.testing import CliRunner

    from diffuscope.cli import app

    words = ["check-data", str(data), "--keys", "he,ihc", "--mpp", "0.5", "--validation", "0.25"]
    done = CliRunner().invoke(app, [*words, "--json", str(tmp_path / "data.json")])
    assert done.exit_code == 0, done.output
    assert "tissue (mm²)" in done.stdout and "No problem found." in done.stdout
    assert json.loads((tmp_path / "data.json").read_text(encoding="utf-8"))["parts"]["train"]["cases"] == 3
    told = CliRunner().invoke(app, ["data", str(data), "--keys", "he,ich"])
    assert told.exit_code == 2 and "did you mean ihc?" in told.stderr
