"""Lemma B.1's witness: the Darmois construction, and the loss of a pair of maps without a batch.

Any density on R^n is pushed onto the uniform one on (0, 1)^n by conditional distribution
functions, one coordinate after the other: d_i(s) = P(S_i <= s_i | s_1, ..., s_{i-1}).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from misalign.errors import check_int, invalid


class GaussianDarmois:
    """The construction for N(0, covariance) in closed form: Phi(L^-1 s), L L' = covariance, (n, n).

    Given s_1, ..., s_{i-1}, entry i of L^-1 s is s_i less its conditional mean, divided by its
    conditional standard deviation.
    """

    def __init__(self, covariance: Tensor) -> None:
        root, flaw = torch.linalg.cholesky_ex(covariance.double())
        if flaw or not torch.allclose(covariance, covariance.mT):
            raise invalid("covariance", "a symmetric, positive definite matrix", "another")
        self.root = root

    def scores(self, s: Tensor) -> Tensor:
        """Whiten rows s of shape (..., n): independent and standard normal."""
        columns = s.double().unsqueeze(-1)
        whole = torch.linalg.solve_triangular(self.root, columns, upper=False)
        return whole.squeeze(-1).to(s.dtype)

    def __call__(self, s: Tensor) -> Tensor:
        """Map rows s of shape (..., n) into (0, 1)^n."""
        return torch.special.ndtr(self.scores(s.double())).to(s.dtype)


class HistogramDarmois:
    """The construction for any density, from a sample: conditional histograms.

    Coordinate i is mapped by the distribution function of the sample members whose earlier
    coordinates fell into the same cells. Distribution functions are linear between quantiles, so
    what is uniform up to sampling error is each coordinate given the cells of those before it. Of
    the density there are draws, shape (m, n), with m at least 20 times cells^(n - 1), else it is a
    ValueError; the cells of a coordinate are equally likely.
    """

    KNOTS = 64  # quantiles of a distribution function, at most

    def __init__(self, sample: Tensor, cells: int = 32) -> None:
        if sample.ndim != 2:
            raise invalid("sample", "shape (m, n)", tuple(sample.shape))
        check_int("cells", cells, 1)
        least = 20 * cells ** (sample.shape[1] - 1)
        if len(sample) < least:
            raise invalid("sample", f"at least {least} rows", len(sample))
        self.cells = cells
        self.quantiles: list[dict[int, np.ndarray]] = []
        rows = sample.double().cpu().numpy()
        place = np.zeros(len(rows), dtype=np.int64)
        for column in rows.T:
            order = np.argsort(place, kind="stable")
            names, starts = np.unique(place[order], return_index=True)
            parts = dict(zip(names, np.split(column[order], starts[1:]), strict=True))
            knots = {name: min(self.KNOTS, len(part)) + 1 for name, part in parts.items()}
            self.quantiles.append(
                {n: np.quantile(part, np.linspace(0, 1, knots[n])) for n, part in parts.items()}
            )
            place = self._next(place, self._rise(len(self.quantiles) - 1, place, column))

    def __call__(self, s: Tensor) -> Tensor:
        """Map rows s of shape (m, n) into (0, 1)^n; what lies outside the sample, onto its edge."""
        if s.ndim != 2 or s.shape[1] != len(self.quantiles):
            raise invalid("s", f"shape (m, {len(self.quantiles)})", tuple(s.shape))
        rows = s.double().cpu().numpy()
        place = np.zeros(len(rows), dtype=np.int64)
        columns = []
        for i, column in enumerate(rows.T):
            columns.append(self._rise(i, place, column))
            place = self._next(place, columns[-1])
        return torch.from_numpy(np.stack(columns, 1)).to(s.dtype)

    def _rise(self, i: int, place: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Distribution function of coordinate i within each row's cell."""
        risen = np.empty_like(column)
        for name in np.unique(place):
            # a cell that no sample member reached is read by its nearest neighbour
            known, rows = self.quantiles[i], place == name
            near = name if name in known else min(known, key=lambda other: abs(other - name))
            levels = np.linspace(0, 1, len(known[near]))
            risen[rows] = np.interp(column[rows], known[near], levels)
        return risen

    def _next(self, place: np.ndarray, risen: np.ndarray) -> np.ndarray:
        cell = np.clip((risen * self.cells).astype(np.int64), 0, self.cells - 1)
        return place * self.cells + cell


def entropy_after(h: Callable[[Tensor], Tensor], s: Tensor, entropy: float) -> float:
    """Differential entropy of h(s), in nats, for an injective h: H(s) + E log |det dh/ds|.

    The differentiable h maps one point, (n,), to one of shape (n,); where it drops a direction, the
    result is minus infinity. Of s there are draws to average over, shape (m, n), and its entropy.
    """
    jacobians = torch.func.vmap(torch.func.jacrev(h))(s)
    return entropy + torch.linalg.slogdet(jacobians).logabsdet.mean().item()


def nearest_neighbour_entropy(v: Tensor, neighbour: int = 3) -> float:
    """Differential entropy of a sample, in nats, by distances to neighbours (Kozachenko, Leonenko).

    Unlike the training loss it has no kernel width: a uniform sample says 0 up to sampling error,
    and one with more than `neighbour` members on every point says minus infinity. The sample has
    the shape (m, n), and `neighbour` is whose distance to take.
    """
    if v.ndim != 2:
        raise invalid("v", "shape (m, n)", tuple(v.shape))
    m, n = v.shape
    check_int("neighbour", neighbour, 1, m - 1)
    rows = v.double().cpu().numpy()
    distance = cKDTree(rows).query(rows, neighbour + 1)[0][:, -1]
    ball = n / 2 * math.log(math.pi) - math.lgamma(n / 2 + 1)
    with np.errstate(divide="ignore"):
        logs = np.log(distance).mean()
    digamma = torch.special.digamma(torch.tensor([m, neighbour], dtype=torch.float64))
    return float(digamma[0] - digamma[1]) + ball + n * float(logs)
