"""Watertight meshes in place of the table's shapes; needs the extra `meshes`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch.nn.functional import normalize

from misalign.errors import expect
from misalign.scenes.grids import MARGIN, SIDE, Grid, points_of, reach

SUFFIXES = (".ply", ".obj", ".stl")
FINE = 0.75  # spacing of samples of the surface, in cells
BAND = 3.0  # cells from the surface within which distances are to triangles, not to samples
ASIDE = 1e-5, 1.7e-5  # of a cell: columns miss the edges of triangles, which would count twice


def from_mesh(path: Path) -> Grid:
    """Bake the signed distance of a mesh.

    Parameters
    ----------
    path : Path
        A watertight mesh, .ply, .obj or .stl.

    Returns
    -------
    Grid
        In the mesh's own unit.

    Raises
    ------
    ModuleNotFoundError
        Without trimesh.
    ValueError
        For another suffix, a file that is not there, or a mesh that is not watertight.
    """
    suffix = path.suffix.lower()
    expect(suffix in SUFFIXES, "shape", f"a mesh of suffix {', '.join(SUFFIXES)}", str(path))
    expect(path.is_file(), "shape", "a file that is there", str(path))
    install = "the package trimesh (pip install 'misalign[meshes]') to read a mesh"
    expect(find_spec("trimesh"), "shape", install, str(path), ModuleNotFoundError)
    import trimesh

    mesh = trimesh.load_mesh(path)
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    expect(len(mesh.faces) and mesh.is_watertight, "shape", "a watertight mesh", str(path))
    corners = np.asarray(mesh.triangles, dtype=np.float64)
    low, high = corners.min((0, 1)), corners.max((0, 1))
    centre, half = torch.tensor((low + high) / 2), torch.tensor((high - low) / 2)
    half = half * (SIDE - 1) / (SIDE - 1 - 2 * MARGIN)
    spacing = (2 * half / (SIDE - 1)).numpy()
    outside = points_of(centre, half).numpy()
    signed = np.where(_inside(corners, outside), -1.0, 1.0) * _far(corners, outside, spacing)
    values = torch.from_numpy(signed)
    slopes = torch.stack(torch.gradient(values, spacing=spacing.tolist()), -1)
    size = reach(values, half)
    parts = (values, normalize(slopes, dim=-1), centre, half, size)
    return Grid(*(part.float() for part in parts))


def _far(corners: np.ndarray, points: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Distance of grid points to the triangles, shapes (f, 3, 3) and (64, 64, 64, 3)."""
    from trimesh.triangles import closest_point

    cell = spacing.max()
    samples, owners = _samples(corners, FINE * cell)
    far, nearest = cKDTree(samples).query(points.reshape(-1, 3))
    near = far < BAND * cell
    # the nearest sample's triangle may not be the nearest triangle, but touches it nearby
    close = points.reshape(-1, 3)[near]
    feet = closest_point(corners[owners[nearest[near]]], close)
    far[near] = np.minimum(far[near], np.linalg.norm(close - feet, axis=1))
    return far.reshape(points.shape[:3])


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
    crossings = np.zeros(points.shape[:3], int)
    for triangle in corners:
        spans = [
            np.searchsorted(columns[i], [triangle[:, i].min(), triangle[:, i].max()])
            for i in (0, 1)
        ]
        x, y = np.meshgrid(*(np.arange(*span) for span in spans), indexing="ij")
        at = np.stack([columns[0][x], columns[1][y]], -1)
        edges = (triangle[1:] - triangle[0])[:, :2]
        area = edges[0, 0] * edges[1, 1] - edges[0, 1] * edges[1, 0]
        if area == 0 or x.size == 0:
            continue
        to = at - triangle[0, :2]
        u = (to[..., 0] * edges[1, 1] - to[..., 1] * edges[1, 0]) / area
        v = (edges[0, 0] * to[..., 1] - edges[0, 1] * to[..., 0]) / area
        met = (u >= 0) & (v >= 0) & (u + v <= 1)
        rise = triangle[1:, 2] - triangle[0, 2]
        height = (triangle[0, 2] + u * rise[0] + v * rise[1])[met]
        np.add.at(crossings, (x[met], y[met], np.searchsorted(ticks[2], height).clip(max=SIDE - 1)), 1)
    return np.cumsum(crossings, axis=2) % 2 == 1
