"""Controls of what can be seen: factors in place of pictures, and in place of captions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import pi

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from misalign.worlds.base import Batch, Factor
from misalign.worlds.captions import is_hue
from misalign.worlds.images import ImageWorld

BINS = 16  # of a continuous factor that captions have no words for


@dataclass(frozen=True, eq=False)
class PerfectSight(ImageWorld):
    """An `ImageWorld` in which nothing has to be seen: a token a factor in place of its picture.

    A batch's `image` has int64 tokens from 1, shape (n, number of known factors): the value of a
    discrete factor, the word that captions have for a continuous one, and of one that they never
    name which of `BINS` equal parts of [0, 1] it lies in.
    """

    @property
    def sizes(self) -> list[int]:
        """Number of tokens of each known factor."""
        told = self.captions.captioner.wordings
        return [
            len(told[one.name].words) if one.name in told else _values(one) for one in self.known
        ]

    def seen(self, rows: Tensor, values: dict[str, Tensor]) -> Tensor:
        """Tokens of the factors."""
        start, tokens, captioner = 1, [], self.captions.captioner
        for factor, size in zip(self.known, self.sizes, strict=True):
            value = values[factor.name]
            if factor.name in captioner.wordings:
                value = captioner.word_of(factor.name, value)
            elif factor.kind == "continuous":
                value = (value * BINS).long().clamp_max(BINS - 1)
            tokens.append(start + value)
            start += size
        return torch.stack(tokens, 1)


@dataclass(frozen=True, eq=False)
class Answers(ImageWorld):
    """An `ImageWorld` whose captions are the picture's factors as numbers, to be predicted.

    A batch's `text` is float32, shape (n, width): an indicator of every value of a discrete factor,
    cosine and sine of a hue, and other numbers twice as far from their middle.
    """

    @property
    def width(self) -> int:
        """Numbers a picture."""
        return sum(
            _values(one) if one.kind == "discrete" else 1 + is_hue(one) for one in self.known
        )

    def pairs(self, rows: Tensor, *, generator: torch.Generator) -> Batch:
        """As of `ImageWorld`, but for `text`."""
        batch, columns = super().pairs(rows, generator=generator), []
        for factor in self.known:
            value = batch.factors[factor.name]
            if factor.kind == "discrete":
                columns.append(one_hot(value[:, 0], factor.size))
            elif is_hue(factor):
                columns += [(2 * pi * value).cos(), (2 * pi * value).sin()]
            else:
                columns.append(2 * value - 1)
        return replace(batch, text=torch.cat(columns, 1).float())


def _values(factor: Factor) -> int:
    return factor.size if factor.kind == "discrete" else BINS
