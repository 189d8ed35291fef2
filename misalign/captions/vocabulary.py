"""Tokens of captions as NLTK cuts them, and their indices, also put together from parts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from misalign.errors import invalid

HOLE = -1  # in a table: no token here, what follows moves up
# NLTK makes three tokens of a string in braces, so no word of a caption can be one of these
PAD, END, UNKNOWN = "{pad}", "{eos}", "{unk}"


@cache
def _tokenizer():
    # NLTK takes about a second to import, which whoever never meets a caption is spared
    from nltk.tokenize import NLTKWordTokenizer

    return NLTKWordTokenizer()


def tokenize(caption: str) -> list[str]:
    """Tokens of one caption by NLTK's word tokenizer, which needs no downloaded data.

    App. D.1 names the Punkt tokenizer, which splits text into sentences; the authors' words come
    from `nltk.word_tokenize`, that is, from this tokenizer on each sentence. A caption is never
    split into sentences here: one caption, one sample. As in their code, case is kept.
    """
    return _tokenizer().tokenize(caption)


class Vocabulary:
    """Indices of words: 0 pads, 1 ends a caption, 2 stands for unknown words, then sorted words.

    Made of tokens in any order, repeated or not; `words` has every word by its index.
    """

    pad, end, unknown = 0, 1, 2

    def __init__(self, words: Iterable[str]) -> None:
        special = (PAD, END, UNKNOWN)
        self.words = (*special, *sorted(set(words) - set(special)))
        self._index = {word: index for index, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def indices(self, tokens: Iterable[str]) -> list[int]:
        """Index of each token; that of `unknown` for a word that is not here."""
        return [self._index.get(token, self.unknown) for token in tokens]

    def encode(self, captions: Sequence[str], length: int | None = None) -> Tensor:
        """Indices of whole captions: words, an end, then padding, int64, shape (n, length).

        The length is by default that of the longest caption, its end included; a ValueError for
        less, or for no captions. NLTK cuts each distinct one once.
        """
        if isinstance(captions, str):
            raise invalid("captions", "a list of strings", "one string")
        if not len(captions):
            raise invalid("captions", "at least one", "none")
        place: dict[str, int] = {}
        rows = torch.tensor([place.setdefault(caption, len(place)) for caption in captions])
        ids = [torch.tensor([*self.indices(tokenize(one)), self.end]) for one in place]
        longest = max(map(len, ids))
        length = longest if length is None else length
        if length < longest:
            fits = f"at least {longest}, the tokens and the end of the longest caption"
            raise invalid("length", fits, length)
        padded = pad_sequence(ids, batch_first=True, padding_value=self.pad)
        return torch.nn.functional.pad(padded, (0, length - longest), value=self.pad)[rows]

    def decode(self, tokens: Tensor) -> list[str]:
        """Words up to the end, a space between any two; `encode` brings them back.

        Tokens are of shape (n, length); a ValueError for an index that is not of this vocabulary.
        """
        if tokens.ndim != 2:
            raise invalid("tokens", "shape (n, length)", tuple(tokens.shape))
        stray = tokens[(tokens < 0) | (tokens >= len(self))]
        if len(stray):
            raise invalid("tokens", f"indices from 0 to {len(self) - 1}", stray[:3].tolist())
        said = (takewhile(lambda i: i not in (self.pad, self.end), row) for row in tokens.tolist())
        return [" ".join(map(self.words.__getitem__, row)) for row in said]


def table(texts: Sequence[Sequence[str]], vocabulary: Vocabulary) -> Tensor:
    """Indices of the tokens of each text, filled up with holes, shape (texts, longest text)."""
    rows = [torch.tensor(vocabulary.indices(tokens)) for tokens in texts]
    return pad_sequence(rows, batch_first=True, padding_value=HOLE)


def compose(parts: Sequence[Tensor], length: int, vocabulary: Vocabulary) -> Tensor:
    """Put captions together from rows of tables: words, an end, then padding.

    Rows are of shape (n, width of the table), the result is int64 of shape (n, length), which has
    room for the longest caption and its end.
    """
    whole = torch.cat(list(parts), 1)
    there = whole != HOLE
    count = there.sum(1, keepdim=True)
    found = whole.new_full((len(whole), length), vocabulary.pad)
    # both masks are read row by row, so every row gets its own tokens in their order
    found[torch.arange(length, device=whole.device) < count] = whole[there]
    return found.scatter_(1, count, vocabulary.end)
