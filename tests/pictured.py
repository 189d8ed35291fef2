"""What tests of the image worlds share: a captioner and a renderer small enough to check by eye."""

from dataclasses import dataclass

import torch
from torch import Tensor

HUES = ("red", "green", "blue")


@dataclass(frozen=True)
class Words:
    """How a factor is said."""

    words: tuple[str, ...]


class Teller:
    """Captions whose tokens are the template and, in order, the words of the factors."""

    templates = ("a", "b", "c")
    vocabulary = ("a", "b", "c", *HUES)

    def __init__(self, *factors: str) -> None:
        self.factors = factors
        self.length = 1 + len(factors)
        self.wordings = {name: Words(HUES) for name in ("color", "s_color", "b_color")}

    def word_of(self, name: str, values: Tensor) -> Tensor:
        """Third of [0, 1] that a hue is in; a discrete value itself."""
        return (values * 3).long().clamp(max=2) if values.is_floating_point() else values

    def tokens(self, values: dict[str, Tensor], template: Tensor) -> Tensor:
        """Template and words, shape (n, length)."""
        said = [self.word_of(name, values[name]) for name in self.factors]
        return torch.stack([template, *said], 1)


def paint(factors: dict[str, Tensor], *, size: int = 4) -> Tensor:
    """Pictures of one color each, whose three bytes tell the first three factors."""
    columns = [values for values in factors.values()][:3]
    bytes_ = [values * 255 if values.is_floating_point() else values for values in columns]
    flat = torch.stack([column.to(torch.uint8) for column in bytes_], 1)
    return flat[:, :, None, None].expand(-1, -1, size, size).contiguous()
