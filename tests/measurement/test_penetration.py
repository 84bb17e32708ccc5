"""Region measures of nanoparticles against closed forms."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from diffuscope.errors import InputError
from diffuscope.measurement.measurements import write_csv
from diffuscope.measurement.penetration import find_vessels, measure_penetration, vessel_distance
from diffuscope.simulation.tumour import BREAST, draw_animal, simulate_field


def radii(side: int, mpp: float) -> np.ndarray:
    """Distance from the middle of a square, µm."""
    centres = (np.arange(side) + 0.5 - side / 2) * mpp
    return np.hypot(centres[:, None], centres[None, :])


@pytest.mark.parametrize("mpp", [0.5, 1.0, 2.0])
def test_an_even_load_is_even_at_every_distance(mpp: float):
    r = radii(200, mpp)
    [row] = measure_penetration(np.full(r.shape, 0.25), r < 10, mpp=mpp)
    assert row["area_um2"] == pytest.approx((200 * mpp) ** 2)
    assert row["total_load"] == pytest.approx(0.25 * (200 * mpp) ** 2)
    assert row["mean_load"] == pytest.approx(0.25)
    assert row["vessel_area_percent"] == pytest.approx(100 * np.pi * 100 / (200 * mpp) ** 2, rel=0.05)
    assert row["load_distance_um"] == pytest.approx(row["mean_distance_um"])
    curve = [value for key, value in row.items() if key.startswith("load_") and key != "load_distance_um"]
    assert len(curve) == 11
    assert {round(value, 9) for value in curve if value is not None} == {0.25}


@pytest.mark.parametrize("mpp", [0.5, 1.0])
def test_the_distances_around_one_disc_are_those_of_the_integral(mpp: float):
    """Tissue from radius a = 8 to b = 60 µm; load falls as exp(−(r − a)/λ)."""
    a, b, way = 8.0, 60.0, 15.0
    r = radii(round(140 / mpp), mpp)
    load = np.exp(-np.maximum(r - a, 0) / way)
    [row] = measure_penetration(load, r < a, {"ring": (r < b)}, mpp=mpp)
    rho = np.linspace(a, b, 20001)
    falls = np.exp(-(rho - a) / way)
    assert row["mean_distance_um"] == pytest.approx(np.average(rho - a, weights=rho), abs=0.5 * mpp)
    assert row["load_distance_um"] == pytest.approx(np.average(rho - a, weights=rho * falls), abs=0.5 * mpp)
    first = rho < a + 10
    assert row["load_0_10_um"] == pytest.approx(np.average(falls[first], weights=rho[first]), rel=0.03)
    assert row["load_60_70_um"] is None and row["load_from_100_um"] is None


def test_regions_share_the_vessels_and_add_up():
    r = radii(100, 1.0)
    load = np.random.default_rng(0).random(r.shape)
    left = np.zeros(r.shape, np.bool_)
    left[:, :40] = True  # no vessel in it
    rows = measure_penetration(load, r < 6, {"left": left, "right": ~left, "none": left & ~left}, mpp=1.0)
    assert [row["region"] for row in rows] == ["left", "right", "none"]
    assert rows[0]["vessel_area_percent"] == 0 and rows[0]["mean_distance_um"] > rows[1]["mean_distance_um"] > 0
    assert rows[0]["total_load"] + rows[1]["total_load"] == pytest.approx(load.sum())
    assert rows[2]["total_load"] == 0 and rows[2]["mean_load"] is None and rows[2]["load_0_10_um"] is None


def test_what_was_not_predicted_is_left_out():
    r = radii(60, 1.0)
    load = np.where(r < 25, 1.0, np.nan)
    [row] = measure_penetration(load, r < 5, mpp=1.0)
    assert row["mean_load"] == 1.0 and row["area_um2"] == (r < 25).sum()


def test_without_a_vessel_there_is_no_distance(tmp_path: Path):
    rows = measure_penetration(np.ones((20, 20)), np.zeros((20, 20), np.bool_), mpp=1.0)
    assert rows[0]["total_load"] == 400 and rows[0]["mean_distance_um"] is None and rows[0]["load_0_10_um"] is None
    write_csv(rows, tmp_path / "rows.csv", replace=False)
    with (tmp_path / "rows.csv").open(newline="") as file:
        [read] = list(csv.DictReader(file))
    assert read["region"] == "whole image" and read["mean_distance_um"] == ""


def test_bins_and_shapes_that_do_not_fit_are_said():
    with pytest.raises(InputError, match="one grid"):
        measure_penetration(np.ones((4, 4)), np.ones((4, 5), np.bool_), mpp=1.0)
    with pytest.raises(InputError, match="Bins of 0"):
        measure_penetration(np.ones((4, 4)), np.ones((4, 4), np.bool_), mpp=1.0, bin_um=0)


def test_profiles_are_found_in_cd31_with_their_lumen():
    """Against the simulator's truth."""
    field = simulate_field(draw_animal(BREAST, seed=3, number=1), 2)
    found = find_vessels(field.vessels, mpp=1.0)
    overlap = 2 * (found & field.profiles).sum() / (found.sum() + field.profiles.sum())
    assert overlap > 0.8
    assert not find_vessels(np.full((30, 30), 7), mpp=1.0).any()


def test_distances_are_from_the_profile_s_edge():
    vessels = np.zeros((1, 9), np.bool_)
    vessels[0, 0] = True
    np.testing.assert_allclose(vessel_distance(vessels, mpp=2.0)[0], [0, 1, 3, 5, 7, 9, 11, 13, 15])
