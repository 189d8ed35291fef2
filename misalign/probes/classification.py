"""Classifiers: how well a representation tells which value a discrete factor has.

They are to discrete factors what `misalign.probes.regression` is to continuous ones, and are
scored by MCC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign.errors import invalid
from misalign.probes.regression import BATCH, CHECKS, HIDDEN, RATE

NEVER = -1e9  # log-odds of a class that a factor does not have


class Classifier:
    """Softmax classifiers, one a factor, trained side by side.

    All read the same minibatches and start as predictors of the classes' frequencies, so no factor
    changes another's score. Each keeps the weights that did best on a held-out fifth of the
    samples, so a factor that cannot be told scores about 0.

    Parameters
    ----------
    steps : int
        Adam steps, their rate falling to 0 along a cosine.
    hidden : int, optional
        Width of the hidden layer (two-layer perceptron); 0 for a linear classifier, which is
        logistic regression (App. D.1).
    generator : torch.Generator
        Source of initial weights and minibatches, on the representation's device.
    """

    def __init__(self, steps: int, hidden: int = HIDDEN, *, generator: torch.Generator) -> None:
        if not steps >= 1:
            raise invalid("steps", "at least 1 step", steps)
        self.steps, self.hidden, self.generator = steps, hidden, generator

    def fit(self, z: Tensor, classes: Tensor, sizes: Sequence[int]) -> Classifier:
        """Fit a representation to factors.

        Parameters
        ----------
        z : Tensor
            Shape (n, size).
        classes : Tensor
            Classes from 0, int64, shape (n, number of factors).
        sizes : sequence of int
            Number of classes of each factor.

        Returns
        -------
        Classifier
            Itself.

        Raises
        ------
        ValueError
            If the shapes do not match, or a class is out of range.
        """
        if not (z.ndim == 2 and len(z) >= 10):
            raise invalid("z", "shape (n, size), n of 10 or more", z.shape)
        wanted = (len(z), len(sizes))
        if classes.shape != wanted:
            raise invalid("classes", f"shape {wanted}", tuple(classes.shape))
        limits = torch.tensor(sizes, device=classes.device)
        within = bool(((classes >= 0) & (classes < limits)).all())
        if not within:
            raise invalid(
                "classes", f"classes from 0, below {list(sizes)}", classes.amax(0).tolist()
            )
        self.location, self.scale = z.mean(0), z.std(0).clamp_min(1e-8)
        z = self._inputs(z)
        self.weights = self._initial(z, classes, sizes)
        held = len(z) // 5
        self._descend(z, classes, held)
        return self

    @torch.no_grad()
    def predict(self, z: Tensor) -> Tensor:
        """Most likely class of every factor for z, (n, size): int64, (n, number of factors)."""
        return self._logits(self._inputs(z)).argmax(-1).mT

    def _inputs(self, z: Tensor) -> Tensor:
        """Standardised representations with a column of ones, which carries the first bias."""
        return functional.pad((z - self.location) / self.scale, (0, 1), value=1.0)

    def _initial(self, z: Tensor, classes: Tensor, sizes: Sequence[int]) -> list[nn.Parameter]:
        """Weights of nets that lie along the first dimension; log-frequencies as offsets."""
        size, factors, most = z.shape[1], len(sizes), max(sizes)
        counts = functional.one_hot(classes, most).sum(0).clamp_min(1).float()
        offset = (counts / len(z)).log()[:, None]
        there = torch.arange(most, device=z.device) < torch.tensor(sizes, device=z.device)[:, None]
        self.mask = torch.where(there, 0.0, NEVER)[:, None]
        parts = []
        if self.hidden:
            first = torch.empty(1, size, self.hidden, device=z.device)
            first.normal_(std=(2 / max(1, size - 1)) ** 0.5, generator=self.generator)
            first[:, -1].uniform_(-1, 1, generator=self.generator)
            parts.append(first.repeat(factors, 1, 1))
        parts.append(torch.zeros(factors, self.hidden or size, most, device=z.device))
        return [nn.Parameter(part) for part in (*parts, offset)]

    def _logits(self, z: Tensor) -> Tensor:
        """Log-odds of all classes, shape (factors, n, classes)."""
        *first, last, offset = self.weights
        rows = (z @ first[0]).relu() if first else z
        return rows @ last + offset + self.mask

    def _errors(self, z: Tensor, classes: Tensor) -> Tensor:
        """Mean cross-entropy of every factor."""
        logits = self._logits(z)
        losses = functional.cross_entropy(
            logits.flatten(0, 1), classes.mT.flatten(), reduction="none"
        )
        return losses.view(len(logits), -1).mean(1)

    def _batches(self, n: int, device: torch.device) -> Iterator[Tensor]:
        """Rows of minibatches, a fresh order whenever they run out."""
        size = min(BATCH, n)
        starts = range(0, n - size + 1, size)
        for step in range(self.steps):
            start = starts[step % len(starts)]
            if start == 0:
                order = torch.randperm(n, generator=self.generator, device=device)
            yield order[start : start + size]

    def _descend(self, z: Tensor, classes: Tensor, held: int) -> None:
        """Train, and keep each factor's best weights on the first `held` samples."""
        best = [weight.detach().clone() for weight in self.weights]
        with torch.no_grad():
            lowest = self._errors(z[:held], classes[:held])
        optimizer = torch.optim.Adam(self.weights, lr=RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
        looks = {self.steps * look // CHECKS for look in range(1, CHECKS + 1)}
        for step, rows in enumerate(self._batches(len(z) - held, z.device), 1):
            optimizer.zero_grad()
            # factors share no weight, so the gradient of the sum is every factor's own
            self._errors(z[held + rows], classes[held + rows]).sum().backward()
            optimizer.step()
            schedule.step()
            if step in looks:
                with torch.no_grad():
                    error = self._errors(z[:held], classes[:held])
                better = error < lowest
                lowest = torch.where(better, error, lowest)
                for kept, weight in zip(best, self.weights, strict=True):
                    kept.copy_(torch.where(better.view(-1, 1, 1), weight.detach(), kept))
        self.weights = [weight.requires_grad_(False) for weight in best]
