"""Published tables are as their card says, and the library's panel is what numpy makes of it."""

import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from misalign.reporting import web
from misalign.reporting.web import decompose, effects, observations, repeated

CARD = (web.FOLDER / "README.md").read_text(encoding="utf-8")


def number(text):
    return float(text.replace(",", ""))


def test_counts_sum_to_what_the_card_says():
    table = web.counts()
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| ([\d,]+) \| ([\d,]+) \|$", CARD, flags=re.M)
    assert {name for name, *_ in rows} == set(table.columns[3:])
    for name, total, unknown in rows:
        assert (table[name].sum(), table[name].isna().sum()) == (number(total), number(unknown))
    assert f"{len(table):,} rows" in CARD


def test_accuracies_sum_to_what_the_card_says():
    table = web.accuracies()
    assert f"{len(table):,} rows, {table['dataset'].nunique()} evaluation sets" in CARD
    assert f"{table['concept'].nunique():,} names" in CARD
    assert f"sum to {table['accuracy'].sum():,.2f}" in CARD
    assert table["accuracy"].between(0, 100).all()


def test_what_has_both_is_no_more_than_what_has_either():
    table = web.counts().dropna(subset=["both_70", "caption_lemmatized"])
    assert (table["both_70"] <= table["image_70"]).all()
    assert (table["both_70"] <= table["caption_lemmatized"]).all()


def test_tables_take_less_than_a_megabyte():
    assert sum(path.stat().st_size for path in web.FOLDER.glob("*.parquet")) < 1e6


def residual(values, keys):
    """Take the means of groups off, by turns, until nothing is left to take."""
    codes = [np.unique(key, return_inverse=True)[1] for key in keys]
    while True:
        before = values
        for code in codes:
            sums = np.array([np.bincount(code, column) for column in values.T])
            values = values - (sums / np.bincount(code))[:, code].T
        if np.abs(values - before).max() < 1e-11:
            return values


def test_panel_is_what_plain_least_squares_make_of_it():
    table = repeated(decompose(observations()))
    unit = (table["dataset"].astype(str) + "|" + table["concept"]).to_numpy()
    cell = (table["dataset"].astype(str) + "|" + table["pretraining"].astype(str)).to_numpy()
    values = table[["accuracy", *web.SHARES]].to_numpy(float)
    inside = residual(values, [unit, cell])
    slope = np.linalg.lstsq(inside[:, 1:], inside[:, 0], rcond=None)[0]
    found = effects(table)
    assert found["effect"].to_numpy() == pytest.approx(slope, abs=1e-6)
    # errors clustered by concept: the sandwich
    left = inside[:, 0] - inside[:, 1:] @ slope
    _, concept = np.unique(table["concept"], return_inverse=True)
    score = np.array([np.bincount(concept, left * column) for column in inside[:, 1:].T])
    bread = np.linalg.inv(inside[:, 1:].T @ inside[:, 1:])
    error = np.sqrt(np.diag(bread @ score @ score.T @ bread))
    width = (found["high"] - found["low"]).to_numpy() / 2 / norm.ppf(0.975)
    assert width == pytest.approx(error, rel=1e-6)


def test_known_effects_come_back_and_what_is_fixed_does_not_matter():
    rng = np.random.default_rng(0)
    grid = pd.MultiIndex.from_product([range(200), list("abcd")], names=["concept", "pretraining"])
    table = pd.DataFrame(rng.normal(size=(800, 3)), grid, list(web.SHARES)).reset_index()
    table["dataset"], table["concept"] = "one", table["concept"].astype(str)
    hard = 30 * rng.normal(size=200)[table["concept"].astype(int)]
    good = table["pretraining"].map(dict(zip("abcd", (0, 5, 10, 50), strict=True)))
    truth = np.array([3.0, 2.0, 0.0])
    noise = rng.normal(size=800)
    table["accuracy"] = table[list(web.SHARES)] @ truth + hard + good + noise
    found = effects(table)
    assert found["effect"].to_numpy() == pytest.approx(truth, abs=0.15)
    assert ((found["low"] < truth) & (truth < found["high"])).all()


def test_counts_part_into_shown_and_named():
    row = {"image_70": 1000, "both_70": 100, "caption_lemmatized": 200}
    table = pd.DataFrame([row, row | {"both_70": 0}, row | {"both_70": pd.NA}])
    found = decompose(table.astype("Int64"))
    assert found[list(web.SHARES)].to_numpy().tolist() == [pytest.approx([3, -1, np.log10(0.5)])]


def test_ranks_within_groups_are_spearman_s():
    table = observations().query("dataset == 'cifar100' and pretraining == 'cc12m'")
    table = table.dropna(subset=["caption_lemmatized"])
    found = web.rank_correlation(table, "caption_lemmatized", "accuracy", ["dataset"])
    expected = table["caption_lemmatized"].astype(float).corr(table["accuracy"], "spearman")
    assert found["effect"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: decompose(web.counts(), 80), "threshold: expected one of 50, 60, 70, got 80"),
        (lambda: decompose(web.counts(), caption="x"), "caption: expected a column of counts"),
        (lambda: observations("RN1"), "backbone: expected one of RN101, .*, got RN1"),
        (lambda: web.published("x"), "name: expected coverage, naming or precision, got 'x'"),
    ],
)
def test_what_is_not_there_is_one_line(call, words):
    with pytest.raises(ValueError, match=f"^{words}"):
        call()
