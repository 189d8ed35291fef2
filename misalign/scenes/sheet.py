"""Many pictures as one."""

from __future__ import annotations

import torch
from torch import Tensor

from misalign.errors import expect_whole


def sheet(pictures: Tensor, columns: int, *, gap: int = 2) -> Tensor:
    """Lay pictures out row by row, on white.

    Parameters
    ----------
    pictures : Tensor
        uint8, shape (n, 3, height, width).
    columns : int
        Pictures a row.
    gap : int, optional
        Pixels between them.

    Returns
    -------
    Tensor
        uint8, shape (rows * (height + gap) - gap, columns * (width + gap) - gap, 3): channels come
        last, as image viewers take them.
    """
    expect_whole("columns", columns, 1)
    n, _, height, width = pictures.shape
    rows = -(-n // columns)
    high, wide = height + gap, width + gap
    page = torch.full((rows * high, columns * wide, 3), 255, dtype=torch.uint8)
    for place, one in enumerate(pictures.cpu()):
        top, left = place // columns * high, place % columns * wide
        page[top : top + height, left : left + width] = one.permute(1, 2, 0)
    return page[: rows * high - gap, : columns * wide - gap]
