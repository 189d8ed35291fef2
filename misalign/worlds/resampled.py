"""A small world of factors that are words or numbers, whose captions are wrong by resampling."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.worlds.base import Batch
from misalign.worlds.mixing import MixedWorld, Mixing

SPECIFIC = 2  # dimension of m_x and of m_t


@dataclass(frozen=True, eq=False)
class ResampledWorld(MixedWorld):
    """Image-text pairs of independent factors, continuous or of a few values.

    A continuous factor is standard normal. One of k values is uniform over k evenly spaced numbers
    of mean 0 and variance 1. m_x and m_t are standard normal; x = g_x(s, m_x) and
    t = g_t(s_tilde restricted to I_theta, m_t). With the bias's probability a caption replaces the
    value of a perturbed factor: by a fresh draw (kind "uniform", the authors' code for MPI3D), or
    by one of the other values (kind "other", the words of App. D.1).

    Parameters
    ----------
    bias : Bias
        What captions omit and perturb, of kind "uniform" or "other".
    values : int or None
        Number of values of every factor, at least 2; None for continuous ones, which have no
        "other" value.
    g_x, g_t : Mixing
        Invertible maps of widths n_s + 2 and |I_theta| + 2.
    """

    bias: Bias
    values: int | None
    g_x: Mixing
    g_t: Mixing

    def __post_init__(self) -> None:
        kinds = ("uniform",) if self.values is None else ("uniform", "other")
        if self.bias.kind not in kinds:
            got = f"kind {self.bias.kind!r}"
            raise invalid("bias", f"one of kind {' or '.join(kinds)}", got)
        self._expect_no_omission()
        if self.values is not None:
            check_int("values", self.values, 2)

    @classmethod
    def draw(
        cls, bias: Bias, *, values: int | None = None, layers: int = 2, seed: int = 0
    ) -> ResampledWorld:
        """Draw a world: each mixing, of so many layers, from its own child stream of the seed.

        Worlds of one seed share g_x whatever their bias; by default factors are continuous.
        """
        return cls(bias, values, **cls.draw_mixings(bias, SPECIFIC, layers, seed))

    def to(self, device: torch.device | str) -> ResampledWorld:
        """Move the mixing weights to a device."""
        return replace(self, g_x=self.g_x.to(device), g_t=self.g_t.to(device))

    def semantics(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n rows of semantic factors on the generator's device, shape (n, n_s)."""
        size, device = (n, self.bias.n), generator.device
        if self.values is None:
            return torch.randn(size, generator=generator, device=device)
        return self._number(torch.randint(self.values, size, generator=generator, device=device))

    def perturb(self, s: Tensor, *, generator: torch.Generator) -> Tensor:
        """Distort factors s, (n, n_s), as captions do (Eq. 5): s_tilde, equal to s outside A."""
        hits = self._hits(s, generator)
        if self.bias.kind == "uniform":
            put = self.semantics(len(s), generator=generator)
        else:
            size = {"size": s.shape, "generator": generator, "device": s.device}
            further = torch.randint(1, self.values, **size)
            put = self._number((self._place(s) + further) % self.values)
        return torch.where(hits, put, s)

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs, `image` of shape (n, n_s + 2) and `text` of shape (n, |I_theta| + 2)."""
        s = self.semantics(n, generator=generator)
        m_x, m_t = torch.randn(2, n, SPECIFIC, generator=generator, device=device)
        return self._observe(s, self.perturb(s, generator=generator), m_x, m_t)

    @property
    def _step(self) -> float:
        """Distance of neighbouring values: the variance of 0, ..., k - 1 is (k^2 - 1) / 12."""
        return (12 / (self.values**2 - 1)) ** 0.5

    def _number(self, place: Tensor) -> Tensor:
        return (place - (self.values - 1) / 2) * self._step

    def _place(self, number: Tensor) -> Tensor:
        return (number / self._step + (self.values - 1) / 2).round().long()
