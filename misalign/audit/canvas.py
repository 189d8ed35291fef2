"""How the figures of an audit look: rows of intervals, as SVG in the colours of the page."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import pandas as pd
from matplotlib import rc_context, rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

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
def canvas(names: Iterable[str], rows: int = 1) -> Iterator[tuple[Figure, Axes]]:
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
        yield figure, axes


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
    hollow: Sequence[bool] | None = None,
    shift: float = 0.0,
) -> None:
    """Draw a value and its interval in each row; a value left of `floor` stands on it."""
    value, low, high = (table[name].clip(lower=floor).to_numpy() for name in columns)
    colors = list(colors)
    places = np.arange(len(table)) + shift
    axes.hlines(places, low, high, colors=colors, lw=2)
    hollow = np.zeros(len(table), bool) if hollow is None else np.asarray(hollow)
    faces = ["none" if empty else color for empty, color in zip(hollow, colors, strict=True)]
    axes.scatter(value, places, s=22, facecolors=faces, edgecolors=colors, lw=1.2, zorder=3)


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend above the axes, where it hides nothing."""
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", ncols=3, frameon=False)


def svg(figure: Figure) -> str:
    """Write a figure as an element of a page: no header, no metadata, text in its colour."""
    stream = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    text = stream.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
