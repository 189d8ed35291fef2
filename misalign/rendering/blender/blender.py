"""Causal3DIdent's scenes by Cycles, Blender's path tracer; needs the extra `blender`.

Camera, poses, colours and lights are those of `misalign.rendering.causal3dident`. Light that goes
from surface to surface, soft shadows and smooth outlines come on top.
"""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

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
    """Render scenes to bytes by Cycles, on the CPU.

    The same factors give the same bytes, whatever the batch. What Blender prints is dropped,
    together with all else that the process prints meanwhile.

    Parameters
    ----------
    factors, size, authors_hues
        As for `misalign.rendering.causal3dident.render`.
    samples : int, optional
        Paths a pixel, whose mean is denoised.

    Returns
    -------
    Tensor
        uint8, on the CPU, shape (n, 3, size, size).

    Raises
    ------
    ModuleNotFoundError
        Without bpy or scikit-image.
    ValueError
        For a factor that is missing, or of another shape, type or range.
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
    with (
        tempfile.TemporaryDirectory() as folder,
        silent(),
        stage(scene, meshes, size, samples) as set_up,
    ):
        for i, picture in enumerate(pictures):
            file = Path(folder) / f"{i}.png"
            set_up.shoot(i, file)
            with Image.open(file) as read_back:
                picture[:] = torch.from_numpy(np.array(read_back)).movedim(-1, 0)
    return pictures


def expect_installed() -> None:
    """Raise a one-line ModuleNotFoundError without bpy or scikit-image."""
    if not find_spec("bpy"):
        install = "pip install --no-deps bpy==5.0.1, on Python 3.11"
        package = f"the package bpy ({install}) to render by Blender"
        raise invalid("renderer", package, "none", ModuleNotFoundError)
    polygons.expect_installed()


@contextmanager
def silent() -> Iterator[None]:
    """Drop what the process writes to its output and error streams, C libraries included."""
    flush = ctypes.CDLL(None).fflush
    streams = sys.stdout, sys.stderr

    def emptied() -> None:
        for stream in streams:
            stream.flush()
        flush(None)  # what printf keeps would come out later

    emptied()
    kept = [os.dup(number) for number in (1, 2)]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in (1, 2):
            os.dup2(nowhere, number)
        yield
    finally:
        emptied()
        for number, copy in zip((1, 2), kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
