"""Invertible networks that turn latent variables into observations (App. C.1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.rng import generator_for
from misalign.worlds.base import Batch, Factor

SLOPE = 0.2
DRAWS = 25_000
ACCEPTED = 25  # the best-conditioned 0.1 % of the draws


@dataclass(frozen=True, eq=False)
class Mixing:
    """Square linear layers with leaky ReLUs between them, and the exact inverse.

    Weights are invertible matrices of shape (d, d), applied to rows from the right.
    """

    weights: tuple[Tensor, ...]

    @classmethod
    def draw(cls, dimension: int, layers: int, *, generator: torch.Generator) -> Mixing:
        """Draw well-conditioned layers, as the authors' code does.

        Weights are uniform on (-1, 1) with columns of norm 1. A matrix is accepted if its
        condition number is below the 0.1 % quantile of 25,000 draws, so the layers are chosen
        among the 25 best of one set of 25,000 draws (the paper prints "threshold of 1e-3"; a
        condition number is never below 1). Layers, the paper's 3 or at most 25, have all the same
        width d; the generator is on the CPU.
        """
        if dimension < 1:
            raise invalid("dimension", "a width of at least 1", dimension)
        if not 1 <= layers <= ACCEPTED:
            raise invalid("layers", f"a number from 1 to {ACCEPTED}", layers)
        draws = torch.rand(DRAWS, dimension, dimension, generator=generator) * 2 - 1
        draws = functional.normalize(draws, dim=1)
        squares = torch.linalg.eigvalsh(draws.mT @ draws)
        best = (squares[:, -1] / squares[:, 0].clamp_min(1e-12)).argsort()[:ACCEPTED]
        chosen = best[torch.randperm(ACCEPTED, generator=generator)[:layers]]
        return cls(tuple(draws[i].clone() for i in chosen))

    def __call__(self, z: Tensor) -> Tensor:
        """Mix latent rows z of shape (n, d) into observations of the same shape."""
        for i, weight in enumerate(self.weights):
            if i:
                z = functional.leaky_relu(z, SLOPE)
            z = z @ weight
        return z

    def inverse(self, x: Tensor) -> Tensor:
        """Recover the latent rows from observations x of shape (n, d)."""
        for i, weight in reversed(list(enumerate(self.weights))):
            x = torch.linalg.solve(weight, x, left=False)
            if i:
                x = functional.leaky_relu(x, 1 / SLOPE)
        return x

    def to(self, device: torch.device | str) -> Mixing:
        """Move the weights to a device."""
        return Mixing(tuple(weight.to(device) for weight in self.weights))


class MixedWorld:
    """What worlds of vectors share: x = g_x(s, m_x), t = g_t(s_tilde within I_theta, m_t)."""

    bias: Bias
    g_x: Mixing
    g_t: Mixing

    @staticmethod
    def draw_mixings(bias: Bias, specific: int, layers: int, seed: int) -> dict[str, Mixing]:
        """Draw g_x and g_t, each from its own child stream of the seed."""
        widths = {"image": bias.n + specific, "text": len(bias.selected) + specific}
        g_x, g_t = (
            Mixing.draw(width, layers, generator=generator_for(seed, "mixing", modality))
            for modality, width in widths.items()
        )
        return {"g_x": g_x, "g_t": g_t}

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The semantic factors s1, s2, ..., then m_x and m_t."""
        n, size_x, size_t = self.bias.n, len(self.g_x.weights[0]), len(self.g_t.weights[0])
        semantic = tuple(Factor(f"s{i}") for i in range(1, n + 1))
        m_x = Factor("m_x", size=size_x - n, side="image")
        m_t = Factor("m_t", size=size_t - len(self.bias.selected), side="text")
        return (*semantic, m_x, m_t)

    def _expect_no_omission(self) -> None:
        """Refuse a bias that only captions in words can have."""
        if chance := self.bias.omission_probability:
            raise invalid("bias", "one that omits nothing by chance", f"probability {chance}")

    def _hits(self, s: Tensor, generator: torch.Generator) -> Tensor:
        """Which of the factors s, (n, n_s), captions perturb."""
        chance = torch.zeros(self.bias.n, device=s.device)
        chance[[i - 1 for i in self.bias.perturbed]] = self.bias.probability
        return torch.rand(s.shape, generator=generator, device=s.device) < chance

    def _observe(self, s: Tensor, s_tilde: Tensor, m_x: Tensor, m_t: Tensor) -> Batch:
        said = [i - 1 for i in self.bias.selected]
        factors = {f"s{i + 1}": s[:, i : i + 1] for i in range(self.bias.n)}
        return Batch(
            image=self.g_x(torch.cat([s, m_x], 1)),
            text=self.g_t(torch.cat([s_tilde[:, said], m_t], 1)),
            factors={**factors, "m_x": m_x, "m_t": m_t},
            text_factors={f"s{i + 1}": s_tilde[:, i : i + 1] for i in said},
        )
