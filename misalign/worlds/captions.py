"""What a pair's caption says, composed afresh for every pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.images.layout import HUES
from misalign.worlds.base import Factor

if TYPE_CHECKING:
    from misalign.captions.captioner import Captioner
    from misalign.captions.vocabulary import Vocabulary


def sample_uniform(factor: Factor, n: int, *, generator: torch.Generator) -> Tensor:
    """Draw n values, uniform over a discrete factor's or over [0, 1], on the generator's device."""
    where = {"generator": generator, "device": generator.device}
    if factor.kind == "discrete":
        return torch.randint(factor.size, (n,), **where)
    return torch.rand(n, **where)


def is_hue(factor: Factor) -> bool:
    """Whether captions say a continuous factor by the name of a color."""
    return factor.kind == "continuous" and factor.name in HUES


@cache
def captioner_of(world: str, names: tuple[str, ...], **options: bool) -> Captioner:
    """Captioner of one selection; its tables take a while, and all settings and seeds share it."""
    from misalign.captions.captioner import Captioner

    return Captioner(world, names, **options)


class Captions(Protocol):
    """What captions say, and their tokens.

    Attributes
    ----------
    bias : Bias
        What they omit and perturb.
    said : tuple of Factor
        What the text side of each selected factor is: a color's word is one of a few.
    vocabulary : Vocabulary
        Of the tokens.
    length, templates : int
        Tokens of a caption, padding included; number of values of m_t.
    """

    bias: Bias
    said: tuple[Factor, ...]
    vocabulary: Vocabulary
    length: int
    templates: int

    def caption(
        self, rows: Tensor, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Caption pictures; the generator serves whatever is drawn afresh.

        Parameters
        ----------
        rows, values : Tensor, mapping of str to Tensor
            Indices of the pictures, shape (n,), and their true semantic factors, each (n,).

        Returns
        -------
        Tensor
            Tokens, int64, shape (n, length).
        dict of str to Tensor
            What is said of each selected factor, shape (n,).
        Tensor
            The template, m_t, shape (n,).
        dict of str to Tensor
            Of selected factors whose words are coarser than their values: the value that was put
            into words, shape (n,), where it is known.
        """
        ...

    def to(self, device: torch.device | str) -> Captions:
        """Move tables to a device."""
        ...


@dataclass(frozen=True, eq=False)
class TemplateCaptions:
    """Captions composed afresh for every pair.

    With the bias's probability a caption replaces the value of a perturbed factor, by a fresh
    uniform draw (kind "uniform") or by one of the other values (kind "other"). What depends on that
    factor in the picture is said as it is there (Eq. 5, Remark 3.1). The template is uniform.

    Parameters
    ----------
    semantic : tuple of Factor
        In the order of the bias's indices.
    bias : Bias
        Of kind "uniform" or "other"; the latter only where all perturbed factors are discrete.
        It omits nothing by chance: `misalign.worlds.random_omission` does.
    captioner : Captioner
        Writes the tokens; of the setting that selects what the bias selects. A ValueError if
        these three do not fit each other.
    """

    OMITS: ClassVar[bool] = False  # whether captions leave something out by chance
    semantic: tuple[Factor, ...]
    bias: Bias
    captioner: Captioner

    def __post_init__(self) -> None:
        n, bias = len(self.semantic), self.bias
        if bias.n != n:
            raise invalid("bias", f"one of {n} factors", f"one of {bias.n}")
        discrete = all(factor.kind == "discrete" for factor in self.perturbed)
        kinds = ("uniform", "other") if discrete else ("uniform",)
        # where nothing is perturbed the kind is of no consequence
        if bias.perturbed and bias.kind not in kinds:
            raise invalid("bias", f"one of kind {' or '.join(kinds)}", f"kind {bias.kind!r}")
        if bias.omission_probability and not self.OMITS:
            chances = f"omission_probability {bias.omission_probability}"
            raise invalid("bias", "one that omits nothing by chance (or RandomOmission)", chances)
        names = tuple(factor.name for factor in self.selected)
        if set(self.captioner.factors) != set(names):
            said = tuple(self.captioner.factors)
            raise invalid("captioner", f"one that names {', '.join(names)}", said)

    @property
    def selected(self) -> tuple[Factor, ...]:
        """Factors of I_theta."""
        return tuple(self.semantic[i - 1] for i in self.bias.selected)

    @property
    def perturbed(self) -> tuple[Factor, ...]:
        """Factors of I_rho."""
        return tuple(self.semantic[i - 1] for i in self.bias.perturbed)

    @property
    def said(self) -> tuple[Factor, ...]:
        """Selected factors as captions say them: a hue is a word."""
        words = self.captioner.wordings
        return tuple(
            replace(one, kind="discrete", size=len(words[one.name].words)) if is_hue(one) else one
            for one in self.selected
        )

    @property
    def vocabulary(self) -> Vocabulary:
        """Of the captioner."""
        return self.captioner.vocabulary

    @property
    def length(self) -> int:
        """Tokens of a caption, padding included."""
        return self.captioner.length

    @property
    def templates(self) -> int:
        """Number of values of m_t."""
        return len(self.captioner.templates)

    def perturb(
        self, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Distort semantic factors, each of shape (n,), as captions do (Eq. 5): s_tilde of each."""
        said = {factor.name: values[factor.name] for factor in self.semantic}
        for factor in self.perturbed:
            true = said[factor.name]
            n = len(true)
            draw = torch.rand(n, generator=generator, device=true.device)
            if self.bias.kind == "uniform":
                put = sample_uniform(factor, n, generator=generator)
            else:
                further = replace(factor, size=factor.size - 1)
                put = (true + 1 + sample_uniform(further, n, generator=generator)) % factor.size
            said[factor.name] = torch.where(draw < self.bias.probability, put, true)
        return said

    def sample_content(
        self, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Perturb, and choose a template: s_tilde as `perturb` gives it, and m_t, shape (n,)."""
        s_tilde = self.perturb(values, generator=generator)
        phrase = Factor("phrase", "discrete", self.templates)
        count = len(s_tilde[self.semantic[0].name])
        return s_tilde, sample_uniform(phrase, count, generator=generator)

    def caption(
        self, rows: Tensor, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Perturb, choose a template, and write; `rows` is of no consequence."""
        s_tilde, template = self.sample_content(values, generator=generator)
        said = {factor.name: s_tilde[factor.name] for factor in self.selected}
        hues = {factor.name: said[factor.name] for factor in filter(is_hue, self.selected)}
        words = {name: self.captioner.word_of(name, hue) for name, hue in hues.items()}
        tokens = self.encode(s_tilde, template, generator=generator)
        return tokens, said | words, template, hues

    def encode(
        self, s_tilde: Mapping[str, Tensor], template: Tensor, *, generator: torch.Generator
    ) -> Tensor:
        """Write what `sample_content` gives, as tokens."""
        return self.captioner.tokens(dict(s_tilde), template)

    def to(self, device: torch.device | str) -> TemplateCaptions:
        """Itself: a captioner writes where its values are."""
        return self
