"""Encoders f_x and f_t (App. C.1)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from misalign.errors import invalid


class Affine(nn.Module):
    """A linear layer whose every tensor is a matrix, so that layers stack (see `stack`).

    Initial weights are Kaiming uniform for leaky ReLUs of that slope, biases 0.
    """

    def __init__(self, size_in: int, size_out: int, *, slope: float, generator: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size_out, size_in))
        self.bias = nn.Parameter(torch.zeros(1, size_out))
        nn.init.kaiming_uniform_(self.weight, slope, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map rows x of shape (..., size_in) into shape (..., size_out)."""
        return x @ self.weight.mT + self.bias


class MLP(nn.Module):
    """Multilayer perceptron with leaky ReLUs.

    Parameters
    ----------
    size_in, size_out, hidden : int, int, sequence of int
        Widths of input, output and hidden layers.
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
        generator: Generator,
    ) -> None:
        super().__init__()
        if size_out < 1:
            raise invalid("encoding_size", "a width of at least 1", size_out)
        sizes = pairwise((size_in, *hidden, size_out))
        self.layers = nn.ModuleList(Affine(*two, slope=slope, generator=generator) for two in sizes)
        self.slope, self.bounded = slope, bounded

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

    Of observations, shape (n, d), n is to be much larger than d; a singular covariance is a
    ValueError.
    """

    def __init__(self, sample: Tensor) -> None:
        super().__init__()
        root, flaw = torch.linalg.cholesky_ex(torch.cov(sample.double().mT))
        if flaw:
            raise invalid("sample", "observations that span all their dimensions", "fewer")
        inverse = torch.linalg.solve_triangular(root, torch.eye(len(root)).to(root), upper=False)
        self.register_buffer("mean", sample.mean(0, keepdim=True))
        self.register_buffer("matrix", inverse.mT.to(sample.dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Whiten rows x of shape (..., d)."""
        return (x - self.mean) @ self.matrix


class Standardize(nn.Module):
    """Every one of `size` outputs at mean 0 and variance 1: batch norm without weights."""

    MOMENTUM, EPSILON = 0.1, 1e-5

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(1, size))
        self.register_buffer("variance", torch.ones(1, size))

    def forward(self, z: Tensor) -> Tensor:
        """Standardize rows z of shape (..., size): in training by the rows' own moments."""
        mean, variance = self.mean, self.variance
        if self.training:
            mean = z.mean(-2, keepdim=True)
            variance = z.var(-2, correction=0, keepdim=True)
            self.mean.lerp_(mean.detach(), self.MOMENTUM)
            self.variance.lerp_(variance.detach(), self.MOMENTUM)
        return (z - mean) * (variance + self.EPSILON).rsqrt()


def stack(encoders: Sequence[nn.Module]) -> nn.Module:
    """Put R encoders built alike, of any widths, side by side: one program for all of them.

    It maps (R, B, d) to (R, B, n), d and n the largest of the encoders' sizes. Narrower encoders
    are padded with zeros. No mask is needed to keep them zero: what is padded takes no part in the
    outputs, so its gradients are exactly 0, and neither Adam nor Muon moves a weight that has never
    seen another.
    """
    _expect_stackable(encoders)
    together = copy.deepcopy(encoders[0])
    for name, value in _tensors(together):
        parts = [dict(_tensors(encoder))[name].detach() for encoder in encoders]
        rows, columns = (max(part.shape[side] for part in parts) for side in (0, 1))
        pads = [(0, columns - part.shape[1], 0, rows - part.shape[0]) for part in parts]
        whole = torch.stack([functional.pad(*one) for one in zip(parts, pads, strict=True)])
        if isinstance(value, nn.Parameter):
            whole = nn.Parameter(whole, requires_grad=value.requires_grad)
        owner, _, leaf = name.rpartition(".")
        setattr(together.get_submodule(owner), leaf, whole)
    return together


@torch.no_grad()
def unstack(together: nn.Module, encoders: Sequence[nn.Module]) -> None:
    """Copy the tensors of a `stack` back into the encoders that it was made of."""
    for i, encoder in enumerate(encoders):
        for (_, value), (_, whole) in zip(_tensors(encoder), _tensors(together), strict=True):
            value.copy_(whole[i, : value.shape[0], : value.shape[1]])


def _expect_stackable(encoders: Sequence[nn.Module]) -> None:
    first = encoders[0]
    unfit = {type(part).__name__ for part in first.modules() if not _stacks(part)}
    if len(list(first.named_parameters(remove_duplicate=False))) > len(list(first.parameters())):
        unfit.add("shared parameters")
    shapes = [[value.shape for _, value in _tensors(encoder)] for encoder in encoders]
    widths = any(one != shapes[0] for one in shapes)
    if unfit or any(_plan(encoder, widths) != _plan(first, widths) for encoder in encoders):
        expected = "encoders built alike of layers that stack, all their tensors matrices"
        kinds = {f"different {type(encoder).__name__}" for encoder in encoders}
        got = ", ".join(sorted(unfit or kinds))
        raise invalid("encoders", f"{expected} (train others one by one)", got)


def _stacks(part: nn.Module) -> bool:
    """Whether a layer's own tensors may have a leading dimension: not those of torch's layers."""
    own = [value for name, value in _tensors(part) if "." not in name]
    foreign = type(part).__module__.startswith("torch.nn.")
    return all(value.ndim == 2 and not foreign for value in own)


def _plan(encoder: nn.Module, widths: bool) -> list[tuple]:
    """What encoders of one stack have in common: everything, but where widths differ integers."""
    plain = (bool, float, str, type(None)) if widths else (bool, float, str, type(None), int, tuple)
    kinds: list[tuple] = []
    for part in encoder.modules():
        own = {name: value for name, value in vars(part).items() if name[0] != "_"}
        told = [(n, v) for n, v in own.items() if type(v) in plain or n == "stride"]
        kinds.append((type(part), *((n, v) for n, v in told if n != "training")))
    return kinds + [(name, value.requires_grad) for name, value in _tensors(encoder)]


def _tensors(encoder: nn.Module) -> list[tuple[str, Tensor]]:
    return [*encoder.named_parameters(), *encoder.named_buffers()]


def numerical_encoder(
    sample: Tensor,
    size_out: int,
    *,
    hidden: Sequence[int],
    whiten: bool,
    standardize: bool,
    generator: Generator,
) -> nn.Module:
    """Encoder of the numerical world: an MLP, with or without fixed scales at its two ends.

    Both ends are invertible affine maps, so what a representation identifies stays the same. They
    pay because Eq. (2)'s estimator does not penalise scale: outputs grow until the loss sits at
    its floor and nothing more is learned. At unit variance it keeps a gradient.

    Parameters
    ----------
    sample : Tensor
        Observations to measure the whitening on, shape (n, d).
    size_out, hidden : int, sequence of int
        Encoding size, and widths of the hidden layers.
    whiten, standardize : bool
        Whiten the input; bring every output to mean 0 and variance 1.
    generator : torch.Generator
        Source of the initial weights.
    """
    parts: list[nn.Module] = [MLP(sample.shape[1], size_out, hidden, generator=generator)]
    if whiten:
        parts.insert(0, Whitening(sample))
    if standardize:
        # the mean is taken off again: such a bias has rounding errors for a gradient, and Adam
        # makes full steps of them
        parts[-1].layers[-1].bias.requires_grad_(False)
        parts.append(Standardize(size_out))
    return nn.Sequential(*parts).to(sample.device)
