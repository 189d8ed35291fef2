"""Captions that leave a factor out now and then (App. G.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from misalign.errors import invalid
from misalign.worlds.captions import TemplateCaptions

if TYPE_CHECKING:
    from misalign.captions.captioner import Captioner
    from misalign.captions.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class RandomOmission(TemplateCaptions):
    """Captions that omit the last selected factor with a probability that may depend on its value.

    A caption that omits it is a sentence of the setting without it.

    Parameters
    ----------
    shorter : Captioner
        Of the setting without the last selected factor.
    chances : tuple of float
        Probability of omission for each value of that factor, which is discrete. All equal: missing
        completely at random. Otherwise silence tells something about the value.

    Raises
    ------
    ValueError
        If the captioners do not differ by that factor, or there is not one chance a value.
    """

    shorter: Captioner
    chances: tuple[float, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        rest = tuple(factor.name for factor in self.selected[:-1])
        said = tuple(self.shorter.factors)
        if set(said) != set(rest):
            raise invalid("shorter", f"one that names {', '.join(rest)}", said)
        factor = self.selected[-1]
        size = factor.size if factor.kind == "discrete" else 0
        right = len(self.chances) == size and all(0 <= one <= 1 for one in self.chances)
        expected = f"a probability for each of {size} values of {factor.name}"
        if not right:
            raise invalid("chances", expected, self.chances)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Of both sentences."""
        from misalign.captions.vocabulary import Vocabulary

        return Vocabulary((*self.captioner.vocabulary.words, *self.shorter.vocabulary.words))

    @property
    def length(self) -> int:
        """Tokens of the longest caption, padding included."""
        return max(self.captioner.length, self.shorter.length)

    def encode(
        self, s_tilde: Mapping[str, Tensor], template: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Write captions, some without the last selected factor."""
        value = s_tilde[self.selected[-1].name]
        chances = torch.tensor(self.chances, device=value.device)[value]
        silent = torch.rand(len(value), generator=generator, device=value.device) < chances
        both = [
            self._joint(captioner, s_tilde, template)
            for captioner in (self.captioner, self.shorter)
        ]
        return torch.where(silent[:, None], both[1], both[0])

    def _joint(
        self, captioner: Captioner, s_tilde: Mapping[str, Tensor], template: Tensor
    ) -> Tensor:
        """Tokens by the joint vocabulary, padded to the joint length."""
        places = torch.tensor(
            self.vocabulary.indices(captioner.vocabulary.words), device=template.device
        )
        tokens = places[captioner.tokens(dict(s_tilde), template)]
        room = self.length - tokens.shape[1]
        return functional.pad(tokens, (0, room), value=self.vocabulary.pad)
