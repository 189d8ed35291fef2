"""Small encoders of images and of captions, in place of the published ones.

Every tensor is a matrix, so that those of several runs stack (`misalign.encoders.mlp.stack`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from misalign.encoders.mlp import MLP

Layer = tuple[int, int, int]  # channels, kernel and stride of a convolution
CELLS = 16  # channels of the map that keeps where things are
PIXELS = 16  # a side, of what a perceptron sees
SPREAD = 4.0  # words of a caption are few: their sum over this is of order 1


class Convolution(nn.Module):
    """Convolution, batch norm and ReLU; padded, so that maps shrink by the stride alone."""

    def __init__(
        self, size_in: int, size_out: int, kernel: int, stride: int, *, generator: Generator
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(size_out, size_in * kernel**2))
        nn.init.kaiming_normal_(self.weight, generator=generator)
        self.gain = nn.Parameter(torch.ones(1, size_out))
        self.offset = nn.Parameter(torch.zeros(1, size_out))
        self.register_buffer("mean", torch.zeros(1, size_out))
        self.register_buffer("variance", torch.ones(1, size_out))
        self.window = (size_in, kernel, kernel)
        self.stride, self.padding = stride, (kernel - stride + 1) // 2

    def forward(self, x: Tensor, run: int | None = None) -> Tensor:
        """Map x, (B, C, H, W), by the weights of one run of a stack, or by the only ones."""
        tensors = (self.weight, self.gain, self.offset, self.mean, self.variance)
        weight, *rest = tensors if run is None else (tensor[run] for tensor in tensors)
        gain, offset, mean, variance = (tensor[0] for tensor in rest)
        kernels = weight.view(-1, *self.window).contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(x, kernels, stride=self.stride, padding=self.padding)
        # in training the running moments are updated in place, through these views
        return functional.batch_norm(x, mean, variance, gain, offset, self.training).relu()

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The kernels as a matrix: Muon trains it."""
        return [self.weight]


class ImageEncoder(nn.Module):
    """Convolutions, then two views of their last map: what is there, and where.

    What is there is the largest value of every channel over the map. Where is a map of few
    channels, kept whole. A perceptron with one hidden layer reads both.

    Parameters
    ----------
    size_out, side, hidden : int
        Encoding size, pixels of an image's side, and width of the hidden layer.
    trunk : sequence of (int, int, int)
        Channels, kernel and stride of every convolution.
    generator : torch.Generator
        Source of the initial weights.
    """

    def __init__(
        self, size_out: int, trunk: Sequence[Layer], *, side: int, hidden: int, generator: Generator
    ) -> None:
        super().__init__()
        layers, channels = [], 3
        for width, kernel, stride in trunk:
            layer = Convolution(channels, width, kernel, stride, generator=generator)
            layers.append(layer)
            channels, side = width, (side + 2 * layer.padding - kernel) // stride + 1
        self.trunk = nn.ModuleList(layers)
        self.where = Convolution(channels, CELLS, 1, 1, generator=generator)
        size = channels + CELLS * side**2
        self.head = MLP(size, size_out, (hidden,), slope=0.0, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Encode images x in [0, 1], (B, 3, H, W) or (runs, B, 3, H, W), into (..., size_out)."""
        if x.ndim == 4:
            return self.head(self._seen(x, None))
        return self.head(torch.stack([self._seen(part, run) for run, part in enumerate(x)]))

    def _seen(self, x: Tensor, run: int | None) -> Tensor:
        x = _centred(x).contiguous(memory_format=torch.channels_last)
        for layer in self.trunk:
            x = layer(x, run)
        return torch.cat([x.amax((2, 3)), self.where(x, run).flatten(1)], 1)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """The perceptron's first matrix, which lies between hidden layers here."""
        return [self.head.layers[0].weight]


class PixelEncoder(nn.Module):
    """A perceptron of coarse pixels: an encoder that knows nothing of images."""

    def __init__(self, size_out: int, hidden: Sequence[int], *, generator: Generator) -> None:
        super().__init__()
        self.head = MLP(3 * PIXELS**2, size_out, hidden, slope=0.0, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Encode images x in [0, 1], (..., 3, H, W), into (..., size_out)."""
        coarse = functional.adaptive_avg_pool2d(_centred(x).flatten(0, -4), PIXELS)
        return self.head(coarse.view(*x.shape[:-3], -1))


class CaptionEncoder(nn.Module):
    """Words in their neighbourhood, added up, and read by a perceptron.

    Parameters
    ----------
    size_out, generator : int, torch.Generator
        Encoding size, and source of the initial weights.
    words, length : int
        Size of the vocabulary, whose number 0 pads, and tokens of a caption.
    width, hidden : int
        Of the words' vectors, and of the hidden layers.
    """

    def __init__(
        self,
        size_out: int,
        *,
        words: int,
        length: int,
        width: int,
        hidden: int,
        generator: Generator,
    ) -> None:
        super().__init__()
        self.words = nn.Parameter(torch.randn(words, width, generator=generator) * 0.5)
        self.places = nn.Parameter(torch.randn(length, width, generator=generator) * 0.1)
        self.near = MLP(3 * width, hidden, (), slope=0.0, generator=generator)
        self.head = MLP(hidden, size_out, (hidden,), slope=0.0, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode tokens, int64, (B, L) or (runs, B, L), into (..., size_out).

        A shorter caption of a stack is padded with 0, so padding must not count.
        """
        there = (tokens != 0).unsqueeze(-1)
        if tokens.ndim == 2:
            vectors = self.words[tokens]
        else:
            vectors = torch.stack([w[t] for w, t in zip(self.words, tokens, strict=True)])
        vectors = (vectors + self.places.unsqueeze(-3)) * there
        padded = functional.pad(vectors, (0, 0, 1, 1))
        triples = torch.cat([padded[..., :-2, :], vectors, padded[..., 2:, :]], -1)
        # a stack's weights are (runs, rows, columns): positions join the batch for the product
        shape = triples.shape
        near = self.near(triples.flatten(-3, -2)).view(*shape[:-1], -1).relu() * there
        return self.head(near.sum(-2) / SPREAD)

    def hidden_matrices(self) -> list[nn.Parameter]:
        """Matrices between hidden layers: the ones that Muon trains."""
        return [self.near.layers[0].weight, self.head.layers[0].weight]


def _centred(x: Tensor) -> Tensor:
    return (x - 0.5) * 4
