"""The book's fit of scores to coverage: its closed form, its cut-offs, its file."""

import json
from dataclasses import replace

import numpy as np
import pytest

from misalign.audit.trend import Trend

COVERAGE = np.array([0.001, 0.003, 0.01, 0.03, 0.1, 0.2])
NOISE = np.array([0.02, -0.01, -0.03, 0.03, 0.0, -0.02])
SCORE = 0.9 + 0.25 * np.log10(COVERAGE) + NOISE


@pytest.fixture
def trend():
    return Trend.fit(COVERAGE, SCORE)


def test_is_least_squares_where_nothing_is_cut_off(trend):
    (slope, intercept), covariance = np.polyfit(np.log10(COVERAGE), SCORE, 1, cov=True)
    assert [trend.intercept, trend.slope] == pytest.approx([intercept, slope])
    known = [covariance[1, 1], covariance[0, 1], covariance[0, 0]]
    assert trend.covariance == pytest.approx(known)
    residual = SCORE - np.polyval([slope, intercept], np.log10(COVERAGE))
    assert trend.spread == pytest.approx(np.sqrt((residual**2).sum() / 4))
    assert (trend.points, trend.runs, trend.least, trend.most) == (6, 6, 0.001, 0.2)


def test_points_beyond_the_cut_offs_do_not_bend_the_line():
    coverage = np.geomspace(1e-6, 1, 25)
    line = 1.4 + 0.4 * np.log10(coverage)
    fit = Trend.fit(coverage, line.clip(0, 1), runs=5)
    assert [fit.intercept, fit.slope] == pytest.approx([1.4, 0.4], abs=1e-5)
    assert fit.runs == 5


def test_band_is_the_prediction_interval_of_a_new_point(trend):
    x, n = np.log10(COVERAGE), len(COVERAGE)
    score, low, high = trend.predict(COVERAGE)
    leverage = 1 / n + (x - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    half = 2.7764451 * trend.spread * np.sqrt(1 + leverage)  # t of 4 degrees of freedom
    assert high - score == pytest.approx(half)
    assert score - low == pytest.approx(half)


def test_scores_stay_between_guessing_and_perfect(trend):
    score, low, high = replace(trend, intercept=0.99).predict([0, 1e-9, 1])
    assert score.tolist() == [0, 0, 0.99] and low[0] == high[0] == 0
    assert high[2] == 1 and 0 < low[2] < 0.99


def test_crossing_is_where_the_score_is_reached(trend):
    assert trend.predict(trend.crossing(0.5))[0] == pytest.approx(0.5)


def test_says_where_it_extrapolates(trend):
    assert trend.extrapolates([0, 0.0009, 0.001, 0.2, 0.21]).tolist() == [1, 1, 0, 0, 1]


def test_is_read_as_it_was_written(trend, tmp_path):
    trend.write(tmp_path / "trend.json")
    assert Trend.read(tmp_path / "trend.json") == trend
    assert [path.name for path in tmp_path.iterdir()] == ["trend.json"]


@pytest.mark.parametrize(
    "changed",
    [
        {"slope": -1.0},
        {"slope": "steep"},
        {"slope": None},
        {"spread": float("nan")},
        {"points": 2},
        {"least": 0.5},
        {"covariance": [1, 2]},
        {"covariance": 3},
        {"covariance": [1, 2, "x"]},
        {"extra": 1},
        [],
        "{",
    ],
)
def test_another_file_is_refused_in_one_line(trend, tmp_path, changed):
    path = tmp_path / "trend.json"
    trend.write(path)
    good = json.loads(path.read_text())
    path.write_text(
        changed
        if isinstance(changed, str)
        else json.dumps(good | changed if isinstance(changed, dict) else changed)
    )
    with pytest.raises(ValueError) as caught:
        Trend.read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path, complains):
    with complains(str(tmp_path / "no.json"), "the book's fit", "no file"):
        Trend.read(tmp_path / "no.json")


@pytest.mark.parametrize(
    ("coverage", "score", "name"),
    [
        ([0.1, 0.2], [0.1, 0.2], "coverage"),
        ([0.1, 0.2, 0], [0.1, 0.2, 0.3], "coverage"),
        ([0.1, 0.2, 1.5], [0.1, 0.2, 0.3], "coverage"),
        ([0.1, 0.2, 0.3], [0.1, 0.2], "score"),
        ([0.1, 0.2, 0.3], [0.1, 0.2, np.nan], "score"),
        ([0.1, 0.1, 0.1], [0.1, 0.2, 0.3], "coverage"),
        ([0.1, 0.2, 0.3], [0, 0, 0], "coverage"),
        ([0.1, 0.2, 0.3], [0.9, 0.5, 0.1], "slope"),
    ],
)
def test_points_that_have_no_line_are_refused(coverage, score, name, complains):
    with complains(name, "", ""):
        Trend.fit(coverage, score)
