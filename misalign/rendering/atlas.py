"""Shapes and meshes, baked once each and packed, so that one lookup serves rays of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from misalign.errors import invalid
from misalign.rendering.grids import Grid, from_primitives
from misalign.rendering.meshes import from_mesh
from misalign.rendering.shapes import SHAPES


@cache
def bake(shape: str | Path, *, fit: bool = True) -> Grid:
    """Bake a shape by its name, or a watertight mesh by its path, with `fit` to the unit sphere."""
    if shape not in SHAPES and not Path(shape).suffix:
        raise invalid("shape", f"one of {', '.join(SHAPES)}, or a mesh's path", repr(str(shape)))
    grid = from_primitives(SHAPES[shape]) if shape in SHAPES else from_mesh(Path(shape))
    return grid.fitted() if fit else grid


@dataclass(frozen=True, eq=False)
class Atlas:
    """Grids of several shapes; a shape's number is its place among them."""

    volume: Tensor  # the distances, (1, 1, 64 * shapes, 64, 64), x slowest
    normals: Tensor  # of the grid points, (shapes * 64^3, 3)
    centre: Tensor  # of the boxes, (shapes, 3)
    half: Tensor  # of the boxes' sides, (shapes, 3)
    reach: Tensor  # radii of the spheres about the boxes' centres that hold the shapes, (shapes,)

    @classmethod
    def of(cls, grids: Sequence[Grid]) -> Atlas:
        """Pack grids."""
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
    """Baked shapes in one atlas, kept: first those fitted into the unit sphere, then the rigid."""
    grids = [bake(shape) for shape in shapes] + [bake(shape, fit=False) for shape in rigid]
    return Atlas.of(grids).to(device, dtype)
