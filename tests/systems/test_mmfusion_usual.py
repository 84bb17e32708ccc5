"""What is unlike training is told, and of held-out cases of the same cohort at most one in fifty."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats

from diffuscope.model.folder import load_model
from diffuscope.ports.table import Column
from diffuscope.systems.mmfusion.likeness.figures import crop_figures
from diffuscope.systems.mmfusion.likeness.tails import limits_of
from diffuscope.systems.mmfusion.likeness.together import Law, held_out, law_of
from diffuscope.systems.mmfusion.likeness.usual import Usual
from diffuscope.systems.mmfusion.system import MMFusion

NAN = float("nan")
COLUMNS = (
    Column(name="age", unit="years"),
    Column(name="sex", categories=("f", "m", "x")),
    Column(name="hb", title="haemoglobin", unit="g/dl"),
    Column(name="hct", title="haematocrit", unit="%"),
    Column(name="crp", unit="mg/l"),
)


def cohort(rng: np.random.Generator, count: int, *, missing: float = 0.1) -> torch.Tensor:
    """Return patients whose haematocrit follows their haemoglobin, with a heavy tail of CRP; nobody is of sex x."""
    hb = rng.normal(13.5, 1.5, count)
    rows = np.stack(
        [
            rng.normal(63, 9, count),
            rng.integers(2, size=count),
            hb,
            3 * hb + rng.normal(0, 0.7, count),
            np.exp(rng.normal(1.5, 1.2, count)),
        ],
        axis=1,
    )
    rows[rng.random(rows.shape) < missing] = NAN
    return torch.tensor(rows, dtype=torch.float32)


@pytest.fixture(scope="module")
def usual() -> Usual:
    made = Usual(COLUMNS)
    made.fit(cohort(np.random.default_rng(0), 500))
    return made


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_of_the_same_cohort_hardly_anyone_is_unlike(missing: float):
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(5):
        made = Usual(COLUMNS)
        made.fit(cohort(rng, 300, missing=missing))
        shares.append(np.mean([bool(made.unlike(row)) for row in cohort(rng, 600, missing=missing)]))
    assert 0.002 < np.mean(shares) <= 0.02


def test_wide_tables_do_not_cry_wolf():
    """Sixty columns with ranges of 99 % each: uncorrected, nearly every other patient would be told."""
    rng = np.random.default_rng(2)
    mixed = rng.normal(size=(4, 60))

    def draw(count: int) -> torch.Tensor:
        values = rng.normal(size=(count, 4)) @ mixed + rng.normal(size=(count, 60))
        values[:, ::2] = np.exp(values[:, ::2] / 2)
        return torch.tensor(values)

    told, beyond = [], []
    for _ in range(4):
        made = Usual([Column(name=f"f{number}") for number in range(60)])
        train, held = draw(300), draw(400)
        made.fit(train)
        low, high = train.quantile(0.005, dim=0), train.quantile(0.995, dim=0)
        beyond.append(float(((held < low) | (held > high)).any(1).double().mean()))
        told += [bool(made.unlike(row)) for row in held]
    assert np.mean(beyond) > 0.3 and 0.002 < np.mean(told) <= 0.02


@pytest.mark.slow
def test_of_real_blood_values_hardly_anyone_is_unlike_but_wrong_units_and_mixed_patients(shared: Path):
    """HANCOCK in three folds, five times over; rows put together of different patients are usual column by column."""
    path = shared / "data/hancock/blood.csv"
    if not path.exists():
        pytest.skip("no HANCOCK here")
    with path.open(encoding="utf-8") as file:
        names = next(csv.reader(file))[1:]
    rows = np.genfromtxt(path, delimiter=",", skip_header=1)[:, 1:]
    told: dict[str, list[bool]] = {"own": [], "units": [], "mixed": []}
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(len(rows))
        for fold in range(3):
            held = rows[order[fold::3]]
            made = Usual([Column(name=name) for name in names])
            made.fit(torch.from_numpy(np.delete(rows, order[fold::3], axis=0)))
            units, mixed = held.copy(), np.random.default_rng(seed).permuted(held, axis=0)
            units[:, names.index("Hemoglobin [Mass/volume] in Blood")] *= 10
            for key, values in (("own", held), ("units", units), ("mixed", mixed)):
                told[key] += [bool(made.unlike(torch.from_numpy(row))) for row in values]
    shares = {key: float(np.mean(one)) for key, one in told.items()}
    print(shares)
    assert 0.002 < shares["own"] <= 0.02 and shares["units"] > 0.99 and shares["mixed"] > 0.7


def test_a_column_is_told_by_its_own_tails_and_not_by_those_of_the_heaviest():
    """Ages and a blood value of which one patient in a hundred has thirty times as much: a child is told beside it."""
    rng = np.random.default_rng(3)
    columns = [Column(name="age", unit="years"), Column(name="eos")]

    def draw(count: int) -> torch.Tensor:
        eos = np.exp(rng.normal(0, 1, count)) * np.where(rng.random(count) < 0.01, 30, 1)
        return torch.tensor(np.stack([rng.normal(60, 10, count), eos], axis=1))

    made = Usual(columns)
    made.fit(draw(360))
    for age in (5, 119):
        assert f"age is {age} years (99 % of them: " in made.unlike(torch.tensor([age, NAN]))
    assert made.unlike(torch.tensor([32.0, NAN])) == made.unlike(torch.tensor([88.0, NAN])) == ""
    assert np.mean([bool(made.unlike(row)) for row in draw(2000)]) <= 0.02


def test_the_limits_of_a_tail_are_those_of_its_law():
    """Of an exponential tail and of a Pareto's what one in 4,000 exceeds, from as many values as tell it."""
    rng = np.random.default_rng(4)
    assert limits_of(rng.exponential(2.0, 200_000), 10)[1] == pytest.approx(2 * np.log(4000), rel=0.03)
    heavy = stats.genpareto(0.2)
    assert limits_of(heavy.rvs(200_000, random_state=rng), 10)[1] == pytest.approx(heavy.isf(1 / 4000), rel=0.05)
    assert limits_of(np.full(30, 7.0), 10) == (7.0, 7.0)


def test_the_shipped_model_tells_a_child_and_who_is_older_than_anyone():
    model = load_model("lnm-hancock").system
    assert isinstance(model, MMFusion)
    numbers = {column.name for table in model.tables for column in table.columns if not column.categories}
    assert set(model.config.limits) == numbers

    def told(name: str, value: str) -> str:
        table = next(table for table in model.tables if name in [column.name for column in table.columns])
        return model.unlike({table.key: torch.tensor(table.encode(table.read({name: value})))})

    for age in ("5", "119"):
        assert f"age at diagnosis is {age} years" in told("age_at_initial_diagnosis", age)
    assert not any(told("age_at_initial_diagnosis", age) for age in ("22", "60", "92"))
    assert "leukocytes is 60" in told("Leukocytes [#/volume] in Blood", "60")


def test_what_is_far_beyond_a_range_is_named_with_it(usual: Usual):
    said = usual.unlike(torch.tensor([63.0, 0.0, 13.5, 40.0, 900.0]))
    assert said.startswith("Unlike the patients of training, so that the score may be wrong: crp is 900 mg/l (99 % of")
    assert said.count(";") == 0 and said.endswith(").")
    assert "age is 10 years" in usual.unlike(torch.tensor([10.0, NAN, NAN, NAN, NAN]))


def test_a_category_that_nobody_had_is_named(usual: Usual):
    assert "sex is x, as of none of them" in usual.unlike(torch.tensor([63.0, 2.0, 13.5, 40.5, 4.0]))


def test_what_is_usual_alone_and_not_together_is_told(usual: Usual):
    """A haematocrit of 46 % is usual, and so is a haemoglobin of 11.5 g/dl: not of one patient."""
    assert usual.unlike(torch.tensor([63.0, 1.0, 15.3, 46.0, 4.0])) == ""
    said = usual.unlike(torch.tensor([63.0, 1.0, 11.5, 46.0, 4.0]))
    assert "not all together, above all haem" in said and "haemoglobin" in said and "haematocrit" in said
    assert usual.unlike(torch.tensor([63.0, 1.0, NAN, 46.0, 4.0])) == ""


def test_a_few_are_named_and_the_rest_counted():
    columns = [Column(name=f"f{number}") for number in range(6)]
    made = Usual(columns)
    made.fit(torch.randn(100, 6, generator=torch.Generator().manual_seed(0)))
    said = made.unlike(torch.full((6,), 50.0))
    assert said.count("99 % of them") == 3 and said.endswith("and 3 more.")


def test_before_training_and_after_a_handful_nothing_is_unlike():
    made = Usual(COLUMNS)
    made.fit(cohort(np.random.default_rng(0), 19))
    assert made.unlike(torch.tensor([1e6, 2.0, -5.0, NAN, 1e9])) == ""


@pytest.mark.parametrize("known", [(0,), (1,), (2, 3), ()])
def test_little_that_is_known_is_enough_for_what_it_tells(known: tuple[int, ...]):
    """Of one number, of a category, of two numbers, of nothing: all that is kept is finite, and what is odd is told."""
    rows = cohort(np.random.default_rng(0), 60, missing=0.0)
    odd = torch.tensor([500.0, 2.0, 90.0, 5.0, 1e6])
    for made, told in ((Usual(COLUMNS), slice(None)), (Usual([COLUMNS[one] for one in known]), list(known))):
        hidden = torch.where(torch.isin(torch.arange(5), torch.tensor(known)), rows, NAN)
        made.fit(hidden[:, told])
        assert all(one.isfinite().all() for one in made.state_dict().values())
        assert made.unlike(rows[0, told] if made.columns != COLUMNS else hidden[0]) == ""
        # A category that is known where none of training's was is as of none of them.
        assert (made.unlike(odd[told]) != "") == (bool(known) or made.columns == COLUMNS)


def test_it_is_kept_with_the_weights(usual: Usual):
    other = Usual(COLUMNS)
    other.load_state_dict(usual.state_dict())
    row = torch.tensor([63.0, 2.0, 11.5, 46.0, 900.0])
    assert other.unlike(row) == usual.unlike(row) != ""
    assert all(one.isfinite().all() for one in usual.state_dict().values())


def test_the_distance_is_that_of_the_known_values_alone():
    rng = np.random.default_rng(3)
    mixed = rng.normal(size=(4, 4))
    law = Law(np.arange(4.0), np.array([1.0, 2.0, 3.0, 4.0]), mixed @ mixed.T + np.eye(4))
    row = np.array([1.0, NAN, 5.0, -2.0])
    known = [0, 2, 3]
    full = law.covariance * np.outer(law.deviation, law.deviation)
    want = row[known] - law.mean[known]
    squared = want @ np.linalg.inv(full[np.ix_(known, known)]) @ want
    distance, shares = law.distance(row)
    assert np.nansum(shares) == pytest.approx(squared) and np.isnan(shares[1])
    # Wilson and Hilferty's deviations have nearly the tail of the chi-square that they stand for.
    assert stats.norm.sf(distance) == pytest.approx(stats.chi2.sf(squared, 3), abs=0.01)
    assert law.distance(np.array([NAN, 2.0, NAN, NAN]))[0] == -np.inf


def test_a_law_comes_near_the_one_that_the_rows_are_of():
    rng = np.random.default_rng(4)
    true = np.array([[1.0, 0.8, 0.0], [0.8, 1.0, 0.0], [0.0, 0.0, 1.0]])
    rows = rng.multivariate_normal([0, 0, 0], true, size=4000) * [1, 10, 100] + [5, 0, -3]
    rows[rng.random(rows.shape) < 0.3] = NAN
    law = law_of(rows)
    assert law.covariance == pytest.approx(true, abs=0.05)
    assert law.mean == pytest.approx(np.nanmean(rows, axis=0))
    assert law.deviation == pytest.approx(np.nanstd(rows, axis=0, ddof=1))
    few = law_of(rng.normal(size=(30, 60)))
    assert np.linalg.eigvalsh(few.covariance).min() > 0.1  # more columns than rows: drawn towards none at all


def test_a_row_is_held_out_of_the_law_it_is_compared_with():
    """An outlier that is alone in its fold is as far as from a law that never saw it."""
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 2))
    rows[0] = 30.0, -30.0
    folds = np.r_[0, np.ones(39, int)]
    assert held_out(rows, folds)[0] == pytest.approx(law_of(rows[1:]).distance(rows[0])[0])


def test_size_and_density_of_a_structure_are_those_of_its_voxels():
    crops = torch.full((2, 2, 1, 4, 5, 6), -1.0)
    crops[0, 0, 0, :2, :2, :2] = 0.5  # 8 voxels at 140 HU of a window of −160 to 240
    crops[0, 1, 0, 0, 0, :4] = -0.5  # 4 voxels at −60 HU
    crops[1] = NAN
    found = crop_figures(crops.half(), (3.0, 1.0, 1.0), (-160.0, 240.0))
    assert found[0].tolist() == pytest.approx([12 * 3 / 1000, (8 * 140 - 4 * 60) / 12], rel=1e-4)
    assert found[1].isnan().all()
