"""Captions that leave a factor out now and then (App. G.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from misalign.errors import invalid
from misalign.worlds.captions import TemplateCaptions, captioner_of

if TYPE_CHECKING:
    from misalign.bias import Bias
    from misalign.captions.captioner import Captioner
    from misalign.captions.vocabulary import Vocabulary
    from misalign.worlds.base import Factor


@dataclass(frozen=True, eq=False)
class RandomOmission(TemplateCaptions):
    """Captions that omit the last selected factor with the bias's `omission_probability`.

    A caption that omits it is a sentence of the setting without it. One probability for all values:
    missing completely at random. Otherwise silence tells something about the value. `shorter` is
    the captioner of the setting without the last selected factor, which is discrete.
    """

    OMITS: ClassVar[bool] = True

    shorter: Captioner

    def __post_init__(self) -> None:
        super().__post_init__()
        rest = [factor.name for factor in self.selected[:-1]]
        if set(self.shorter.factors) != set(rest):
            said = tuple(self.shorter.factors)
            raise invalid("shorter", f"one that names {', '.join(rest)}", said)
        factor = self.selected[-1]
        if factor.kind != "discrete":
            raise invalid("bias", "a discrete factor as the last selected one", factor.name)
        size = factor.size
        if len(self.chances) != size:
            expected = f"a probability for each of {size} values of {factor.name}"
            raise invalid("omission_probability", expected, self.bias.omission_probability)

    @property
    def chances(self) -> tuple[float, ...]:
        """Probability of omission for each value of the last selected factor."""
        given = self.bias.omission_probability
        return given if isinstance(given, tuple) else (given,) * self.selected[-1].size

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
        both = []
        for one in (self.captioner, self.shorter):
            # by the joint vocabulary, padded to the joint length
            places = torch.tensor(
                self.vocabulary.indices(one.vocabulary.words), device=value.device
            )
            tokens = places[one.tokens(dict(s_tilde), template)]
            room = self.length - tokens.shape[1]
            both.append(functional.pad(tokens, (0, room), value=self.vocabulary.pad))
        return torch.where(silent[:, None], both[1], both[0])


def compose(
    world: str,
    semantic: tuple[Factor, ...],
    bias: Bias,
    captioner: Captioner | None = None,
    **options: bool,
) -> TemplateCaptions:
    """Captions of the kind that a bias asks for, of a `captioner_of` with `options` by default."""
    names = tuple(semantic[i - 1].name for i in bias.selected)
    captioner = captioner or captioner_of(world, names, **options)
    if not bias.omission_probability:
        return TemplateCaptions(semantic, bias, captioner)
    return RandomOmission(semantic, bias, captioner, captioner_of(world, names[:-1], **options))
