"""The report of a case: what it says, one page of it, every letter there, and nothing of a stranger's run as markup."""

from __future__ import annotations

import base64
import io
import re
import shutil
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scored_case import save_scorer, write_case
from typer.testing import CliRunner

import diffuscope
from diffuscope.cases.slides import Slide
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.exports.report import fonts, html, hues, pdf
from diffuscope.exports.report.contents import Contribution, Report, contents_of
from diffuscope.exports.request import Request
from diffuscope.exports.summary.rows import result_rows
from diffuscope.ports.table import Column, Table
from diffuscope.results.beside.rows import RowFound
from diffuscope.results.result import Result, open_result
from diffuscope.results.scores import Scored

sitk = pytest.importorskip("SimpleITK")
fpdf = pytest.importorskip("fpdf")

ROW = {"wbc": "7.25"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two results: of a CT with outlines and a table, and of a table."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        model = save_scorer(folder / "scorer", patch)
        source = {**write_case(folder), "blood": ROW}
        diffuscope.finish(diffuscope.run(model, source, folder / "Müller <17>.ome.zarr", device="cpu"))
        out = folder / "t.ome.zarr"
        diffuscope.finish(diffuscope.run(model, {"blood": ROW}, out, device="cpu", want=["metastasis"]))
    return folder


@pytest.fixture(scope="module")
def scored(runs: Path) -> Result:
    return open_result(runs / "Müller <17>.ome.zarr")


@pytest.fixture(scope="module")
def of_tables(runs: Path) -> Result:
    return open_result(runs / "t.ome.zarr")


def report_of(result: Result, **asked) -> Report:
    return contents_of(Request(result=result, ports=(), **asked))


def with_contributions(result: Result) -> Result:
    columns = tuple(Column(name=name) for name in ("tumour", "blood", "clinical"))
    ports = tuple(Table(name=key, key=key, columns=columns) for key in ("shapley", "attention"))
    told = [(0.2, -0.1, None), (0.7, 0.3, None)]
    found = {port.key: RowFound(port, row) for port, row in zip(ports, told, strict=True)}
    return replace(result, others=(*result.others, *ports), found=result.found | found)


def test_it_says_what_the_run_found(scored: Result):
    report = report_of(with_contributions(scored))
    assert (report.title, report.probability, report.threshold) == ("metastasis of <nodes>", "0.65", 0.4)
    assert report.verdict == ("Metastasis", "at or above the threshold of 0.40")
    assert report.case == "Müller <17>" and scored.record["started"][:10] in report.date
    assert [(span.low, span.high) for span in report.spans] == [(0, 1)]  # of seven draws of 0 and thirteen of 1
    assert [one.heading for one in report.measures] == ["Shapley value", "Attention"]
    assert report.contributions == (
        Contribution("tumour", (0.2, 0.7)), Contribution("blood", (-0.1, 0.3)), Contribution("clinical", (None, None)),
    )  # fmt: skip
    # of the outlines the second node
    assert report.missing == ("node 2", "clinical data") and "rests on less" in report.lacks
    assert "Not known: 1 of 2 values of blood." in report.lacks
    [simulated, *_] = report.warnings
    assert simulated.startswith("Demonstration: the model learned from what was simulated")
    assert report.tables == (("blood (1 of 2 not known)", (("Leukozyten (10³/µl)", "7.25"),)),)
    # slices are counted as the window's slider shows them
    assert [(one.title, one.size, one.place) for one in report.pictures] == [
        ("Tumour", "3.72 ml, 26 mm across", "slice 4 (0 to 11)"),  # 17 x 20 mm
        ("Node 1", "0.045 ml, 6 mm across", "slice 9 (0 to 11)"),
    ]
    about = dict(report.about)
    assert about["truth"] == "simulated, not measured" and about["trained on"] == "nothing"
    assert scored.record["model"]["hash"].startswith(about["weights"])


def test_red_speaks_for_the_class_and_blue_against_it_and_grey_is_neither(scored: Result):
    """As the bars of the window, in both files; orange is where the model looked."""
    report = report_of(with_contributions(scored))
    assert "Red bars, to the right, speak for metastasis, blue ones, to the left, against; grey" in report.meaning
    page = html.render(report)
    assert "--for: #d6483c; --against: #4678dc; --neither: #808892" in page
    assert [page.count(f"background: var(--{hue})") for hue in ("for", "against", "neither")] == [1, 1, 2]
    drawn = streams(pdf.render(report)).decode("latin-1").replace("\n", " ")
    fills = re.findall(r"([\d.]+) ([\d.]+) ([\d.]+) rg", drawn)
    colours = [tuple(round(255 * float(part)) for part in fill) for fill in fills]
    assert [colours.count(hue) for hue in (hues.FOR, hues.AGAINST, hues.NEITHER)] == [1, 1, 2]


def test_each_interval_says_what_it_covers(scored: Result):
    port = scored.scores["metastasis"].port
    many = Scored(port, ((0.1, 0.3, 0.2), (0.5, 0.6, 0.4), (0.3, 0.4, 0.5)))
    guides, draws = report_of(replace(scored, found={"metastasis": many})).spans
    assert (guides.low, guides.high) == many.over_guides and "trained on other patients" in guides.covers
    assert report_of(replace(scored, found={"metastasis": many})).verdict == (
        "Undecided", "below the threshold of 0.40, which its interval holds",
    )  # fmt: skip
    assert (draws.low, draws.high) == many.predictive and "no interval of the probability" in draws.covers


def test_a_row_of_many_decides_as_the_report_does(scored: Result):
    port = scored.scores["metastasis"].port
    slide = Slide(name="case", source="ct.nii.gz")
    [decided] = result_rows(slide, scored)
    assert (decided["metastasis_decision"], decided["metastasis_threshold"]) == ("metastasis", 0.4)
    many = Scored(port, ((0.1, 0.3, 0.2), (0.5, 0.6, 0.4), (0.3, 0.4, 0.5)))
    [undecided] = result_rows(slide, replace(scored, found={"metastasis": many}))
    assert undecided["metastasis_low"] < undecided["metastasis_threshold"] == 0.4 < undecided["metastasis_high"]
    assert undecided["metastasis_decision"] == "undecided"


def test_an_anonymous_one_names_nobody(scored: Result):
    page = html.render(report_of(scored, is_anonymous=True))
    for told in ("Müller", "ct.nii.gz", "7.25", scored.record["started"][:10]):
        assert told not in page
    assert "0.65" in page and "Missing: node 2, clinical data" in page


def test_where_the_model_looked_lies_in_the_outline(scored: Result):
    """The tumour's rows 88:122 and columns 100:140 of the slice, in a picture of 160 px from (25, 40)."""
    tumour, node = report_of(scored).pictures
    pixels = np.asarray(tumour.image).astype(int)
    scale = len(pixels) / 160
    box = (np.array([[88 - 25, 122 - 25], [100 - 40, 140 - 40]]) * scale).round().astype(int)
    orange = pixels[..., 0] - pixels[..., 2] > 60
    rows, columns = np.flatnonzero(orange.any(axis=1)), np.flatnonzero(orange.any(axis=0))
    # What was looked at is all of its own slice's outline, whose line lies over its edge.
    assert np.abs(np.array([[rows[0], rows[-1] + 1], [columns[0], columns[-1] + 1]]) - box).max() <= 6
    middle = pixels[: int(0.8 * len(pixels)), :, 2] > 240  # above the scale bar
    white = np.flatnonzero(middle.any(axis=1))
    assert abs(white[0] - box[0, 0]) <= 4 and abs(white[-1] + 1 - box[0, 1]) <= 4
    assert tumour.is_heated and (np.asarray(node.image).std(axis=2) < 2).all()


def test_the_scale_bar_is_as_long_as_it_says(scored: Result):
    pixels = np.asarray(report_of(scored).pictures[0].image)[..., 2]
    bar = max(longest_run(row > 250) for row in pixels[-40:])
    assert bar == pytest.approx(20 / 80 * len(pixels), abs=2)


def longest_run(there: np.ndarray) -> int:
    edges = np.flatnonzero(np.diff(np.r_[0, there.astype(int), 0])).reshape(-1, 2)
    return int(np.ptp(edges, axis=1).max(initial=0))


def streams(data: bytes) -> bytes:
    """Return what a PDF holds, unpacked."""
    found = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", data, re.DOTALL):
        try:
            # whose last byte may be that of a line's end, and is taken for it then
            found.append(zlib.decompressobj().decompress(stream))
        except zlib.error:
            found.append(stream)
    return b"\n".join(found)


def letters_of(data: bytes) -> set[str]:
    """Return the letters that the fonts of a PDF say they have (the ToUnicode maps)."""
    pairs = re.findall(rb"<[0-9A-F]{4}> <([0-9A-F]{4})>", streams(data))
    return {chr(int(code, 16)) for code in pairs}


def test_the_pdf_is_one_page_with_every_letter(scored: Result, tmp_path: Path):
    told = replace(report_of(with_contributions(scored)), notices=("αβ ≥ µ³ “ÄÖÜß” – é ł",))
    data = pdf.render(told)
    assert data.startswith(b"%PDF-") and len(re.findall(rb"/Type /Page\b(?!s)", data)) == 1
    assert set("αβ≥µ³“ÄÖÜß”–éłü") <= letters_of(data)
    assert data.count(b"/DCTDecode") == 2  # the pictures


def test_no_sentence_of_an_ordinary_page_is_cut(scored: Result):
    """Neither why it is decided so, beside a long class, nor what the model learned from."""
    pypdf = pytest.importorskip("pypdf")
    report = replace(report_of(scored), classes=("no metastasis", "metastasis"), is_undecided=True, score=0.55)
    learned = "tables of 363 patients of one hospital with a carcinoma of the head and neck who had surgery, " * 2
    report = replace(report, about=(("trained on", f"{learned}and no others"),))
    text = " ".join(pypdf.PdfReader(io.BytesIO(pdf.render(report))).pages[0].extract_text().split())
    assert report.verdict[1] == "at or above the threshold of 0.40, which its interval holds"
    assert report.verdict[1] in text and "who had surgery, and no others" in text and "…" not in text


def test_without_the_font_the_letters_of_every_pdf_do(scored: Result, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diffuscope.exports.report.page.font_folder", lambda: None)
    text = streams(pdf.render(replace(report_of(scored), notices=("α ≥ µ³ “ÄÖÜß” – Ж",))))
    assert 'alpha >= µ³ "ÄÖÜß" - ?'.encode("latin-1") in text and b"Research use, not for diagnosis" in text


@pytest.mark.parametrize("name", [None, "font"])
def test_however_much_there_is_to_say_it_is_one_page_and_what_is_cut_is_counted(
    scored: Result, monkeypatch: pytest.MonkeyPatch, name: str | None
):
    if name is None:
        monkeypatch.setattr("diffuscope.exports.report.page.font_folder", lambda: None)
    few = report_of(with_contributions(scored))
    many = replace(
        few, case="c" * 300, title="t" * 300, classes=("n" * 200, "m" * 200), missing=("x" * 900,), spans=few.spans * 3,
        contributions=tuple(Contribution("n" * 90, (0.1, None)) for _ in range(30)), about=few.about * 2,
        notices=("long " * 60,) * 40, tables=(("radiomics", (("feature" * 20, "1.2345"),) * 900),),
        pictures=few.pictures * 4,
    )  # fmt: skip
    data = pdf.render(many)
    assert len(re.findall(rb"/Type /Page\b(?!s)", data)) == 1
    if name is None:
        text = streams(data)
        assert re.search(rb"\d+ more are in the result's run record", text)
        assert re.search(rb"\d+ more are in the run record", text) and b"4 more are not shown" in text


def test_the_page_needs_no_other_and_takes_nothing_for_markup(scored: Result):
    page = html.render(report_of(scored))
    tags: list[tuple[str, dict]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attrs):
            tags.append((tag, dict(attrs)))

    Reader().feed(page)
    assert "nodes" not in {tag for tag, _ in tags} and "&lt;nodes&gt;" in page and "http" not in page
    sources = [attrs["src"] for _, attrs in tags if "src" in attrs]
    assert len(sources) == 2
    for source in sources:
        kind, _, data = source.partition(",")
        assert kind == "data:image/jpeg;base64" and Image.open(io.BytesIO(base64.b64decode(data))).size == (700, 700)
    assert "Research use, not for diagnosis" in page


def test_of_a_case_without_images_too(of_tables: Result, tmp_path: Path):
    assert report_of(of_tables).pictured == "" and report_of(of_tables).missing == ("CT", "outlines", "clinical data")
    for name in ("r.pdf", "r.html"):
        done = CliRunner().invoke(app, ["export", str(of_tables.path), "-o", str(tmp_path / name)])
        assert done.exit_code == 0 and (tmp_path / name).stat().st_size > 4000


def test_what_has_no_report_says_so(scored: Result, of_tables: Result, tmp_path: Path):
    with pytest.raises(InputError, match=r"r.docx has no ending .*: end it with one of .pdf, .report.pdf, .html, "):
        diffuscope.export(scored.path, tmp_path / "r.docx")
    unscored = tmp_path / "unscored.ome.zarr"
    shutil.copytree(scored.path, unscored)
    (unscored / "scores.json").unlink()
    with pytest.raises(InputError, match=r"r.pdf would be a report of a score, and the result has none"):
        diffuscope.export(unscored, tmp_path / "r.pdf")
    known = r".pdf, .report.pdf, .html, .report.html\.$"
    with pytest.raises(InputError, match=f"the result holds no image: end it with one of {known}"):
        diffuscope.export(of_tables.path, tmp_path / "r.ome.zarr")


def test_without_what_writes_pdfs_it_says_what_to_install(of_tables: Result, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("diffuscope.exports.report.pdf.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r'pip install "diffuscope\[scoring\]", or end its name with .html'):
        diffuscope.export(of_tables.path, tmp_path / "r.pdf")
    assert not (tmp_path / "r.pdf").exists()


def test_the_font_is_found_where_matplotlib_brings_it():
    pytest.importorskip("matplotlib")
    folder = fonts.font_folder()
    assert folder is not None and (folder / "DejaVuSans.ttf").is_file()
