"""The color name that a pure hue gets: its nearest neighbor in a palette of matplotlib."""

from __future__ import annotations

from functools import cache

import matplotlib.colors
import numpy as np

# RGB of the pure hues 0, 1/6, ..., 1: red, yellow, green, cyan, blue, magenta, red
CORNERS = np.array(
    [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], dtype=float
)


def lowest(intercepts: np.ndarray, slopes: np.ndarray) -> tuple[list[int], list[float]]:
    """Which of many lines is the lowest, from 0 to 1.

    Parameters
    ----------
    intercepts, slopes : ndarray
        Of the lines, shape (m,).

    Returns
    -------
    list of int, list of float
        The lowest lines in turn, and where each of them but the last gives way to the next.
    """
    winner = int(np.lexsort((slopes, intercepts))[0])
    winners, cuts, here = [winner], [], 0.0
    while True:
        flatter = slopes < slopes[winner]
        meets = np.full(len(slopes), np.inf)
        gap = intercepts[flatter] - intercepts[winner]
        meets[flatter] = np.maximum(gap / (slopes[winner] - slopes[flatter]), here)
        if meets.min() >= 1:
            return winners, cuts
        # of several that meet here the steepest fall is the lowest right after
        winner = int(np.lexsort((slopes, meets))[0])
        here = float(meets[winner])
        winners.append(winner)
        cuts.append(here)


@cache
def named_hues(palette: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Cut the circle of pure hues where the nearest color of a palette changes.

    Pure hues, hsv(h, 1, 1), run along six edges of the RGB cube. On an edge the squared Euclidean
    distances to all colors of a palette differ by linear functions of h, so the nearest ones are
    a lower envelope of lines and the cuts are exact.

    Parameters
    ----------
    palette : str
        Name of a dict of `matplotlib.colors` (Table 9), such as ``"XKCD_COLORS"``.

    Returns
    -------
    tuple of str
        Name of the nearest color in each interval of hues from 0 to 1, without a prefix such as
        "tab:". Of two names for one color it is the later one, "cyan" rather than "aqua", as in
        App. E.2.
    tuple of float
        The cuts between the intervals, one fewer.
    """
    colors = {
        matplotlib.colors.to_rgb(value): name.partition(":")[2] or name
        for name, value in getattr(matplotlib.colors, palette).items()
    }
    points, said = np.array(list(colors)), list(colors.values())
    names: list[str] = []
    cuts: list[float] = []
    for edge, (start, end) in enumerate(zip(CORNERS[:-1], CORNERS[1:], strict=True)):
        away = points - start
        winners, turns = lowest((away**2).sum(1), -2 * away @ (end - start))
        for winner, turn in zip(winners, [0.0, *turns], strict=True):
            if names and names[-1] == said[winner]:
                continue
            if names:
                cuts.append((edge + turn) / 6)
            names.append(said[winner])
    return tuple(names), tuple(cuts)
