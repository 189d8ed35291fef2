"""Signed distances on grids of 64^3 points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor
from torch.nn.functional import normalize

from misalign.rendering.shapes import Primitive, field

SIDE = 64  # grid points an axis
FLATTEST = 0.7  # slope of a shape's level: at a ridge differences between points see none
MARGIN = 2  # cells between the surface and the grid's border


@dataclass(frozen=True, eq=False)
class Grid:
    """Signed distance of one shape inside a box."""

    values: Tensor  # distance at the grid points, negative inside, (64, 64, 64) by x, y, z
    normals: Tensor  # unit vectors along which it grows, (64, 64, 64, 3)
    centre: Tensor  # of the box, (3,)
    half: Tensor  # of the box's sides, (3,)
    reach: Tensor  # radius of the sphere about the box's centre that holds the shape, ()

    @property
    def spacing(self) -> Tensor:
        """Sides of a cell, shape (3,)."""
        return 2 * self.half / (SIDE - 1)

    def fitted(self) -> Grid:
        """Move and scale the shape so that it just fits the unit sphere about its box's centre."""
        values, half, reach = (part / self.reach for part in (self.values, self.half, self.reach))
        return Grid(values, self.normals, torch.zeros_like(self.centre), half, reach)


def points_of(centre: Tensor, half: Tensor, side: int = SIDE) -> Tensor:
    """Grid points of a box, shape (side, side, side, 3)."""
    ticks = torch.linspace(-1, 1, side, dtype=half.dtype)
    return centre + half * torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1)


def from_primitives(primitives: Sequence[Primitive]) -> Grid:
    """Bake a shape made of primitives, in the box that it needs."""
    centre, half = torch.zeros(3), torch.full((3,), 2.5)
    for side in (40, SIDE):  # first where it is, then how far it reaches
        points = points_of(centre, half, side)
        cell = 2 * half / (side - 1)
        near = points[field(primitives, points) < cell.max()]
        low, high = near.amin(0) - cell, near.amax(0) + cell
        centre, half = (low + high) / 2, (high - low) / 2
    half = half * (1 + 2 * MARGIN / SIDE)
    spacing = 2 * half / (SIDE - 1)
    level = field(primitives, points_of(centre, half))
    slopes = torch.stack(torch.gradient(level, spacing=spacing.tolist()), -1)
    values = distances(level, slopes, spacing)
    return Grid(values, normalize(slopes, dim=-1), centre, half, reach(values, half))


def reach(values: Tensor, half: Tensor) -> Tensor:
    """Radius about the box's centre that holds the surface, from above by at most two cells."""
    # the surface is no farther than a cell from the grid points within
    inside = points_of(torch.zeros_like(half), half)[values < 0]
    return inside.norm(dim=-1).max() + 2 * half.norm() / (SIDE - 1)


def distances(level: Tensor, slopes: Tensor, spacing: Tensor) -> Tensor:
    """Make signed distances of a level function, float32, from its values and gradients.

    Beside the surface it is the level over its slope. Elsewhere it is the distance to the surface
    point beside the nearest of such grid points.
    """
    level, slopes = level.double(), slopes.double()
    beside = level / slopes.norm(dim=-1).clamp(min=FLATTEST)
    points = points_of(torch.zeros(3).double(), spacing.double() * (SIDE - 1) / 2)
    feet = points - beside[..., None] * normalize(slopes, dim=-1)
    near = beside_surface((level < 0).numpy())
    far = spread(points.numpy(), feet.numpy(), near, spacing)
    return torch.where(torch.from_numpy(near), beside, level.sign() * far).float()


def beside_surface(inside: np.ndarray, cells: int = 1) -> np.ndarray:
    """Mask of the grid points that have both sides of the surface within so many cells."""
    block = np.ones((2 * cells + 1,) * 3, bool)
    return binary_dilation(inside, block) & binary_dilation(~inside, block)


def spread(points: np.ndarray, feet: np.ndarray, near: np.ndarray, spacing: Tensor) -> Tensor:
    """Distance from each grid point to the foot, (64, 64, 64, 3), of the nearest one in `near`."""
    nearest = distance_transform_edt(~near, spacing.tolist(), False, True)
    return torch.from_numpy(np.linalg.norm(points - feet[tuple(nearest)], axis=-1))
