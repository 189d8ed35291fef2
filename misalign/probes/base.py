"""What probes share: samples as tensors, and nets trained side by side on the same minibatches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from torch.nn import functional

from misalign.errors import check_int, invalid

HIDDEN = 64
BATCH = 256
RATE = 1e-2
CHECKS = 12  # looks at the held-out fifth
ROWS = 1024  # at a time where no gradient is needed
LEAST = 10  # samples to fit a net on


def as_samples(
    name: str, values: ArrayLike | Tensor, like: Tensor | None = None, width: int | None = None
) -> Tensor:
    """Samples as a matrix, (n, size), of floating-point numbers, all of them finite.

    They come as any type of numbers. Those that belong to others, `like`, have as many rows, and
    (n,) will do for (n, 1). By default any `width` from 1 is right. Complaints begin with `name`.
    """
    if not isinstance(values, Tensor):
        values = np.array(values)  # a copy: torch knows neither negative strides nor big-endian
        if values.dtype.kind not in "biuf":
            raise invalid(name, "numbers", f"an array of {values.dtype}")
        values = values.astype(values.dtype.newbyteorder("="))
    values = torch.as_tensor(values).detach()
    values = values if values.is_floating_point() else values.float()
    form = "(n, size)"
    if like is not None:
        values, form = values.to(like.device), f"({len(like)}, number of targets)"
        values = values[:, None] if values.ndim == 1 and len(values) == len(like) else values
    if values.ndim != 2 or (like is not None and len(values) != len(like)):
        raise invalid(name, f"shape {form}", tuple(values.shape))
    if values.shape[1] != (width or max(1, values.shape[1])):
        raise invalid(name, f"{width or 'some'} columns", values.shape[1])
    if not values.isfinite().all():
        flawed = int((~values.isfinite()).any(1).sum())
        raise invalid(name, "finite numbers", f"NaN or infinity in {flawed} of {len(values)} rows")
    return values


class Nets:
    """Nets side by side, one a target, that share no weight and see the same minibatches.

    Weights lie along a first dimension of targets. Each net keeps the weights that did best on a
    held-out fifth of the samples, chosen at random. Adam's rate falls to 0 along a cosine.
    """

    def __init__(
        self, steps: int, hidden: int = HIDDEN, *, generator: torch.Generator, rate: float = RATE
    ) -> None:
        self.steps, self.hidden = check_int("steps", steps, 1), hidden
        self.generator, self.rate = generator, rate

    def _measure(self, z: ArrayLike | Tensor) -> Tensor:
        """Take samples, and remember where and how wide they are."""
        z = as_samples("z", z).float()
        if len(z) < LEAST:
            raise invalid("z", f"at least {LEAST} samples, shape (n, size)", tuple(z.shape))
        self.location, self.scale = z.mean(0), z.std(0).clamp_min(1e-8)
        return z

    def _inputs(self, z: ArrayLike | Tensor) -> Tensor:
        """Standardised samples with a column of ones, which carries the hidden bias."""
        z = as_samples("z", z, width=len(self.location)).to(self.location.device, torch.float32)
        return functional.pad((z - self.location) / self.scale, (0, 1), value=1.0)

    def _hidden_weights(self, z: Tensor, targets: int) -> Tensor:
        """Initial weights of the hidden layers, the same for all targets."""
        first = torch.empty(z.shape[1], self.hidden, device=z.device)
        first.normal_(std=(2 / max(1, len(first) - 1)) ** 0.5, generator=self.generator)
        first[-1].uniform_(-1, 1, generator=self.generator)
        return first.repeat(targets, 1, 1)

    def _losses(self, z: Tensor, y: Tensor) -> Tensor:
        """Loss of every target on every sample, shape (targets, n)."""
        raise NotImplementedError

    def _differentiate(self, z: Tensor, y: Tensor) -> None:
        """Set the gradient of every net's mean loss."""
        with torch.enable_grad():
            self._losses(z, y).mean(1).sum().backward()

    def _errors(self, z: Tensor, y: Tensor) -> Tensor:
        """Mean loss of every target."""
        parts = zip(z.split(ROWS), y.split(ROWS), strict=True)
        return sum(self._losses(*part).sum(1) for part in parts) / len(z)

    @torch.no_grad()
    def _train(self, weights: list[Tensor], z: Tensor, y: Tensor) -> Self:
        self.weights = [nn.Parameter(weight) for weight in weights]
        order = torch.randperm(len(z), generator=self.generator, device=z.device)
        held, rest = order[: len(z) // 5], order[len(z) // 5 :]
        best = [weight.detach().clone() for weight in self.weights]
        lowest = self._errors(z[held], y[held])
        optimizer = torch.optim.Adam(self.weights, lr=self.rate, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        looks = {self.steps * look // CHECKS for look in range(1, CHECKS + 1)}
        looks |= {2**power for power in range(10)}  # few samples are learned by heart at once
        for step, rows in enumerate(self._batches(rest), 1):
            optimizer.zero_grad()
            self._differentiate(z[rows], y[rows])
            optimizer.step()
            schedule.step()
            if step in looks:
                error = self._errors(z[held], y[held])
                better = error < lowest
                lowest = torch.where(better, error, lowest)
                for kept, weight in zip(best, self.weights, strict=True):
                    kept.copy_(torch.where(better.view(-1, 1, 1), weight, kept))
        self.weights = best
        return self

    def _batches(self, rows: Tensor) -> Iterator[Tensor]:
        """Minibatches of rows, a fresh order whenever they run out."""
        size = min(BATCH, len(rows))
        starts = range(0, len(rows) - size + 1, size)
        for step in range(self.steps):
            start = starts[step % len(starts)]
            if start == 0:
                order = torch.randperm(len(rows), generator=self.generator, device=rows.device)
            yield rows[order[start : start + size]]
