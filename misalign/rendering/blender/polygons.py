"""Shapes as triangles, for renderers that want them; needs the extra `blender`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec

import numpy as np
from torch import Tensor

from misalign.errors import invalid
from misalign.rendering.atlas import bake
from misalign.rendering.grids import points_of
from misalign.rendering.shapes import SHAPES, Primitive, field

FINE = 96  # grid points an axis


@cache
def polygons(shape: str) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of a shape of the table, fitted into the unit sphere as `bake` fits it; kept."""
    if shape not in SHAPES:
        raise invalid("shape", f"one of {', '.join(SHAPES)}", repr(shape))
    expect_installed()
    grid = bake(shape, fit=False)
    vertices, faces = zero_level(SHAPES[shape], grid.centre, grid.half)
    return (vertices - grid.centre.numpy()) / grid.reach.numpy(), faces


def expect_installed() -> None:
    """Raise a one-line ModuleNotFoundError without scikit-image."""
    if not find_spec("skimage"):
        install = "the package scikit-image (pip install scikit-image) to make triangles"
        raise invalid("renderer", install, "none", ModuleNotFoundError)


def zero_level(
    primitives: Sequence[Primitive], centre: Tensor, half: Tensor, *, side: int = FINE
) -> tuple[np.ndarray, np.ndarray]:
    """Marching cubes: vertices, float32 (v, 3), and triangles that face outward, int32 (f, 3)."""
    from skimage.measure import marching_cubes  # needs an extra

    level = field(primitives, points_of(centre, half, side)).numpy()
    spacing = (2 * half / (side - 1)).tolist()
    vertices, faces, *_ = marching_cubes(level, 0.0, spacing=spacing, gradient_direction="descent")
    return (vertices + (centre - half).numpy()).astype(np.float32), faces.astype(np.int32)
