"""The figure vocabulary: one style, a heatmap with spread, measured against predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from misalign.bias import SETTINGS, Bias
from misalign.errors import invalid
from misalign.records import SCORES
from misalign.style import COLORS, SERIES
from misalign.worlds.numerical import LATENTS

SPLITS = {"test": "in distribution", "ood": "out of distribution"}
LABELS = {"image": r"$\hat{z}_x$", "text": r"$\hat{z}_t$", "m_x": "$m_x$", "m_t": "$m_t$"}


def status(factor: str, bias: Bias, semantic: Sequence[str] = ()) -> str:
    """What captions do to a factor: a key of `COLORS`.

    Parameters
    ----------
    factor : str
        Such as ``"s3"``, ``"m_x"`` or ``"noise"``.
    bias : Bias
        Of the world.
    semantic : sequence of str, optional
        Names of the semantic factors in the order of the bias's indices; by default s1, s2, ...

    Returns
    -------
    {"unbiased", "perturbed", "omitted", "specific"}
    """
    names = list(semantic) or [f"s{i}" for i in range(1, bias.n + 1)]
    if factor not in names:
        return "specific"
    index = names.index(factor) + 1
    sets = (("unbiased", bias.unbiased), ("perturbed", bias.perturbed), ("omitted", bias.omitted))
    return next(name for name, members in sets if index in members)


def label(name: str) -> str:
    """Mathematical label of a factor or modality, such as ``$s_3$`` for ``"s3"``."""
    if name[0] in "sy" and name[1:].isdigit():
        return f"${name[0]}_{{{name[1:]}}}$"
    return LABELS.get(name, name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort factor names without repetition: s1 to s10 by number, m_x, m_t, others by name."""
    last = {"m_x": 1, "m_t": 2}

    def place(name: str) -> tuple[int, int, str]:
        if name[1:].isdigit():
            return 0, int(name[1:]), name
        return last.get(name, 3), 0, name

    return sorted(set(names), key=place)


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of scores over seeds.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records.

    Returns
    -------
    DataFrame
        One row for scores that differ in nothing but the seed, with `mean`, `spread` (the standard
        deviation over seeds), `oracle` (its mean) and `seeds`.
    """
    keys = [name for name in SCORES[1:-2] if name != "seed"]
    grouped = scores.groupby(keys, sort=False)
    return grouped.agg(
        mean=("score", "mean"),
        spread=("score", "std"),
        oracle=("oracle", "mean"),
        seeds=("seed", "nunique"),
    ).reset_index()


def heatmap(ax: Axes, summary: pd.DataFrame, factors: list[str], title: str = "") -> None:
    """Draw scores by factor and setting: each cell's mean and, if it is not 0.00, its spread.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    summary : DataFrame
        Rows of `over_seeds` that differ in setting and factor only.
    factors : list of str
        Rows of the heatmap, from the top.
    title : str, optional
        Above the axes.

    Raises
    ------
    ValueError
        If a cell would have more than one value.
    """
    twice = summary.duplicated(["setting", "factor"])
    if twice.any():
        raise invalid("summary", "one row a setting and factor", f"{twice.sum()} more")
    table = summary.pivot(index="factor", columns="setting", values=["mean", "spread"])
    mean, spread = (table[name].reindex(factors).to_numpy() for name in ("mean", "spread"))
    columns = table["mean"].columns
    _cells(ax, mean, spread, columns, [label(name) for name in factors], title)


def _cells(
    ax: Axes,
    mean: np.ndarray,
    spread: np.ndarray,
    columns: Iterable[object],
    rows: Iterable[object],
    title: str,
) -> None:
    """Draw a table of scores as colors, each cell with its mean and, if not 0.00, its spread."""
    ax.imshow(mean, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(mean):
        if np.isnan(value):
            continue
        color = "white" if value < 0.6 else "black"
        # adding 0.0 turns a rounded -0.0 into 0.0
        text = f"{round(value, 2) + 0.0:.2f}"
        ax.text(column, row - 0.14, text, ha="center", va="center", color=color, fontsize=8)
        if spread[row, column] >= 0.005:  # less would read as 0.00
            text = f"±{spread[row, column]:.2f}"
            ax.text(column, row + 0.28, text, ha="center", va="center", color=color, fontsize=6.5)
    ax.set_xticks(range(mean.shape[1]), columns)
    ax.set_yticks(range(mean.shape[0]), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)


def heatmaps(scores: pd.DataFrame) -> Figure:
    """Draw Figure 3's four panels: both kinds of latents, both modalities.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records, of one variant, bias, probe and target.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(2, 2, figsize=(9.5, 9), layout="constrained", sharey=True)
    summary = over_seeds(scores)
    for row, latents in zip(axes, LATENTS, strict=True):
        for ax, modality in zip(row, ("image", "text"), strict=True):
            chosen = (summary["latents"] == latents) & (summary["modality"] == modality)
            title = f"{label(modality)}, {latents} semantics"
            heatmap(ax, summary[chosen], in_order(scores["factor"]), title)
    figure.supxlabel("setting")
    bar = figure.colorbar(axes[0, 0].images[0], ax=axes, shrink=0.4, aspect=30, pad=0.02)
    bar.set_label("mean $R^2$")
    return figure


def by_width(
    scores: pd.DataFrame, titles: dict[tuple[str, str], str], ticks: Iterable[object]
) -> Figure:
    """Draw a phase diagram: scores of one factor by setting and width of the representation.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records, of one modality, probe, target and factor.
    titles : dict of (str, str) to str
        Title of each panel by its bias and kind of latents, in the order to draw them.
    ticks : iterable
        What the settings stand for, in their order.

    Returns
    -------
    Figure
        Three panels a row, the least width at the bottom; cells are means over seeds, and their
        standard deviation where it is not 0.00.
    """
    rows = math.ceil(len(titles) / 3)
    size = {"figsize": (9.5, 2.7 * rows), "layout": "constrained"}
    figure, axes = plt.subplots(rows, 3, **size, sharey=True, squeeze=False)
    summary = over_seeds(scores)
    for ax in axes.flat[len(titles) :]:
        ax.remove()
    for ax, ((bias, latents), title) in zip(axes.flat, titles.items(), strict=False):
        panel = summary[(summary["bias"] == bias) & (summary["latents"] == latents)]
        table = panel.pivot(index="encoding_size", columns="setting", values=["mean", "spread"])
        table = table.sort_index(ascending=False)
        mean, spread = (table[name].to_numpy() for name in ("mean", "spread"))
        _cells(ax, mean, spread, ticks, table.index, title)
    figure.supylabel("width of the representation")
    return figure


def against_theory(scores: pd.DataFrame, metric: str = "$R^2$") -> Figure:
    """Draw measured against predicted scores, one point a run, modality and factor.

    Parameters
    ----------
    scores : DataFrame
        Rows with a `status`, such as `misalign.reporting.summaries.latents` has; those without an
        oracle are left out.
    metric : str, optional
        Name of the score.

    Returns
    -------
    Figure
        A panel for each kind of latents, points coloured by what captions do to the factor.
    """
    known = scores.dropna(subset=["oracle"])
    limits = (min(0.0, known["score"].min()) - 0.07, 1.05)
    there = list(dict.fromkeys(known["latents"]))
    kinds = [kind for kind in LATENTS if kind in there] or there
    figure, axes = plt.subplots(
        1, len(kinds), figsize=(4.3 * len(kinds), 4.2), layout="constrained", squeeze=False
    )
    for ax, latents in zip(axes[0], kinds, strict=True):
        ax.plot(limits, limits, color=COLORS["theory"], lw=0.8, zorder=0)
        for state in ("unbiased", "perturbed", "omitted", "specific"):
            rows = known[(known["latents"] == latents) & (known["status"] == state)]
            if len(rows):
                # specific factors lie on omitted ones at 0: smaller, so that both are seen
                style = {"s": 3 if state == "specific" else 9, "alpha": 0.4, "lw": 0}
                style |= {"label": state, "color": COLORS[state]}
                ax.scatter(rows["oracle"], rows["score"], **style)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set_title(f"{latents} semantics" if latents in LATENTS else "")
        ax.set_xlabel(f"predicted {metric}")
    axes[0, 0].set_ylabel(f"measured {metric}")
    for handle in axes[0, -1].legend(loc="lower right", markerscale=2).legend_handles:
        handle.set_alpha(1)
    return figure


def by_setting(scores: pd.DataFrame, title: str = "$R^2$") -> Figure:
    """Draw scores against the setting: a line a factor, a panel a bias and kind of latents.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records, of one variant, modality, probe, target and metric; one line also for
        each split.
    title : str, optional
        Label of the vertical axes.

    Returns
    -------
    Figure
        Lines are means over seeds, bands the standard deviation, dashes the oracle.
    """
    summary = over_seeds(scores)
    biases = [name for name in SETTINGS if (summary["bias"] == name).any()]
    kinds = [kind for kind in LATENTS if (summary["latents"] == kind).any()]
    shape = {"figsize": (4.6 * len(kinds), 3 * len(biases)), "layout": "constrained"}
    figure, axes = plt.subplots(
        len(biases), len(kinds), **shape, squeeze=False, sharey=True, sharex=True
    )
    lines = list(dict.fromkeys(zip(summary["factor"], summary["split"], strict=True)))
    if not len(lines) <= len(SERIES):
        raise invalid("scores", f"at most {len(SERIES)} lines", len(lines))
    for (row, column), ax in np.ndenumerate(axes):
        panel = (summary["bias"] == biases[row]) & (summary["latents"] == kinds[column])
        for color, (factor, split) in zip(SERIES, lines, strict=False):
            chosen = panel & (summary["factor"] == factor) & (summary["split"] == split)
            line = summary[chosen].sort_values("setting")
            spread = line["spread"].fillna(0)
            ax.fill_between(
                line["setting"],
                line["mean"] - spread,
                line["mean"] + spread,
                color=color,
                alpha=0.2,
                lw=0,
            )
            name = label(factor) if len({f for f, _ in lines}) > 1 else SPLITS[split]
            ax.plot(line["setting"], line["mean"], color=color, marker="o", ms=3, label=name)
            ax.plot(line["setting"], line["oracle"], color=color, ls="--", lw=1)
        ax.set_title(f"{biases[row]} bias, {kinds[column]} semantics")
        ax.set_xticks(sorted(summary["setting"].unique()))
    for ax in axes[-1]:
        ax.set_xlabel("setting")
    for ax in axes[:, 0]:
        ax.set_ylabel(title)
    axes[0, 0].legend()
    return figure
