"""A picture book whose captions name each group of concepts as often as one likes.

The case study of the slides in miniature: ten groups of four concepts
(`misalign.rendering.concepts`), all independent and uniform.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.images.cached import CachedImages
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds.base import Factor
from misalign.worlds.captions import sample_uniform

if TYPE_CHECKING:
    from misalign.captions.vocabulary import Vocabulary

# What captions call the four concepts of each group, in their order: "a picture two big striped
# glossy red disc left meadow sunlit rainy" names them all. Every group has words of its own, so
# that none is learned by way of another's.
WORDS = {
    "count": ("one", "two", "three", "four"),
    "size": ("tiny", "small", "big", "huge"),
    "pattern": ("plain", "striped", "dotted", "checkered"),
    "material": ("matte", "glossy", "glowing", "glassy"),
    "color": ("red", "green", "blue", "yellow"),
    "shape": ("disc", "ring", "plank", "pillar"),
    "position": ("left", "right", "top", "bottom"),
    "background": ("meadow", "desert", "ocean", "brick"),
    "light": ("sunlit", "moonlit", "candlelit", "floodlit"),
    "weather": ("clear", "foggy", "rainy", "snowy"),
}
GROUPS = tuple(WORDS)
SEMANTIC = tuple(Factor(name, "discrete", len(words)) for name, words in WORDS.items())
SPECIFIC = tuple(Factor(name, side="image") for name in ("across", "down", "turn", "drift"))
FACTORS = SEMANTIC + SPECIFIC
OPENINGS = (("a", "picture"), ("a", "photo"), ("this", "scene"))


def draw(n: int, *, generator: torch.Generator) -> dict[str, Tensor]:
    """Draw factors, uniform and independent, each of shape (n,)."""
    return {factor.name: sample_uniform(factor, n, generator=generator) for factor in FACTORS}


def rendered(n: int, *, seed: int = 0, size: int = 64) -> CachedImages:
    """`CachedImages` of n scenes drawn at random, `size` pixels a side.

    Each is rendered when it is first asked for; the seed is that of their factors.
    """
    # a renderer is loaded by those who render
    from misalign.rendering import concepts as scenes

    factors = draw(n, generator=generator_for(seed, "concepts pool"))
    return CachedImages(RenderedImages(partial(scenes.render, size=size), factors))


@dataclass(frozen=True)
class ConceptCaptions:
    """Captions that name each group in a given share of the pairs, and else leave it out.

    Which groups a caption names is drawn for every pair, independently: selection bias at random
    (App. G.1). What is named is named as it is. The coverage is the share of the captions that name
    each of `GROUPS`, in [0, 1].
    """

    coverage: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.coverage) != len(GROUPS) or not all(0 <= one <= 1 for one in self.coverage):
            expected = f"a share from 0 to 1 for each of {len(GROUPS)} groups"
            raise invalid("coverage", expected, self.coverage)

    @property
    def bias(self) -> Bias:
        """Groups that captions ever name are selected; none is perturbed."""
        selected = tuple(i for i, share in enumerate(self.coverage, 1) if share > 0)
        return Bias(len(GROUPS), selected)

    @property
    def said(self) -> tuple[Factor, ...]:
        """Groups that captions ever name."""
        return tuple(SEMANTIC[i - 1] for i in self.bias.selected)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """All words, whether captions ever use them or not: prompts do."""
        from misalign.captions.vocabulary import Vocabulary

        return Vocabulary(word for words in (*OPENINGS, *WORDS.values()) for word in words)

    @property
    def length(self) -> int:
        """Tokens of the longest caption, its end included."""
        return len(GROUPS) + 3

    @property
    def templates(self) -> int:
        """Number of openings, the values of m_t."""
        return len(OPENINGS)

    def caption(
        self, rows: Tensor, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Draw what captions name, and an opening, and write; `rows` is of no consequence."""
        where = {"generator": generator, "device": rows.device}
        chances = torch.rand(len(rows), len(GROUPS), **where)
        named = chances < chances.new_tensor(self.coverage)
        template = torch.randint(self.templates, (len(rows),), **where)
        said = {factor.name: values[factor.name] for factor in self.said}
        return self.tokens(values, named, template), said, template, {}

    def tokens(self, values: Mapping[str, Tensor], named: Tensor, template: Tensor) -> Tensor:
        """Write captions as tokens, int64, (n, length): words, an end, then padding.

        Of each group `values` has the concept, int64, (n,), unless it is never named; `named` says
        which groups to name, bool, (n, groups); `template` is the index of the opening, (n,).
        """
        vocabulary, here = self.vocabulary, named.device
        index = [torch.tensor(vocabulary.indices(words), device=here) for words in WORDS.values()]
        opening = torch.tensor([vocabulary.indices(words) for words in OPENINGS], device=here)
        columns = [*opening[template].unbind(1)]
        columns += [
            table[values[name]] if name in values else named.new_zeros(len(named)).long()
            for name, table in zip(GROUPS, index, strict=True)
        ]
        columns.append(torch.full_like(columns[0], vocabulary.end))
        words = torch.stack(columns, 1)
        kept = torch.ones_like(words, dtype=torch.bool)
        kept[:, 2:-1] = named
        # words that are said move to the front, in their order
        order = (~kept).to(torch.int8).argsort(dim=1, stable=True)
        return words.masked_fill(~kept, vocabulary.pad).gather(1, order)

    def text(self, tokens: Tensor) -> list[str]:
        """Captions as strings."""
        return self.vocabulary.decode(tokens)

    def to(self, device: torch.device | str) -> ConceptCaptions:
        """Itself: captions are written where their values are."""
        return self
