"""Scenes of `misalign.rendering.causal3dident` by Cycles, Blender's path tracer.

It needs the extra `blender`, and adds soft shadows, smooth outlines and light between surfaces.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.rendering.blender import polygons
from misalign.rendering.blender.stage import stage
from misalign.rendering.causal3dident import COLUMNS, SHAPES, assembled
from misalign.rendering.columns import expect_sizes, read

SAMPLES = 16  # paths a pixel, before denoising


def render(
    factors: dict[str, Tensor],
    *,
    size: int = 128,
    samples: int = SAMPLES,
    authors_hues: bool = False,
) -> Tensor:
    """Render scenes to bytes by Cycles, on the CPU: uint8, shape (n, 3, size, size).

    The same factors give the same bytes, whatever the batch. What Blender prints is dropped,
    together with all else that the process prints meanwhile.

    Parameters
    ----------
    factors, size, authors_hues
        As for `misalign.rendering.causal3dident.render`.
    samples : int, optional
        Paths a pixel, whose mean is denoised.

    Raises
    ------
    ModuleNotFoundError, ValueError
        Without bpy or scikit-image; for factors that are missing or of wrong shape, type or range.
    """
    expect_sizes(size, 1)
    check_int("samples", samples, 1)
    values = {name: column.detach().cpu() for name, column in read(COLUMNS, factors).items()}
    expect_installed()
    scene = assembled(values, authors_hues)
    meshes = {i: polygons.polygons(SHAPES[i]) for i in values["shape"].unique().tolist()}
    pictures = torch.empty(len(values["shape"]), 3, size, size, dtype=torch.uint8)
    if not meshes:
        return pictures
    with TemporaryDirectory() as folder, silent(), stage(scene, meshes, size, samples) as set_up:
        for i, picture in enumerate(pictures):
            file = Path(folder, f"{i}.png")
            set_up.shoot(i, file)
            with Image.open(file) as shot:
                picture[:] = torch.from_numpy(np.array(shot)).movedim(-1, 0)
    return pictures


def expect_installed() -> None:
    """Raise a one-line ModuleNotFoundError without bpy or scikit-image."""
    if not find_spec("bpy"):
        package = "the package bpy (pip install --no-deps bpy==5.0.1, on Python 3.11)"
        raise invalid("renderer", f"{package} to render by Blender", "none", ModuleNotFoundError)
    polygons.expect_installed()


@contextmanager
def silent() -> Iterator[None]:
    """Drop what the process writes to its output and error streams, C libraries included."""
    flush = ctypes.CDLL(None).fflush

    def empty() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        flush(None)  # what printf keeps would come out later

    empty()
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        with Path(os.devnull).open("wb") as nowhere:
            for number in kept:
                os.dup2(nowhere.fileno(), number)
        yield
    finally:
        empty()
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
