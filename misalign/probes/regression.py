"""Probes: how well a representation predicts a factor (section 5).

Every probe reads many targets at once and stays on the representation's device. Scores are not
clipped: a score below 0 says that the probe does worse than the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign.errors import invalid

HIDDEN = 64
BATCH = 256
RATE = 1e-2
CHECKS = 12  # looks at the held-out fifth
ROWS = 1024  # at a time where no gradient is needed


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

    All nets of a representation start from the same hidden weights and see the same minibatches,
    so no target changes another's score. Each starts as the mean predictor (its output layer is 0)
    and keeps the weights that did best on a held-out fifth of the samples, so a target that cannot
    be predicted scores about 0, not below.

    Several representations may be read side by side, as a leading dimension of `z` and `targets`.

    Parameters
    ----------
    steps : int
        Adam steps, their rate falling to 0 along a cosine.
    hidden : int, optional
        Width of the hidden layer.
    generator : torch.Generator or sequence of torch.Generator
        Source of initial weights and minibatches, on the representation's device; one each if
        there are several representations.
    """

    def __init__(
        self,
        steps: int,
        hidden: int = HIDDEN,
        *,
        generator: torch.Generator | Sequence[torch.Generator],
    ) -> None:
        if not steps >= 1:
            raise invalid("steps", "at least 1 step", steps)
        self.steps, self.hidden = steps, hidden
        one = isinstance(generator, torch.Generator)
        self.generators = [generator] if one else list(generator)

    @torch.no_grad()
    def fit(self, z: Tensor, targets: Tensor, labels: Sequence[int] = ()) -> MLPProbe:
        """Fit representations to targets.

        Parameters
        ----------
        z : Tensor
            Shape (..., n, size), with at most one leading dimension.
        targets : Tensor
            Shape (..., n, number of targets).
        labels : sequence of int, optional
            Columns of `targets` that hold classes 0 and 1. Their nets minimise the cross-entropy
            and predict log-odds; all others minimise the squared error.

        Returns
        -------
        MLPProbe
            Itself.
        """
        _check(z, targets)
        z, targets = (part if part.ndim > 2 else part[None] for part in (z, targets))
        runs, n = z.shape[:2]
        if not n >= 10:
            raise invalid("z", "at least 10 samples", n)
        if len(self.generators) != runs:
            raise invalid("generator", f"{runs}, one each", len(self.generators))
        self._measure(z, targets, labels)
        z, y = self._inputs(z), ((targets - self.mean * ~self.binary) / self.spread).mT
        held = n // 5
        self.weights = self._initial(z.shape[-1], y.shape[1], z.device)
        best = [weight.detach().clone() for weight in self.weights]
        lowest = self._errors(z[:, :held], y[..., :held])
        optimizer = torch.optim.Adam(self.weights, lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        looks = {self.steps * look // CHECKS for look in range(1, CHECKS + 1)}
        for step, (rows, truth) in enumerate(self._batches(z[:, held:], y[..., held:]), 1):
            self._differentiate(rows, truth)
            optimizer.step()
            schedule.step()
            if step in looks:
                error = self._errors(z[:, :held], y[..., :held])
                better = error < lowest
                lowest = torch.where(better, error, lowest)
                for kept, weight in zip(best, self.weights, strict=True):
                    kept.copy_(torch.where(better.view(-1, 1, 1), weight.detach(), kept))
        self.weights = best
        return self

    @torch.no_grad()
    def predict(self, z: Tensor) -> Tensor:
        """Predict every target for z, (..., n, size): shape (..., n, number of targets)."""
        inputs = self._inputs(z if z.ndim > 2 else z[None])
        parts = [_forward(self.weights, rows)[1].mT for rows in inputs.split(ROWS, 1)]
        prediction = torch.cat(parts, 1) * self.spread + self.mean
        return prediction if z.ndim > 2 else prediction[0]

    def _measure(self, z: Tensor, targets: Tensor, labels: Sequence[int]) -> None:
        """Where and how wide inputs and targets are; of a class, its log-odds."""
        self.location = z.mean(1, keepdim=True)
        self.scale = z.std(1, keepdim=True).clamp_min(1e-8)
        self.binary = torch.zeros(targets.shape[-1], dtype=torch.bool, device=z.device)
        self.binary[list(labels)] = True
        mean, spread = targets.mean(1, keepdim=True), targets.std(1, keepdim=True).clamp_min(1e-8)
        chance = mean.clamp(1e-4, 1 - 1e-4)
        self.mean = torch.where(self.binary, (chance / (1 - chance)).log(), mean)
        self.spread = torch.where(self.binary, 1.0, spread)

    def _inputs(self, z: Tensor) -> Tensor:
        """Standardised representations with a column of ones, which carries the hidden bias."""
        return functional.pad((z - self.location) / self.scale, (0, 1), value=1.0)

    def _initial(self, size: int, targets: int, device: torch.device) -> list[nn.Parameter]:
        """Draw one net a representation for all its targets; nets lie along the first dimension."""
        parts = []
        for generator in self.generators:
            first = torch.empty(1, size, self.hidden, device=device)
            first.normal_(std=(2 / max(1, size - 1)) ** 0.5, generator=generator)
            first[:, -1].uniform_(-1, 1, generator=generator)
            parts.append(first.expand(targets, -1, -1))
        first = torch.cat(parts)
        last = torch.zeros(len(first), 1, self.hidden, device=device)
        offset = torch.zeros(len(first), 1, 1, device=device)
        return [nn.Parameter(part) for part in (first, last, offset)]

    def _batches(self, z: Tensor, y: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Minibatches, a fresh order of the samples whenever they run out."""
        n = z.shape[1]
        size = min(BATCH, n)
        starts = range(0, n - size + 1, size)
        for step in range(self.steps):
            start = starts[step % len(starts)]
            if start == 0:
                orders = [torch.randperm(n, generator=g, device=z.device) for g in self.generators]
                rows = torch.stack([part[order] for part, order in zip(z, orders, strict=True)])
                truth = torch.stack([part[:, o] for part, o in zip(y, orders, strict=True)])
            yield rows[:, start : start + size], truth[..., start : start + size]

    def _errors(self, z: Tensor, y: Tensor) -> Tensor:
        """Mean loss of every net, shape (representations, targets)."""
        total = 0.0
        for rows, truth in zip(z.split(ROWS, 1), y.split(ROWS, -1), strict=True):
            output = _forward(self.weights, rows)[1]
            entropy = functional.binary_cross_entropy_with_logits(
                output + self.mean.mT, truth.clamp(0, 1), reduction="none"
            )
            binary = self.binary[:, None]
            total += torch.where(binary, entropy, (output - truth).square()).sum(-1)
        return total / z.shape[1]

    def _differentiate(self, z: Tensor, y: Tensor) -> None:
        """Set the gradient of every net's mean loss; by hand, which is four times as fast."""
        first, last, offset = self.weights
        hidden, output = _forward(self.weights, z)
        # derivatives of both losses by the output: residual, or probability less class
        chance = (output + self.mean.mT).sigmoid()
        slope = torch.where(self.binary[:, None], chance - y, 2 * (output - y)) / y.shape[-1]
        slope = slope.view(-1, 1, y.shape[-1])
        offset.grad = slope.sum(2, keepdim=True)
        last.grad = slope @ hidden
        # where a ReLU is off, its output is 0, and so is the sign of it
        towards = (slope.mT * last).mul_(hidden.sign_())
        first.grad = z.repeat_interleave(y.shape[1], 0).mT @ towards


def _forward(weights: Sequence[Tensor], z: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden layers and outputs of all nets on rows z, (representations, n, size).

    Shapes (nets, n, hidden) and (representations, targets, n).
    """
    first, last, offset = weights
    targets = len(first) // len(z)
    hidden = (z.repeat_interleave(targets, 0) @ first).relu_()
    output = (hidden * last).sum(-1) + offset[..., 0]
    return hidden, output.view(len(z), targets, -1)


def _check(z: Tensor, targets: Tensor) -> None:
    if z.ndim not in (2, 3):
        raise invalid("z", "shape (n, size)", tuple(z.shape))
    if not (targets.ndim == z.ndim and targets.shape[:-1] == z.shape[:-1]):
        raise invalid("targets", f"shape ({z.shape[-2]}, number of targets)", tuple(targets.shape))
