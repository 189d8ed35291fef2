"""What Theorem 4.1 predicts, as a number.

If the representation is an invertible function of the unbiased block s_I and of nothing else, the
best prediction of any factor from it is the best prediction from s_I. For Gaussian latents that
is linear, and its R2 has a closed form.
"""

from __future__ import annotations

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import expect
from misalign.worlds import NumericalWorld


def explained(covariance: Tensor, block: tuple[int, ...]) -> Tensor:
    """Share of every Gaussian variable's variance that a block of them explains.

    Parameters
    ----------
    covariance : Tensor
        Sigma, positive definite, shape (n, n).
    block : tuple of int
        1-based indices I.

    Returns
    -------
    Tensor
        Sigma_jI Sigma_II^-1 Sigma_Ij / Sigma_jj for every j, shape (n,): 1 within the block.
    """
    n = len(covariance)
    stray = [i for i in block if not 1 <= i <= n]
    expect(block and not stray, "block", f"indices from 1 to {n}", stray or "none")
    inside = [i - 1 for i in block]
    covariance = covariance.double()
    towards = covariance[inside]
    explained_part = (towards * torch.linalg.solve(covariance[inside][:, inside], towards)).sum(0)
    return explained_part / covariance.diagonal()


def oracle(
    world: NumericalWorld, encoding_size: int | None = None
) -> dict[tuple[str, str], float] | None:
    """Predicted R2 of every factor (Theorem 4.1).

    Parameters
    ----------
    world : NumericalWorld
        Where the pairs come from.
    encoding_size : int, optional
        Width of the representation; by default the number of unbiased factors.

    Returns
    -------
    dict of (str, str) to float, or None
        Score by (target, factor); target ``"image"`` is the true factor, ``"text"`` what captions
        say of a selected one. None where the theorem does not apply: at any other width. It is the
        score of the best nonlinear probe, and an upper bound for a linear one.
    """
    bias = world.bias
    if encoding_size not in (None, len(bias.unbiased)):
        return None
    share = explained(world.sigma_s, bias.unbiased)
    variance = world.sigma_s.double().diagonal()
    said = share * variance / (variance + _noise_variance(bias, world.sigma_eps))
    image = {("image", f"s{i + 1}"): float(share[i]) for i in range(bias.n)}
    text = {("text", f"s{i}"): float(said[i - 1]) for i in bias.selected}
    specific = {("image", name): 0.0 for name in ("m_x", "m_t")}
    return {**image, **text, **specific}


def _noise_variance(bias: Bias, sigma_eps: Tensor) -> Tensor:
    """What perturbation adds to each factor's variance on the text side."""
    hit = torch.zeros(bias.n, dtype=torch.float64, device=sigma_eps.device)
    hit[[i - 1 for i in bias.perturbed]] = bias.probability
    return hit * sigma_eps.double().diagonal()
