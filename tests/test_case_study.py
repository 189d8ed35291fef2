"""The miniature as it is read: what goes with coverage, what with the group, and the book's fit."""

import fit_trend
import measure_inflation
import numpy as np
import pandas as pd
import pytest

from misalign.audit.trend import Fit
from misalign.coverage.taxonomy import Concept, Taxonomy
from misalign.reporting import concept_tables as case_study
from misalign.reporting.claims import claims
from misalign.reporting.verdicts import assess
from misalign.sweeps.grid import Sweep
from misalign.worlds.concepts import GROUPS

LEVELS = (0.5, 0.05, 0.005)
NAMES = GROUPS[:3]


def records(score):
    """Rows of the records: three groups, each at every level once, two seeds."""
    rows = []
    for setting in (1, 2, 3):
        for seed in (0, 1):
            for place, name in enumerate(NAMES):
                level = LEVELS[(place + setting) % 3]
                value = score(place, level) + 0.1 * seed
                found = {"coverage": level, "f1": value, "f1_corrected": value, "mcc": value}
                rows += [
                    {"run": f"{setting}{seed}", "setting": setting, "seed": seed, "factor": name}
                    | {"metric": metric, "score": one}
                    for metric, one in found.items()
                ]
    return pd.DataFrame(rows)


def means(score):
    return case_study.over_seeds(case_study.scores_by_group(records(score)))


def test_seeds_are_averaged_and_their_spread_is_kept():
    table = means(lambda place, level: level)
    assert len(table) == 9
    assert table["f1_corrected"].to_numpy() == pytest.approx(table["coverage"] + 0.05)
    assert table["spread"].to_numpy() == pytest.approx(0.1 / 2**0.5)


def test_a_concept_s_coverage_is_its_share_of_the_group_s():
    table = case_study.scores_by_group(records(lambda place, level: level))
    assert table["concept_coverage"].to_numpy() == pytest.approx(table["coverage"] / 4)


def test_a_grid_has_groups_in_their_order_and_coverages_that_fall():
    cells = case_study.grid(means(lambda place, level: 10 * place + level))
    assert [*cells.index] == [*NAMES] and [*cells.columns] == [*LEVELS]
    assert cells.loc[NAMES[2], 0.005] == pytest.approx(20.055)


def test_a_grid_with_a_gap_or_a_cell_twice_is_one_line():
    table = means(lambda place, level: level)
    with pytest.raises(ValueError, match=r"^table: expected every group at every coverage, got 1"):
        case_study.grid(table[1:])
    with pytest.raises(ValueError, match=r"^table: expected every group at a coverage once, got 9"):
        case_study.grid(pd.concat([table, table]))


def test_variance_is_shared_out_between_coverage_and_group():
    rare = case_study.grid(means(lambda place, level: level))
    hard = case_study.grid(means(lambda place, level: place))
    both = case_study.grid(means(lambda place, level: 3 * place - np.log10(level)))
    assert case_study.explained(rare).to_numpy() == pytest.approx([1, 0, 0])
    assert case_study.explained(hard).to_numpy() == pytest.approx([0, 1, 0])
    # places and logarithms have variances of 2 / 3 each, 9 times that with the factor of 3
    assert case_study.explained(both).to_numpy() == pytest.approx([0.1, 0.9, 0])


def test_ranks_follow_the_order_and_not_the_size():
    assert case_study.rank_correlation(means(lambda place, level: level**3)) == pytest.approx(1)
    assert case_study.rank_correlation(means(lambda place, level: -level)) == pytest.approx(-1)


def test_the_better_line_explains_more():
    table = means(lambda place, level: 0.75 + 0.2 * np.log10(level) - 0.05)
    trend = case_study.trend_of(table)
    assert trend.slope == pytest.approx(0.2)
    found = case_study.fits(table, trend)
    assert found["log"] == pytest.approx(1) and found["linear"] < 0.95


def test_the_packaged_fit_is_that_of_the_published_tables():
    packaged, now = Fit.read(), fit_trend.fitted()
    for name in ("coefficients", "spread", "between", "sizes", "left_out"):
        assert getattr(packaged, name) == pytest.approx(getattr(now, name), rel=1e-4), name
    assert packaged.points == now.points


def test_a_claim_of_ranks_has_a_point_a_factor_and_seed():
    claim = next(one for one in claims() if one.name == "coverage")
    points = assess(claim).points
    assert set(points.index) == {(0, seed, group) for seed in range(3) for group in GROUPS}
    scores = Sweep.named("concepts_coverage").scores().query("variant == ''")
    one = scores[(scores["factor"] == "count") & (scores["seed"] == 1)]
    wide = one.pivot(index="setting", columns="metric", values="score")
    expected = wide["coverage"].corr(wide["f1_corrected"], method="spearman")
    assert points[0, 1, "count"] == pytest.approx(expected)


def test_inflation_weighs_words_by_their_use():
    words = {"hat": 0.1, "that": 0.6, "hats": 0.1, "cat": 0.2}
    taxonomy = Taxonomy(
        (Concept("", "Clothing", "hat", ("hat", "hats")), Concept("", "Animal", "cat", ("cat",)))
    )
    table = measure_inflation.measure(words, taxonomy).set_index("concept")
    assert table.loc["hat", "words"] == pytest.approx(0.2e6)
    assert table.loc["hat", "substring"] == pytest.approx(0.8e6)
    assert [*table.loc["cat", ["words", "substring"]]] == pytest.approx([0.2e6, 0.2e6])
