"""The case study in miniature, read: score against coverage, rare concepts against hard ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

from misalign.errors import invalid
from misalign.reporting.trend import Trend
from misalign.worlds.concepts import WORDS

SCORE = "f1_corrected"


def scores_by_group(scores: pd.DataFrame) -> pd.DataFrame:
    """What zero-shot predictions and a linear classifier tell of every group, by the records.

    A row a setting, group and seed of the study ``concepts``: ``run, setting, factor, seed,
    coverage`` (the share of captions that name the group), ``concept_coverage`` (of one of its
    concepts), ``f1``, ``f1_chance``, ``f1_corrected`` and ``mcc``.
    """
    keys = ["run", "setting", "factor", "seed"]
    table = scores.pivot_table(index=keys, columns="metric", values="score").reset_index()
    table.columns.name = None
    concepts = {name: len(words) for name, words in WORDS.items()}
    return table.assign(concept_coverage=table["coverage"] / table["factor"].map(concepts))


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of `scores_by_group` over seeds; ``spread``, the standard deviation of the score."""
    grouped = table.drop(columns="run").groupby(["setting", "factor"], as_index=False)
    return grouped.mean().drop(columns="seed").assign(spread=grouped[SCORE].std()[SCORE])


def rank_correlation(table: pd.DataFrame) -> float:
    """Spearman's rho between coverage and corrected score, over the rows of a table."""
    return float(table[["coverage", SCORE]].corr("spearman").iloc[0, 1])


def grid(table: pd.DataFrame) -> pd.DataFrame:
    """Corrected score of `over_seeds` by group (rows) and coverage (columns, falling).

    Raises a ValueError unless every group has every coverage once.
    """
    if twice := table.duplicated(["factor", "coverage"]).sum():
        raise invalid("table", "every group at a coverage once", f"{twice} more")
    cells = table.pivot(index="factor", columns="coverage", values=SCORE)
    if missing := int(cells.isna().sum().sum()):
        raise invalid("table", "every group at every coverage", f"{missing} missing")
    return cells.reindex([name for name in WORDS if name in cells.index]).iloc[:, ::-1]


def explained(cells: pd.DataFrame) -> pd.Series:
    """Shares of the variance of a `grid` that go with coverage, with the group, and with the rest.

    Where every group has every coverage once, the two do not overlap (analysis of variance of two
    factors without repetition), and ``coverage``, ``group`` and ``rest`` add up to 1.
    """
    values = cells.to_numpy()
    whole = values.var()
    shares = {"coverage": values.mean(0).var() / whole, "group": values.mean(1).var() / whole}
    return pd.Series(shares | {"rest": 1 - sum(shares.values())})


def trend_of(table: pd.DataFrame) -> Trend:
    """Fit the corrected score of `over_seeds` to the logarithm of a concept's coverage."""
    return Trend.fit(table["concept_coverage"], table[SCORE])


def fits(table: pd.DataFrame, trend: Trend) -> pd.Series:
    """R2 of the trend, ``log``, and of a line in coverage itself, ``linear``, over `over_seeds`."""
    score, share = table[SCORE], table["concept_coverage"]
    line = np.polyval(np.polyfit(share, score, 1), share)
    guesses = pd.DataFrame({"log": trend.predict(share)[0], "linear": line}, index=table.index)
    return 1 - guesses.rsub(score, axis=0).pow(2).mean() / score.var(ddof=0)
