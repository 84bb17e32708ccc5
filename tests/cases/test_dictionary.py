"""A data dictionary: what a model writes is what a recipe reads, and rows that cannot be are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from score_model import BLOOD, CLINICAL, write_model
from typer.testing import CliRunner

from diffuscope.cases.dictionary import COLUMNS, read_dictionary, write_dictionary
from diffuscope.cli import app
from diffuscope.errors import InputError
from diffuscope.ports.table import Column, Table
from diffuscope.systems.mmfusion.config import ColumnConfig
from diffuscope.training.recipe import load_recipe

_TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="|"), min_size=1, max_size=9)
_WORD = _TEXT.map(str.strip).filter(bool)
_ENDS = st.tuples(*[st.floats(-1e30, 1e30)] * 2).map(lambda ends: (min(ends), max(ends)))
_COLUMN = st.builds(
    Column,
    name=_WORD,
    title=st.one_of(st.just(""), _WORD),
    unit=st.one_of(st.just(""), _WORD),
    range=st.one_of(st.none(), _ENDS),
    categories=st.lists(_WORD, max_size=3, unique=True).map(tuple),
    known=st.sampled_from(["before", "after"]),
)


@given(st.lists(_COLUMN, min_size=1, max_size=4))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, columns: list[Column]):
    path = tmp_path_factory.mktemp("dictionary") / "dictionary.csv"
    write_dictionary(path, [Table(name="Clinical data", key="clinical", columns=tuple(columns))])
    [table] = read_dictionary(path)
    assert (table["key"], table["name"]) == ("clinical", "Clinical data")
    assert [ColumnConfig.model_validate(one).column for one in table["columns"]] == columns


def test_a_model_writes_it_and_a_recipe_points_to_it(tmp_path: Path):
    model, path = write_model(tmp_path / "model"), tmp_path / "dictionary.csv"
    words = ["models", str(model), "--dictionary", str(path)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0 and done.stdout == f"Wrote {path} (5 columns)\n"
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[2] == "clinical,clinical data,sex,,,,,0|1,before"
    assert lines[4] == "blood,blood,Hemoglobin [Mass/volume] in Blood,hemoglobin,g/dl,2.0,25.0,,before"
    assert CliRunner().invoke(app, words).exit_code == 2, "nothing is replaced"
    (tmp_path / "recipe.yaml").write_text(
        "name: nodes\nsystem: mmfusion\nconfig: {tables: dictionary.csv}\n"
        "data: {cohort: [a.csv], label: node, above: 0}\noptimisation: {steps: 1}\n",
        encoding="utf-8",
    )
    found = load_recipe(tmp_path / "recipe.yaml").config["tables"]
    for table, stated in zip(found, (CLINICAL, BLOOD), strict=True):
        own = [ColumnConfig.model_validate(one) for one in table["columns"]]
        assert own == [ColumnConfig.model_validate(one) for one in stated["columns"]]


def test_rows_that_cannot_be_are_named_all_of_them(tmp_path: Path):
    path = tmp_path / "dictionary.csv"
    path.write_text(
        "table,name,low,high,known\nblood,,,,\nblood,a,1,,\nblood,b,3,2,\nblood,c,,,later\nblood,d,<1,2,\nblood,e,,,\n",
        encoding="utf-8",
    )
    with pytest.raises(InputError) as caught:
        read_dictionary(path)
    assert str(caught.value).splitlines() == [
        "dictionary.csv, line 2: it has no name.",
        "dictionary.csv, line 3: “1” to “” is no range: give both ends as numbers, or none.",
        "dictionary.csv, line 4: “3” to “2” is no range: give both ends as numbers, or none.",
        "dictionary.csv, line 5: known is before or after (surgery), not “later”.",
        "dictionary.csv, line 6: “<1” is a bound and no value: write a number, or leave it empty.",
    ]
    path.write_text("table,nmae\nblood,a\n", encoding="utf-8")
    with pytest.raises(InputError, match="has no column name: a dictionary has table"):
        read_dictionary(path)


def test_a_model_without_tables_has_none(tiny_model: Path, tmp_path: Path):
    for words, sentence in (
        (["models", str(tiny_model), "--dictionary", str(tmp_path / "a.csv")], "takes no tables"),
        (["models", "--dictionary", str(tmp_path / "a.csv")], "say of which model"),
    ):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 2 and sentence in done.stderr
