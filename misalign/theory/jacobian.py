"""What a representation depends on: the Jacobian of h = f o g (Steps 2 to 5 of the proof)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from misalign.errors import invalid


def jacobians(h: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Jacobian dh/dz, (m, k, d), of a map of latent rows z, (m, d), to rows of (m, k)."""
    if z.ndim != 2:
        raise invalid("z", "shape (m, d)", tuple(z.shape))
    return torch.func.vmap(torch.func.jacrev(lambda row: h(row[None])[0]))(z)


def profile(jacobian: Tensor, covariance: Tensor | None = None) -> Tensor:
    """How much a representation depends on each latent: mean norms of the Jacobian's columns.

    Parameters
    ----------
    jacobian : Tensor
        As from `jacobians`, shape (m, k, d).
    covariance : Tensor, optional
        Sigma of the latents, shape (d, d) or a ValueError. A column is then multiplied by
        1 / sqrt(Sigma^-1_jj), the standard deviation that latent j has once all others are known:
        what it can do on its own. By default latents count as independent and of variance 1.

    Returns
    -------
    Tensor
        Shape (d,); 0 for a latent that h does not depend on.
    """
    norms = jacobian.square().sum(1).sqrt().mean(0)
    if covariance is None:
        return norms
    d = jacobian.shape[-1]
    if covariance.shape != (d, d):
        raise invalid("covariance", f"shape ({d}, {d})", tuple(covariance.shape))
    return norms / torch.linalg.inv(covariance.double()).diagonal().sqrt().to(norms)


def smallest_stretch(jacobian: Tensor, block: tuple[int, ...]) -> Tensor:
    """Smallest singular value, (m,), of a block of the Jacobian: above 0, h is locally 1-to-1.

    The block is of 1 to k latents, by 1-based indices; a ValueError for others.
    """
    _, k, d = jacobian.shape
    stray = [i for i in block if not 1 <= i <= d]
    if stray or not block:
        raise invalid("block", f"indices from 1 to {d}", stray or "none")
    if len(block) > k:
        raise invalid("block", f"at most {k} indices", len(block))
    return torch.linalg.svdvals(jacobian[:, :, [i - 1 for i in block]])[:, -1]
