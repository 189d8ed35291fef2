"""Pictures of MPI3D-Complex's kind (Section 5.2, App. D.1, Table 6): a robot's arm with an object.

The originals are photographs; here the shapes are made of capsules and ellipsoids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from misalign.rendering.atlas import atlas
from misalign.rendering.columns import Column, expect_sizes, in_chunks, listed, read
from misalign.rendering.scene import Backdrop, Camera, Scene, Spotlight, draw
from misalign.rendering.trace import Bodies
from misalign.rendering.vectors import about, composed

SHAPES = ("coffee-cup", "tennis-ball", "croissant", "beer-cup")
ROBOT = ("robot-arm", "robot-stand")
COLOURS = ((0.95, 0.8, 0.1), (0.1, 0.62, 0.2), (0.52, 0.53, 0.14), (0.88, 0.1, 0.1))
BACKS = ((0.5, 0.12, 0.55), (0.18, 0.55, 0.34), (0.98, 0.5, 0.45))
METAL = (0.62, 0.65, 0.7)
RADII = (0.4, 0.6)  # of a small and of a large object
COLUMNS = (
    Column("color", len(COLOURS)),
    Column("shape", len(SHAPES)),
    Column("size", len(RADII)),
    Column("cam", 3),
    Column("back", len(BACKS)),
    Column("hori", 40),
    Column("vert", 40),
)
ROWS = 32  # scenes at once
SHOULDER = (0.0, 1.1, 1.05)
ARM = 0.78  # scale of the arm
REACH = 1.42 * ARM  # from the shoulder to where the object begins
SWING = math.radians(48)  # of the base to either side
LIFT = math.radians(-13), math.radians(38)  # of the arm
EYES = ((0.0, -3.9, 4.0), (0.0, -4.6, 1.9), (0.0, -4.75, 0.4))
TARGET, VIEW = (0.0, 0.1, 1.1), 0.41
DTYPE = torch.float32


def picture(
    factors: dict[str, Tensor],
    *,
    size: int = 64,
    supersample: int = 1,
    shapes: Sequence[str] = SHAPES,
    dtype: torch.dtype = DTYPE,
) -> Tensor:
    """Pictures in [0, 1], all scenes at once, in numbers of a type; otherwise as `render`."""
    expect_sizes(size, supersample)
    values = read(COLUMNS, factors)
    packed = atlas(listed(shapes, COLUMNS[1]), ROBOT, values["shape"].device, dtype)
    return draw(_scene(values, dtype), packed, size, supersample)


def render(
    factors: dict[str, Tensor],
    *,
    size: int = 64,
    supersample: int = 1,
    shapes: Sequence[str] = SHAPES,
) -> Tensor:
    """Render scenes, a few at a time: `picture` rounded to bytes, uint8 (n, 3, size, size).

    Parameters
    ----------
    factors : dict of Tensor
        Table 6, integers from 0: color (4 values), shape (4), size (2), cam (3), back (3), hori
        (40) and vert (40); each of shape (n,) or (n, 1), all on one device.
    size, supersample : int, optional
        Side of a picture in pixels, and rays along either side of a pixel.
    shapes : sequence of str, optional
        Names in the table of shapes or paths of watertight meshes (looking to +x, up is +z), in
        the order of the factor's values; a mesh needs the package trimesh.
    """
    how = {"size": size, "supersample": supersample, "shapes": shapes}
    return in_chunks(partial(picture, **how), read(COLUMNS, factors), ROWS)


def _scene(values: dict[str, Tensor], dtype: torch.dtype) -> Scene:
    like = {"dtype": dtype, "device": values["shape"].device}
    n = len(values["shape"])

    def of(table: tuple, name: str) -> Tensor:
        return torch.tensor(table, **like)[values[name]].movedim(-1, 0)

    def same(row: tuple) -> Tensor:
        return torch.tensor(row, **like)[:, None].expand(3, n)

    light = Spotlight(
        position=same((1.6, -2.8, 4.6)),
        target=same((0.0, 0.3, 0.8)),
        colour=same((0.8, 0.8, 0.78)),
        full=math.cos(math.radians(24)),
        none=math.cos(math.radians(46)),
        ambient=(0.3, 0.14),
    )
    backdrop = Backdrop(
        same((0.42, 0.42, 0.44)), of(BACKS, "back"), same((0.3, 0.3, 0.33)), 3.0, (0.0, 1.7)
    )
    camera = Camera(of(EYES, "cam"), same(TARGET), VIEW)
    return Scene(camera, _bodies(values, of, same), light, backdrop)


def _bodies(
    values: dict[str, Tensor], of: Callable[[tuple, str], Tensor], same: Callable[[tuple], Tensor]
) -> Bodies:
    shoulder = same(SHOULDER)
    like = shoulder[0]
    radius = of(RADII, "size")
    yaw = about(2, (values["hori"].to(like.dtype) / 39 * 2 - 1) * SWING)
    low, high = LIFT
    # the arm points to -y, so a positive turn about x lowers it
    pitch = about(0, -(low + values["vert"].to(like.dtype) / 39 * (high - low)))
    arm = composed(pitch, yaw)
    held = shoulder - arm[:, 1] * (REACH + 0.8 * radius)
    upright = about(2, torch.zeros_like(like))
    one = torch.ones_like(like)
    shape = values["shape"]
    robot = len(SHAPES) + torch.arange(2, device=shape.device)
    return Bodies(
        shape=torch.cat([shape[:, None], robot.expand(len(shape), 2)], 1),
        rotation=torch.stack([yaw, arm, upright], -1),
        position=torch.stack([held, shoulder, shoulder], -1),
        scale=torch.stack([radius, ARM * one, one], -1),
        colour=torch.stack([of(COLOURS, "color"), same(METAL), same(METAL)], -1),
    )
