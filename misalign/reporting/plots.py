"""The figure vocabulary: heatmaps with spread, bands over seeds, measured against predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from misalign.bias import SETTINGS
from misalign.errors import invalid
from misalign.reporting.summaries import over_seeds
from misalign.style import COLORS, SERIES
from misalign.worlds.numerical import LATENTS

SPLITS = {"test": "in distribution", "ood": "out of distribution"}
LABELS = {"image": r"$\hat{z}_x$", "text": r"$\hat{z}_t$", "m_x": "$m_x$", "m_t": "$m_t$"}
# what panels are told by, in the order of drawing
PANELS = {"modality": ("image", "text"), "latents": LATENTS, "bias": ("selection", "perturbation")}


def label(name: str) -> str:
    """Mathematical label of a factor or modality, such as ``$s_3$`` for ``"s3"``."""
    if name[0] in "sy" and name[1:].isdigit():
        return f"${name[0]}_{{{name[1:]}}}$"
    return LABELS.get(name, name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort factor names without repetition: s1 to s10 by number, m_x, m_t, others by name."""
    by_name = sorted(set(names), key=lambda name: {"m_x": "", "m_t": " "}.get(name, name))
    return sorted(by_name, key=lambda name: int(name[1:]) if name[1:].isdigit() else math.inf)


def cells(ax: Axes, mean: pd.DataFrame, spread: pd.DataFrame | None = None) -> AxesImage:
    """Draw a table of scores as colors, each cell with its mean and, if not 0.00, its spread."""
    image = ax.imshow(mean, vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(mean.to_numpy()):
        if np.isnan(value):
            continue
        style = {"ha": "center", "va": "center", "color": "white" if value < 0.6 else "black"}
        above = 0 if spread is None else 0.14
        # adding 0.0 turns a rounded -0.0 into 0.0
        ax.text(column, row - above, f"{round(value, 2) + 0.0:.2f}", fontsize=8, **style)
        if spread is not None and spread.iat[row, column] >= 0.005:  # less would read as 0.00
            ax.text(column, row + 0.28, f"±{spread.iat[row, column]:.2f}", fontsize=6.5, **style)
    ax.set_xticks(range(mean.shape[1]), mean.columns)
    ax.set_yticks(range(mean.shape[0]), [label(str(name)) for name in mean.index])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return image


def heatmap(
    ax: Axes, summary: pd.DataFrame, rows: Sequence[object], title: str = "", by: str = "factor"
) -> None:
    """Draw scores by factor and setting: each cell's mean and, if it is not 0.00, its spread.

    `summary` has rows of `misalign.reporting.summaries.over_seeds` that differ in the setting and
    in the column `by` only (a ValueError if not); `rows` are the values of `by`, from the top.
    """
    if twice := summary.duplicated(["setting", by]).sum():
        raise invalid("summary", f"one row a setting and {by}", f"{twice} more")
    table = summary.pivot(index=by, columns="setting", values=["mean", "spread"]).reindex(rows)
    cells(ax, table["mean"], table["spread"])
    ax.set_title(title)


def heatmaps(
    scores: pd.DataFrame,
    factors: Sequence[str] = (),
    metric: str = "$R^2$",
    panels: tuple[str, str] = ("latents", "modality"),
) -> Figure:
    """Draw four heatmaps, by default as in Figure 3: both kinds of latents, both modalities.

    `scores` are rows of the records that differ in seed, setting, factor and what tells the panels
    only; `factors` are the heatmaps' rows, from the top, by default all, as `in_order`. `panels` is
    what those of a column and those of a row differ in: ``"modality"`` and one of ``"latents"`` and
    ``"bias"`` (Figures 6, 8, 13 and 17 to 19).
    """
    factors = list(factors) or in_order(scores["factor"])
    size = {"figsize": (9.5, 2.4 + 0.55 * len(factors)), "layout": "constrained"}
    figure, axes = plt.subplots(2, 2, **size, sharey=True)
    summary = over_seeds(scores)
    kind, noun = ("latents", "semantics") if "latents" in panels else ("bias", "bias")
    for place, ax in np.ndenumerate(axes):
        which = {name: PANELS[name][at] for name, at in zip(panels, place, strict=True)}
        chosen = (summary[list(which)] == pd.Series(which)).all(axis=1)
        title = f"{label(which['modality'])}, {which[kind]} {noun}"
        heatmap(ax, summary[chosen], factors, title)
    figure.supxlabel("setting")
    bar = figure.colorbar(axes[0, 0].images[0], ax=axes, shrink=0.4, aspect=30, pad=0.02)
    bar.set_label(f"mean {metric}")
    return figure


def by_width(
    scores: pd.DataFrame, titles: dict[tuple[str, str], str], ticks: Sequence[object]
) -> Figure:
    """Draw a phase diagram: scores of one factor by setting and width of the representation.

    `scores` are rows of the records, of one modality, probe, target and factor. `titles` names each
    panel by its bias and kind of latents, three a row in this order, the least width at the bottom;
    `ticks` are what the settings stand for. Cells are as in `heatmap`.
    """
    rows = math.ceil(len(titles) / 3)
    figure = plt.figure(figsize=(9.5, 2.7 * rows), layout="constrained")
    summary = over_seeds(scores)
    widths = sorted(summary["encoding_size"].unique(), reverse=True)
    for place, ((bias, latents), title) in enumerate(titles.items(), start=1):
        ax = figure.add_subplot(rows, 3, place)
        panel = summary[(summary["bias"] == bias) & (summary["latents"] == latents)]
        heatmap(ax, panel, widths, title, "encoding_size")
        ax.set_xticks(range(len(ticks)), ticks)
        ax.tick_params(labelleft=place % 3 == 1)
    figure.supylabel("width of the representation")
    return figure


def diagonal(
    ax: Axes, rows: pd.DataFrame, x: str, y: str, limits: tuple[float, float], size: float
) -> None:
    """Draw a column against another, points colored by `status`, and the line of equality."""
    ax.plot(limits, limits, color=COLORS["theory"], lw=0.8, zorder=0)
    for state in ("unbiased", "perturbed", "omitted", "specific"):
        part = rows[rows["status"] == state]
        if len(part):
            # specific factors lie on omitted ones at 0: smaller, so that both are seen
            area = size / 3 if state == "specific" else size
            style = {"s": area, "alpha": 0.4, "lw": 0, "color": COLORS[state]}
            ax.scatter(part[x], part[y], **style, label=state)
    ax.set(xlim=limits, ylim=limits, aspect="equal")


def against_theory(scores: pd.DataFrame, metric: str = "$R^2$") -> Figure:
    """Draw measured against predicted scores, one point a run, modality and factor.

    `scores` have a `status`, such as `misalign.reporting.summaries.latents` has, which colors
    points; each kind of latents has a panel. Rows without an oracle are left out. `metric` names
    the score.
    """
    known = scores.dropna(subset=["oracle"])
    limits = (min(0.0, known["score"].min()) - 0.07, 1.05)
    there = list(dict.fromkeys(known["latents"]))
    kinds = [kind for kind in LATENTS if kind in there] or there
    size = {"figsize": (4.3 * len(kinds), 4.2), "layout": "constrained"}
    figure, axes = plt.subplots(1, len(kinds), **size, squeeze=False)
    for ax, latents in zip(axes[0], kinds, strict=True):
        diagonal(ax, known[known["latents"] == latents], "oracle", "score", limits, 9)
        title = f"{latents} semantics" if latents in LATENTS else ""
        ax.set(title=title, xlabel=f"predicted {metric}")
    axes[0, 0].set_ylabel(f"measured {metric}")
    for handle in axes[0, -1].legend(loc="lower right", markerscale=2).legend_handles:
        handle.set_alpha(1)
    return figure


def band(ax: Axes, xs: Sequence, line: pd.DataFrame, color: str, name: str) -> None:
    """Draw a line of `mean` in a band of one `spread`, which is none where it is unknown."""
    mean, spread = line["mean"], line["spread"].fillna(0)
    ax.fill_between(xs, mean - spread, mean + spread, color=color, alpha=0.2, lw=0)
    ax.plot(xs, mean, color=color, marker="o", ms=4, label=name)


def by_setting(scores: pd.DataFrame, title: str = "$R^2$") -> Figure:
    """Draw scores against the setting: a line a factor, a panel a bias and kind of latents.

    `scores` are rows of the records, of one variant, modality, probe, target and metric; one line
    also for each split. Lines are means over seeds, bands the standard deviation, dashes the
    oracle.
    """
    summary = over_seeds(scores)
    biases = [name for name in SETTINGS if (summary["bias"] == name).any()]
    kinds = [kind for kind in LATENTS if (summary["latents"] == kind).any()]
    size = {"figsize": (4.6 * len(kinds), 3 * len(biases)), "layout": "constrained"}
    shared = {"squeeze": False, "sharey": True, "sharex": True}
    figure, axes = plt.subplots(len(biases), len(kinds), **size, **shared)
    lines = list(dict.fromkeys(zip(summary["factor"], summary["split"], strict=True)))
    if len(lines) > len(SERIES):
        raise invalid("scores", f"at most {len(SERIES)} lines", len(lines))
    for (row, column), ax in np.ndenumerate(axes):
        panel = (summary["bias"] == biases[row]) & (summary["latents"] == kinds[column])
        for color, (factor, split) in zip(SERIES, lines, strict=False):
            chosen = panel & (summary["factor"] == factor) & (summary["split"] == split)
            line = summary[chosen].sort_values("setting")
            name = label(factor) if len({f for f, _ in lines}) > 1 else SPLITS[split]
            band(ax, line["setting"], line, color, name)
            ax.plot(line["setting"], line["oracle"], color=color, ls="--", lw=1)
        ax.set(title=f"{biases[row]} bias, {kinds[column]} semantics", ylabel=title)
        ax.set(xticks=sorted(summary["setting"].unique()), xlabel="setting")
        ax.label_outer()
    axes[0, 0].legend()
    return figure
