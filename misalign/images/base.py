"""What a source of pictures is, and how its pictures are shared out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.rng import generator_for

PARTS = ("train", "evaluation", "test")


class Images(Protocol):
    """N pictures whose factors are known.

    Attributes
    ----------
    factors : mapping of str to Tensor
        True factors of every picture, each of shape (N,): int64 where discrete, else float32.
    """

    factors: Mapping[str, Tensor]

    def __len__(self) -> int:
        """Number of pictures, N."""
        ...

    def images(self, indices: Tensor) -> Tensor:
        """Read pictures, RGB, uint8, shape (n, 3, H, W), on the pictures' device.

        Indices are int64, of shape (n,), in any order and with repetitions.
        """
        ...

    def to(self, device: torch.device | str) -> Images:
        """Move factors, and whatever pictures are kept in memory, to a device."""
        ...


def split(n: int, shares: Sequence[int], *, seed: int) -> dict[str, Tensor]:
    """Share n pictures out at random, once and for all of a seed's runs.

    Parameters
    ----------
    n, seed : int
        Number of pictures, and seed of their permutation.
    shares : sequence of int
        Sizes of the parts of a whole set of their sum, such as 414,720, 23,040 and 23,040; those of
        n pictures are proportional, rounded down but for the first; a ValueError for an empty one.

    Returns
    -------
    dict of str to Tensor
        Indices of ``"train"``, ``"evaluation"`` and ``"test"``: disjoint, complete, sorted.

    Examples
    --------
    >>> {name: len(part) for name, part in split(1000, (8, 1, 1), seed=0).items()}
    {'train': 800, 'evaluation': 100, 'test': 100}
    """
    n = check_int("n", n, 1)
    if len(shares) != len(PARTS):
        raise invalid("shares", f"one each of {', '.join(PARTS)}", shares)
    sizes = [n * share // sum(shares) for share in shares]
    sizes[0] = n - sum(sizes[1:])
    if min(sizes) < 1:
        raise invalid("n", "enough pictures for three parts", f"{n}, so parts of {sizes}")
    order = torch.randperm(n, generator=generator_for(seed, "split"))
    parts = (part.sort().values for part in order.split(sizes))
    return dict(zip(PARTS, parts, strict=True))
