"""Sphere tracing: rays walk through baked distances until they meet a surface."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from misalign.scenes.grids import SIDE, Atlas
from misalign.scenes.vectors import dot, still, turned

STEPS = 40  # after which a ray has missed
CLOSE = 0.004  # distance that counts as a hit, in the shape's own unit
SHORTEST = 0.012  # step, likewise: grazing rays get on
TOGETHER = 4  # steps between two clearings of finished rays
SPLIT = 4096  # rays from which two threads share a lookup


@dataclass(frozen=True, eq=False)
class Bodies:
    """The k bodies of each of n scenes: shapes of an atlas, turned, scaled and moved.

    Parameters
    ----------
    shape : Tensor
        Numbers in the atlas, shape (n, k).
    rotation : Tensor
        From the shape's axes to the world's, shape (3, 3, n, k).
    position : Tensor
        Where the shape's origin is, shape (3, n, k).
    scale : Tensor
        World units of the shape's unit, shape (n, k).
    colour : Tensor
        RGB in [0, 1], shape (3, n, k).
    """

    shape: Tensor
    rotation: Tensor
    position: Tensor
    scale: Tensor
    colour: Tensor

    def still(self) -> Bodies:
        """Drop derivatives."""
        return Bodies(**{name: still(value) for name, value in vars(self).items()})

    def inward(self, at: tuple[Tensor, Tensor], points: Tensor, free: bool = False) -> Tensor:
        """World points (or directions, if `free`), shape (3, m), in the axes of bodies `at`."""
        offset = points if free else points - self.position[:, *at]
        turned_back = turned(self.rotation[:, :, *at].transpose(0, 1), offset)
        return turned_back if free else turned_back / self.scale[at]


@dataclass(frozen=True, eq=False)
class Hits:
    """Where rays met bodies: scene, body and ray of each meeting, and how far along the ray.

    Parameters
    ----------
    scene, body, ray : Tensor
        Shape (m,).
    distance : Tensor
        In world units, without derivatives, shape (m,).
    """

    scene: Tensor
    body: Tensor
    ray: Tensor
    distance: Tensor

    def where(self, keep: Tensor) -> Hits:
        """Some of them, by a mask of shape (m,)."""
        return Hits(*(value[keep] for value in vars(self).values()))

    def nearest(self, shape: tuple[int, int]) -> Hits:
        """Keep each ray's first; `shape` is (scenes, rays a scene)."""
        flat = self.scene * shape[1] + self.ray
        far = self.distance.new_full((shape[0] * shape[1],), torch.inf)
        first = far.scatter_reduce(0, flat, self.distance, "amin")
        return self.where(self.distance == first[flat])


def cast(
    atlas: Atlas, bodies: Bodies, origin: Tensor, direction: Tensor, wanted: Tensor | None = None
) -> Hits:
    """Trace rays through the bodies of their scene.

    Only rays that meet a body's box are traced, each through that box alone.

    Parameters
    ----------
    atlas : Atlas
        The shapes.
    bodies : Bodies
        The k bodies of n scenes, without derivatives.
    origin, direction : Tensor
        r rays a scene: shape (3, n, r), or (3, n, 1) for a shared origin; unit directions.
    wanted : Tensor, optional
        Which rays to trace, shape (n, r).

    Returns
    -------
    Hits
        All meetings, up to k a ray.
    """
    radius = atlas.reach[bodies.shape] * bodies.scale
    met = []
    for k in range(bodies.shape.shape[1]):
        toward = bodies.position[:, :, k, None] - origin
        along = dot(toward, direction)
        reach = radius[:, k, None]
        close = dot(toward, toward) - reach * reach <= along * along
        close &= along > -reach
        met.append(close if wanted is None else close & wanted)
    scene, body, ray = torch.stack(met, 1).nonzero().unbind(1)
    at, shape = (scene, body), bodies.shape[scene, body]
    shared = origin.shape[2] == 1
    start = bodies.inward(at, origin[:, scene, 0] if shared else origin[:, scene, ray])
    step = bodies.inward(at, direction[:, scene, ray], free=True)
    start = (start - atlas.centre.T[:, shape]) / atlas.half.T[:, shape]
    step = step / atlas.half.T[:, shape]
    enter, leave = _box(start, step)
    inside = (leave > enter).nonzero()[:, 0]
    distance = march(
        atlas, shape[inside], start[:, inside], step[:, inside], enter[inside], leave[inside]
    )
    hits = Hits(scene[inside], body[inside], ray[inside], distance)
    hits = hits.where(distance < torch.inf)
    return Hits(
        hits.scene, hits.body, hits.ray, hits.distance * bodies.scale[hits.scene, hits.body]
    )


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
    """Walk along rays from where they enter a box to a surface.

    Parameters
    ----------
    atlas : Atlas
        The shapes.
    shape : Tensor
        Which of them, shape (m,).
    start, step : Tensor
        Rays in a box's coordinates, from -1 to 1, a step for each unit of the shape; (3, m).
    enter, leave : Tensor
        Distances between which the ray is in the box, shape (m,).

    Returns
    -------
    Tensor
        Distances in the shape's unit, infinite for a miss, shape (m,).
    """
    found = torch.full_like(enter, torch.inf)
    start, step = _packed(atlas, start, shape, 1.0), _packed(atlas, step, shape, 0.0)
    alive, t = torch.arange(len(enter), device=enter.device), enter
    for i in range(STEPS):
        level = _lookup(atlas.volume, start + t[:, None] * step)
        reached = level < CLOSE
        found[alive[reached]] = t[reached]
        t = torch.where(reached, torch.inf, t + level.clamp(min=SHORTEST))
        if i % TOGETHER == TOGETHER - 1 or i < TOGETHER:
            on = (t < leave).nonzero()[:, 0]
            alive, t, start, step, leave = alive[on], t[on], start[on], step[on], leave[on]
        else:
            t = torch.minimum(t, leave)
    return found


def _packed(atlas: Atlas, box: Tensor, shape: Tensor, point: float) -> Tensor:
    # from one shape's box to the atlas, in the order of grid_sample; offsets are for points only
    planes = len(atlas.volume[0, 0])
    x = box[0] * ((SIDE - 1) / (planes - 1))
    x = x + point * ((2 * SIDE * shape + SIDE - 1) / (planes - 1) - 1)
    return torch.stack([box[2], box[1], x], -1)


def _lookup(volume: Tensor, points: Tensor) -> Tensor:
    parts = 2 if len(points) >= SPLIT else 1
    spare = len(points) % parts
    padded = torch.cat([points, points[:spare]]) if spare else points
    levels = grid_sample(
        volume.expand(parts, -1, -1, -1, -1),
        padded.view(parts, 1, 1, -1, 3),
        padding_mode="border",
        align_corners=True,
    )
    return levels.reshape(-1)[: len(points)]
