"""The miniature's line of scores to coverage: its closed form and its cut-offs."""

from dataclasses import replace

import numpy as np
import pytest

from misalign.reporting.trend import Trend

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
    assert trend.points == 6


def test_points_beyond_the_cut_offs_do_not_bend_the_line():
    coverage = np.geomspace(1e-6, 1, 25)
    line = 1.4 + 0.4 * np.log10(coverage)
    fit = Trend.fit(coverage, line.clip(0, 1))
    assert [fit.intercept, fit.slope] == pytest.approx([1.4, 0.4], abs=1e-5)


def test_band_is_the_prediction_interval_of_a_new_point(trend):
    x, n = np.log10(COVERAGE), len(COVERAGE)
    score, low, high = trend.predict(COVERAGE)
    leverage = 1 / n + (x - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    half = 2.7764451 * trend.spread * np.sqrt(1 + leverage)  # t of 4 degrees of freedom
    assert high - score == pytest.approx(half)
    assert score - low == pytest.approx(half)


def test_scores_stay_between_guessing_and_perfect(trend):
    score, low, high = replace(trend, intercept=0.99).predict([1e-12, 1e-9, 1])
    assert score.tolist() == [0, 0, 0.99] and low[0] == high[0] == 0
    assert high[2] == 1 and 0 < low[2] < 0.99


def test_crossing_is_where_the_score_is_reached(trend):
    assert trend.predict(trend.crossing(0.5))[0] == pytest.approx(0.5)


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
    ],
)
def test_points_that_have_no_line_are_refused(coverage, score, name, complains):
    with complains(name, "", ""):
        Trend.fit(coverage, score)
