"""The numerical world: Gaussian latents, invertible mixing (section 5.1, App. C.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.rng import generator_for
from misalign.worlds.base import Batch, Factor
from misalign.worlds.mixing import Mixing

LATENTS = ("independent", "dependent")
SHIFTED = (9, 10)  # the semantic variables that a shifted environment moves
SPECIFIC = 5  # dimension of m_x and of m_t


def wishart(dimension: int, *, generator: torch.Generator) -> Tensor:
    """Draw a covariance from W_d(I, d): identity scale, as many degrees of freedom as dimensions.

    Parameters
    ----------
    dimension : int
        The d above.
    generator : torch.Generator
        Source of the draw, on the CPU.

    Returns
    -------
    Tensor
        Positive definite (with probability 1), shape (d, d), mean d times the identity.
    """
    rows = torch.randn(dimension, dimension, generator=generator, dtype=torch.float64)
    return rows.mT @ rows


class Gaussian:
    """Sampler of N(0, covariance).

    Parameters
    ----------
    covariance : Tensor
        Positive definite, shape (d, d).
    """

    def __init__(self, covariance: Tensor) -> None:
        self.root = torch.linalg.cholesky(covariance.double()).mT.float()

    def sample(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n rows, shape (n, d), in float32 on the covariance's device."""
        size = (n, len(self.root))
        return torch.randn(size, generator=generator, device=self.root.device) @ self.root


def heavy_tails(s: Tensor, *, generator: torch.Generator, spikes: bool = False) -> Tensor:
    """Move s_9 and s_10 out of distribution: 2 sign(s) s^2, and all else as it was (App. C.1).

    Parameters
    ----------
    s : Tensor
        Semantic variables in distribution, shape (n, 10).
    generator : torch.Generator
        Source of the spikes.
    spikes : bool, optional
        Put 10 sign(s) for a random tenth of either variable's samples, as the authors' code does;
        the paper has no spikes.

    Returns
    -------
    Tensor
        Shape (n, 10).
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
class NumericalWorld:
    """Image-text pairs from Gaussian latents (Eqs 3 to 5).

    s ~ N(0, sigma_s), m_x ~ N(0, sigma_m_x), m_t ~ N(0, sigma_m_t); x = g_x(s, m_x) and
    t = g_t(s_tilde restricted to I_theta, m_t). A caption perturbs a random subset A of I_rho,
    each index with the bias's probability, by noise from N(0, sigma_eps); the change stays where
    it is, whatever depends on what (Eq. 5, Remark 3.1).

    Parameters
    ----------
    bias : Bias
        What captions omit and perturb.
    sigma_s, sigma_eps : Tensor
        Covariances of shape (n_s, n_s), float64.
    sigma_m_x, sigma_m_t : Tensor
        Covariances of the modality-specific variables, shape (5, 5) in the paper.
    g_x, g_t : Mixing
        Invertible maps of widths n_s + 5 and ``|I_theta|`` + 5.
    environment : callable, optional
        What happens to the semantic variables before anyone sees them, such as `heavy_tails`: takes
        s, (n, n_s), and a `generator`; by default nothing.

    See Also
    --------
    draw : a world of the paper's kind from a seed.
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
        kind = self.bias.kind
        if kind != "noise":
            raise invalid("bias", "one that perturbs by noise", f"kind {kind!r}")

    @classmethod
    def draw(
        cls, bias: Bias, *, latents: str = "independent", layers: int = 3, seed: int = 0
    ) -> NumericalWorld:
        """Draw a world: every matrix from its own child stream of the seed.

        Parameters
        ----------
        bias : Bias
            What captions omit and perturb.
        latents : {"independent", "dependent"}, optional
            Sigma_s: the identity, or a draw from W(I, n_s).
        layers : int, optional
            Mixing layers (the paper: 3).
        seed : int, optional
            Worlds of one seed share sigma_s and g_x whatever their bias.

        Returns
        -------
        NumericalWorld
        """
        if latents not in LATENTS:
            raise invalid("latents", f"one of {', '.join(LATENTS)}", repr(latents))
        sigma_s = torch.eye(bias.n, dtype=torch.float64)
        if latents == "dependent":
            sigma_s = wishart(bias.n, generator=generator_for(seed, "sigma_s"))
        width_t = len(bias.selected) + SPECIFIC
        return cls(
            bias=bias,
            sigma_s=sigma_s,
            sigma_eps=wishart(bias.n, generator=generator_for(seed, "sigma_eps")),
            sigma_m_x=wishart(SPECIFIC, generator=generator_for(seed, "sigma_m_x")),
            sigma_m_t=wishart(SPECIFIC, generator=generator_for(seed, "sigma_m_t")),
            g_x=Mixing.draw(
                bias.n + SPECIFIC, layers, generator=generator_for(seed, "mixing", "image")
            ),
            g_t=Mixing.draw(width_t, layers, generator=generator_for(seed, "mixing", "text")),
        )

    @property
    def factors(self) -> tuple[Factor, ...]:
        """The semantic factors s1, s2, ..., then m_x and m_t."""
        semantic = tuple(Factor(f"s{i}") for i in range(1, self.bias.n + 1))
        m_x = Factor("m_x", size=len(self.sigma_m_x), side="image")
        m_t = Factor("m_t", size=len(self.sigma_m_t), side="text")
        return (*semantic, m_x, m_t)

    @cached_property
    def _s(self) -> Gaussian:
        return Gaussian(self.sigma_s)

    @cached_property
    def _m_x(self) -> Gaussian:
        return Gaussian(self.sigma_m_x)

    @cached_property
    def _m_t(self) -> Gaussian:
        return Gaussian(self.sigma_m_t)

    @cached_property
    def _noise(self) -> Gaussian:
        return Gaussian(self.sigma_eps)

    def to(self, device: torch.device | str) -> NumericalWorld:
        """Move covariances and mixing weights to a device."""
        names = ("sigma_s", "sigma_eps", "sigma_m_x", "sigma_m_t", "g_x", "g_t")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    def perturb(self, s: Tensor, *, generator: torch.Generator) -> Tensor:
        """Distort latents as captions do (Eq. 5).

        Parameters
        ----------
        s : Tensor
            Semantic variables, shape (n, n_s).
        generator : torch.Generator
            Source of the subset A and of the noise.

        Returns
        -------
        Tensor
            s_tilde, shape (n, n_s); equal to `s` outside A.
        """
        bias = self.bias
        if not bias.perturbed:
            return s
        chance = torch.zeros(bias.n, device=s.device)
        chance[[i - 1 for i in bias.perturbed]] = bias.probability
        hit = torch.rand(s.shape, generator=generator, device=s.device) < chance
        return s + hit * self._noise.sample(len(s), generator=generator)

    def sample(
        self, n: int, *, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Batch:
        """Draw n pairs.

        Parameters
        ----------
        n : int
            Number of pairs.
        generator : torch.Generator
            Source of latents, perturbations and specific variables, on the device.
        device : torch.device or str, optional
            Where the world has been moved with `to`.

        Returns
        -------
        Batch
            `image` of shape (n, n_s + 5), `text` of shape (n, ``|I_theta|`` + 5).
        """
        if self.sigma_s.device.type != torch.device(device).type:
            raise invalid(
                "device", f"the world's own, {self.sigma_s.device} (move it with `to`)", device
            )
        s = self._s.sample(n, generator=generator)
        s = self.environment(s, generator=generator) if self.environment else s
        m_x = self._m_x.sample(n, generator=generator)
        m_t = self._m_t.sample(n, generator=generator)
        s_tilde = self.perturb(s, generator=generator)
        said = [i - 1 for i in self.bias.selected]
        factors = {f"s{i + 1}": s[:, i : i + 1] for i in range(self.bias.n)}
        return Batch(
            image=self.g_x(torch.cat([s, m_x], 1)),
            text=self.g_t(torch.cat([s_tilde[:, said], m_t], 1)),
            factors={**factors, "m_x": m_x, "m_t": m_t},
            text_factors={f"s{i + 1}": s_tilde[:, i : i + 1] for i in said},
        )
