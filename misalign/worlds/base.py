"""The protocol that every world follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from misalign.bias import Bias


@dataclass(frozen=True)
class Factor:
    """One latent factor of a world.

    Parameters
    ----------
    name : str
        As in the records, such as ``"s3"`` or ``"m_x"``.
    kind : {"continuous", "discrete"}
        Scored by R2 or by MCC.
    size : int
        Dimension of a continuous factor, number of values of a discrete one.
    side : {"semantic", "image", "text"}
        Shared by both modalities, or specific to one.
    """

    name: str
    kind: str = "continuous"
    size: int = 1
    side: str = "semantic"


@dataclass(frozen=True, eq=False)
class Batch:
    """Paired samples.

    Parameters
    ----------
    image, text : Tensor
        Observations x and t; row i of both is one pair.
    factors : dict of str to Tensor
        True factors, each of shape (n, size).
    text_factors : dict of str to Tensor
        What the caption says of the selected semantic factors (s_tilde), each of shape (n, size).
    """

    image: Tensor
    text: Tensor
    factors: dict[str, Tensor]
    text_factors: dict[str, Tensor]


class World(Protocol):
    """A generative process of image-text pairs under a bias (Eqs 3 to 5).

    Attributes
    ----------
    factors : tuple of Factor
        Every latent factor, semantic ones first and in the order of the bias's indices.
    bias : Bias
        What captions omit and perturb.
    """

    factors: tuple[Factor, ...]
    bias: Bias

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs from a generator that lives on the device."""
        ...
