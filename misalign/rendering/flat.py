"""Flat shapes as signed distances, and patterns of a plane, n scenes at once."""

from __future__ import annotations

import torch
from torch import Tensor

EDGE = 0.1  # width of a thing's dark outline, in units of its radius


def discs(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to the unit circle."""
    return (x.square() + y.square()).sqrt() - 1


def rings(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance to a ring with a wide hole."""
    return (discs(x, y) + 0.26).abs() - 0.26


def planks(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance, in the maximum norm, to a bar that lies."""
    return torch.maximum(x.abs() - 1.15, y.abs() - 0.42)


def pillars(x: Tensor, y: Tensor) -> Tensor:
    """Signed distance, in the maximum norm, to a bar that stands."""
    return planks(y, x)


SHAPES = (discs, rings, planks, pillars)


def plain(x: Tensor, y: Tensor) -> Tensor:
    """No dark parts."""
    return torch.zeros_like(x)


def striped(x: Tensor, y: Tensor) -> Tensor:
    """Dark bars across."""
    return _soft(torch.sin(14 * y))


def dotted(x: Tensor, y: Tensor) -> Tensor:
    """A grid of dark dots."""
    return _soft(torch.cos(14 * x) + torch.cos(14 * y) - 0.9)


def checked(x: Tensor, y: Tensor) -> Tensor:
    """A dark and bright chessboard."""
    return _soft(4 * torch.sin(9 * x) * torch.sin(9 * y))


PATTERNS = (plain, striped, dotted, checked)


def of_kind(kinds: tuple, kind: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Each scene's own of a few functions of a plane; `kind` of shape (n,), x and y (n, ...)."""
    found = torch.empty_like(x)
    for number, function in enumerate(kinds):
        rows = (kind == number).nonzero()[:, 0]
        found[rows] = function(x[rows], y[rows])
    return found


def _soft(level: Tensor) -> Tensor:
    # 1 where the level is above 0, smooth at the border
    return (0.5 + 2 * level).clamp(0, 1)
