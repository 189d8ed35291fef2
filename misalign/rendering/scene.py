"""One picture of a batch of scenes: camera, backdrop, bodies, a spotlight and its shadows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from misalign.rendering.atlas import Atlas
from misalign.rendering.surface import surface
from misalign.rendering.trace import Bodies, cast
from misalign.rendering.vectors import cross, detach, dot, unit

LIFT = 0.035  # of a shadow ray's start above its surface, in world units
GLOSS = 0.25  # strength of the highlight


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole a scene, upright."""

    eye: Tensor  # where it is, (3, n)
    target: Tensor  # what is in the middle of its picture, (3, n)
    view: float  # half of the picture's side at distance 1

    def rays(self, size: int) -> Tensor:
        """Unit directions of the pixels, row by row from the top left, shape (3, n, size^2)."""
        forward = unit(self.target - self.eye)
        up = torch.zeros_like(forward)
        up[2] = 1.0
        right = unit(cross(forward, up))
        above = cross(right, forward)
        like = {"dtype": forward.dtype, "device": forward.device}
        ticks = (torch.arange(size, **like) * 2 + 1 - size) * (self.view / size)
        x, y = ticks.repeat(size), -ticks.repeat_interleave(size)
        bent = [v[:, :, None] for v in (forward, right, above)]
        return unit(bent[0] + bent[1] * x + bent[2] * y)


@dataclass(frozen=True, eq=False)
class Spotlight:
    """A spotlight a scene, and the light that comes from everywhere."""

    position: Tensor  # (3, n)
    target: Tensor  # (3, n)
    colour: Tensor  # RGB, (3, n)
    full: float  # cosine of the angle to the axis within which it is at full strength
    none: float  # and of that beyond which there is nothing
    ambient: tuple[float, float]  # light from all sides, and how much more from above

    def toward(self, points: Tensor) -> Tensor:
        """Unit vectors to the light, shape (3, n, r) like the points."""
        return unit(self.position[:, :, None] - points)

    def strength(self, toward: Tensor, normals: Tensor) -> Tensor:
        """What arrives if nothing stands in between, shape (n, r)."""
        axis = unit(self.position - self.target)[:, :, None]
        inside = ((dot(toward, axis) - self.none) / (self.full - self.none)).clamp(0, 1)
        soft = inside * inside * (3 - 2 * inside)
        return soft * dot(toward, normals).clamp(min=0)


@dataclass(frozen=True, eq=False)
class Backdrop:
    """The ground, and on request a wall with a coloured strip."""

    ground: Tensor  # RGB of the plane z = 0, (3, n)
    strip: Tensor | None = None  # RGB of the wall within the strip, (3, n); None for no wall
    rest: Tensor | None = None  # and outside it
    wall: float = 0.0  # the wall is the plane y = wall
    band: tuple[float, float] = (0.0, 0.0)  # heights between which the strip is

    def met(self, origin: Tensor, direction: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Distance, points, normals and colours of the rays, shapes (n, r) and (3, n, r)."""
        down = direction[2]
        if self.strip is None:
            distance = -origin[2] / down
            points = origin + distance * direction
            normals = torch.zeros_like(points)
            normals[2] = 1.0
            return distance, points, normals, self.ground[:, :, None].expand_as(points)
        distance = torch.where(down < 0, -origin[2] / down, torch.inf)
        until = (self.wall - origin[1]) / direction[1]
        on_wall = until < distance
        distance = torch.where(on_wall, until, distance)
        points = origin + distance * direction
        zero, one = torch.zeros_like(distance), torch.ones_like(distance)
        normals = torch.stack([zero, torch.where(on_wall, -one, zero), (~on_wall).to(one)])
        striped = (points[2] > self.band[0]) & (points[2] < self.band[1])
        wall = torch.where(striped, self.strip[:, :, None], self.rest[:, :, None])
        return distance, points, normals, torch.where(on_wall, wall, self.ground[:, :, None])


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that a picture shows, n times."""

    camera: Camera
    bodies: Bodies
    light: Spotlight
    backdrop: Backdrop


def draw(scene: Scene, atlas: Atlas, size: int, supersample: int = 1) -> Tensor:
    """Render n scenes, shape (n, 3, size, size) in [0, 1], with the atlas of their bodies' shapes.

    It has derivatives by colours, light and poses, but not by moving silhouettes and shadow edges.
    """
    fine = size * supersample
    origin, direction = scene.camera.eye[:, :, None], scene.camera.rays(fine)
    distance, points, normals, colours = scene.backdrop.met(origin, direction)
    bodies = scene.bodies.detach()
    hits = cast(atlas, bodies, detach(origin), detach(direction)).before(detach(distance))
    seen, outward = surface(atlas, scene.bodies, hits, origin, direction)
    paint = scene.bodies.colour.flatten(1).index_select(1, hits.pair)
    points, normals, colours = (
        _with(back, hits.ray, front)
        for back, front in ((points, seen), (normals, outward), (colours, paint))
    )
    toward = scene.light.toward(points)
    strength = scene.light.strength(toward, normals)
    above = detach(points + LIFT * normals)
    blocked = cast(atlas, bodies, above, detach(toward), detach(strength) > 0)
    strength = strength.flatten().index_fill(0, blocked.ray, 0.0).view_as(strength)

    base, top = scene.light.ambient
    lamp = scene.light.colour[:, :, None]
    picture = colours * (base + top * normals[2] + lamp * strength)
    glints = _glints(toward, direction, outward, hits.ray)
    glints = _with(torch.zeros_like(strength)[None], hits.ray, glints[None])
    picture = picture + lamp * (strength * glints)
    picture = picture.clamp(0, 1).transpose(0, 1).reshape(-1, 3, fine, fine)
    return avg_pool2d(picture, supersample) if supersample > 1 else picture


def _with(rows: Tensor, at: Tensor, values: Tensor) -> Tensor:
    # rows of shape (c, n, r) with other values, shape (c, m), at some of its n * r places
    return rows.flatten(1).index_copy(1, at, values).view(rows.shape)


def _glints(toward: Tensor, direction: Tensor, normals: Tensor, at: Tensor) -> Tensor:
    # highlights by the angle between normal and half vector; only bodies have them
    toward, direction = (rays.flatten(1).index_select(1, at) for rays in (toward, direction))
    return GLOSS * _power_32(dot(unit(toward - direction), normals).clamp(min=0))


def _power_32(x: Tensor) -> Tensor:
    # products, whose bits do not depend on how a tensor is cut up, unlike pow's
    for _ in range(5):
        x = x * x
    return x
