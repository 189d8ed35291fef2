"""Probes of continuous factors: how well a representation predicts a number (section 5).

Every probe reads many targets at once and stays on the representation's device. Scores are not
clipped: a score below 0 says that the probe does worse than the mean.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from misalign.probes.base import ROWS, Nets, as_samples

ENOUGH = 2  # samples a dimension, below which least squares mostly fits noise
PENALTIES = torch.logspace(-6, 4, 21, dtype=torch.float64)  # tried by ridge, a unit is a sample


class LinearProbe:
    """Least squares with an intercept, in closed form and double precision.

    Parameters
    ----------
    ridge : bool, optional
        Penalise weights, for each target as much as serves it best when every sample is predicted
        from all others. By default plain least squares, which warns where samples are so few that
        it fits their noise.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.random.default_rng(0).normal(size=(100, 3))
    >>> y = 2 * z[:, 0] - 1
    >>> prediction = LinearProbe().fit(z, y).predict(z)
    >>> bool(np.allclose(prediction[:, 0], y))
    True
    """

    def __init__(self, ridge: bool = False) -> None:
        self.ridge = ridge

    def fit(self, z: ArrayLike | Tensor, targets: ArrayLike | Tensor) -> LinearProbe:
        """Fit a representation, (n, size), to targets, (n, number of targets) or (n,).

        It returns itself; if shapes do not match, or a number is not finite, that is a ValueError.
        """
        z = as_samples("z", z).double()
        y = as_samples("targets", targets, z).double()
        n, size = z.shape
        if n < ENOUGH * size and not self.ridge:
            few = f"{n} samples of {size} dimensions"
            warnings.warn(f"z: least squares fits the noise of {few}; try ridge", stacklevel=2)
        self.location, self.spread, self.center = z.mean(0), z.std(0), y.mean(0)
        # by singular values: a collapsed encoder gives a rank-deficient design
        u, values, vt = torch.linalg.svd(z - self.location, full_matrices=False)
        y = u.mT @ (rest := y - self.center)
        known = values > values.amax() * max(n, size) * torch.finfo(z.dtype).eps
        shrink = torch.where(known, 1 / values, 0.0)[:, None].expand_as(y)
        if self.ridge:
            tried = PENALTIES.to(z.device)[:, None] * values.square().mean().clamp_min(1e-30)
            shares = values.square() / (values.square() + tried)  # what is kept of each direction
            # leave-one-out errors in closed form; the intercept takes 1 / n
            spare = [(1 - 1 / n - u.square() @ kept).clamp_min(1e-9)[:, None] for kept in shares]
            errors = [
                ((rest - u @ (kept[:, None] * y)) / left).square().mean(0)
                for kept, left in zip(shares, spare, strict=True)
            ]
            shrink = shrink * shares[torch.stack(errors).argmin(0)].mT
        self.weight = vt.mT @ (shrink * y)
        return self

    def predict(self, z: ArrayLike | Tensor) -> Tensor:
        """Predict every target for z, (n, size): shape (n, number of targets)."""
        z = as_samples("z", z, width=len(self.location)).to(self.weight.device)
        return ((z.double() - self.location) @ self.weight + self.center).to(z.dtype)

    def importance(self, sizes: Sequence[int]) -> list[Tensor]:
        """Weight of every dimension of z, were all of one width, for groups of so many targets."""
        weight = self.weight.abs() * self.spread[:, None]
        return [part.sum(1) for part in weight.split([*sizes], 1)]


class MLPProbe(Nets):
    """Two-layer perceptrons, one a target, trained side by side.

    All nets start from the same hidden weights and see the same minibatches, so no target changes
    another's score. Each starts as the mean predictor (its output layer is 0) and keeps the weights
    that did best on a held-out fifth of the samples, chosen at random, so a target that cannot be
    predicted scores about 0, not below.

    Parameters
    ----------
    steps, rate : int, float
        Adam's steps and its first rate, which falls to 0 along a cosine.
    hidden : int, optional
        Width of the hidden layer.
    generator : torch.Generator
        Source of initial weights, held-out samples and minibatches, on the samples' device.

    Examples
    --------
    >>> import torch
    >>> from misalign.metrics import r2
    >>> z = torch.randn(2000, 2, generator=torch.Generator().manual_seed(0))
    >>> probe = MLPProbe(200, generator=torch.Generator().manual_seed(0))
    >>> y = z[:, :1].abs()
    >>> bool(r2(y, probe.fit(z, y).predict(z)) > 0.9)
    True
    """

    def fit(self, z: ArrayLike | Tensor, targets: ArrayLike | Tensor) -> MLPProbe:
        """Fit a representation, (n, size), to targets, (n, number of targets) or (n,)."""
        z = self._measure(z)
        y = as_samples("targets", targets, z).float()
        self.mean, self.spread = y.mean(0), y.std(0).clamp_min(1e-8)
        first = self._hidden_weights(z := self._inputs(z), y.shape[1])
        last = z.new_zeros(len(first), 1, self.hidden)
        return self._train([first, last, last[..., :1].clone()], z, (y - self.mean) / self.spread)

    @torch.no_grad()
    def predict(self, z: ArrayLike | Tensor) -> Tensor:
        """Predict every target for z, (n, size): shape (n, number of targets)."""
        parts = [self._forward(rows)[1].mT for rows in self._inputs(z).split(ROWS)]
        return torch.cat(parts) * self.spread + self.mean

    def _forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Hidden layers and outputs of all nets, shapes (targets, n, hidden) and (targets, n)."""
        first, last, offset = self.weights
        hidden = (z.expand(len(first), -1, -1) @ first).relu_()
        return hidden, (hidden * last).sum(-1) + offset[..., 0]

    def _losses(self, z: Tensor, y: Tensor) -> Tensor:
        return (self._forward(z)[1] - y.mT).square()

    def _differentiate(self, z: Tensor, y: Tensor) -> None:
        """Set the gradient of every net's mean loss; by hand, which is four times as fast."""
        first, last, offset = self.weights
        hidden, output = self._forward(z)
        slope = (2 * (output - y.mT) / len(y))[:, None]
        offset.grad = slope.sum(2, keepdim=True)
        last.grad = slope @ hidden
        # where a ReLU is off, its output is 0, and so is the sign of it
        towards = (slope.mT * last).mul_(hidden.sign_())
        first.grad = z.mT.expand(len(first), -1, -1) @ towards
