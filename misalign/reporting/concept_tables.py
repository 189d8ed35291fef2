"""The case study in miniature, read: score against coverage, rare concepts against hard ones."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from misalign.audit.trend import Trend
from misalign.errors import invalid
from misalign.worlds.concepts import WORDS

SCORE = "f1_corrected"


def scores_by_group(scores: pd.DataFrame) -> pd.DataFrame:
    """What zero-shot predictions and a linear classifier tell of every group.

    Parameters
    ----------
    scores : DataFrame
        Records of the study ``concepts``.

    Returns
    -------
    DataFrame
        A row a setting, group and seed: ``run, setting, factor, seed, coverage`` (the share of
        captions that name the group), ``concept_coverage`` (of one of its concepts), ``f1``,
        ``f1_chance``, ``f1_corrected`` and ``mcc``.
    """
    keys = ["run", "setting", "factor", "seed"]
    table = scores.pivot_table(index=keys, columns="metric", values="score").reset_index()
    table.columns.name = None
    table["concept_coverage"] = table["coverage"] / table["factor"].map(
        lambda name: len(WORDS[name])
    )
    return table


def over_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """Mean of `told` over seeds, and in ``spread`` the standard deviation of the score."""
    grouped = table.drop(columns="run").groupby(["setting", "factor"], as_index=False)
    spread = grouped[SCORE].std()[SCORE]
    return grouped.mean().drop(columns="seed").assign(spread=spread)


def rank_correlation(table: pd.DataFrame) -> float:
    """Spearman's rho between coverage and corrected score, over the rows of a table."""
    return float(table[["coverage", SCORE]].corr("spearman").iloc[0, 1])


def grid(table: pd.DataFrame) -> pd.DataFrame:
    """Corrected score by group (rows) and coverage (columns, falling).

    Parameters
    ----------
    table : DataFrame
        Of `over_seeds`, where every group has every coverage once.

    Raises
    ------
    ValueError
        If a cell is missing or there twice.
    """
    twice = table.duplicated(["factor", "coverage"]).sum()
    if twice:
        raise invalid("table", "every group at a coverage once", f"{twice} more")
    cells = table.pivot(index="factor", columns="coverage", values=SCORE)
    missing = int(cells.isna().sum().sum())
    if missing:
        raise invalid("table", "every group at every coverage", f"{missing} missing")
    return cells.reindex([name for name in WORDS if name in cells.index]).iloc[:, ::-1]


def explained(cells: pd.DataFrame) -> pd.Series:
    """Shares of the scores' variance that go with coverage, with the group, and with neither.

    In a table where every group has every coverage once, the two do not overlap (analysis of
    variance of two factors without repetition).

    Parameters
    ----------
    cells : DataFrame
        Of `grid`.

    Returns
    -------
    Series
        ``coverage``, ``group`` and ``rest``, adding up to 1.
    """
    values = cells.to_numpy()
    whole = values.var()
    shares = {"coverage": values.mean(0).var() / whole, "group": values.mean(1).var() / whole}
    return pd.Series(shares | {"rest": 1 - sum(shares.values())})


def trend_of(table: pd.DataFrame, runs: int) -> Trend:
    """Fit the corrected score to the logarithm of a concept's coverage.

    Parameters
    ----------
    table : DataFrame
        Of `over_seeds`.
    runs : int
        How many runs it is of.
    """
    return Trend.fit(table["concept_coverage"], table[SCORE], runs)


def fits(table: pd.DataFrame, trend: Trend) -> pd.Series:
    """R2 of two lines through the scores, in the logarithm of coverage and in coverage itself.

    Parameters
    ----------
    table : DataFrame
        Of `over_seeds`.
    trend : Trend
        Fitted to it.

    Returns
    -------
    Series
        ``log`` and ``linear``.
    """
    score, share = table[SCORE], table["concept_coverage"]
    guesses = {
        "log": trend.predict(share)[0],
        "linear": np.polyval(np.polyfit(share, score, 1), share),
    }
    return pd.Series(
        {name: 1 - ((score - one) ** 2).mean() / score.var(ddof=0) for name, one in guesses.items()}
    )


def against_coverage(table: pd.DataFrame, trend: Trend) -> Figure:
    """Draw every group's score against its coverage, and the fitted line.

    Parameters
    ----------
    table : DataFrame
        Of `over_seeds`, for one setting or many.
    trend : Trend
        The fit, in coverages of concepts.
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    colors = plt.get_cmap("tab10").colors
    for color, (name, rows) in zip(colors, table.groupby("factor"), strict=True):
        ax.scatter(100 * rows["coverage"], rows[SCORE], s=16, color=color, alpha=0.75, label=name)
    shares = np.geomspace(table["coverage"].min(), table["coverage"].max(), 200)
    concepts = shares * (table["concept_coverage"] / table["coverage"]).mean()
    line, low, high = trend.predict(concepts)
    ax.plot(100 * shares, line, color="#333333", label="log-linear fit")
    ax.fill_between(100 * shares, low, high, color="#333333", alpha=0.1, lw=0)
    means = table.groupby("coverage")[SCORE].mean()
    ax.plot(100 * means.index, means, "k_", ms=14, label="mean of groups")
    ax.set(xscale="log", xlabel="captions that name the group (%)", ylabel="zero-shot score")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def rare_or_hard(cells: pd.DataFrame) -> Figure:
    """Draw scores as a heatmap, a row a group and a column a coverage.

    Parameters
    ----------
    cells : DataFrame
        Of `grid`.
    """
    figure, ax = plt.subplots(figsize=(6.4, 3.9), layout="constrained")
    image = ax.imshow(cells, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(cells.to_numpy()):
        tone = "white" if value < 0.6 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=7, color=tone)
    percent = [f"{100 * share:.2g}" for share in cells.columns]
    ax.set_xticks(range(len(percent)), percent)
    ax.set_yticks(range(len(cells)), cells.index)
    ax.set_xlabel("captions that name the group (%)")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    figure.colorbar(image, label="zero-shot score")
    return figure


def named_and_held(curves: pd.DataFrame, floor: float) -> Figure:
    """Draw what names reach and what a linear classifier reads, by coverage.

    Parameters
    ----------
    curves : DataFrame
        Columns `SCORE` and ``mcc``, by coverage.
    floor : float
        What the classifier reads from an encoder that was not trained.
    """
    figure, ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
    shares = 100 * curves.index
    ax.plot(shares, curves[SCORE], "o-", color="#0072B2", label="zero-shot score")
    ax.plot(shares, curves["mcc"], "s-", color="#E69F00", label="linear classifier (MCC)")
    ax.axhline(floor, ls="--", color="#999999", label="linear, not trained")
    ax.set(xscale="log", xlabel="captions that name the group (%)", ylim=(-0.05, 1.05))
    ax.legend()
    return figure
