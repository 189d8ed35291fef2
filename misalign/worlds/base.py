"""The protocol that every world follows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from misalign.bias import Bias


@dataclass(frozen=True)
class Factor:
    """One latent factor of a world.

    Parameters
    ----------
    name, kind : str, {"continuous", "discrete"}
        As in the records, such as ``"s3"`` or ``"m_x"``; scored by R2 or by MCC.
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
        True factors, each of shape (n, size), or (n, 1) where discrete.
    text_factors : dict of str to Tensor
        What the caption says of the selected semantic factors (s_tilde), shaped likewise; where
        words are coarser than values, the place of the word.
    content : dict of str to Tensor, optional
        The value that was put into such a word, so that ``text_factors | content`` is s_tilde in
        the units of `factors`.
    """

    image: Tensor
    text: Tensor
    factors: dict[str, Tensor]
    text_factors: dict[str, Tensor]
    content: dict[str, Tensor] = field(default_factory=dict)


class World(Protocol):
    """A generative process of image-text pairs under a bias (Eqs 3 to 5).

    Whatever has the following is a world; `misalign.worlds.check.check_world` tells whether it
    keeps its promises.

    Attributes
    ----------
    factors : tuple of Factor
        Every latent factor, semantic ones first and in the order of the bias's indices.
    bias : Bias
        What captions omit and perturb.

    Examples
    --------
    Two coins and an angle that only the image shows; captions name the first coin.

    >>> class Coins:
    ...     bias = Bias(2, (1,))
    ...     coins = (Factor("s1", "discrete", 2), Factor("s2", "discrete", 2))
    ...     factors = (*coins, Factor("m_x", side="image"))
    ...
    ...     def sample(self, n, *, generator, device="cpu"):
    ...         s1, s2 = torch.randint(2, (2, n, 1), generator=generator, device=device)
    ...         m_x = torch.rand(n, 1, generator=generator, device=device)
    ...         factors = {"s1": s1, "s2": s2, "m_x": m_x}
    ...         return Batch(torch.cat([s1, s2, m_x], 1), s1.float(), factors, {"s1": s1})
    >>> Coins().sample(5, generator=torch.Generator()).image.shape
    torch.Size([5, 3])
    """

    factors: tuple[Factor, ...]
    bias: Bias

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs on the device, where the world and the generator are.

        Everything random comes from the generator. The package's own worlds move by their `to`.
        """
        ...
