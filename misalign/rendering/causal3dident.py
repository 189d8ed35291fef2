"""Pictures of Causal3DIdent's kind (Section 5.3, App. E.1, Table 9): an object in coloured light.

The original was rendered by Blender from seven meshes; here they are capsules and ellipsoids.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from misalign.rendering.atlas import atlas
from misalign.rendering.columns import Column, expect_sizes, in_chunks, listed, read
from misalign.rendering.hues import rgb
from misalign.rendering.scene import Backdrop, Camera, Scene, Spotlight, draw
from misalign.rendering.trace import Bodies
from misalign.rendering.vectors import about, composed

SHAPES = ("teapot", "hare", "dragon", "cow", "armadillo", "horse", "head")
COLUMNS = (
    Column("shape", len(SHAPES)),
    Column("x_pos", 3),
    Column("y_pos", 3),
    *map(Column, ("s_pos", "color", "s_color", "b_color", "alpha", "beta", "gamma")),
)
ROWS = 8  # scenes at once
RADIUS = 1.4  # of an object
HEIGHT = 1.5  # of its middle over the ground
FACING = math.radians(-50)  # without a turn an object looks to the right of the camera
APART = (1.15, 1.35)  # neighbouring positions along x and y
EYE, TARGET, VIEW = (0.0, -6.4, 7.2), (0.0, 0.1, 1.1), 0.295
LAMP = 3.4, 7.0  # the spotlight's arc: radius and height
AIM = 1.1  # radius of the arc that it is aimed at
ARC = math.radians(130), math.radians(320)  # from the northwest by the camera's side to southeast


def picture(
    factors: dict[str, Tensor],
    *,
    size: int = 128,
    supersample: int = 1,
    authors_hues: bool = False,
    shapes: Sequence[str] = SHAPES,
) -> Tensor:
    """As `render`, all at once, in [0, 1] of the numbers' type, with the derivatives of `draw`."""
    expect_sizes(size, supersample)
    values = read(COLUMNS, factors)
    like = values["color"]
    packed = atlas(listed(shapes, COLUMNS[0]), (), like.device, like.dtype)
    return draw(assembled(values, authors_hues), packed, size, supersample)


def render(
    factors: dict[str, Tensor],
    *,
    size: int = 128,
    supersample: int = 1,
    authors_hues: bool = False,
    shapes: Sequence[str] = SHAPES,
) -> Tensor:
    """Render scenes, a few at a time: `picture` rounded to bytes, uint8 (n, 3, size, size).

    Parameters
    ----------
    factors : dict of Tensor
        Table 9: integers shape (0 to 6), x_pos and y_pos (0 to 2), and numbers in [0, 1]: s_pos,
        color, s_color, b_color, alpha, beta, gamma; each of shape (n,) or (n, 1), all on one
        device and the numbers of one type.
    size, supersample, shapes
        As for `misalign.rendering.mpi3d.render`, errors too.
    authors_hues : bool, optional
        Light and ground in the authors' hue (h - 1/2) / 2 in place of h, which captions name.
    """
    how = {"size": size, "supersample": supersample, "shapes": shapes}
    draw_rows = partial(picture, **how, authors_hues=authors_hues)
    return in_chunks(draw_rows, read(COLUMNS, factors), ROWS)


def assembled(values: dict[str, Tensor], authors_hues: bool) -> Scene:
    """Put scenes of checked factors together, for any renderer; shapes are places in `SHAPES`."""
    like, n = values["color"], len(values["color"])
    fixed = (like.new_tensor(v)[:, None].expand(3, n) for v in (EYE, TARGET))
    hues = {name: values[name] for name in ("s_color", "b_color")}
    if authors_hues:
        hues = {name: (hue - 0.5) / 2 for name, hue in hues.items()}
    lamp, ground = (0.8, 0.6) if authors_hues else (0.4, 0.6)
    return Scene(
        Camera(*fixed, VIEW),
        _object(values),
        _light(values["s_pos"], rgb(hues["s_color"], lamp, 0.8).T),
        Backdrop(rgb(hues["b_color"], ground, 0.75).T),
    )


def _object(values: dict[str, Tensor]) -> Bodies:
    like = values["color"]
    alpha, beta, gamma = ((values[k] - 0.5) * math.pi for k in ("alpha", "beta", "gamma"))
    rest = about(2, torch.full_like(gamma, FACING))
    rotation = composed(composed(composed(rest, about(0, alpha)), about(1, beta)), about(2, gamma))
    across = (values["x_pos"] - 1).to(like.dtype) * APART[0]
    back = (1 - values["y_pos"]).to(like.dtype) * APART[1]
    position = torch.stack([across, back, torch.full_like(across, HEIGHT)])
    return Bodies(
        shape=values["shape"][:, None],
        rotation=rotation[..., None],
        position=position[..., None],
        scale=torch.full_like(like, RADIUS).detach()[:, None],
        colour=rgb(values["color"], 0.75, 0.92).T[..., None],
    )


def _light(s_pos: Tensor, colour: Tensor) -> Spotlight:
    first, last = ARC
    # where the arc is at s_pos, counted from x (east) to y (north, away from the camera)
    aside = about(2, first + s_pos * (last - first))[:, 0]
    radius, height = LAMP
    up = s_pos.new_tensor([[0.0], [0.0], [1.0]])
    return Spotlight(
        position=radius * aside + height * up,
        target=AIM * aside + 0.2 * up,
        colour=colour,
        full=math.cos(math.radians(15)),
        none=math.cos(math.radians(27)),
        ambient=(0.28, 0.18),
    )
