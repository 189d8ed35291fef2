"""Sphere tracing: rays walk through baked distances until they meet a surface."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from misalign.rendering.atlas import Atlas
from misalign.rendering.grids import SIDE
from misalign.rendering.vectors import detach, dot, rotate

STEPS = 40  # after which a ray has missed
CLOSE = 0.004  # distance that counts as a hit, in the shape's own unit
SHORTEST = 0.012  # step, likewise: grazing rays get on
CLEARINGS = {2, 4, 6, 9, 13, 18, 24, 32, STEPS}  # steps after which finished rays leave
SPLIT = 4096  # rays from which threads share a lookup


@dataclass(frozen=True, eq=False)
class Bodies:
    """The k bodies of each of n scenes: shapes of an atlas, rotated, scaled and moved."""

    shape: Tensor  # numbers in the atlas, (n, k)
    rotation: Tensor  # from the shape's axes to the world's, (3, 3, n, k)
    position: Tensor  # where the shape's origin is, (3, n, k)
    scale: Tensor  # world units of the shape's unit, (n, k)
    colour: Tensor  # RGB in [0, 1], (3, n, k)

    def detach(self) -> Bodies:
        """Drop derivatives."""
        return Bodies(**{name: detach(value) for name, value in vars(self).items()})

    def to_local(self, pair: Tensor, points: Tensor, free: bool = False) -> Tensor:
        """World points (or directions, if `free`), shape (3, m), in the axes of bodies `pair`."""
        position, scale = self.position.flatten(1), self.scale.flatten()
        offset = points if free else points - position.index_select(1, pair)
        back = self.rotation.transpose(0, 1).flatten(2)
        local = rotate(torch.stack([row.index_select(1, pair) for row in back]), offset)
        return local if free else local / scale.index_select(0, pair)


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays met bodies, and how far along the ray."""

    pair: Tensor  # number of the body: scene * k + body, (m,)
    ray: Tensor  # number of the ray: scene * r + ray, (m,)
    distance: Tensor  # in world units, without derivatives, (m,)

    def where(self, keep: Tensor) -> Hits:
        """Some of them, by a mask of shape (m,)."""
        on = keep.nonzero()[:, 0]
        return Hits(*(value.index_select(0, on) for value in vars(self).values()))

    def before(self, limit: Tensor) -> Hits:
        """Keep each ray's first, if it is nearer than a limit of shape (n, r)."""
        first = limit.flatten().scatter_reduce(0, self.ray, self.distance, "amin")
        nearest = self.distance == first.index_select(0, self.ray)
        return self.where(nearest & (self.distance < limit.flatten().index_select(0, self.ray)))


def cast(
    atlas: Atlas, bodies: Bodies, origin: Tensor, direction: Tensor, wanted: Tensor | None = None
) -> Hits:
    """Trace rays through the k bodies of their scene: all meetings, up to k a ray.

    Rays are of shape (3, n, r), or (3, n, 1) for a shared origin, with directions of unit length;
    `wanted`, of shape (n, r), leaves some out. Nothing has derivatives.
    """
    pair, ray = _candidates(atlas, bodies, origin, direction, wanted)
    shape, scale = (value.flatten().index_select(0, pair) for value in (bodies.shape, bodies.scale))
    start = origin.expand_as(direction).flatten(1).index_select(1, ray)
    step = direction.flatten(1).index_select(1, ray)
    centre, half = (box.T.index_select(1, shape) for box in (atlas.centre, atlas.half))
    start = (bodies.to_local(pair, start) - centre) / half
    step = bodies.to_local(pair, step, free=True) / half
    enter, leave = _box(start, step)
    on = (leave > enter).nonzero()[:, 0]
    shape, enter, leave = (value.index_select(0, on) for value in (shape, enter, leave))
    start, step = (value.index_select(1, on) for value in (start, step))
    distance = march(atlas, shape, start, step, enter, leave)
    pair, ray, scale = (value.index_select(0, on) for value in (pair, ray, scale))
    return Hits(pair, ray, distance * scale).where(distance < torch.inf)


def _candidates(
    atlas: Atlas, bodies: Bodies, origin: Tensor, direction: Tensor, wanted: Tensor | None
) -> tuple[Tensor, Tensor]:
    # numbers of body and ray for all rays that meet the sphere about a body
    rays, count = direction.shape[2], bodies.shape.shape[1]
    middle = rotate(bodies.rotation, atlas.centre.T[:, bodies.shape] * bodies.scale)
    middle, radius = middle + bodies.position, atlas.reach[bodies.shape] * bodies.scale
    met = []
    for k in range(count):
        toward = middle[:, :, k, None] - origin
        along = dot(toward, direction)
        reach = radius[:, k, None]
        close = dot(toward, toward) - reach * reach <= along * along
        close &= along > -reach
        met.append(close if wanted is None else close & wanted)
    flat = torch.stack(met, 1).flatten().nonzero()[:, 0]
    pair = flat.div(rays, rounding_mode="floor")
    scene = pair if count == 1 else pair.div(count, rounding_mode="floor")
    return pair, flat - (pair - scene) * rays


def _box(start: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    # where rays enter and leave the cube [-1, 1]^3
    safe = torch.where(step.abs() < 1e-9, 1e-9, step)
    ends = (1 - start) / safe, (-1 - start) / safe
    first, last = torch.minimum(*ends), torch.maximum(*ends)
    enter = torch.maximum(torch.maximum(first[0], first[1]), first[2]).clamp(min=0)
    return enter, torch.minimum(torch.minimum(last[0], last[1]), last[2])


def march(
    atlas: Atlas, shape: Tensor, start: Tensor, step: Tensor, enter: Tensor, leave: Tensor
) -> Tensor:
    """Walk along m rays to a surface: distances in the shape's unit, infinite for a miss.

    Rays, (3, m), are in box coordinates, -1 to 1, a step a unit; inside from `enter` to `leave`.
    """
    found = torch.full_like(enter, torch.inf)
    start, step = _packed(atlas, start, shape, 1.0), _packed(atlas, step, shape, 0.0)
    alive, t = torch.arange(len(enter), device=enter.device), enter
    for i in range(1, STEPS + 1):
        if len(alive) == 0:
            break
        level = _lookup(atlas.volume, start + t[:, None] * step)
        reached = level < CLOSE
        t = torch.where(reached, t, torch.minimum(t + level.clamp(min=SHORTEST), leave))
        if i in CLEARINGS:
            found = found.index_copy(0, alive, torch.where(reached, t, torch.inf))
            on = (~reached & (t < leave)).nonzero()[:, 0]
            alive, t, leave, start, step = (
                value.index_select(0, on) for value in (alive, t, leave, start, step)
            )
    return found


def _packed(atlas: Atlas, box: Tensor, shape: Tensor, point: float) -> Tensor:
    # from one shape's box to the atlas, in the order of grid_sample; offsets are for points only
    planes = len(atlas.volume[0, 0])
    x = box[0] * ((SIDE - 1) / (planes - 1))
    x = x + point * ((2 * SIDE * shape + SIDE - 1) / (planes - 1) - 1)
    return torch.stack([box[2], box[1], x], -1)


def _lookup(volume: Tensor, points: Tensor) -> Tensor:
    # grid_sample shares out whole batches among threads, so it gets one a thread
    parts = torch.get_num_threads() if len(points) >= SPLIT else 1
    spare = -len(points) % parts
    padded = torch.cat([points, points[:spare]]) if spare else points
    levels = grid_sample(
        volume.expand(parts, -1, -1, -1, -1),
        padded.view(parts, 1, 1, -1, 3),
        padding_mode="border",
        align_corners=True,
    )
    return levels.reshape(-1)[: len(points)]
