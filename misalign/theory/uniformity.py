"""Is a sample uniform on the unit cube? And Lemma B.2's exception, a map that folds.

A map that drops a coordinate cannot be uniform, and a test of uniformity sees it, unless the map is
folded more finely than the test's cells. A map that folds can be uniform: `Folded` is one.
"""

from __future__ import annotations

import math

import torch
from scipy import stats
from torch import Tensor

from misalign.errors import check_int, invalid


def uniformity(v: Tensor, cells: int = 10) -> float:
    """Chi-squared test of uniformity on (0, 1)^n: counts in a grid of equal cells.

    Of a sample `v`, shape (m, n), with m at least 5 times cells^n (or it is a ValueError), this is
    the p-value: uniform on (0, 1) if `v` is uniform, next to 0 where a cell is over-full.
    """
    if v.ndim != 2:
        raise invalid("v", "shape (m, n)", tuple(v.shape))
    check_int("cells", cells, 2)
    n = v.shape[1]
    if len(v) < 5 * cells**n:
        raise invalid("v", f"at least {5 * cells**n} rows for {cells**n} cells", len(v))
    if not ((v >= 0) & (v <= 1)).all():
        raise invalid("v", "points of the unit cube", f"{v.min():.3g} to {v.max():.3g}")
    digits = cells ** torch.arange(n, device=v.device)
    places = ((v * cells).long().clamp(0, cells - 1) * digits).sum(1)
    return float(stats.chisquare(torch.bincount(places, minlength=cells**n).cpu().numpy()).pvalue)


def smooth_step(x: Tensor) -> Tensor:
    """From 0 up to x = 0 to 1 from x = 1 on, smooth to every order; step(x) + step(1 - x) = 1."""
    x = x.clamp(0, 1)
    late, early = ((-0.1 / part).exp() for part in (x, 1 - x))
    return late / (early + late)


class Folded:
    """A smooth map of (0, 3) onto (0, 1) that folds twice and still has a uniform image.

    It breaks Lemma B.2 as printed: the density of u is smooth and positive except at two points,
    the image of u is uniform, and 40 % of the targets have three preimages. What the lemma needs is
    a density that is positive everywhere: here it vanishes at both turning points.

    The map is a cubic (Chebyshev's third, stretched). Between its turning values 0.3 and 0.7 three
    branches meet a target; they share it like the numbers of heads in two tosses of a coin,
    w = g^2, 2 g (1 - g), (1 - g)^2, where g falls smoothly from 1 to 0. With p = |h'| w the shares
    of every target sum to 1.
    """

    LOW, HIGH = 0.3, 0.7  # values at the turning points
    EDGE = math.cosh(math.acosh(2.5) / 3)  # where 4 t^3 - 3 t is 2.5, and h is 1

    def __call__(self, u: Tensor) -> Tensor:
        """Map points of (0, 3) onto (0, 1): 1/2 + (4 t^3 - 3 t) / 5, t rising from -EDGE to EDGE.

        Between t = -1/2 and t = 1/2 the map falls, from 0.7 to 0.3.
        """
        t = self._centred(u)
        return 0.5 + (4 * t**3 - 3 * t) / 5

    def slope(self, u: Tensor) -> Tensor:
        """Derivative h' of the map, zero at its two turning points."""
        t = self._centred(u)
        return (12 * t.square() - 3) / 5 * self.EDGE * 2 / 3

    def share(self, u: Tensor) -> Tensor:
        """What part w of its target's probability a point carries: 1 where it is alone."""
        t = self._centred(u)
        x = (self(u) - self.LOW) / (self.HIGH - self.LOW)
        falls, rises = smooth_step(1 - x), smooth_step(x)
        left, middle, right = falls.square(), 2 * falls * rises, rises.square()
        return torch.where(t < -0.5, left, torch.where(t > 0.5, right, middle))

    def density(self, u: Tensor) -> Tensor:
        """Density of u: smooth, positive except at the two turning points, |h'| w."""
        return self.slope(u).abs() * self.share(u)

    def draw(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n points with this density, by rejection, shape (n,)."""
        top = 1.01 * self.density(torch.linspace(0, 3, 3001)).max()
        kept, found = [], 0
        while found < n:
            u, height = torch.rand(2, 2 * n, generator=generator)
            kept.append((3 * u)[height * top < self.density(3 * u)])
            found += len(kept[-1])
        return torch.cat(kept)[:n]

    def _centred(self, u: Tensor) -> Tensor:
        return self.EDGE * (2 * u / 3 - 1)
