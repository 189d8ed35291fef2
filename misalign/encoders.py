"""Encoders f_x and f_t (App. C.1)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from misalign.errors import expect


class MLP(nn.Module):
    """Multilayer perceptron with leaky ReLUs.

    Parameters
    ----------
    size_in, size_out : int
        Widths of input and output.
    hidden : sequence of int
        Widths of the hidden layers.
    slope : float, optional
        Negative slope of the leaky ReLU.
    bounded : bool, optional
        Squash outputs into (0, 1), the range of Theorem 4.1; by default outputs are unbounded.
    generator : torch.Generator
        Source of the initial weights: Kaiming uniform, biases 0.
    """

    def __init__(
        self,
        size_in: int,
        size_out: int,
        hidden: Sequence[int],
        *,
        slope: float = 0.01,
        bounded: bool = False,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        expect(size_out >= 1, "encoding_size", "a width of at least 1", size_out)
        widths = (size_in, *hidden, size_out)
        layers = (nn.Linear(a, b, device="meta") for a, b in zip(widths, widths[1:], strict=False))
        self.layers = nn.ModuleList(layer.to_empty(device="cpu") for layer in layers)
        self.slope, self.bounded = slope, bounded
        for layer in self.layers:
            nn.init.kaiming_uniform_(layer.weight, slope, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Encode rows x of shape (..., size_in) into shape (..., size_out)."""
        for i, layer in enumerate(self.layers):
            if i:
                x = functional.leaky_relu(x, self.slope)
            x = layer(x)
        return x.sigmoid() if self.bounded else x

    def hidden_matrices(self) -> list[nn.Parameter]:
        """Weights between hidden layers: the ones that Muon trains."""
        return [layer.weight for layer in self.layers[1:-1]]


class Whitening(nn.Module):
    """Invertible affine map to mean 0 and covariance I, measured once on a sample.

    Parameters
    ----------
    sample : Tensor
        Observations, shape (n, d), n much larger than d.

    Raises
    ------
    ValueError
        If the sample's covariance is singular.
    """

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        root, flaw = torch.linalg.cholesky_ex(torch.cov(sample.double().mT))
        expect(not flaw, "sample", "observations that span all their dimensions", "fewer")
        eye = torch.eye(len(root), dtype=root.dtype, device=root.device)
        inverse = torch.linalg.solve_triangular(root, eye, upper=False)
        self.register_buffer("mean", sample.mean(0))
        self.register_buffer("matrix", inverse.mT.to(sample.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Whiten rows x of shape (n, d)."""
        return (x - self.mean) @ self.matrix


def numerical_encoder(
    sample: Tensor,
    size_out: int,
    *,
    hidden: Sequence[int],
    whiten: bool,
    standardize: bool,
    generator: torch.Generator,
) -> nn.Module:
    """Encoder of the numerical world: an MLP, with or without fixed scales at its two ends.

    Both ends are invertible affine maps, so what a representation identifies stays the same. They
    pay because Eq. (2)'s estimator does not penalise scale: outputs grow until the loss sits at
    its floor and nothing more is learned. At unit variance it keeps a gradient.

    Parameters
    ----------
    sample : Tensor
        Observations to measure the whitening on, shape (n, d).
    size_out : int
        Encoding size.
    hidden : sequence of int
        Widths of the hidden layers.
    whiten : bool
        Whiten the input.
    standardize : bool
        Bring every output to mean 0 and variance 1 (a batch norm without weights).
    generator : torch.Generator
        Source of the initial weights.

    Returns
    -------
    torch.nn.Module
        On the sample's device; maps (n, d) to (n, size_out).
    """
    parts: list[nn.Module] = [MLP(sample.shape[1], size_out, hidden, generator=generator)]
    if whiten:
        parts.insert(0, Whitening(sample))
    if standardize:
        parts.append(nn.BatchNorm1d(size_out, affine=False))
    return nn.Sequential(*parts).to(sample.device)
