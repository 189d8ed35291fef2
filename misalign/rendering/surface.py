"""What a ray sees of the body that it meets: point and normal, both with derivatives."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from misalign.rendering.atlas import Atlas
from misalign.rendering.grids import SIDE
from misalign.rendering.trace import Bodies, Hits
from misalign.rendering.vectors import detach, dot, rotate, unit

STEEPEST = -0.1  # slope along a ray: at a silhouette Newton's step has no bounds


def surface(
    atlas: Atlas, bodies: Bodies, hits: Hits, origin: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Points and unit normals where rays meet bodies, in the world, shape (3, m) each.

    Rays have shapes (3, n, 1) and (3, n, r). A Newton step along the ray takes the traced distance
    to the surface; a second one, its slope held fixed, has the implicit function's derivatives.
    """
    pair, scale = hits.pair, bodies.scale.flatten().index_select(0, hits.pair)
    shape = bodies.shape.flatten().index_select(0, pair)
    ray = direction.flatten(1).index_select(1, hits.ray)
    eye = origin.expand_as(direction).flatten(1).index_select(1, hits.ray)
    start = bodies.to_local(pair, eye)
    step = bodies.to_local(pair, ray, free=True)
    centre, half = (box.T.index_select(1, shape) for box in (atlas.centre, atlas.half))
    t = hits.distance / detach(scale)
    start, step = (start - centre) / half, step / half
    t = detach(_newton(atlas, shape, t, start, step))
    t = _newton(atlas, shape, t, start, step)
    normals, _ = interpolated(atlas.normals, shape, start + t * step)
    rotation = bodies.rotation.flatten(2)
    rotation = torch.stack([row.index_select(1, pair) for row in rotation])
    return eye + t * scale * ray, rotate(rotation, unit(normals.T))


def _newton(atlas: Atlas, shape: Tensor, t: Tensor, start: Tensor, step: Tensor) -> Tensor:
    # one step along rays in box coordinates
    level, slopes = interpolated(atlas.volume.view(-1, 1), shape, start + t * step)
    return t - level[:, 0] / detach(dot(slopes[..., 0], step)).clamp(max=STEEPEST)


def interpolated(cells: Tensor, shape: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Trilinear interpolation and its slopes, differentiable in either mode.

    From c numbers a grid point, (shapes * 64^3, c), at m points of shapes `shape` in box
    coordinates, -1 to 1, (3, m): values (m, c), and derivatives by box coordinates (3, m, c).
    """
    place = (box + 1) * ((SIDE - 1) / 2)
    corner = detach(place).floor().clamp(0, SIDE - 2)
    part = (place - corner)[..., None]
    i, j, k = corner.long()
    base = ((shape * SIDE + i) * SIDE + j) * SIDE + k
    at = {
        d: cells.index_select(0, base + (d[0] * SIDE + d[1]) * SIDE + d[2])
        for d in product((0, 1), repeat=3)
    }
    x, y, z = ((1 - w, w) for w in part)
    xs = {(q, r): at[0, q, r] * x[0] + at[1, q, r] * x[1] for q, r in product((0, 1), repeat=2)}
    by_x = {(q, r): at[1, q, r] - at[0, q, r] for q, r in product((0, 1), repeat=2)}
    ys = [xs[0, r] * y[0] + xs[1, r] * y[1] for r in (0, 1)]
    slope_x = [by_x[0, r] * y[0] + by_x[1, r] * y[1] for r in (0, 1)]
    slope_y = [xs[1, r] - xs[0, r] for r in (0, 1)]
    slopes = [
        slope_x[0] * z[0] + slope_x[1] * z[1],
        slope_y[0] * z[0] + slope_y[1] * z[1],
        ys[1] - ys[0],
    ]
    return ys[0] * z[0] + ys[1] * z[1], torch.stack(slopes) * ((SIDE - 1) / 2)
