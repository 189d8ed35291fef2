"""Figures of pictures: sheets shown pixel by pixel, with labels beside and inside."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib as mpl
import torch
from matplotlib import patheffects
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from misalign.errors import check_int, invalid

LINE, LETTER = 0.17, 0.078  # inches of a line of text and, about, of a letter
SIZE = 9  # of text, in points
GAP = 4  # pixels between pictures


def sheet(pictures: Tensor, columns: int, *, gap: int = 2) -> Tensor:
    """Lay images, uint8 of shape (n, 3, height, width), out row by row on white, gaps between them.

    Channels come last, as image viewers take them.
    """
    check_int("columns", columns, 1)
    n, _, height, width = pictures.shape
    rows = -(-n // columns)
    high, wide = height + gap, width + gap
    tiles = torch.full((rows * columns, 3, high, wide), 255, dtype=torch.uint8)
    tiles[:n, :, :height, :width] = pictures
    page = tiles.view(rows, columns, 3, high, wide).permute(0, 3, 1, 4, 2)
    return page.reshape(rows * high, columns * wide, 3)[: rows * high - gap, : columns * wide - gap]


def image_grid(
    pictures: Tensor,
    columns: int,
    *,
    rows: Sequence[str] = (),
    titles: Sequence[str] = (),
    labels: Sequence[str] = (),
) -> Figure:
    """Show pictures, uint8 of shape (n, 3, height, width), each pixel as one of the figure's.

    `rows` are labels of the rows, at their left, and `titles` of the columns, above; `labels` are
    written into the pictures at the lower left, an empty one for none. Raises a ValueError if there
    are not as many as rows, columns or pictures.
    """
    page = sheet(pictures, columns, gap=GAP)
    n, _, height, width = pictures.shape
    counts = {"rows": -(-n // columns), "titles": columns, "labels": n}
    for (name, count), given in zip(counts.items(), (rows, titles, labels), strict=True):
        if len(given) not in (0, count):
            raise invalid(name, f"{count} labels", len(given))
    axis = _bare(page, max(map(len, rows), default=0), bool(titles))
    # places may be at the border, where texts would be clipped
    write = partial(axis.annotate, textcoords="offset points", annotation_clip=False)
    ups, acrosses = height + GAP, width + GAP
    for number, text in enumerate(rows):
        place = 0, number * ups + height / 2
        write(text, place, (-5, 0), ha="right", va="center", fontsize=SIZE)
    for number, text in enumerate(titles):
        place = number * acrosses + width / 2, 0
        write(text, place, (0, 2), ha="center", va="bottom", fontsize=SIZE)
    outline = [patheffects.withStroke(linewidth=1.6, foreground="black", alpha=0.7)]
    inside = {"color": "white", "fontsize": SIZE - 2, "path_effects": outline}
    for number, text in enumerate(labels):
        row, column = divmod(number, columns)
        write(text, (column * acrosses, row * ups + height), (3, 3), va="bottom", **inside)
    return axis.figure


def _bare(page: Tensor, letters: int, titled: bool) -> Axes:
    """Show a page without a frame, with room for text at its left and above it."""
    dpi = plt.rcParams["figure.dpi"]
    left = round((LETTER * letters + 0.06) * dpi) if letters else 0  # in whole pixels
    above = round(LINE * dpi) if titled else 0
    width, height = left + page.shape[1], above + page.shape[0]
    figure = plt.figure(figsize=(width / dpi, height / dpi))
    axis = figure.add_axes((left / width, 0, 1 - left / width, 1 - above / height))
    axis.imshow(page.numpy(), interpolation="none", aspect="auto")
    axis.axis("off")
    return axis


def diverging(values: Tensor, scale: Tensor | float) -> Tensor:
    """Colour numbers from blue (negative) over white (zero) to red (positive).

    Makes pictures, uint8 of shape (n, 3, height, width), of values (n, height, width). The scale is
    what is deepest red, and with a minus deepest blue: above 0, or it is a ValueError; a number or
    of shape (n,).
    """
    scale = torch.as_tensor(scale, dtype=values.dtype)
    if not bool((scale > 0).all()):
        raise invalid("scale", "numbers above 0", scale.min().item())
    part = (values / scale.view(-1, 1, 1)).clamp(-1, 1) / 2 + 0.5
    colours = mpl.colormaps["RdBu_r"](part.numpy(), bytes=True)[..., :3]
    return torch.from_numpy(colours.copy()).movedim(-1, 1)
