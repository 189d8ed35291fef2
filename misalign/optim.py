"""Muon for hidden matrices, batched over matrices of one shape.

`torch.optim.Muon` takes one matrix at a time and iterates in bfloat16, which a CPU without
bfloat16 units emulates (about 20 times slower on 128 x 128). This one stacks the matrices of one
shape and iterates in their own type; a test holds it to `torch.optim.Muon`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5


def orthogonalize(g: Tensor) -> Tensor:
    """Bring the singular values of a stack of matrices near 1 (Newton-Schulz, quintic).

    Parameters
    ----------
    g : Tensor
        Shape (..., rows, columns).

    Returns
    -------
    Tensor
        Same shape and singular vectors; singular values between about 0.5 and 1.5, except those
        that were below about a thirtieth of the largest.
    """
    a, b, c = COEFFICIENTS
    wide = g.shape[-2] <= g.shape[-1]
    x = g if wide else g.mT
    x = x / torch.linalg.matrix_norm(x, keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised: every direction of a weight matrix moves at the same speed.

    Parameters
    ----------
    params : iterable of Parameter
        Matrices.
    lr : float
        Learning rate, scaled by sqrt(max(1, rows / columns)) as in `torch.optim.Muon`.
    momentum : float, optional
        Nesterov momentum.

    References
    ----------
    Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            by_shape = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape[weight.shape].append(weight)
            for shape, weights in by_shape.items():
                lookahead = torch.stack([self._accumulate(w, group["momentum"]) for w in weights])
                rate = group["lr"] * max(1, shape[0] / shape[1]) ** 0.5
                for weight, update in zip(weights, orthogonalize(lookahead), strict=True):
                    weight.sub_(update, alpha=rate)

    def _accumulate(self, weight: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(buffer, momentum)
