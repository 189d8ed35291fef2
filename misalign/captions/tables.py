"""Token indices of whole captions, put together from those of their parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from misalign.captions.vocabulary import Vocabulary

HOLE = -1  # in a table: no token here, what follows moves up


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
