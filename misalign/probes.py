"""Probes: how well a representation predicts a factor (section 5).

Every probe reads many targets at once and stays on the representation's device. Scores are not
clipped: a score below 0 says that the probe does worse than the mean.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign.errors import expect

HIDDEN = 64
BATCH = 1024
RATE = 1e-2
CHECK = 20  # steps between two looks at the held-out fifth


def r2(truth: Tensor, prediction: Tensor) -> Tensor:
    """Coefficient of determination of every column.

    Parameters
    ----------
    truth, prediction : Tensor
        Shape (n, targets).

    Returns
    -------
    Tensor
        1 - residual over total sum of squares, shape (targets,); not clipped, and NaN for a truth
        that is constant.
    """
    total = (truth - truth.mean(0)).square().sum(0)
    return 1 - (truth - prediction).square().sum(0) / total


class LinearProbe:
    """Least squares with an intercept, in closed form and double precision."""

    def fit(self, z: Tensor, targets: Tensor) -> LinearProbe:
        """Fit representations z, (n, size), to targets, (n, number of targets)."""
        _check(z, targets)
        design = functional.pad(z.double(), (0, 1), value=1.0)
        # least squares by singular values: a collapsed encoder gives a rank-deficient design
        self.weight = torch.linalg.pinv(design) @ targets.double()
        return self

    def predict(self, z: Tensor) -> Tensor:
        """Predict every target for z, (n, size): shape (n, number of targets)."""
        return (functional.pad(z.double(), (0, 1), value=1.0) @ self.weight).to(z.dtype)


class MLPProbe:
    """Two-layer perceptrons, one a target, trained side by side.

    All nets start from the same hidden weights, see the same minibatches and stop by themselves,
    so no target changes another's score. Each starts as the mean predictor (its output layer is 0)
    and keeps the weights that did best on a held-out fifth of the samples, so a target that cannot
    be predicted scores about 0, not below.

    Parameters
    ----------
    steps : int
        Adam steps at most; a net stops when it has not improved for a quarter of them.
    hidden : int, optional
        Width of the hidden layer.
    generator : torch.Generator
        Source of initial weights and minibatches, on the representation's device.
    """

    def __init__(self, steps: int, hidden: int = HIDDEN, *, generator: torch.Generator) -> None:
        expect(steps >= 1, "steps", "at least 1 step", steps)
        self.steps, self.hidden, self.generator = steps, hidden, generator

    def fit(self, z: Tensor, targets: Tensor) -> MLPProbe:
        """Fit representations z, (n, size), to targets, (n, number of targets)."""
        _check(z, targets)
        expect(len(z) >= 10, "z", "at least 10 samples", len(z))
        self.location, self.scale = z.mean(0), z.std(0).clamp_min(1e-8)
        self.mean, self.spread = targets.mean(0), targets.std(0).clamp_min(1e-8)
        z, targets = (z - self.location) / self.scale, (targets - self.mean) / self.spread
        held = len(z) // 5
        batch = min(BATCH, len(z) - held)
        weights = self._initial(z.shape[1], targets.shape[1], z.device)
        optimizer = torch.optim.Adam(weights, lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        self.weights = [weight.detach().clone() for weight in weights]
        lowest = targets[:held].square().mean(0)
        improved = torch.zeros_like(lowest)
        for step in range(1, self.steps + 1):
            rows = torch.randint(held, len(z), (batch,), generator=self.generator, device=z.device)
            loss = _errors(weights, z[rows], targets[rows]).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % CHECK == 0 or step == self.steps:
                running = step - improved <= self.steps / 4
                with torch.no_grad():
                    error = _errors(weights, z[:held], targets[:held])
                better = (error < lowest) & running
                lowest[better], improved[better] = error[better], step
                for kept, weight in zip(self.weights, weights, strict=True):
                    kept.copy_(torch.where(better, weight.detach(), kept))
                if not running.any():
                    break
        return self

    @torch.no_grad()
    def predict(self, z: Tensor) -> Tensor:
        """Predict every target for z, (n, size): shape (n, number of targets)."""
        z = (z - self.location) / self.scale
        return _forward(self.weights, z) * self.spread + self.mean

    def _initial(self, size: int, targets: int, device: torch.device) -> list[nn.Parameter]:
        """Draw one net's weights for all targets, which come last to be chosen among."""
        first = torch.empty(size, self.hidden, 1, device=device)
        first.normal_(std=(2 / size) ** 0.5, generator=self.generator)
        bias = torch.empty(self.hidden, 1, device=device).uniform_(-1, 1, generator=self.generator)
        last = torch.zeros(self.hidden, 1, device=device)
        offset = torch.zeros(1, device=device)
        parts = (first, bias, last, offset)
        return [nn.Parameter(part.repeat_interleave(targets, -1)) for part in parts]


def _forward(weights: list[Tensor], z: Tensor) -> Tensor:
    """Outputs of all nets, shape (n, targets)."""
    first, bias, last, offset = weights
    hidden = functional.relu((z @ first.flatten(1)).unflatten(1, first.shape[1:]) + bias)
    return (hidden * last).sum(1) + offset


def _errors(weights: list[Tensor], z: Tensor, targets: Tensor) -> Tensor:
    """Mean squared error of every net, shape (targets,)."""
    return (_forward(weights, z) - targets).square().mean(0)


def _check(z: Tensor, targets: Tensor) -> None:
    expect(z.ndim == 2, "z", "shape (n, size)", tuple(z.shape))
    expect(
        targets.ndim == 2 and len(targets) == len(z),
        "targets",
        f"shape ({len(z)}, number of targets)",
        tuple(targets.shape),
    )
