"""Figures of the image studies: scores by setting, beside the paper's, and pictures in rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from misalign.errors import invalid
from misalign.paths import REFERENCE
from misalign.reporting.plots import heatmap, label, over_seeds
from misalign.style import COLORS, SERIES

BIASES = ("selection", "perturbation")
MODALITIES = ("image", "text")
POINT = ["bias", "setting", "modality", "probe", "factor"]


def panels(scores: pd.DataFrame, factors: Sequence[str], metric: str = "MCC") -> Figure:
    """Draw four heatmaps: both biases, both modalities (Figures 6, 8, 13 and 17 to 19).

    Parameters
    ----------
    scores : DataFrame
        Rows of the records, one a seed, setting, bias, modality and factor.
    factors : sequence of str
        Rows of the heatmaps, from the top.
    metric : str, optional
        Name of the score.

    Returns
    -------
    Figure
        Cells are means over seeds, and their standard deviation where it is not 0.00.
    """
    size = (9.5, 1.2 + 0.72 * len(factors))
    figure, axes = plt.subplots(2, 2, figsize=size, layout="constrained", sharey=True)
    summary = over_seeds(scores)
    for row, modality in zip(axes, MODALITIES, strict=True):
        for ax, bias in zip(row, BIASES, strict=True):
            chosen = (summary["modality"] == modality) & (summary["bias"] == bias)
            heatmap(ax, summary[chosen], list(factors), f"{label(modality)}, {bias} bias")
    figure.supxlabel("setting")
    bar = figure.colorbar(axes[0, 0].images[0], ax=axes, shrink=0.4, aspect=30, pad=0.02)
    bar.set_label(f"mean {metric}")
    return figure


def beside_paper(scores: pd.DataFrame) -> pd.DataFrame:
    """Put recorded means beside what Figures 6 and 13 print.

    Parameters
    ----------
    scores : DataFrame
        Rows of the records of MPI3D, in the figures' set-up, with a column `status`.

    Returns
    -------
    DataFrame
        One row a bias, setting, modality, probe and factor: `ours`, `paper` and `status`.
    """
    printed = pd.read_csv(REFERENCE / "mpi3d_mcc.csv").set_index(POINT)["score"]
    ours = scores.groupby([*POINT, "status"])["score"].mean().reset_index("status")
    table = ours.rename(columns={"score": "ours"}).join(printed.rename("paper"), how="inner")
    return table.reset_index()


def against_paper(table: pd.DataFrame) -> Figure:
    """Draw recorded against printed means, a panel a probe.

    Parameters
    ----------
    table : DataFrame
        As of `beside_paper`.

    Returns
    -------
    Figure
    """
    figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.3), layout="constrained", sharey=True)
    limits = (-0.06, 1.06)
    for ax, probe in zip(axes, ("nonlinear", "linear"), strict=True):
        ax.plot(limits, limits, color=COLORS["theory"], lw=0.8, zorder=0)
        for state, part in table[table["probe"] == probe].groupby("status", sort=False):
            style = {"s": 22, "alpha": 0.6, "lw": 0, "color": COLORS[state], "label": state}
            ax.scatter(part["paper"], part["ours"], **style)
        ax.set(xlim=limits, ylim=limits, aspect="equal", title=f"{probe} probe")
        ax.set_xlabel("MCC, the paper")
    axes[0].set_ylabel("MCC, ours")
    axes[0].legend(loc="center right")
    return figure


def curves(
    ax: Axes, scores: pd.DataFrame, x: str, by: str, names: dict[object, str], xs: Sequence = ()
) -> None:
    """Draw scores against a column: a line a value of another, bands for the spread.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    scores : DataFrame
        Rows of the records.
    x, by : str
        Columns: along the axis, and one line each.
    names : dict
        Label of each line by its value, in the order of drawing.
    xs : sequence, optional
        What the sorted values of `x` stand for; by default themselves.
    """
    places = sorted(scores[x].unique())
    shown = dict(zip(places, xs or places, strict=True))
    for color, (value, name) in zip(SERIES, names.items(), strict=False):
        line = scores[scores[by] == value].groupby(x)["score"].agg(["mean", "std"])
        at, spread = [shown[one] for one in line.index], line["std"].fillna(0)
        ax.fill_between(at, line["mean"] - spread, line["mean"] + spread, color=color, alpha=0.2)
        ax.plot(at, line["mean"], color=color, marker="o", ms=4, label=name)


def nearest(z: Tensor, queries: Sequence[int], count: int) -> Tensor:
    """Find the rows whose representations are nearest to some, in order.

    Parameters
    ----------
    z : Tensor
        Representations, shape (n, size).
    queries : sequence of int
        Rows to look from.
    count : int
        How many others.

    Returns
    -------
    Tensor
        Indices, shape (queries, count), each row's own left out.
    """
    if not count < len(z):
        raise invalid("count", f"fewer than {len(z)} rows", count)
    chosen = torch.as_tensor(list(queries))
    distances = torch.cdist(z[chosen].double(), z.double())
    distances[torch.arange(len(chosen)), chosen] = torch.inf
    return distances.topk(count, largest=False).indices


def rows_of_pictures(images: Tensor, rows: Tensor) -> Figure:
    """Show pictures in rows, the first of each set apart.

    Parameters
    ----------
    images : Tensor
        In [0, 1] or bytes, shape (n, 3, H, W).
    rows : Tensor
        Indices of the pictures, shape (rows, columns).

    Returns
    -------
    Figure
    """
    count, columns = rows.shape
    figure, axes = plt.subplots(
        count, columns, figsize=(1.25 * columns, 1.3 * count), squeeze=False, layout="constrained"
    )
    for (row, column), ax in np.ndenumerate(axes):
        ax.imshow(images[rows[row, column]].permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.set_xticks([])
        ax.set_yticks([])
        for side in ax.spines.values():
            side.set(color=COLORS["omitted"], linewidth=2.5, visible=column == 0)
    return figure
