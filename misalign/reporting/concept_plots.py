"""Figures of the picture book: what its captions buy, by how often they name what."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from misalign.errors import invalid
from misalign.reporting import plots
from misalign.reporting.concept_tables import SCORE as CORRECTED
from misalign.reporting.trend import Trend
from misalign.style import COLORS, SERIES


def captioned(images: Tensor, captions: Mapping[str, Sequence[str]], width: int = 30) -> Figure:
    """Show pictures in a row, each above what several writers say of it.

    Pictures are in [0, 1], of shape (n, 3, H, W); each writer has n captions, broken into lines of
    `width` characters. Raises a ValueError where the numbers differ.
    """
    for writer, lines in captions.items():
        if len(lines) != len(images):
            raise invalid("captions", f"{len(images)} by {writer}", len(lines))
    size = (3 * len(images), 3.6)
    figure, axes = plt.subplots(1, len(images), figsize=size, squeeze=False, layout="constrained")
    for place, ax in enumerate(axes[0]):
        ax.imshow(images[place].permute(1, 2, 0).numpy())
        ax.set(xticks=[], yticks=[])
        said = (f"{writer}: {lines[place]}" for writer, lines in captions.items())
        ax.set_xlabel("\n".join(textwrap.fill(line, width) for line in said), fontsize=9)
        ax.spines[:].set_visible(False)
    return figure


def breadth(ax: Axes, scores: pd.DataFrame, first: Collection[str], counts: Sequence[int]) -> None:
    """Draw zero-shot scores by the number of groups that captions spread their words over.

    `scores` are rows of the records with the bias ``breadth``, `counts` has the number of named
    groups of each setting; groups that the narrowest captions name, `first`, are drawn apart.
    """
    rows = scores[scores["metric"] == CORRECTED]
    means = rows.groupby(["setting", "factor"])["score"].mean().unstack()
    for name in means.columns.drop(list(first)):
        ax.plot(counts, means[name], color=COLORS["specific"], lw=0.8, alpha=0.8)
    for color, name in zip(SERIES[1:], first, strict=False):
        ax.plot(counts, means[name], "s--", color=color, ms=4, label=name)
    plots.band(ax, counts, _by_setting(rows), SERIES[0], "all ten, mean")
    ax.plot([], [], color=COLORS["specific"], lw=0.8, label="each of the others")
    ax.set(xticks=counts, xlabel="groups that captions name", ylabel="zero-shot, corrected F1")
    ax.set_ylim(-0.08, 1.05)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def _by_setting(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread over seeds, by setting, of what all factors score on average."""
    by_seed = scores.groupby(["setting", "seed"])["score"].mean()
    return by_seed.groupby("setting").agg(mean="mean", spread="std")


def trade(ax: Axes, scores: pd.DataFrame, choices: Mapping[int, str]) -> None:
    """Draw what several questions score under two settings, of a label each, a row a question.

    `scores` has the columns `question`, `setting` and `score`, one row a seed.
    """
    questions = list(dict.fromkeys(scores["question"]))
    means = scores.groupby(["question", "setting"])["score"].agg(["mean", "std"])
    ends = means["mean"].unstack().loc[questions, [*choices]].agg(["min", "max"], axis=1)
    ax.hlines(range(len(ends)), *ends.to_numpy().T, color=COLORS["theory"], lw=0.8, zorder=0)
    for color, (setting, name) in zip(SERIES, choices.items(), strict=False):
        points = means.xs(setting, level="setting").loc[questions]
        style = {"fmt": "o", "color": color, "ms": 6, "capsize": 2, "label": name}
        ax.errorbar(points["mean"], range(len(questions)), xerr=points["std"], **style)
    ax.set(yticks=range(len(questions)), yticklabels=questions, xlim=(0, 1))
    ax.set_ylim(len(questions) - 0.5, -0.5)


def omission_curve(
    ax: Axes, scores: pd.DataFrame, group: str, shares: Sequence[float], untrained: float
) -> None:
    """Draw what is told of a group, by the share of captions that name it.

    `scores` are rows of the records with the bias ``omission``, `shares` the group's coverage in
    each setting; `untrained` is what the linear probe reads of it from an encoder not trained.
    """
    places = range(len(shares))
    own = scores["factor"] == group
    lines = {
        f"{group}, linear probe": own & (scores["metric"] == "mcc"),
        f"{group}, zero-shot": own & (scores["metric"] == CORRECTED),
        "the nine others, zero-shot": ~own & (scores["metric"] == CORRECTED),
    }
    for color, (name, chosen) in zip(SERIES, lines.items(), strict=False):
        plots.band(ax, places, _by_setting(scores[chosen]), color, name)
    style = {"color": COLORS["theory"], "lw": 1}
    ax.axhline(untrained, ls="--", **style, label=f"{group}, linear probe, no training")
    ax.axhline(0, ls=":", **style, label="chance")
    ax.set_xticks(places, [f"{100 * share:g} %" for share in shares])
    ax.set(xlabel=f"captions that name the {group}", ylabel="score", ylim=(-0.05, 1.05))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def against_coverage(table: pd.DataFrame, trend: Trend) -> Figure:
    """Draw every group's score of `concept_tables.over_seeds` by its coverage, and the trend."""
    figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    colors = plt.get_cmap("tab10").colors
    for color, (name, rows) in zip(colors, table.groupby("factor"), strict=True):
        style = {"s": 16, "color": color, "alpha": 0.75, "label": name}
        ax.scatter(100 * rows["coverage"], rows[CORRECTED], **style)
    shares = np.geomspace(table["coverage"].min(), table["coverage"].max(), 200)
    concepts = shares * (table["concept_coverage"] / table["coverage"]).mean()
    line, low, high = trend.predict(concepts)
    ax.plot(100 * shares, line, color=COLORS["theory"], label="log-linear fit")
    ax.fill_between(100 * shares, low, high, color=COLORS["theory"], alpha=0.1, lw=0)
    means = table.groupby("coverage")[CORRECTED].mean()
    ax.plot(100 * means.index, means, "k_", ms=14, label="mean of groups")
    ax.set(xscale="log", xlabel="captions that name the group (%)", ylabel="zero-shot score")
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def named_and_held(curves: pd.DataFrame, floor: float) -> Figure:
    """Draw what names reach and what a linear classifier reads (``mcc``), by coverage.

    The floor is what the classifier reads from an encoder that was not trained.
    """
    figure, ax = plt.subplots(figsize=(5.6, 3.2), layout="constrained")
    shares = 100 * curves.index
    ax.plot(shares, curves[CORRECTED], "o-", color=SERIES[0], label="zero-shot score")
    ax.plot(shares, curves["mcc"], "s-", color=SERIES[1], label="linear classifier (MCC)")
    ax.axhline(floor, ls="--", color=COLORS["specific"], label="linear, not trained")
    ax.set(xscale="log", xlabel="captions that name the group (%)", ylim=(-0.05, 1.05))
    ax.legend()
    return figure
