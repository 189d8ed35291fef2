"""A confusion matrix as a picture."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from misalign.style import STYLE

MOST = 25  # concepts whose numbers can be read


def confusion_matrix(counts: pd.DataFrame, title: str = "") -> Figure:
    """Draw which concept is taken for which, from numbers of pictures: true ones in rows.

    Colours and numbers are shares of a row, so the diagonal is the recall; a row without pictures
    is left blank, as are numbers that would read 0.00.
    """
    shares = counts.div(counts.sum(axis=1), axis=0).to_numpy()  # of none, not a number
    side = 1.6 + 0.42 * len(counts)
    with plt.style.context(STYLE):
        figure = Figure(figsize=(side + 1, side), layout="constrained")
        ax = figure.add_subplot()
        picture = ax.imshow(shares, vmin=0, vmax=1)
        ax.set_xticks(range(len(counts)), counts.columns, rotation=45, ha="right")
        ax.set_yticks(range(len(counts)), counts.index)
        ax.tick_params(length=0)
        ax.spines[:].set_visible(False)
        ax.set(title=title, xlabel="taken for", ylabel="is")
        figure.colorbar(picture, label="share of the concept's pictures", shrink=0.8)
    for (row, column), share in np.ndenumerate(shares):
        if len(counts) <= MOST and share >= 0.005:
            style = {"ha": "center", "va": "center", "color": "white" if share < 0.6 else "black"}
            ax.text(column, row, f"{share:.2f}", fontsize=7, **style)
    return figure
