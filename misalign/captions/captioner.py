"""Captions of the two image worlds: what factors are said to be, as text and as tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from misalign.captions.templates import contents, sentences, setting_of, settings, units
from misalign.captions.values import column, columns, whole_numbers
from misalign.captions.vocabulary import Vocabulary, compose, table, tokenize
from misalign.captions.wording import Wording
from misalign.errors import invalid


class Captioner:
    """Writes captions of one selection setting (App. D.1, E.1; Tables 6 to 11).

    A caption is a sentence, chosen by m_t (`template`; MPI3D has three a setting, Causal3DIdent
    five), with a word for each selected factor. Text and tokens come from the same tables, which
    hold every word and what NLTK makes of it, so NLTK meets no caption as a whole. Settings of
    perturbation bias use the sentences of the last setting, which names all factors.

    Parameters
    ----------
    world : {"mpi3d", "causal3dident"}
        Which of the image worlds.
    selected : int or iterable of str, optional
        A setting of Table 7 or 10, or its factors I_theta, by default all; a ValueError if no
        setting has just these.
    printed : bool, optional
        Sentences in the paper's wording: some of Causal3DIdent's, from setting 5 on, leave out
        the position, and articles do not agree ("a armadillo"). By default every sentence names
        every selected factor and is grammatical.
    distinct : bool, optional
        Mark every word of a color's name by its palette ("tab-cyan", "css4-cyan", "xkcd-cyan"), so
        that no two colors share a word; by default all are "cyan" (App. E.2). Captions keep their
        number of tokens. MPI3D has no palettes.

    Attributes
    ----------
    setting, length : int
        The setting, 1-based; tokens of the longest caption that there can be, with its end.
    factors, templates, vocabulary : tuple of str, tuple of str, Vocabulary
        The selected factors; the sentences, with slots; of all captions of this setting.
    wordings : dict of str to Wording
        Of every factor that captions of this world may name, selected or not.

    Examples
    --------
    >>> import torch
    >>> captioner = Captioner.mpi3d(["color", "shape"])
    >>> values = {"color": torch.tensor([2]), "shape": torch.tensor([0])}
    >>> captioner.text(values, torch.tensor([0]))
    ['A coffee-cup that is olive.']
    """

    def __init__(
        self,
        world: str,
        selected: int | Iterable[str] | None = None,
        *,
        printed: bool = False,
        distinct: bool = False,
    ) -> None:
        self.setting = setting_of(world, selected)
        self.factors = settings(world)[self.setting - 1]
        entries = contents()[world]["words"]
        self.wordings = {
            factor: Wording.read(factor, entry, distinct) for factor, entry in entries.items()
        }
        self.templates = sentences(world, self.setting, printed)
        self._units = [units(one, self.wordings, agree=not printed) for one in self.templates]
        tokens = [[list(map(tokenize, unit.strings)) for unit in one] for one in self._units]
        self.vocabulary = Vocabulary(
            token for one in tokens for unit in one for string in unit for token in string
        )
        self.length = 1 + max(sum(max(map(len, part)) for part in one) for one in tokens)
        self._tables = [[table(part, self.vocabulary) for part in one] for one in tokens]

    @classmethod
    def mpi3d(
        cls, selected: int | Iterable[str] | None = None, *, printed: bool = False
    ) -> Captioner:
        """Captions of MPI3D-Complex (section 5.2; Tables 6 to 8); arguments as for the class."""
        return cls("mpi3d", selected, printed=printed)

    @classmethod
    def causal3dident(
        cls,
        selected: int | Iterable[str] | None = None,
        *,
        printed: bool = False,
        distinct: bool = False,
    ) -> Captioner:
        """Captions of Causal3DIdent (section 5.3; Tables 9 to 11); arguments as for the class."""
        return cls("causal3dident", selected, printed=printed, distinct=distinct)

    def word_of(self, factor: str, values: Tensor) -> Tensor:
        """Index of each value's word in ``wordings[factor].words``, int64, of the values' shape.

        Values are as for `text`, of any shape; a ValueError for an unknown factor or a value out of
        range. The block that Theorem 4.1 speaks of is made of these where words are coarser than
        values.
        """
        if factor not in self.wordings:
            raise invalid("factor", f"one of {', '.join(self.wordings)}", repr(factor))
        return self.wordings[factor].word_of(values)

    def text(self, values: dict[str, Tensor], template: Tensor) -> list[str]:
        """Write captions, one a sample.

        Parameters
        ----------
        values : dict of str to Tensor
            What captions say of each selected factor (s_tilde), shape (n,) or (n, 1): integers
            from 0 for a discrete factor, floats in [0, 1] for s_pos and the hues. Other factors
            are left out; a ValueError if one is missing, or a value is out of range.
        template : Tensor
            Index of the sentence, from 0, shape (n,) or (n, 1).
        """
        words, template = self._said(values, template)
        captions = [""] * len(template)
        for number, rows, places in self._by_template(words, template):
            texts = [
                map(unit.strings.__getitem__, place.tolist())
                for unit, place in zip(self._units[number], places, strict=True)
            ]
            for row, parts in zip(rows.tolist(), zip(*texts, strict=True), strict=True):
                captions[row] = " ".join(parts)
        return captions

    def tokens(self, values: dict[str, Tensor], template: Tensor) -> Tensor:
        """Write captions as token indices: what `vocabulary.encode` makes of their text, faster.

        Arguments and errors are those of `text`. The result is int64 of shape (n, length): words,
        an end, then padding; on the template's device.
        """
        words, template = self._said(values, template)
        found = template.new_empty((len(template), self.length))
        for number, rows, places in self._by_template(words, template):
            tables = zip(self._tables[number], places, strict=True)
            parts = [one.to(place.device)[place] for one, place in tables]
            found[rows] = compose(parts, self.length, self.vocabulary)
        return found

    def spans(
        self, values: dict[str, Tensor], template: Tensor
    ) -> list[dict[str, tuple[int, int]]]:
        """Find the characters of each factor's words in the captions that `text` writes.

        Arguments and errors are those of `text`. For every caption it gives start and stop by
        factor, in the order of the sentence; a factor that the sentence leaves out is not there.
        """
        words, template = self._said(values, template)
        found: list[dict[str, tuple[int, int]]] = [{} for _ in template]
        for number, rows, places in self._by_template(words, template):
            indices = [place.tolist() for place in places]
            for row, *texts in zip(rows.tolist(), *indices, strict=True):
                offset = 0
                for unit, place in zip(self._units[number], texts, strict=True):
                    for factor, (start, stop) in unit.spans[place].items():
                        found[row][factor] = (offset + start, offset + stop)
                    offset += len(unit.strings[place]) + 1
        return found

    def _by_template(
        self, words: dict[str, Tensor], template: Tensor
    ) -> Iterator[tuple[int, Tensor, list[Tensor]]]:
        """Each sentence, the captions that have it, and their string of each unit."""
        for number, parts in enumerate(self._units):
            rows = (template == number).nonzero()[:, 0]
            yield number, rows, [unit.place(words, rows) for unit in parts]

    def _said(
        self, values: dict[str, Tensor], template: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Index of the word of each selected factor, (n,), and the sentence's, (n,)."""
        last = len(self.templates) - 1
        template = whole_numbers("template", column("template", template), last)
        said = columns(values, self.factors, len(template))
        return {factor: self.word_of(factor, one) for factor, one in said.items()}, template
