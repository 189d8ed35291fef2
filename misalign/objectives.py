"""What the encoders minimise: Eq. (1), Eq. (2), and the loss of the authors' image experiments.

All three cost O(B^2 n) operations and O(B^2) memory: squared distances come from one matrix
product, never from a (B, B, n) array of differences.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from misalign.errors import expect

SIMILARITIES = ("euclidean", "cosine")


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared Euclidean distances between the rows of a, (A, n), and of b, (B, n): shape (A, B)."""
    # distances do not depend on the origin, their rounding errors do: put it in the middle
    origin = b.detach().mean(0)
    a, b = a - origin, b - origin
    norms = a.square().sum(-1, keepdim=True) + b.square().sum(-1)
    return torch.addmm(norms, a, b.mT, alpha=-2)


def _check(tau: float, z_x: Tensor, **others: Tensor | None) -> None:
    expect(tau > 0, "tau", "a temperature above 0", tau)
    expect(z_x.ndim == 2, "z_x", "shape (B, n)", tuple(z_x.shape))
    for name, other in others.items():
        expect(
            other is None or (other.ndim == 2 and other.shape[1] == z_x.shape[1]),
            name,
            f"rows of width {z_x.shape[1]}, like z_x",
            other is not None and tuple(other.shape),
        )
    rows = len(others["z_t"])
    expect(rows == len(z_x), "z_t", f"{len(z_x)} rows, one a pair", rows)


def mmcl(z_x: Tensor, z_t: Tensor, *, tau: float = 1.0, similarity: str = "euclidean") -> Tensor:
    """Multimodal contrastive loss, Eq. (1): symmetric InfoNCE over K pairs.

    Parameters
    ----------
    z_x, z_t : Tensor
        Representations of K pairs, shape (K, n).
    tau : float, optional
        Temperature.
    similarity : {"euclidean", "cosine"}, optional
        <a, b>: the negative squared Euclidean distance (section 2), or the cosine.

    Returns
    -------
    Tensor
        Scalar, never negative.

    Raises
    ------
    ValueError
        For an unknown similarity, a temperature not above 0, or shapes that do not match.
    """
    _check(tau, z_x, z_t=z_t)
    expect(
        similarity in SIMILARITIES, "similarity", f"one of {', '.join(SIMILARITIES)}", similarity
    )
    if similarity == "cosine":
        logits = functional.normalize(z_x, dim=1) @ functional.normalize(z_t, dim=1).mT / tau
    else:
        logits = -squared_distances(z_x, z_t) / tau
    pairs = torch.arange(len(z_x), device=z_x.device)
    return (
        functional.cross_entropy(logits, pairs) + functional.cross_entropy(logits.mT, pairs)
    ) / 2


def sym_align_max_ent(
    z_x: Tensor,
    z_t: Tensor,
    other_x: Tensor | None = None,
    other_t: Tensor | None = None,
    *,
    tau: float = 1.0,
) -> Tensor:
    """Alignment minus entropy, Eq. (2), estimated from a batch.

    The alignment term is E ||z_x - z_t||^2 / tau (squared, as the text of section 2 and the
    slides have it). Each entropy is estimated as minus the log-mean of a Gaussian kernel between
    the batch and other samples of the same modality. As in the authors' code the positive pair's
    kernel joins that mean: without it the loss is unbounded below on a finite batch. With N terms
    in the mean the loss is never below -log N.

    Parameters
    ----------
    z_x, z_t : Tensor
        Representations of B pairs, shape (B, n).
    other_x, other_t : Tensor, optional
        Representations of an independent batch, shape (M, n), so N = M + 1 (the authors' form).
        Left out, the other members of the same batch serve, so N = B: half the encoder passes.
    tau : float, optional
        Kernel width.

    Returns
    -------
    Tensor
        Scalar, at least -log N.

    Raises
    ------
    ValueError
        For a temperature not above 0, shapes that do not match, or a batch of one without others.
    """
    _check(tau, z_x, z_t=z_t, other_x=other_x, other_t=other_t)
    both = (other_x is None) == (other_t is None)
    expect(both, "other_t", "a second batch of both modalities or of none", "one modality")
    expect(other_x is not None or len(z_x) > 1, "z_x", "at least 2 rows", len(z_x))
    positive = -(z_x - z_t).square().sum(1) / tau
    halves = [_half(z, other, positive, tau) for z, other in ((z_x, other_x), (z_t, other_t))]
    return (halves[0] + halves[1]) / 2


def _half(z: Tensor, other: Tensor | None, positive: Tensor, tau: float) -> Tensor:
    """One modality's share: alignment plus log-mean kernel.

    Alignment is -positive_i, the log-mean kernel log(1/N (e^positive_i + sum_j e^logit_ij)). Their
    sum is the cross-entropy of picking the positive among N terms, less log N; written so, nothing
    large cancels.
    """
    logits = -squared_distances(z, z if other is None else other) / tau
    if other is None:
        # a row is no sample independent of itself: its place is taken by the positive pair
        logits = logits.diagonal_scatter(positive)
        place = torch.arange(len(z), device=z.device)
    else:
        logits = torch.cat([positive[:, None], logits], 1)
        place = torch.zeros(len(z), dtype=torch.long, device=z.device)
    return functional.cross_entropy(logits, place) - math.log(logits.shape[1])


def nt_xent(z_x: Tensor, z_t: Tensor, *, tau: float = 1.0) -> Tensor:
    """NT-Xent, as the authors' image experiments compute it.

    Cosine similarity among all 2K rows of both modalities; a row's positive is its partner, its
    negatives are all the others, those of its own modality included.

    Parameters
    ----------
    z_x, z_t : Tensor
        Representations of K pairs, shape (K, n).
    tau : float, optional
        Temperature.

    Returns
    -------
    Tensor
        Scalar.
    """
    _check(tau, z_x, z_t=z_t)
    rows = functional.normalize(torch.cat([z_x, z_t]), dim=1)
    logits = (rows @ rows.mT / tau).fill_diagonal_(-torch.inf)
    partner = torch.arange(len(rows), device=rows.device).roll(len(z_x))
    return functional.cross_entropy(logits, partner)
