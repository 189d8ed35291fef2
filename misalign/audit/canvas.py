"""How the figures of an audit look: rows of intervals, as SVG in the colours of the page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from numpy.typing import ArrayLike

from misalign.audit.words import percent
from misalign.style import use_style

WIDTH = 5.4  # inches: text can still be read on a phone
INK = "#010203"  # stands for the colour of the page's text
STYLE = dict.fromkeys(
    ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
)
STYLE |= {
    "font.size": 9,
    "legend.fontsize": 8.5,
    # names come from users: no formulas in them, and whatever alphabet the reader's browser has
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "misalign",
}


@contextmanager
def canvas(names: Iterable[str], rows: float = 1) -> Iterator[Axes]:
    """Open axes with a row for each name, the first on top, in the book's look."""
    names = [name if len(name) <= 40 else f"{name[:39]}…" for name in names]
    with rc_context(), warnings.catch_warnings():
        # the browser has the glyphs that the font of the measurement lacks
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        use_style()
        rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH, 0.9 + 0.23 * rows * len(names)), layout="constrained")
        axes = figure.subplots()
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.hlines(range(len(names)), 0, 1, transform=axes.get_yaxis_transform(), lw=0.4,
                    color=INK, alpha=0.2, zorder=0)  # fmt: skip
        yield axes


def log_axis(axes: Axes, shares: Sequence[pd.Series], limit: float, captions: int) -> float:
    """Make the horizontal axis logarithmic, with a limit in dashes; returns its left edge."""
    values = np.concatenate([share[share > 0] for share in shares] + [[limit / 3, 1 / captions]])
    floor = 10 ** np.floor(np.log10(values.min()))
    axes.set_xscale("log")
    axes.set_xlim(floor * 0.8, 1.2)
    axes.xaxis.set_major_locator(LogLocator(numticks=6))
    axes.xaxis.set_minor_locator(NullLocator())
    per_cent(axes, "captions")
    axes.axvline(limit, color=INK, ls="--", lw=0.8)
    return float(floor)


def per_cent(axes: Axes, of: str) -> None:
    """Write the horizontal axis in per cent."""
    axes.xaxis.set_major_formatter(lambda share, _: percent(share).removesuffix(" %"))
    axes.set_xlabel(f"% of {of}")


def bars(
    axes: Axes,
    table: pd.DataFrame,
    columns: tuple[str, str, str],
    colors: Iterable[str],
    *,
    floor: float | None = None,
    hollow: ArrayLike = False,
    shift: float = 0.0,
) -> None:
    """Draw a value and its interval in each row; a value left of `floor` stands on it."""
    value, low, high = (table[name].clip(lower=floor).to_numpy() for name in columns)
    colors, places = list(colors), np.arange(len(table)) + shift
    axes.hlines(places, low, high, colors=colors, lw=2)
    faces = np.where(hollow, "none", colors)
    axes.scatter(value, places, s=22, facecolors=faces, edgecolors=colors, lw=1.2, zorder=3)


def key(axes: Axes, colors: Mapping[str, str]) -> None:
    """Say in the legend what the colours of bars mean."""
    for name, color in colors.items():
        axes.plot([], [], color=color, marker="o", ms=4, lw=2, label=name)


def svg(axes: Axes) -> str:
    """Write a figure as an element of a page: no header, no metadata, text in its colour."""
    figure, stream = axes.figure, io.StringIO()
    if axes.get_legend_handles_labels()[0]:  # above the axes, where it hides nothing
        figure.legend(loc="outside upper left", ncols=3, frameon=False)
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
