"""Causal3DIdent: ten factors, seven of them on a causal graph (section 5.3, App. E.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.images.base import Images
from misalign.images.cached import CachedImages
from misalign.images.folder import ImageFolder
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds.base import Factor
from misalign.worlds.captions import Captions, TemplateCaptions
from misalign.worlds.images import ImageWorld, nested_settings
from misalign.worlds.random_omission import compose
from misalign.worlds.stored_captions import StoredCaptions

if TYPE_CHECKING:
    from misalign.captions.captioner import Captioner

SEMANTIC = (
    Factor("shape", "discrete", 7),
    Factor("x_pos", "discrete", 3),
    Factor("y_pos", "discrete", 3),
    Factor("s_pos"),
    Factor("color"),
    Factor("s_color"),
    Factor("b_color"),
)
SPECIFIC = tuple(Factor(name, side="image") for name in ("alpha", "beta", "gamma"))
FACTORS = SEMANTIC + SPECIFIC
DISCRETE = tuple(factor.name for factor in FACTORS if factor.kind == "discrete")
SHARES = (80_000, 10_000, 10_000)
# what captions of Multimodal3DIdent name: shape, position and the object's color
PLAIN = Bias(len(SEMANTIC), (1, 2, 3, 5), kind="uniform")


def setting(bias: str, number: int, *, probability: float = 1.0) -> Bias:
    """One of the settings of Table 10, its perturbations in the order that E.1's sizes need.

    Parameters
    ----------
    bias, number : {"selection", "perturbation"}, int
        Selection: the first `number` of shape, x_pos, y_pos, s_pos, color, s_color, b_color.
        Perturbation: all selected, the last `number` - 1 perturbed, so setting 1 perturbs nothing
        and 7 all but shape (the table prints them the other way round). A ValueError for others.
    probability : float, optional
        Of a perturbation (App. E.1: always).
    """
    return nested_settings(len(SEMANTIC), bias, number, 10, probability=probability, kind="uniform")


def draw(n: int, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw n samples of the factors from the graph (Table 9, Figure 15), on the generator's device.

    Each has shape (n,): int64 for shape, x_pos and y_pos, else float32 in [0, 1].
    """
    where = {"generator": generator, "device": generator.device}
    shape = torch.randint(7, (n,), **where)
    x_pos, y_pos = torch.randint(3, (2, n), **where)
    s_pos, color, s_color, b_color, alpha, beta, gamma = torch.rand(7, n, **where)
    # sums before quotients: rounding never takes a hue above 1
    color = ((x_pos + y_pos) / 2 + color) / 3
    s_color = (s_pos + s_color) / 2
    b_color = (s_pos + s_color + b_color) / 3
    columns = (shape, x_pos, y_pos, s_pos, color, s_color, b_color, alpha, beta, gamma)
    return {factor.name: column for factor, column in zip(FACTORS, columns, strict=True)}


def latents(n: int, seed: int) -> dict[str, Tensor]:
    """Factors of the n pictures of a seed, on the CPU: `draw` from the seed's own stream."""
    check_int("n", n, 1)
    return draw(n, generator=generator_for(seed, "causal3dident latents"))


def rendered(
    n: int = sum(SHARES),
    *,
    seed: int = 0,
    size: int = 128,
    supersample: int = 1,
    authors_hues: bool = False,
    keep: bool = True,
) -> Images:
    """Pictures that `misalign.rendering` renders.

    Parameters
    ----------
    n, seed, size, supersample : int, optional
        Number of pictures (the paper: 100,000), and seed of their factors; pixels a side, and rays
        along either side of a pixel.
    authors_hues : bool, optional
        Light and ground in other hues than captions name, as the authors' pictures have them.
    keep : bool, optional
        Render each picture just once and keep it, n x size x size x 3 bytes in the end.
    """
    # a renderer is loaded by those who render
    from misalign.rendering import causal3dident as scenes

    options = {"size": size, "supersample": supersample, "authors_hues": authors_hues}
    pictures = RenderedImages(partial(scenes.render, **options), latents(n, seed))
    return CachedImages(pictures) if keep else pictures


def folder(path: Path) -> ImageFolder:
    """Pictures of a folder in the published layout, of Causal3DIdent or Multimodal3DIdent.

    It holds ``images/`` and ``latents_image.csv``; a FileNotFoundError or ValueError names what is
    missing.
    """
    return ImageFolder(Path(path), tuple(factor.name for factor in FACTORS), DISCRETE)


def written(path: Path, bias: str | None = None, number: int | None = None) -> StoredCaptions:
    """Captions in ``text/`` of a folder in the published layout: those of a `setting`.

    Without `bias` and `number`, those of Multimodal3DIdent (Zenodo record 7678231), which has one
    set of captions, in each of its folders ``train``, ``val`` and ``test``. A FileNotFoundError or
    ValueError names a file that is missing or does not fit. Files that the authors' own script made
    slip in perturbation setting 1, see `Slipped`.
    """
    if bias is None:
        return StoredCaptions.read(Path(path), SEMANTIC, PLAIN, None)
    return StoredCaptions.read(Path(path), SEMANTIC, setting(bias, number), (bias, number))


def composed(bias: Bias, captioner: Captioner | None = None, **options: bool) -> TemplateCaptions:
    """`TemplateCaptions`, composed afresh for every pair, of a `setting` or another bias.

    By default they have the captioner whose sentences name what the bias selects, of these
    `options`: `printed` and `distinct`, see `misalign.captions.captioner.Captioner`.
    """
    return compose("causal3dident", SEMANTIC, bias, captioner, **options)


@dataclass(frozen=True, eq=False)
class Slipped(TemplateCaptions):
    """Captions that name the hue of the object for the background's.

    The authors' script writes them in perturbation setting 1, the only one that leaves the
    background's color as it is (its branch for that case takes the wrong column).
    """

    def perturb(
        self, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """As of `TemplateCaptions`, and then the slip."""
        said = super().perturb(values, generator=generator)
        return said | {"b_color": values["color"]}


def world(pictures: Images, captions: Captions | Bias, *, part: Tensor | None = None) -> ImageWorld:
    """Pairs of pictures and captions.

    Parameters
    ----------
    pictures : Images
        Of a `folder`, or `rendered` ones.
    captions : Captions or Bias
        `written` ones of the same folder, as many as pictures or a ValueError, or `composed` ones;
        a bias stands for the latter.
    part : Tensor, optional
        Indices of the pictures to draw from, of ``split(len(pictures), SHARES, seed=...)``.
    """
    captions = composed(captions) if isinstance(captions, Bias) else captions
    if isinstance(captions, StoredCaptions) and len(captions) != len(pictures):
        raise invalid("captions", f"{len(pictures)}, one a picture", len(captions))
    return ImageWorld(FACTORS, pictures, captions, part)
