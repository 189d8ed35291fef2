"""Shapes as data: chains of tapered capsules, and ellipsoids, joined or cut away smoothly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import yaml
from torch import Tensor

from misalign.errors import invalid

TABLE = Path(__file__).with_name("shapes.yaml")


@dataclass(frozen=True)
class Primitive:
    """One part of a shape: an ellipsoid, or a chain of capsules that taper from point to point."""

    kind: str  # "ellipsoid" or "chain"
    rows: tuple[tuple[float, ...], ...]  # centre and three radii; or (x, y, z, radius) a point
    blend: float = 0.0  # length over which it melts into what came before it
    mirror: bool = False  # whether there is a second one beyond the plane y = 0
    cut: bool = False  # whether it is taken away

    @classmethod
    def of(cls, name: str, entry: dict) -> Primitive:
        """Read one entry of the table; `name` is the shape's, for the complaint."""
        options = dict(entry)
        kinds = [kind for kind in WIDTHS if kind in options]
        if len(kinds) != 1:
            raise invalid(name, "parts with one of ellipsoid or chain each", entry)
        (kind,) = kinds
        rows = options.pop(kind)
        rows = [rows] if kind == "ellipsoid" else rows
        width = WIDTHS[kind]
        if any(len(row) != width for row in rows):
            raise invalid(name, f"{width} numbers a row of {kind}", rows)
        return cls(kind, tuple(tuple(map(float, row)) for row in rows), **options)

    def distance(self, points: Tensor) -> Tensor:
        """Roughly the signed distance of points, shape (..., 3), negative inside; shape (...)."""
        if self.mirror:
            points = torch.cat([points[..., :1], points[..., 1:2].abs(), points[..., 2:]], -1)
        if self.kind == "ellipsoid":
            return _ellipsoid(points, *points.new_tensor(self.rows[0]).split(3))
        ends = points.new_tensor(self.rows)
        pairs = [(ends[0], ends[0])] if len(ends) == 1 else list(zip(ends, ends[1:], strict=False))
        nearest = _capsule(points, *pairs[0])
        for pair in pairs[1:]:
            nearest = torch.minimum(nearest, _capsule(points, *pair))
        return nearest


WIDTHS = {"ellipsoid": 6, "chain": 4}


def _ellipsoid(points: Tensor, centre: Tensor, radii: Tensor) -> Tensor:
    # first-order distance: exact on the surface and for spheres, finite at the centre
    scaled = (points - centre) / radii
    level = scaled.norm(dim=-1).clamp(min=1e-6)
    slope = (scaled / radii).norm(dim=-1)
    return (level - 1) * (level / slope.clamp(min=1e-6)).clamp(min=radii.min())


def _capsule(points: Tensor, start: Tensor, end: Tensor) -> Tensor:
    axis = end[:3] - start[:3]
    offset = points - start[:3]
    along = ((offset @ axis) / (axis @ axis).clamp(min=1e-12)).clamp(0, 1)
    radius = start[3] + along * (end[3] - start[3])
    return (offset - along[..., None] * axis).norm(dim=-1) - radius


def field(primitives: tuple[Primitive, ...], points: Tensor) -> Tensor:
    """Level function at points of shape (..., 3), near the surface about a signed distance.

    A shape's parts are joined or cut in order, by the quadratic smooth minimum.
    """
    level = torch.full(points.shape[:-1], 1e3, dtype=points.dtype, device=points.device)
    for part in primitives:
        sign = -1.0 if part.cut else 1.0
        level = sign * _smooth_minimum(sign * level, part.distance(points), part.blend)
    return level


def _smooth_minimum(a: Tensor, b: Tensor, blend: float) -> Tensor:
    lower = torch.minimum(a, b)
    if blend == 0:
        return lower
    overlap = (blend - (a - b).abs()).clamp(min=0) / blend
    return lower - overlap.square() * blend / 4


def load(path: Path = TABLE) -> dict[str, tuple[Primitive, ...]]:
    """Read a table of shapes: a list of parts a name, each as `Primitive` takes it."""
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        name: tuple(Primitive.of(name, entry) for entry in entries)
        for name, entries in table.items()
    }


SHAPES = load()
