"""What the encoders minimise: Eq. (1), Eq. (2), and the loss of the authors' image experiments.

All three cost O(B^2 n) operations and O(B^2) memory: squared distances come from one matrix
product, never from a (B, B, n) array of differences. All take leading dimensions, over which
batches lie side by side: one loss each, as if each were alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from misalign.errors import invalid


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances, (..., A, B), between the rows of a, (..., A, n), and of b, (..., B, n)."""
    left, right = _factors(a, b, 1.0)
    return -(left @ right.mT)


def _factors(a: Tensor, b: Tensor, tau: float, less: Tensor | float = 0.0) -> tuple[Tensor, Tensor]:
    """Two narrow matrices whose product is -||a_i - b_j||^2 / tau - less_i.

    The product of (2a, -|a|^2, 1) and (b, 1, -|b|^2): the one large array is written once.
    """
    # distances do not depend on the origin, their rounding errors do: put it in the middle
    origin = b.detach().mean(-2, keepdim=True)
    root = math.sqrt(tau)
    a, b = (a - origin) / root, (b - origin) / root
    norms_a, norms_b = (-z.square().sum(-1, keepdim=True) for z in (a, b))
    left = torch.cat([2 * a, norms_a - less, torch.ones_like(norms_a)], -1)
    right = torch.cat([b, torch.ones_like(norms_b), norms_b], -1)
    return left, right


class _LogSum(torch.autograd.Function):
    """log(sum_j exp(left_i . right_j)) for every row i, with or without j = i, or 1 in the sum.

    By hand for speed: one array of exponentials is all that is kept and passed over again, and the
    products with it are taken from the side that is fast for narrow matrices.
    """

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx, left: Tensor, right: Tensor, own: bool, one: bool
    ) -> Tensor:
        powers = left @ right.mT
        itself = powers.diagonal(dim1=-2, dim2=-1) if own else powers[..., :0]
        itself.fill_(-torch.inf)  # counts for nothing among the exponents ...
        top = powers.amax(-1, keepdim=True)
        top = top.clamp_min_(0) if one else top
        # the largest exponential is 1, beside which e^-60 is nothing; below e^-87, where float32
        # underflows, the exponential and every product with it take 100 times as long
        powers.sub_(top).clamp_min_(-60).exp_()
        itself.zero_()  # ... nor among the exponentials
        total = powers.sum(-1, keepdim=True)
        total = total + (-top).exp() if one else total
        ctx.save_for_backward(left, right, powers, total)
        return (top + total.log()).squeeze(-1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, gradient: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        left, right, powers, total = ctx.saved_tensors
        weight = gradient.unsqueeze(-1) / total
        to_left = weight * (right.mT @ powers.mT).mT
        to_right = ((weight * left).mT @ powers).mT
        return to_left, to_right, None, None


def _check(tau: float, z_x: Tensor, **others: Tensor | None) -> None:
    if not tau > 0:
        raise invalid("tau", "a temperature above 0", tau)
    if z_x.ndim < 2:
        raise invalid("z_x", "shape (..., B, n)", tuple(z_x.shape))
    for name, other in others.items():
        if other is not None and (other.ndim, other.shape[-1]) != (z_x.ndim, z_x.shape[-1]):
            raise invalid(name, f"rows of width {z_x.shape[-1]}, like z_x", tuple(other.shape))
    if others["z_t"].shape[-2] != z_x.shape[-2]:
        raise invalid("z_t", f"{z_x.shape[-2]} rows, one a pair", others["z_t"].shape[-2])


def _miss(logits: Tensor) -> Tensor:
    """Mean cross-entropy of picking entry i in row i: shape (...) for logits (..., K, N)."""
    return -logits.log_softmax(-1).diagonal(dim1=-2, dim2=-1).mean(-1)


def mmcl(z_x: Tensor, z_t: Tensor, *, tau: float = 1.0, similarity: str = "euclidean") -> Tensor:
    """Multimodal contrastive loss, Eq. (1): symmetric InfoNCE over K pairs.

    Parameters
    ----------
    z_x, z_t : Tensor
        Representations of K pairs, shape (..., K, n).
    tau : float, optional
        Temperature.
    similarity : {"euclidean", "cosine"}, optional
        <a, b>: the negative squared Euclidean distance (section 2), or the cosine.

    Returns
    -------
    Tensor
        Shape (...), a scalar for one batch; never negative.

    Examples
    --------
    Without information it is log K, and 0 for pairs that coincide, far from all others:

    >>> import torch
    >>> from misalign.objectives import mmcl
    >>> z = torch.eye(4)
    >>> [round(mmcl(scale * z, scale * z).exp().item(), 3) for scale in (0, 1, 10)]
    [4.0, 1.406, 1.0]
    """
    _check(tau, z_x, z_t=z_t)
    if similarity == "euclidean":
        logits = -squared_distances(z_x, z_t) / tau
    elif similarity == "cosine":
        logits = functional.normalize(z_x, dim=-1) @ functional.normalize(z_t, dim=-1).mT / tau
    else:
        raise invalid("similarity", "one of euclidean, cosine", similarity)
    return (_miss(logits) + _miss(logits.mT)) / 2


def sym_align_max_ent(
    z_x: Tensor,
    z_t: Tensor,
    other_x: Tensor | None = None,
    other_t: Tensor | None = None,
    *,
    tau: float = 1.0,
    floor: bool = True,
) -> Tensor:
    """Alignment minus entropy, Eq. (2), estimated from a batch.

    The alignment term is E ||z_x - z_t||^2 / tau (squared, as the text of section 2 and the
    slides have it). Each entropy is minus the log-mean of a Gaussian kernel between the batch and
    other samples of the same modality. As in the authors' code the positive pair's kernel joins
    that mean: without it the loss of outputs that may grow is unbounded below on a finite batch.

    Parameters
    ----------
    z_x, z_t : Tensor
        Representations of B pairs, shape (..., B, n).
    other_x, other_t : Tensor, optional
        Representations of an independent batch, shape (..., M, n), so N = M + 1 (the authors'
        form). Left out, the other members of the batch serve, so N = B: half the encoder passes.
    tau : float, optional
        Kernel width.
    floor : bool, optional
        Let the positive pair join the log-mean. The loss then is at least -log N, N the terms of
        the log-mean, and close to it nothing more is learned. Outputs of fixed variance need no
        floor: False leaves Eq. (2) as it stands, and both its terms keep their gradients.

    Returns
    -------
    Tensor
        Shape (...), a scalar for one batch; of one pair without others it is a ValueError.
    """
    _check(tau, z_x, z_t=z_t, other_x=other_x, other_t=other_t)
    if (other_x is None) != (other_t is None):
        raise invalid("other_t", "a second batch of both modalities or of none", "one modality")
    if other_x is None and z_x.shape[-2] < 2:
        raise invalid("z_x", "at least 2 rows", z_x.shape[-2])
    positive = -(z_x - z_t).square().sum(-1) / tau
    pairs = ((z_x, other_x), (z_t, other_t))
    halves = [_half(z, other, positive, tau, floor) for z, other in pairs]
    return (halves[0] + halves[1]) / 2


def _half(z: Tensor, other: Tensor | None, positive: Tensor, tau: float, floor: bool) -> Tensor:
    """One modality's share: alignment plus log-mean kernel.

    Alignment is -positive_i, the log-mean kernel log(1/N (e^positive_i + sum_j e^logit_ij)), its
    first term only with a floor. Their sum is log(1 + sum_j e^(logit_ij - positive_i)) - log N;
    written so, nothing large cancels.
    """
    # a row is no sample independent of itself: there its place is taken by the positive pair
    own = other is None
    left, right = _factors(z, z if own else other, tau, positive.unsqueeze(-1))
    terms = right.shape[-2] - own + floor
    return _LogSum.apply(left, right, own, floor).mean(-1) - math.log(terms)


def nt_xent(z_x: Tensor, z_t: Tensor, *, tau: float = 1.0) -> Tensor:
    """NT-Xent, as the authors' image experiments compute it.

    Cosine similarity among all 2K rows of both modalities; a row's positive is its partner, its
    negatives are all the others, those of its own modality included. Arguments and result are those
    of `mmcl`.
    """
    _check(tau, z_x, z_t=z_t)
    rows = functional.normalize(torch.cat([z_x, z_t], -2), dim=-1)
    logits = rows @ rows.mT / tau
    logits.diagonal(dim1=-2, dim2=-1).fill_(-torch.inf)
    # a roll by half the rows puts every partner on the diagonal
    return _miss(logits.roll(z_x.shape[-2], -1))
