"""Vectors as three rows: sums over them have one order, so no batch changes a picture's bits."""

from __future__ import annotations

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Scalar product over the first dimension, shapes (3, ...) to (...)."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def unit(a: Tensor) -> Tensor:
    """Scale to length 1, shape (3, ...)."""
    return a / dot(a, a).sqrt()


def cross(a: Tensor, b: Tensor) -> Tensor:
    """Vector product over the first dimension, shape (3, ...)."""
    return torch.stack(
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    )


def rotate(rotation: Tensor, a: Tensor) -> Tensor:
    """Multiply by matrices of shape (3, 3, ...) from the left, vectors of shape (3, ...)."""
    return torch.stack([dot(row, a) for row in rotation])


def about(axis: int, angle: Tensor) -> Tensor:
    """Rotations about coordinate axis 0, 1 or 2 by angles in radians, shape (3, 3, n)."""
    # float64 hides how a batch's size moves the last bits of sine and cosine
    wide = angle.double()
    c, s = wide.cos().to(angle.dtype), wide.sin().to(angle.dtype)
    one, zero = torch.ones_like(c), torch.zeros_like(c)
    around = [[one, zero, zero], [zero, c, -s], [zero, s, c]]
    order = [(i - axis) % 3 for i in range(3)]
    return torch.stack([torch.stack([around[i][j] for j in order]) for i in order])


def composed(first: Tensor, then: Tensor) -> Tensor:
    """Matrix product then @ first, shapes (3, 3, n)."""
    return torch.stack([rotate(then, first[:, j]) for j in range(3)], 1)


def detach(a: Tensor) -> Tensor:
    """Drop derivatives of either mode: where a ray ends is found without them."""
    return torch.autograd.forward_ad.unpack_dual(a).primal.detach()
