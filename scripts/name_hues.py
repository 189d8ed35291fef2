"""Write misalign/data/hues.json: the color names that pure hues get, their nearest neighbors.

python scripts/name_hues.py    when palettes of matplotlib have changed

Pure hues, hsv(h, 1, 1), run along six edges of the RGB cube. On an edge the squared Euclidean
distances to all colors of a palette differ by linear functions of h, so the nearest ones are a
lower envelope of lines and the cuts are exact.
"""

from __future__ import annotations

import json

import matplotlib.colors
import numpy as np

from misalign.paths import DATA_FILES, replacing

TABLE = DATA_FILES / "hues.json"
PALETTES = ("TABLEAU_COLORS", "CSS4_COLORS", "XKCD_COLORS")  # of matplotlib.colors (Table 9)
# RGB of the pure hues 0, 1/6, ..., 1: red, yellow, green, cyan, blue, magenta, red
CORNERS = np.array(
    [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], dtype=float
)


def lowest(intercepts: np.ndarray, slopes: np.ndarray) -> tuple[list[int], list[float]]:
    """The lowest of many lines in turn, from 0 to 1, and where each gives way to the next."""
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


def name_hues(palette: str) -> list[tuple[float, str]]:
    """Where each interval of hues begins, and the name of its nearest color without its prefix.

    Of two names for one color it is the later one, "cyan" rather than "aqua", as in App. E.2.
    """
    colors = {
        matplotlib.colors.to_rgb(value): name.partition(":")[2] or name
        for name, value in getattr(matplotlib.colors, palette).items()
    }
    points, names = np.array(list(colors)), list(colors.values())
    found: list[tuple[float, str]] = []
    for edge, (start, end) in enumerate(zip(CORNERS[:-1], CORNERS[1:], strict=True)):
        away = points - start
        winners, turns = lowest((away**2).sum(1), -2 * away @ (end - start))
        for winner, turn in zip(winners, [0.0, *turns], strict=True):
            if not found or found[-1][1] != names[winner]:
                found.append(((edge + turn) / 6, names[winner]))
    return found


def main() -> None:
    rows = {name: ",\n".join(map(json.dumps, name_hues(name))) for name in PALETTES}
    text = ",\n".join(f'"{name}": [\n{lines}\n]' for name, lines in rows.items())
    with replacing(TABLE) as partial:
        partial.write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
