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
    """Bring the singular values of matrices, (..., rows, columns), near 1 (Newton-Schulz).

    They end between about 0.5 and 1.5, but for those below about a thirtieth of the largest.
    """
    a, b, c = COEFFICIENTS
    wide = g.shape[-2] <= g.shape[-1]
    x = (g if wide else g.mT).reshape(-1, *sorted(g.shape[-2:]))
    x = x / x.square().sum((1, 2), keepdim=True).sqrt().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x if wide else x.mT).reshape(g.shape)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised: every direction of a matrix moves at the same speed.

    Parameters are matrices, or stacks of them (runs, rows, columns), each of which is its own. The
    learning rate is scaled by sqrt(max(1, rows / columns)) as in `torch.optim.Muon`. In a stack
    that is padded, a group's option `stretch` holds that factor for each matrix's true shape.

    References
    ----------
    Jordan et al. (2024), "Muon: an optimizer for hidden layers in neural networks".
    """

    def __init__(
        self, params: Iterable[nn.Parameter | dict], lr: float, momentum: float = 0.95
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "stretch": None})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:
        """Move every matrix that has a gradient."""
        by_shape = defaultdict(list)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    by_shape[weight.shape[-2:]].append((weight, group))
        for (rows, columns), members in by_shape.items():
            ahead = [self._accumulate(weight, group["momentum"]) for weight, group in members]
            # one batch of all matrices of one shape, whichever stack they come from
            sizes = [part.shape[:-2].numel() for part in ahead]
            updates = orthogonalize(torch.cat([part.view(-1, rows, columns) for part in ahead]))
            for (weight, group), update in zip(members, updates.split(sizes), strict=True):
                stretch = group["stretch"] or [max(1, rows / columns) ** 0.5]
                rates = torch.tensor(stretch, device=update.device).mul_(-group["lr"])
                weight.add_((update * rates.view(-1, 1, 1)).view_as(weight))

    def _accumulate(self, weight: nn.Parameter, momentum: float) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        buffer = state["momentum_buffer"].lerp_(weight.grad, 1 - momentum)
        return weight.grad.lerp(buffer, momentum)
