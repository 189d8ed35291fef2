"""Signed distances on grids of 64^3 points: baked once a shape, looked up ever after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation, distance_transform_edt
from torch import Tensor
from torch.nn.functional import normalize

from misalign.errors import invalid
from misalign.rendering.shapes import SHAPES, Primitive, field

SIDE = 64  # grid points an axis
FLATTEST = 0.7  # slope of a shape's level: at a ridge differences between points see none
MARGIN = 2  # cells between the surface and the grid's border


@dataclass(frozen=True, eq=False)
class Grid:
    """Signed distance of one shape inside a box.

    Parameters
    ----------
    values : Tensor
        Distance at the grid points, negative inside, shape (64, 64, 64) by x, y, z.
    normals : Tensor
        Unit vectors along which it grows, shape (64, 64, 64, 3).
    centre, half : Tensor
        The box: its centre and half of its sides, shape (3,).
    reach : Tensor
        Radius of the sphere about the box's centre that holds the shape, shape ().
    """

    values: Tensor
    normals: Tensor
    centre: Tensor
    half: Tensor
    reach: Tensor

    @property
    def spacing(self) -> Tensor:
        """Sides of a cell, shape (3,)."""
        return 2 * self.half / (SIDE - 1)

    def fitted(self) -> Grid:
        """Move and scale the shape so that it just fits the unit sphere about its box's centre."""
        scaled = (value / self.reach for value in (self.values, self.half, self.reach))
        values, half, reach = scaled
        return Grid(values, self.normals, torch.zeros_like(self.centre), half, reach)


def points_of(centre: Tensor, half: Tensor, side: int = SIDE) -> Tensor:
    """Grid points of a box, shape (side, side, side, 3)."""
    ticks = torch.linspace(-1, 1, side, dtype=half.dtype)
    return centre + half * torch.stack(torch.meshgrid(ticks, ticks, ticks, indexing="ij"), -1)


@cache
def bake(shape: str | Path, *, fit: bool = True) -> Grid:
    """Signed distance of a shape of the table or of a watertight mesh.

    Parameters
    ----------
    shape : str or Path
        A name in `misalign.rendering.shapes.SHAPES`, or a file of suffix .ply, .obj or .stl.
    fit : bool, optional
        Move and scale the shape into the unit sphere.

    Returns
    -------
    Grid
        In float32 on the CPU, kept for the next call.

    Raises
    ------
    ValueError
        For what is neither in the table nor a watertight mesh.
    ModuleNotFoundError
        For a mesh without the package trimesh.
    """
    if shape in SHAPES:
        grid = from_primitives(SHAPES[shape])
    else:
        known = f"one of {', '.join(SHAPES)}, or a mesh's path"
        if not Path(shape).suffix:
            raise invalid("shape", known, repr(str(shape)))
        from misalign.rendering.meshes import from_mesh  # needs an extra

        grid = from_mesh(Path(shape))
    return grid.fitted() if fit else grid


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
    level = field(primitives, points_of(centre, half))
    slopes = torch.stack(torch.gradient(level, spacing=(2 * half / (SIDE - 1)).tolist()), -1)
    values = distances(level, slopes, 2 * half / (SIDE - 1))
    return Grid(values, normalize(slopes, dim=-1), centre, half, reach(values, half))


def reach(values: Tensor, half: Tensor) -> Tensor:
    """Radius about the box's centre that holds the surface, from above by at most two cells."""
    # the surface is no farther than a cell from the grid points within
    inside = points_of(torch.zeros_like(half), half)[values < 0]
    return inside.norm(dim=-1).max() + 2 * half.norm() / (SIDE - 1)


def distances(level: Tensor, slopes: Tensor, spacing: Tensor) -> Tensor:
    """Make signed distances of a level function.

    Beside the surface it is the level over its slope. Elsewhere it is the distance to the surface
    point beside the nearest of such grid points.

    Parameters
    ----------
    level, slopes : Tensor
        Values and gradients at the grid points, shapes (64, 64, 64) and (64, 64, 64, 3).
    spacing : Tensor
        Sides of a cell, shape (3,).

    Returns
    -------
    Tensor
        Float32, shape (64, 64, 64).
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
    """Distance from every grid point to the foot of the nearest one near the surface.

    Parameters
    ----------
    points, feet : ndarray
        Grid points, and the surface points below those that are near, shape (64, 64, 64, 3).
    near : ndarray
        Mask of the latter, shape (64, 64, 64).
    spacing : Tensor
        Sides of a cell, shape (3,).

    Returns
    -------
    Tensor
        Float64, shape (64, 64, 64).
    """
    nearest = distance_transform_edt(~near, spacing.tolist(), False, True)
    return torch.from_numpy(np.linalg.norm(points - feet[tuple(nearest)], axis=-1))


@dataclass(frozen=True, eq=False)
class Atlas:
    """Grids of several shapes, packed so that one lookup serves rays of all of them.

    Parameters
    ----------
    volume : Tensor
        The distances, shape (1, 1, 64 * shapes, 64, 64), x slowest.
    normals : Tensor
        Unit normals of the grid points, shape (shapes * 64^3, 3).
    centre, half : Tensor
        The boxes, shape (shapes, 3).
    reach : Tensor
        Radii of the spheres about the boxes' centres that hold the shapes, shape (shapes,).
    """

    volume: Tensor
    normals: Tensor
    centre: Tensor
    half: Tensor
    reach: Tensor

    @classmethod
    def of(cls, grids: Sequence[Grid]) -> Atlas:
        """Pack grids; a shape's number is its place among them."""
        return cls(
            volume=torch.cat([grid.values for grid in grids])[None, None],
            normals=torch.cat([grid.normals for grid in grids]).reshape(-1, 3),
            centre=torch.stack([grid.centre for grid in grids]),
            half=torch.stack([grid.half for grid in grids]),
            reach=torch.stack([grid.reach for grid in grids]),
        )

    def to(self, *to: torch.device | torch.dtype) -> Atlas:
        """Move to a device or a type of number."""
        return replace(self, **{name: value.to(*to) for name, value in vars(self).items()})


@cache
def atlas(
    shapes: tuple[str, ...], rigid: tuple[str, ...], device: torch.device, dtype: torch.dtype
) -> Atlas:
    """Baked shapes in one atlas, kept for the next call.

    Parameters
    ----------
    shapes, rigid : tuple of str
        Names or paths: first those fitted into the unit sphere, then those left as they are.
    device, dtype : torch.device, torch.dtype
        Where and as what it shall be.

    Returns
    -------
    Atlas
    """
    grids = [bake(shape) for shape in shapes] + [bake(shape, fit=False) for shape in rigid]
    return Atlas.of(grids).to(device, dtype)
