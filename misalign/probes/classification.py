"""Probes of discrete factors: how well a representation tells which value a factor has.

They are to discrete factors what `misalign.probes.regression` is to continuous ones, and are
scored by MCC.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor
from torch.nn import functional

from misalign.errors import invalid
from misalign.probes.base import ROWS, Nets
from misalign.probes.regression import LinearProbe

NEVER = -1e9  # log-odds of a class that a factor does not have


class Classifier(Nets):
    """Softmax classifiers, one a factor, trained side by side.

    All read the same minibatches and start as predictors of the classes' frequencies, so no factor
    changes another's score. Each keeps the weights that did best on a held-out fifth of the
    samples, chosen at random, so a factor that cannot be told scores about 0.

    Parameters
    ----------
    steps, rate : int, float
        Adam's steps and its first rate, which falls to 0 along a cosine.
    hidden : int, optional
        Width of the hidden layer (two-layer perceptron); 0 for logistic regression (App. D.1).
    generator : torch.Generator
        Source of initial weights, held-out samples and minibatches, on the samples' device.

    Examples
    --------
    >>> import torch
    >>> z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    >>> classes = (z[:, :1] > 0).long()
    >>> probe = Classifier(200, hidden=0, generator=torch.Generator().manual_seed(0))
    >>> guess = probe.fit(z, classes, [2]).predict(z)
    >>> bool((guess == classes).float().mean() > 0.95)
    True
    """

    def fit(
        self, z: ArrayLike | Tensor, classes: ArrayLike | Tensor, sizes: Sequence[int]
    ) -> Classifier:
        """Fit a representation to factors, and return itself.

        Parameters
        ----------
        z, classes : array_like or Tensor
            Shape (n, size); classes from 0, whole numbers, shape (n, number of factors), or (n,)
            for one. Other shapes, or a class out of range, are a ValueError.
        sizes : sequence of int
            Number of classes of each factor.
        """
        z = self._measure(z)
        classes = torch.as_tensor(classes, device=z.device).long()
        classes = classes[:, None] if classes.ndim == 1 else classes
        wanted = (len(z), len(sizes))
        if classes.shape != wanted:
            raise invalid("classes", f"shape {wanted}", tuple(classes.shape))
        if not ((classes >= 0) & (classes < torch.tensor(sizes, device=z.device))).all():
            bounds = f"classes from 0, below {list(sizes)}"
            raise invalid(
                "classes", bounds, f"{classes.amin(0).tolist()} to {classes.amax(0).tolist()}"
            )
        z = self._inputs(z)
        return self._train(self._initial(z, classes, sizes), z, classes)

    @torch.no_grad()
    def predict(self, z: ArrayLike | Tensor) -> Tensor:
        """Most likely class of every factor for z, (n, size): int64, (n, number of factors)."""
        parts = [self._logits(rows).argmax(-1).mT for rows in self._inputs(z).split(ROWS)]
        return torch.cat(parts)

    def _initial(self, z: Tensor, classes: Tensor, sizes: Sequence[int]) -> list[Tensor]:
        """Initial weights; log-frequencies as offsets."""
        factors, most = len(sizes), max(sizes)
        counts = functional.one_hot(classes, most).sum(0).clamp_min(1).float()
        there = torch.arange(most, device=z.device) < torch.tensor(sizes, device=z.device)[:, None]
        self.mask = torch.where(there, 0.0, NEVER)[:, None]
        first = [self._hidden_weights(z, factors)] if self.hidden else []
        last = z.new_zeros(factors, self.hidden or z.shape[1], most)
        return [*first, last, (counts / len(z)).log()[:, None]]

    def _logits(self, z: Tensor) -> Tensor:
        """Log-odds of all classes, shape (factors, n, classes)."""
        *first, last, offset = self.weights
        rows = (z @ first[0]).relu() if first else z
        return rows @ last + offset + self.mask

    def _losses(self, z: Tensor, classes: Tensor) -> Tensor:
        logits, y = self._logits(z).flatten(0, 1), classes.mT.flatten()
        return functional.cross_entropy(logits, y, reduction="none").view(classes.mT.shape)


class RidgeClassifier:
    """Least squares with a ridge on indicators of the classes, for many dimensions or few samples.

    `fit` and `predict` are those of `Classifier`; nothing is drawn at random.
    """

    def fit(self, z: ArrayLike | Tensor, classes: Tensor, sizes: Sequence[int]) -> RidgeClassifier:
        """Fit a representation to factors."""
        self.sizes = list(sizes)
        columns = [functional.one_hot(y, n) for y, n in zip(classes.mT, sizes, strict=True)]
        self.probe = LinearProbe(ridge=True).fit(z, torch.cat(columns, 1).float())
        return self

    def predict(self, z: ArrayLike | Tensor) -> Tensor:
        """Class of every factor whose indicator is predicted largest."""
        parts = self.probe.predict(z).split(self.sizes, 1)
        return torch.stack([part.argmax(1) for part in parts], 1)

    def importance(self) -> list[Tensor]:
        """Weight of every dimension of z, by factor."""
        return self.probe.importance(self.sizes)
