"""Figures of the image studies: scores against the paper's, curves, and pictures in rows."""

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
from misalign.reporting.plots import band
from misalign.style import COLORS, SERIES


def curves(
    ax: Axes, scores: pd.DataFrame, x: str, by: str, names: dict[object, str], xs: Sequence = ()
) -> None:
    """Draw scores against the column `x`: a line a value of the column `by`, bands for the spread.

    `names` has the label of each line by its value, in the order of drawing; `xs`, what the sorted
    values of `x` stand for, by default themselves.
    """
    places = sorted(scores[x].unique())
    shown = dict(zip(places, xs or places, strict=True))
    for color, (value, name) in zip(SERIES, names.items(), strict=False):
        chosen = scores[scores[by] == value].groupby(x)["score"]
        line = chosen.agg(mean="mean", spread="std")
        band(ax, [shown[one] for one in line.index], line, color, name)


def nearest(z: Tensor, queries: Sequence[int], count: int) -> Tensor:
    """Find the rows whose representations, (n, size), are nearest to some of them, in order.

    Gives indices, shape (queries, count), each row's own left out; `count` is less than n, or it is
    a ValueError.
    """
    if count >= len(z):
        raise invalid("count", f"fewer than {len(z)} rows", count)
    chosen = torch.as_tensor(list(queries))
    distances = torch.cdist(z[chosen].double(), z.double())
    distances[torch.arange(len(chosen)), chosen] = torch.inf
    return distances.topk(count, largest=False).indices


def rows_of_pictures(images: Tensor, rows: Tensor) -> Figure:
    """Show pictures in rows, the first of each set apart.

    Pictures, shape (n, 3, H, W), are in [0, 1] or bytes; `rows` has their indices, (rows, columns).
    """
    count, columns = rows.shape
    size = {"figsize": (1.25 * columns, 1.3 * count), "layout": "constrained"}
    figure, axes = plt.subplots(count, columns, **size, squeeze=False)
    for (row, column), ax in np.ndenumerate(axes):
        ax.imshow(images[rows[row, column]].permute(1, 2, 0).numpy(), interpolation="nearest")
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(color=COLORS["omitted"], linewidth=2.5, visible=column == 0)
    return figure
