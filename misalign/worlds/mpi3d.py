"""MPI3D-Complex: seven independent discrete factors (section 5.2, App. D.1)."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int
from misalign.images.base import Images
from misalign.images.cached import CachedImages
from misalign.images.npz import NpzImages
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds.base import Factor
from misalign.worlds.captions import TemplateCaptions, sample_uniform
from misalign.worlds.images import ImageWorld, nested_settings
from misalign.worlds.random_omission import compose

if TYPE_CHECKING:
    from misalign.captions.captioner import Captioner

SEMANTIC = (
    Factor("color", "discrete", 4),
    Factor("shape", "discrete", 4),
    Factor("size", "discrete", 2),
    Factor("cam", "discrete", 3),
    Factor("back", "discrete", 3),
)
SPECIFIC = (Factor("hori", "discrete", 40, "image"), Factor("vert", "discrete", 40, "image"))
FACTORS = SEMANTIC + SPECIFIC  # in the order of the published file
COUNT = 460_800  # of all combinations
SHAPE = (COUNT, 64, 64, 3)
PAGE = "https://github.com/rr-learning/disentanglement_dataset"
# App. D.1 prints 44,720, which has lost a digit: the three sum to the number of pictures
SHARES = (414_720, 23_040, 23_040)


def setting(bias: str, number: int, *, probability: float = 0.9, kind: str = "uniform") -> Bias:
    """One of the settings of Table 7.

    Parameters
    ----------
    bias, number : {"selection", "perturbation"}, int
        Selection: the first `number` of color, shape, size, cam, back. Perturbation: all selected,
        the last `number` - 1 perturbed. A ValueError for others.
    probability, kind : float, {"uniform", "other"}, optional
        Of a perturbation (App. D.1: 0.9), to any value, as in the authors' code, or an alternative.
    """
    return nested_settings(len(SEMANTIC), bias, number, 7, probability=probability, kind=kind)


def draw(n: int, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw factors as Table 6 has them: uniform and independent, int64, each of shape (n,)."""
    return {factor.name: sample_uniform(factor, n, generator=generator) for factor in FACTORS}


def combinations() -> dict[str, Tensor]:
    """Every combination of factors in the published file's order: the last varies fastest."""
    shape = tuple(factor.size for factor in FACTORS)
    columns = torch.unravel_index(torch.arange(COUNT), shape)
    return {factor.name: column for factor, column in zip(FACTORS, columns, strict=True)}


def stored(path: Path) -> NpzImages:
    """Photographs of the published file, ``real3d_complicated_shapes_ordered.npz``, from `PAGE`.

    Its 5.7 GB are mapped, not loaded. A FileNotFoundError if it is not at the path, a ValueError if
    it is damaged or another file.
    """
    return NpzImages(Path(path), combinations(), SHAPE, page=PAGE)


def rendered(
    n: int | None = None, *, seed: int = 0, size: int = 64, supersample: int = 1, keep: bool = True
) -> Images:
    """Pictures that `misalign.rendering` renders in place of the photographs.

    Parameters
    ----------
    n, seed : int, optional
        Size, by default all 460,800 and at most that, and seed of a pool of combinations drawn
        without repetition.
    size, supersample, keep : int, int, bool, optional
        Pixels a side, and rays along either side of a pixel; whether each picture is rendered just
        once and kept, n x size x size x 3 bytes in the end.
    """
    # a renderer is loaded by those who render
    from misalign.rendering import mpi3d as scenes

    n = COUNT if n is None else check_int("n", n, 1, COUNT)
    order = torch.randperm(COUNT, generator=generator_for(seed, "mpi3d pool"))
    chosen = order[:n] if n < COUNT else torch.arange(COUNT)
    factors = {name: values[chosen] for name, values in combinations().items()}
    pictures = RenderedImages(partial(scenes.render, size=size, supersample=supersample), factors)
    return CachedImages(pictures) if keep else pictures


def composed(bias: Bias, captioner: Captioner | None = None) -> TemplateCaptions:
    """Captions composed afresh for every pair, of a `setting` or another bias.

    With an `omission_probability` they leave the last factor out at times. By default they have the
    captioner whose sentences name what the bias selects.
    """
    return compose("mpi3d", SEMANTIC, bias, captioner)


def world(
    pictures: Images, bias: Bias, *, part: Tensor | None = None, captioner: Captioner | None = None
) -> ImageWorld:
    """Pairs of pictures and captions composed for them.

    Parameters
    ----------
    pictures, bias : Images, Bias
        `stored` or `rendered` ones; a `setting` or another bias.
    part, captioner : Tensor, Captioner, optional
        Indices of the pictures to draw from, of ``split(len(pictures), SHARES, seed=...)``; as for
        `composed`.
    """
    return ImageWorld(FACTORS, pictures, composed(bias, captioner), part)
