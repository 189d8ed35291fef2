"""Downstream tasks of the numerical study: what a representation is good for (App. C.1).

Four regression targets y1 to y4 on growing blocks of semantic variables, and one classification
target: y2 above or below its median.
"""

from __future__ import annotations

import torch
from torch import Tensor

from misalign.errors import invalid
from misalign.theory.oracle import explained_functions, mcc_of_likelier_class

BLOCKS = {"y1": 3, "y2": 5, "y3": 7, "y4": 9}  # y_k depends on s_1, ..., s_d
SPLIT, BINARY = "y2", "y2_binary"  # the task that is also posed as a yes or no, at its median


def f_y(s: Tensor) -> Tensor:
    """Evaluate the nonlinear target function of App. C.1 on all variables, (..., d), as (...).

    The last coefficient is the paper's 0.4; the authors' code has 0.6.
    """
    first, second, third = (s.pow(power).sum(-1) for power in (1, 2, 3))
    # Newton's identities: sums over pairs and triples without forming them
    pairs = (first.square() - second) / 2
    triples = (first.pow(3) - 3 * first * second + 2 * third) / 6
    polynomial = second + 0.3 * third + 0.5 * pairs + 0.2 * triples
    waves = 0.7 * (s.sin() + s.cos()).sum(-1)
    peaks = 0.4 * s.abs().log1p().sum(-1) + 0.4 * (-s.abs()).exp().sum(-1)
    return polynomial + waves + peaks


def tasks(s: Tensor) -> Tensor:
    """Evaluate y1 to y4, (..., 4), in the order of `BLOCKS`, on n_s >= 9 variables, (..., n_s)."""
    least = max(BLOCKS.values())
    if not s.shape[-1] >= least:
        raise invalid("s", f"at least {least} semantic variables", s.shape[-1])
    return torch.stack([f_y(s[..., :size]) for size in BLOCKS.values()], -1)


def predicted(
    covariance: Tensor, block: tuple[int, ...], *, draws: int = 200_000, generator: torch.Generator
) -> dict[str, float]:
    """What the theorem says each task must score, in distribution, from a block of factors.

    R2 of y1 to y4 of the best prediction from s_I, I the 1-based indices in `block`, where the
    covariance is Sigma_s, and MCC of `BINARY` of the likelier class, which classifiers learn.
    `draws` samples serve the shares, fewer `BINARY`.
    """
    shares = explained_functions(tasks, covariance, block, draws=draws, generator=generator)
    size, few = BLOCKS[SPLIT], min(8192, draws // 16)
    options = {"draws": few, "generator": generator}
    guess = mcc_of_likelier_class(lambda s: f_y(s[:, :size]), covariance, block, **options)
    return {**dict(zip(BLOCKS, shares.tolist(), strict=True)), BINARY: guess}
