"""What Theorem 4.1 predicts, as a number.

If the representation is an invertible function of the unbiased block s_I and of nothing else, the
best prediction of any factor from it is the best prediction from s_I. For Gaussian latents that
is linear, and its R2 has a closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from misalign.errors import invalid
from misalign.metrics import binary_mcc

if TYPE_CHECKING:
    from misalign.worlds.base import World


def explained(covariance: Tensor, block: tuple[int, ...], residual: Tensor | None = None) -> Tensor:
    """Share of every Gaussian variable's variance that a block of them explains.

    Parameters
    ----------
    covariance : Tensor
        Sigma, positive definite, shape (n, n).
    block : tuple of int
        1-based indices I; a ValueError for none, or one that is not from 1 to n.
    residual : Tensor, optional
        Covariance R of what is not known of the block, shape (block, block): s_I less its best
        prediction. By default the block is known exactly.

    Returns
    -------
    Tensor
        Sigma_jI Sigma_II^-1 (Sigma_II - R) Sigma_II^-1 Sigma_Ij / Sigma_jj for every j, shape (n,):
        1 within a block that is known exactly.
    """
    stray = [i for i in block if not 1 <= i <= len(covariance)]
    if stray or not block:
        raise invalid("block", f"indices from 1 to {len(covariance)}", stray or "none")
    inside, covariance = [i - 1 for i in block], covariance.double()
    towards = covariance[inside]
    gain = torch.linalg.solve(towards[:, inside], towards)
    known = towards if residual is None else (towards[:, inside] - residual.double()) @ gain
    return (known * gain).sum(0) / covariance.diagonal()


def explained_functions(
    functions: Callable[[Tensor], Tensor],
    covariance: Tensor,
    block: tuple[int, ...],
    *,
    draws: int = 200_000,
    generator: torch.Generator,
) -> Tensor:
    """Share of the variance of functions of Gaussian variables that a block of them explains.

    The best prediction of y = f(s) from s_I is E[y | s_I]. Its variance is the covariance of two
    values of y that share s_I and nothing else, so no regression is needed.

    Parameters
    ----------
    functions, covariance, block : callable, Tensor, tuple of int
        Map of s, (draws, n), to targets, (draws, k); covariance and block as in `explained`.
    draws, generator : int, torch.Generator
        Pairs to draw, of N(0, covariance), and their source, on the CPU.

    Returns
    -------
    Tensor
        Var(E[y | s_I]) / Var(y), shape (k,): 1 where y depends on the block alone.
    """
    complete = _Completion(covariance, block)
    s = complete.draw(draws, generator=generator)
    first, second = functions(s), functions(complete(s, generator=generator))
    middle = (first.mean(0) + second.mean(0)) / 2
    first, second = first - middle, second - middle
    return 2 * (first * second).mean(0) / (first.square() + second.square()).mean(0)


def mcc_of_likelier_class(
    function: Callable[[Tensor], Tensor],
    covariance: Tensor,
    block: tuple[int, ...],
    *,
    draws: int = 8192,
    completions: int = 256,
    generator: torch.Generator,
) -> float:
    """MCC of guessing y above or below its median by the likelier class given a Gaussian block.

    That guess is right most often, and it is what a classifier learns. It has not the largest MCC:
    guessing "above" only where its probability exceeds some other threshold than 1/2 can score
    higher. Probabilities are read off many completions of each of so many draws of s_I. The
    function maps s, (draws, n), to y, (draws,); the rest is as in `explained_functions`.
    """
    complete = _Completion(covariance, block)
    s = complete.draw(draws, generator=generator)
    y = function(s)
    median = y.median()
    above = sum(
        (function(complete(s, generator=generator)) > median).float() for _ in range(completions)
    )
    return binary_mcc((y > median)[:, None], (above > completions / 2)[:, None]).item()


class _Completion:
    """Draws of Gaussian variables given those of a block."""

    def __init__(self, covariance: Tensor, block: tuple[int, ...]) -> None:
        covariance = covariance.double().cpu()
        self.inside = [i - 1 for i in block]
        self.outside = [i for i in range(len(covariance)) if i not in self.inside]
        self.root = torch.linalg.cholesky(covariance).mT.float()
        towards = covariance[self.outside][:, self.inside]
        gain = torch.linalg.solve(covariance[self.inside][:, self.inside], towards.mT)
        left = covariance[self.outside][:, self.outside] - towards @ gain
        self.gain, self.rest = gain.float(), torch.linalg.cholesky(left).mT.float()

    def draw(self, n: int, *, generator: torch.Generator) -> Tensor:
        return torch.randn(n, len(self.root), generator=generator) @ self.root

    def __call__(self, s: Tensor, *, generator: torch.Generator) -> Tensor:
        """Keep the block of s, (n, all), and draw the others anew."""
        fresh = s.clone()
        noise = torch.randn(len(s), len(self.outside), generator=generator)
        fresh[:, self.outside] = s[:, self.inside] @ self.gain + noise @ self.rest
        return fresh


def oracle(world: World, encoding_size: int | None = None) -> dict[tuple[str, str], float] | None:
    """Predicted R2 of every factor (Theorem 4.1).

    Parameters
    ----------
    world : World
        Where the pairs come from: a `misalign.worlds.numerical.NumericalWorld`, or another of
        Gaussian semantic factors that captions perturb by Gaussian noise, with `sigma_s` and
        `sigma_eps`, the covariances of both, shape (n_s, n_s).
    encoding_size : int, optional
        Width of the representation; by default the number of unbiased factors.

    Returns
    -------
    dict of (str, str) to float, or None
        Score by (target, factor); target ``"image"`` is the true factor, ``"text"`` what captions
        say of a selected one. None where the theorem does not apply: at any other width. It is the
        score of the best nonlinear probe, and an upper bound for a linear one.

    Examples
    --------
    Captions name s1 and s2, and get s2 wrong at times: only s1 is learned.

    >>> from misalign.bias import Bias
    >>> from misalign.worlds.numerical import NumericalWorld
    >>> predicted = oracle(NumericalWorld.draw(Bias(3, (1, 2), (2,)), layers=1))
    >>> {factor: score for (target, factor), score in predicted.items() if target == "image"}
    {'s1': 1.0, 's2': 0.0, 's3': 0.0, 'm_x': 0.0, 'm_t': 0.0}
    """
    if not (hasattr(world, "sigma_s") and hasattr(world, "sigma_eps")):
        expected = (
            "one of Gaussian latents, with sigma_s and sigma_eps (other worlds need their own)"
        )
        raise invalid("world", expected, type(world).__name__, TypeError)
    bias = world.bias
    if encoding_size not in (None, len(bias.unbiased)):
        return None
    names = [factor.name for factor in world.factors if factor.side == "semantic"]
    share = explained(world.sigma_s, bias.unbiased)
    variance = world.sigma_s.double().diagonal()
    noise = world.sigma_eps.double().diagonal().clone()
    noise[[i - 1 for i in range(1, bias.n + 1) if i not in bias.perturbed]] = 0
    said = share * variance / (variance + bias.probability * noise)
    return {
        **{("image", name): one for name, one in zip(names, share.tolist(), strict=True)},
        **{("text", names[i - 1]): float(said[i - 1]) for i in bias.selected},
        **{("image", factor.name): 0.0 for factor in world.factors if factor.side != "semantic"},
    }
