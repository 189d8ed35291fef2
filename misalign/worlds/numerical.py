"""The numerical world: Gaussian latents, invertible mixing (section 5.1, App. C.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import check_int, invalid
from misalign.rng import generator_for
from misalign.worlds.base import Batch
from misalign.worlds.mixing import MixedWorld, Mixing

LATENTS = ("independent", "dependent")
SHIFTED = (9, 10)  # the semantic variables that a shifted environment moves
SPECIFIC = 5  # dimension of m_x and of m_t


def wishart(dimension: int, degrees: int = 0, *, generator: torch.Generator) -> Tensor:
    """Draw a covariance of mean d times the identity, float64, shape (d, d).

    By default from W_d(I, d), whose median condition number is near 1,000 for d = 10; with more
    `degrees` of freedom k, from W_d(I, k) d / k, which is rounder.
    """
    degrees = check_int("degrees", degrees or dimension, dimension)
    rows = torch.randn(degrees, dimension, generator=generator, dtype=torch.float64)
    return rows.mT @ rows * (dimension / degrees)


class Gaussian:
    """Sampler of N(0, covariance), for a positive definite covariance of shape (d, d)."""

    def __init__(self, covariance: Tensor) -> None:
        self.root = torch.linalg.cholesky(covariance.double()).mT.float()

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n rows, shape (n, d), in float32 on the covariance's device."""
        size = (n, len(self.root))
        return torch.randn(size, generator=generator, device=self.root.device) @ self.root


def heavy_tails(s: Tensor, *, generator: torch.Generator, spikes: bool = False) -> Tensor:
    """Move s_9 and s_10 out of distribution: 2 sign(s) s^2, and all else as it was (App. C.1).

    Of semantic variables in distribution, shape (n, 10). With `spikes`, which the paper does not
    have, a random tenth of either variable's samples is 10 sign(s), as in the authors' code.
    """
    if s.shape[-1] != 10:
        raise invalid("s", "10 semantic variables", s.shape[-1])
    columns = [i - 1 for i in SHIFTED]
    tails = s[:, columns]
    tails = 2 * tails.sign() * tails.square()
    if spikes:
        hit = torch.rand(tails.shape, generator=generator, device=s.device) < 0.1
        tails = torch.where(hit, 10.0 * tails.sign(), tails)
    moved = s.clone()
    moved[:, columns] = tails
    return moved


@dataclass(frozen=True, eq=False)
class NumericalWorld(MixedWorld):
    """Image-text pairs from Gaussian latents (Eqs 3 to 5).

    s ~ N(0, sigma_s), m_x ~ N(0, sigma_m_x), m_t ~ N(0, sigma_m_t); x = g_x(s, m_x) and
    t = g_t(s_tilde restricted to I_theta, m_t). A caption perturbs a random subset A of I_rho,
    each index with the bias's probability, by noise from N(0, sigma_eps); the change stays where
    it is, whatever depends on what (Eq. 5, Remark 3.1).

    Parameters
    ----------
    bias : Bias
        What captions omit and perturb, of kind "noise".
    sigma_s, sigma_eps, sigma_m_x, sigma_m_t : Tensor
        Covariances, float64, shape (n_s, n_s), and (5, 5) of m_x and m_t in the paper.
    g_x, g_t : Mixing
        Invertible maps of widths n_s + 5 and ``|I_theta|`` + 5.
    environment : callable, optional
        What happens to the semantic variables before anyone sees them, such as `heavy_tails`: takes
        s, (n, n_s), and a `generator`; by default nothing.
    """

    bias: Bias
    sigma_s: Tensor
    sigma_eps: Tensor
    sigma_m_x: Tensor
    sigma_m_t: Tensor
    g_x: Mixing
    g_t: Mixing
    environment: Callable[..., Tensor] | None = None

    def __post_init__(self) -> None:
        if self.bias.kind != "noise":
            raise invalid("bias", "one that perturbs by noise", f"kind {self.bias.kind!r}")
        self._expect_no_omission()

    @classmethod
    def draw(
        cls,
        bias: Bias,
        *,
        latents: str = "independent",
        layers: int = 3,
        seed: int = 0,
        noise: float = 1.0,
        degrees: int = 0,
    ) -> NumericalWorld:
        """Draw a world: every matrix from its own child stream of the seed.

        Parameters
        ----------
        bias, latents, degrees : Bias, {"independent", "dependent"}, int, optional
            Sigma_s: the identity, or a draw of `wishart` with so many degrees of freedom, by
            default n_s.
        layers, seed : int, optional
            Mixing layers (the paper: 3), and the seed: worlds of one seed share sigma_s and g_x
            whatever their bias.
        noise : float, optional
            Factor on sigma_eps, above 0 (the paper: 1).
        """
        if not 0 < noise < math.inf:
            raise invalid("noise", "a finite factor above 0", noise)
        if latents not in LATENTS:
            raise invalid("latents", f"one of {', '.join(LATENTS)}", repr(latents))
        sigma_s = torch.eye(bias.n, dtype=torch.float64)
        if latents == "dependent":
            sigma_s = wishart(bias.n, degrees, generator=generator_for(seed, "sigma_s"))
        sizes = {"sigma_eps": bias.n, "sigma_m_x": SPECIFIC, "sigma_m_t": SPECIFIC}
        drawn = {name: wishart(d, generator=generator_for(seed, name)) for name, d in sizes.items()}
        drawn["sigma_eps"] *= noise
        return cls(bias, sigma_s, **drawn, **cls.draw_mixings(bias, SPECIFIC, layers, seed))

    @cached_property
    def _samplers(self) -> dict[str, Gaussian]:
        names = ("s", "eps", "m_x", "m_t")
        return {name: Gaussian(getattr(self, f"sigma_{name}")) for name in names}

    def to(self, device: torch.device | str) -> NumericalWorld:
        """Move covariances and mixing weights to a device."""
        names = ("sigma_s", "sigma_eps", "sigma_m_x", "sigma_m_t", "g_x", "g_t")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def perturb(self, s: Tensor, *, generator: torch.Generator) -> Tensor:
        """Distort latents s, (n, n_s), as captions do (Eq. 5): s_tilde, equal to s outside A."""
        if not self.bias.perturbed:
            return s
        hits = self._hits(s, generator)
        return s + hits * self._samplers["eps"].sample(len(s), generator=generator)

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs: `image` (n, n_s + 5), `text` (n, number of selected factors + 5)."""
        here = self.sigma_s.device
        if here.type != torch.device(device).type:
            raise invalid("device", f"the world's own, {here} (move it with `to`)", device)
        s = self._samplers["s"].sample(n, generator=generator)
        s = self.environment(s, generator=generator) if self.environment else s
        m_x, m_t = (self._samplers[name].sample(n, generator=generator) for name in ("m_x", "m_t"))
        return self._observe(s, self.perturb(s, generator=generator), m_x, m_t)
