"""The published fit of accuracy to captions: its numbers, its intervals, its file."""

import json

import numpy as np
import pytest
from audited import TREND

from misalign.audit.trend import Fit

RNG = np.random.default_rng(0)
SETS = {"a": 1e6, "b": 1e7, "c": 1e8}
OF = [(name, size) for name, size in SETS.items() for _ in range(2_000)]
NAMED = np.floor(10 ** RNG.uniform(0, 5, len(OF)))
SIZE = np.array([size for _, size in OF])
TRUE = 0.05 + 0.05 * np.log10(NAMED + 1) + 0.03 * np.log10(SIZE)
ACCURACY = TRUE + RNG.normal(0, 0.05, len(OF))


@pytest.fixture(scope="module")
def fit():
    return Fit.fit(NAMED, OF, ACCURACY)


def test_is_least_squares_in_two_logarithms(fit):
    x = np.stack([np.ones(len(OF)), np.log10(NAMED + 1), np.log10(SIZE)], 1)
    line = np.linalg.solve(x.T @ x, x.T @ ACCURACY)
    assert fit.coefficients == pytest.approx(line, abs=1e-9)
    spread = np.sqrt(np.square(ACCURACY - x @ line).sum() / (len(OF) - 3))
    assert fit.spread == pytest.approx(spread)
    assert (fit.points, fit.sizes) == (len(OF), SETS)


def test_intervals_hold_95_percent_of_a_set_that_was_left_out(fit):
    assert set(fit.left_out) == set(SETS)
    assert all(0.93 < share < 0.97 for share in fit.left_out.values())
    away = {name: [0.9 if of == name else 0.1 for of, _ in OF] for name in SETS}
    strange = Fit.fit(NAMED, OF, ACCURACY + np.array(away["b"]))
    assert strange.left_out["b"] < 0.1  # a set that the others do not tell of
    assert strange.between > 0.3 > 0.05 > fit.between


def test_a_small_file_is_told_with_an_interval_as_wide_as_it_is():
    packaged = Fit.read()
    accuracy, low, high = packaged.predict(np.array([0, 10]), 10_000)
    assert (low == 0).all() and (high - accuracy > 0.5).all()
    assert high == pytest.approx(packaged.predict(np.array([0, 10]), 3e6)[2])
    assert packaged.extrapolates(10_000) and not packaged.extrapolates(2e7)


def test_packaged_fit_was_checked_on_every_set_it_leaves_out():
    left_out = Fit.read().left_out
    assert set(left_out) == {"cc3m", "cc12m", "yfcc15m", "laion400m"}
    assert min(left_out.values()) > 0.9 and np.mean([*left_out.values()]) > 0.93


def test_predictions_stay_between_nothing_and_all(fit):
    for values in fit.predict(np.array([0, 1e300]), 1e9):
        assert ((0 <= values) & (values <= 1)).all()


def test_crossing_is_where_the_accuracy_is_reached(fit):
    few = fit.crossing(0.4, 1e7)
    assert fit.predict(few, 1e7)[0] == pytest.approx(0.4)


def test_is_read_as_it_was_written(fit, tmp_path):
    fit.write(tmp_path / "trend.json")
    assert Fit.read(tmp_path / "trend.json") == fit
    assert [path.name for path in tmp_path.iterdir()] == ["trend.json"]


@pytest.mark.parametrize(
    "changed",
    [
        {"coefficients": [0.1, -1.0, 0.1]},
        {"coefficients": [0.1, 1.0]},
        {"coefficients": "steep"},
        {"spread": float("nan")},
        {"between": None},
        {"coefficients": 3},
        {"coefficients": [0.1, 0.2, "x"]},
        {"sizes": 3},
        {"left_out": {"one": 0.9}},
        {"left_out": 3},
        {"extra": 1},
        [],
        "{",
    ],
)
def test_another_file_is_refused_in_one_line(tmp_path, changed):
    path = tmp_path / "trend.json"
    TREND.write(path)
    good = json.loads(path.read_text())
    path.write_text(
        changed
        if isinstance(changed, str)
        else json.dumps(good | changed if isinstance(changed, dict) else changed)
    )
    with pytest.raises(ValueError) as caught:
        Fit.read(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_a_missing_file_is_said(tmp_path, complains):
    with complains(str(tmp_path / "no.json"), "the published fit", "no file"):
        Fit.read(tmp_path / "no.json")
