"""Watertight meshes in place of the table's shapes; needs the extra `meshes`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch.nn.functional import normalize

from misalign.errors import invalid
from misalign.rendering.grids import MARGIN, SIDE, Grid, beside_surface, points_of, reach, spread

SUFFIXES = (".ply", ".obj", ".stl")
FINE = 0.75  # spacing of samples of the surface, in cells
BAND = 2  # cells from the surface within which distances are to triangles
ASIDE = 1e-5, 1.7e-5  # of a cell: columns miss the edges of triangles, which would count twice


def from_mesh(path: Path) -> Grid:
    """Bake the signed distance of a watertight mesh, in its own unit."""
    if path.suffix.lower() not in SUFFIXES:
        raise invalid("shape", f"a mesh of suffix {', '.join(SUFFIXES)}", str(path))
    if not path.is_file():
        raise invalid("shape", "a file that is there", str(path))
    if not find_spec("trimesh"):
        install = "the package trimesh (pip install 'misalign[meshes]') to read a mesh"
        raise invalid("shape", install, str(path), ModuleNotFoundError)
    import trimesh

    mesh = trimesh.load_mesh(path)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    if not len(mesh.faces) or not mesh.is_watertight:
        raise invalid("shape", "a watertight mesh", str(path))
    corners = np.asarray(mesh.triangles, dtype=np.float64)
    low, high = corners.min((0, 1)), corners.max((0, 1))
    centre, half = torch.tensor((low + high) / 2), torch.tensor((high - low) / 2)
    half = half * (SIDE - 1) / (SIDE - 1 - 2 * MARGIN)
    spacing = 2 * half / (SIDE - 1)
    points = points_of(centre, half).numpy()
    inside = _inside(corners, points)
    near = beside_surface(inside, BAND)
    feet = np.zeros_like(points)
    feet[near] = _feet(corners, points[near], FINE * float(spacing.max()))
    values = torch.from_numpy(np.where(inside, -1.0, 1.0)) * spread(points, feet, near, spacing)
    slopes = torch.stack(torch.gradient(values, spacing=spacing.tolist()), -1)
    parts = (values, normalize(slopes, dim=-1), centre, half, reach(values, half))
    return Grid(*(part.float() for part in parts))


def _feet(corners: np.ndarray, points: np.ndarray, apart: float) -> np.ndarray:
    """Nearest surface points, of the triangle whose sample is nearest; shape (m, 3)."""
    from trimesh.triangles import closest_point

    samples, owners = _samples(corners, apart)
    _, nearest = cKDTree(samples).query(points)
    return closest_point(corners[owners[nearest]], points)


def _samples(corners: np.ndarray, apart: float) -> tuple[np.ndarray, np.ndarray]:
    """Points on triangles, no farther apart than asked, and the number of each one's triangle."""
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(1)
    parts = np.maximum(np.ceil(sides / apart).astype(int), 1)
    samples, owners = [], []
    for n in np.unique(parts):
        some = np.flatnonzero(parts == n)
        u, v = (grid.ravel() for grid in np.meshgrid(np.arange(n + 1), np.arange(n + 1)))
        u, v = u[u + v <= n], v[u + v <= n]
        weights = np.stack([n - u - v, u, v], 1) / n
        samples.append(np.einsum("wc,fcx->fwx", weights, corners[some]).reshape(-1, 3))
        owners.append(np.repeat(some, len(weights)))
    return np.concatenate(samples), np.concatenate(owners)


def _inside(corners: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether grid points are inside: an odd number of triangles lies below them."""
    ticks = [points[:, 0, 0, 0], points[0, :, 0, 1], points[0, 0, :, 2]]
    cells = [axis[1] - axis[0] for axis in ticks]
    columns = [ticks[i] + ASIDE[i] * cells[i] for i in (0, 1)]
    spans = [
        np.searchsorted(columns[i], [corners.min(1)[:, i], corners.max(1)[:, i]]) for i in (0, 1)
    ]
    (x, x_end), (y, y_end) = spans
    count = (x_end - x) * (y_end - y)
    owner = np.repeat(np.arange(len(corners)), count)
    place = np.arange(count.sum()) - np.repeat(count.cumsum() - count, count)
    deep = (y_end - y)[owner]
    x, y = x[owner] + place // deep, y[owner] + place % deep
    start, *edges = (corners[:, i] - (corners[:, 0] if i else 0) for i in range(3))
    first, second = (edge[owner] for edge in edges)
    across, along = columns[0][x] - start[owner, 0], columns[1][y] - start[owner, 1]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    flat = area == 0
    area = np.where(flat, 1.0, area)
    u = (across * second[:, 1] - along * second[:, 0]) / area
    v = (first[:, 0] * along - first[:, 1] * across) / area
    met = ~flat & (u >= 0) & (v >= 0) & (u + v <= 1)
    height = (start[owner, 2] + u * first[:, 2] + v * second[:, 2])[met]
    crossings = np.zeros(points.shape[:3], int)
    np.add.at(crossings, (x[met], y[met], np.searchsorted(ticks[2], height)), 1)
    return np.cumsum(crossings, axis=2) % 2 == 1
