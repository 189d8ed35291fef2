"""What is left of a factor: in a distorted caption, and in a representation beyond its block."""

from __future__ import annotations

from collections.abc import Callable

import torch
from scipy import stats
from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.metrics import r2
from misalign.probes.regression import LinearProbe, MLPProbe


def retained_information(values: int, probability: float, kind: str = "uniform") -> float:
    """Mutual information of a uniform factor of k values and what a caption says of it.

    Parameters
    ----------
    values, probability : int, float
        Number of values k, at least 2, and the chance in [0, 1] that a caption's value is replaced;
        here and below, all else is a ValueError.
    kind : {"uniform", "other"}, optional
        By a fresh draw from all values (the authors' code), or by one of the others (the words of
        App. D.1).

    Returns
    -------
    float
        In bits: log2 k - H(row), where a row of the channel says the true value with probability
        1 - p + p / k, or 1 - p, and shares the rest evenly among the others.
    """
    check_int("values", values, 2)
    if not 0 <= probability <= 1:
        raise invalid("probability", "a number from 0 to 1", probability)
    if kind not in ("uniform", "other"):
        raise invalid("kind", "'uniform' or 'other'", repr(kind))
    right = 1 - probability + (probability / values if kind == "uniform" else 0)
    row = [right, *[(1 - right) / (values - 1)] * (values - 1)]
    return float(stats.entropy(row, [1 / values] * values, base=2))  # how far the row is from even


def partial_r2(
    target: Tensor,
    z: Tensor,
    given: Tensor,
    *,
    probe: Callable[[], LinearProbe | MLPProbe] = LinearProbe,
) -> float:
    """Share of what a block leaves open about a factor that a representation fills (Clar. B.1).

    Half of the samples fit, the other half score.

    Parameters
    ----------
    target, z, given : Tensor
        The factor, shape (n, 1), n at least 20; the representation, shape (n, k); and a block that
        is known already, such as s_unbiased, shape (n, d). A ValueError for other shapes, or if the
        block determines the factor.
    probe : callable, optional
        Makes the regression; by default least squares.

    Returns
    -------
    float
        1 - (1 - R2 from both) / (1 - R2 from the block): 0 if the representation adds nothing, 1
        if it closes the gap. For Gaussian variables and least squares, with one column in `z`, it
        is the squared partial correlation.
    """
    if not len(target) == len(z) == len(given):
        raise invalid("z", f"{len(target)} rows, like target", len(z))
    if target.ndim != 2 or target.shape[1] != 1:
        raise invalid("target", "shape (n, 1)", tuple(target.shape))
    if len(target) < 20:
        raise invalid("target", "at least 20 rows", len(target))
    half = len(target) // 2
    left = []
    for known in (given, torch.cat([given, z], 1)):
        fitted = probe().fit(known[:half], target[:half])
        left.append(1 - r2(target[half:], fitted.predict(known[half:])).item())
    if not left[0] > 1e-6:
        raise invalid("target", "a factor that `given` does not determine", "R2 of 1")
    return 1 - left[1] / left[0]
