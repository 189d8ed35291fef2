"""The encoders of the paper's image studies, as published (App. D.1), for the scale ``paper``."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from misalign.errors import invalid

WIDTH = 128  # of the words' vectors
CHANNELS = 25  # of the first convolution over a caption
BACKBONE = 100  # outputs of the ResNet


class Flattened(nn.Module):
    """Any module, as `build` makes it, with every tensor a matrix, so that it stacks.

    Its initial weights come from torch's own generator, which is seeded from `generator` for this
    one call and then put back.
    """

    def __init__(self, build: Callable[[], nn.Module], *, generator: torch.Generator) -> None:
        super().__init__()
        seed = torch.randint(2**31, (1,), generator=generator).item()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            inner = build()
        for part in inner.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.num_batches_tracked = None  # a count that nothing here reads
        self.shapes = {}
        for name, value in [*inner.named_parameters(), *inner.named_buffers()]:
            flat = name.replace(".", "__")
            self.shapes[flat] = (name, value.shape)
            matrix = value.detach().reshape(value.shape[0], -1)
            if isinstance(value, nn.Parameter):
                self.register_parameter(flat, nn.Parameter(matrix))
            else:
                self.register_buffer(flat, matrix)
        self.inner = [inner]  # in a list, so that its own tensors are not found again

    def train(self, mode: bool = True) -> Flattened:
        """Switch to training or evaluation, the module within, too."""
        self.inner[0].train(mode)
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Encode x, with a leading dimension of runs if the weights have one."""
        tensors = {flat: getattr(self, flat) for flat in self.shapes}
        if next(iter(tensors.values())).ndim == 2:
            return self._one(tensors, x)
        runs = [{flat: whole[run] for flat, whole in tensors.items()} for run in range(len(x))]
        return torch.stack([self._one(*run) for run in zip(runs, x, strict=True)])

    def _one(self, tensors: dict[str, Tensor], x: Tensor) -> Tensor:
        if any(tensors[flat].numel() != shape.numel() for flat, (_, shape) in self.shapes.items()):
            same = "encoders of one vocabulary and size (or one at a time: --runs-per-notebook 1)"
            raise invalid("encoders", same, "several")
        shaped = {name: tensors[flat].view(shape) for flat, (name, shape) in self.shapes.items()}
        return torch.func.functional_call(self.inner[0], shaped, (x,))


class TokenCNN(nn.Module):
    """Convolutions over a caption as an image: its tokens one way, their vectors the other.

    Windows of 4 x 4 with stride 2 and 25, 50, 100, ... channels, batch norm and ReLU, until either
    side is under 4; then a linear layer. Takes a vocabulary of `words`, `length` tokens a caption.
    """

    def __init__(self, size_out: int, words: int, length: int) -> None:
        super().__init__()
        if length < 4:
            raise invalid("length", "at least 4 tokens", length)
        self.words = nn.Linear(words, WIDTH)  # of one-hot tokens
        sides, channels, following, layers = [length, WIDTH], 1, CHANNELS, []
        while min(sides) >= 4:
            window = nn.Conv2d(channels, following, 4, 2, 1)
            layers += [window, nn.BatchNorm2d(following), nn.ReLU()]
            channels, following = following, 2 * following
            sides = [side // 2 for side in sides]
        self.layers = nn.Sequential(*layers)
        self.last = nn.Linear(channels * sides[0] * sides[1], size_out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Encode tokens, int64, (B, length), into (B, size_out)."""
        vectors = nn.functional.embedding(tokens, self.words.weight.mT) + self.words.bias
        return self.last(self.layers(vectors[:, None]).flatten(1))


def resnet(size_out: int, *, generator: torch.Generator) -> Flattened:
    """ResNet-18 with 100 outputs, a leaky ReLU and a linear layer, `Flattened`; needs torchvision.

    The encoding has `size_out` numbers; the generator draws initial weights.
    """
    try:
        from torchvision.models import resnet18
    except (ImportError, RuntimeError) as error:  # a build for another torch raises the latter
        reason = str(error).partition("\n")[0]
        fitting = f"one that fits torch {torch.__version__} (pip install 'misalign[paper]')"
        raise invalid("torchvision", fitting, reason, ImportError) from None

    def build() -> nn.Module:
        backbone = resnet18(weights=None, num_classes=BACKBONE)
        return nn.Sequential(backbone, nn.LeakyReLU(), nn.Linear(BACKBONE, size_out))

    return Flattened(build, generator=generator)


def token_cnn(size_out: int, words: int, length: int, *, generator: torch.Generator) -> Flattened:
    """`TokenCNN` as an encoder that stacks, `Flattened`; captions of 4 tokens at least."""
    return Flattened(lambda: TokenCNN(size_out, words, length), generator=generator)
