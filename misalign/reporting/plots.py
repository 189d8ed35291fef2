"""The figure vocabulary: maps of scores, ours beside the paper, measured against predicted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

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
GRID = {"layout": "constrained", "squeeze": False, "sharex": True, "sharey": True}
STATES = {"lost": "none", "in part": "left", "kept": "full"}  # and how their circles are filled
LABELS = {"image": r"$\hat{z}_x$", "text": r"$\hat{z}_t$", "m_x": "$m_x$", "m_t": "$m_t$"}


def label(name: str) -> str:
    """Mathematical label of a factor or modality, such as ``$s_3$`` for ``"s3"``."""
    if name[0] in "sy" and name[1:].isdigit():
        return f"${name[0]}_{{{name[1:]}}}$"
    return LABELS.get(name, name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sort factor names without repetition: s1 to s10 by number, m_x, m_t, others by name."""
    by_name = sorted(set(names), key=lambda name: {"m_x": "", "m_t": " "}.get(name, name))
    return sorted(by_name, key=lambda name: int(name[1:]) if name[1:].isdigit() else math.inf)


def heatmap(ax: Axes, summary: pd.DataFrame, rows: Sequence[str], title: str = "") -> AxesImage:
    """Draw scores by factor and setting: each cell's mean and, if it is not 0.00, its spread.

    `summary` has rows of `misalign.reporting.summaries.over_seeds` that differ in setting and
    factor only (a ValueError if not); `rows` are the factors, from the top.
    """
    if twice := summary.duplicated(["setting", "factor"]).sum():
        raise invalid("summary", "one row a setting and factor", f"{twice} more")
    table = summary.pivot(index="factor", columns="setting").reindex(rows)
    image = ax.imshow(table["mean"], vmin=0, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(table["mean"]):
        if np.isnan(value):
            continue
        style = {"ha": "center", "va": "center", "color": "white" if value < 0.6 else "black"}
        # adding 0.0 turns a rounded -0.0 into 0.0
        ax.text(column, row - 0.14, f"{round(value, 2) + 0.0:.2f}", fontsize=8, **style)
        if (spread := table["spread"].iat[row, column]) >= 0.005:  # less would read as 0.00
            ax.text(column, row + 0.28, f"±{spread:.2f}", fontsize=6.5, **style)
    ax.set_xticks(range(table["mean"].shape[1]), table["mean"].columns)
    ax.set_yticks(range(len(table)), [label(name) for name in rows])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return image


def heatmaps(scores: pd.DataFrame, factors: Sequence[str], metric: str) -> Figure:
    """Draw four heatmaps (Figures 6, 8, 13 and 17 to 19): modalities in rows, biases in columns.

    `scores` are rows of the records that differ in seed, setting, factor, modality and bias only;
    `factors` are the heatmaps' rows, from the top.
    """
    size = {"figsize": (9.5, 2.4 + 0.55 * len(factors)), "layout": "constrained"}
    figure, axes = plt.subplots(2, 2, **size, sharey=True)
    summary = over_seeds(scores)
    for (row, column), ax in np.ndenumerate(axes):
        side, bias = ("image", "text")[row], SETTINGS[column]
        chosen = (summary["modality"] == side) & (summary["bias"] == bias)
        image = heatmap(ax, summary[chosen], factors, f"{label(side)}, {bias} bias")
    figure.supxlabel("setting")
    figure.colorbar(image, ax=axes, shrink=0.4, aspect=30, pad=0.02, label=f"mean {metric}")
    return figure


def staircases(rows: pd.DataFrame, miss: bool = False) -> Figure:
    """Draw means over seeds and modalities by factor and setting (Figures 3 and 9 to 11).

    `rows` are as from `misalign.reporting.summaries.latents`; biases are in rows of panels, kinds
    of latents in columns. Drawn is the score or, with `miss`, how far it is above its oracle; a
    line is around what is unbiased.
    """
    value = rows["score"] - rows["oracle"] if miss else rows["score"]
    rows = rows.assign(value=value, kept=1.0 * (rows["status"] == "unbiased"))
    figure, axes = plt.subplots(2, 2, figsize=(5.4, 6), **GRID)
    colors = {"cmap": "RdBu", "vmin": -0.1, "vmax": 0.1} if miss else {"vmin": 0, "vmax": 1}
    for (row, column), ax in np.ndenumerate(axes):
        panel = rows[(rows["bias"] == SETTINGS[row]) & (rows["latents"] == LATENTS[column])]
        table = panel.pivot_table(["value", "kept"], "factor", "setting")
        means, kept = (table.loc[in_order(table.index)][name] for name in ("value", "kept"))
        image = ax.imshow(means, aspect="auto", **colors)
        line = {"colors": COLORS["theory" if miss else "omitted"], "extent": image.get_extent()}
        # of squares of 40 by 40, else corners are cut
        ax.contour(np.kron(kept, np.ones((40, 40))), [0.5], origin="upper", **line)
        ax.set_xticks(range(means.shape[1]), means.columns)
        ax.set_yticks(range(len(means)), [label(name) for name in means.index])
        ax.set_title(f"{SETTINGS[row]} bias,\n{LATENTS[column]}", fontsize=10)
        ax.tick_params(length=0, labelsize=9)
        ax.set_xlabel("setting" if row else "")
    style = {"location": "bottom", "aspect": 40, "ticks": np.linspace(*image.get_clim(), 5)}
    style["label"] = "measured less predicted $R^2$" if miss else "mean $R^2$"
    figure.colorbar(image, ax=axes, **style)
    return figure


def dumbbells(table: pd.DataFrame, by: str, names: Sequence[str], metric: str = "$R^2$") -> Figure:
    """Draw our scores and the paper's, means over both encoders, joined by a line.

    `table` is of `misalign.reporting.summaries.compare_with_paper` or `beside_paper`. Panels of a
    row differ in the column `by`, those of a column in the probe. `names` are the factors, from the
    top, each with its settings in order; what captions state correctly is shaded.
    """
    table = table.assign(setting=table.get("setting", 1))
    step = 1 / table["setting"].nunique()
    size = (5.4, 2 + 0.5 * len(names) * max(0.8, 0.2 / step))
    figure, axes = plt.subplots(2, 2, **GRID | {"figsize": size})
    kinds = sorted(table[by].unique(), reverse=True)  # independent and selection are first
    panels = product(("nonlinear", "linear"), kinds)
    for ax, (probe, kind) in zip(axes.flat, panels, strict=True):
        panel = table[(table["probe"] == probe) & (table[by] == kind)]
        cells = panel.groupby(["factor", "setting"])
        means = cells[["ours", "paper"]].mean()
        places = np.array([names.index(name) + (at - 0.5) * step for name, at in means.index])
        for place in places[cells["status"].first() == "unbiased"]:
            ax.axhspan(place - step / 2, place + step / 2, color="#e6eef5", lw=0)
        ax.hlines(places, *means.to_numpy().T, color="k", lw=1)
        style = {"linestyle": "none", "markersize": 3 + 3 * step}
        ax.plot(means["ours"], places, "o", color=SERIES[0], label="ours", **style)
        ax.plot(means["paper"], places, "kD", fillstyle="none", label="paper", **style)
        ax.set_yticks(np.arange(len(names)) + 0.5, [label(name) for name in names])
        ax.set(xlim=(-0.1, 1.1), xticks=(0, 0.5, 1), ylim=(len(names), 0))
        ax.set_title(f"{kind},\n{probe} probe", fontsize=10)
    figure.supxlabel(metric, fontsize=10)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


def by_width(
    scores: pd.DataFrame, titles: dict[tuple[str, str], str], ticks: Sequence[object]
) -> Figure:
    """Draw a phase diagram: one factor is kept (0.9 or more), lost (within 0.1 of 0) or in between.

    `scores` are rows of the records, of one modality, probe, target and factor. `titles` names each
    panel by its bias and kind of latents, two a row, the least width at the bottom; `ticks` are
    what the settings stand for. The first panel's least width, the theorem's, is outlined.
    """
    figure = plt.figure(figsize=(5.4, 0.7 + 0.85 * len(titles)), layout="constrained")
    summary = over_seeds(scores)
    for place, ((bias, latents), title) in enumerate(titles.items(), start=1):
        ax = figure.add_subplot(math.ceil(len(titles) / 2), 2, place, title=title)
        panel = summary[(summary["bias"] == bias) & (summary["latents"] == latents)]
        table = panel.pivot(index="encoding_size", columns="setting", values="mean")[::-1]
        state = (table.abs() > 0.1) * 1 + (table >= 0.9)
        ax.imshow(state, cmap="Blues", vmin=0, vmax=4, aspect="auto")
        for code, (name, fill) in enumerate(STATES.items()):
            ys, xs = np.nonzero(state == code)
            ax.plot(xs, ys, "ko", ms=9, fillstyle=fill, markerfacecoloralt="white", label=name)
        ax.set_xticks(range(len(ticks)), ticks)
        ax.set_yticks(range(len(table)), table.index)
        if place == 1:
            outline = {"fill": False, "ec": COLORS["omitted"], "lw": 3, "clip_on": False}
            ax.axhspan(len(table) - 1.5, len(table) - 0.5, label="the theorem's cells", **outline)
            figure.legend(loc="outside upper center", ncols=4, columnspacing=1)
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
    size = {"figsize": (3 * len(kinds), 3.3), "layout": "constrained"}
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
    size = (4.6 * len(kinds), 3 * len(biases))
    figure, axes = plt.subplots(len(biases), len(kinds), figsize=size, **GRID)
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
