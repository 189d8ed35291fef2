"""Captions of published files, a line a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from misalign.bias import Bias
from misalign.errors import invalid
from misalign.images.folder import as_factor, read_table
from misalign.images.layout import COLUMNS, HUES, PHRASE, captions_paths
from misalign.worlds.base import Factor
from misalign.worlds.captions import Captions, is_hue

if TYPE_CHECKING:
    from misalign.captions.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class StoredCaptions:
    """Captions that were written once; row i is picture i's.

    Parameters
    ----------
    bias, said, vocabulary, tokens, template
        As of `Captions`; all captions, int64, shape (N, length); m_t of each, shape (N,).
    table, content : mapping of str to Tensor
        What each caption says of each selected factor, shape (N,); and, as far as it is known, the
        hues that were put into words.
    """

    bias: Bias
    said: tuple[Factor, ...]
    tokens: Tensor
    table: Mapping[str, Tensor]
    template: Tensor
    vocabulary: Vocabulary
    content: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def written(
        cls, captions: Captions, factors: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> StoredCaptions:
        """Write one caption a picture, of factors of shape (N,), to be met again and again."""
        rows = torch.arange(len(next(iter(factors.values()))))
        tokens, table, template, hues = captions.caption(rows, factors, generator=generator)
        said = captions.bias, captions.said
        return cls(*said, tokens, table, template, captions.vocabulary, hues)

    @classmethod
    def read(
        cls, folder: Path, semantic: tuple[Factor, ...], bias: Bias, which: tuple[str, int] | None
    ) -> StoredCaptions:
        """Read the captions of a folder, which were written with a bias.

        `which` bias and setting name the files, such as ``("selection", 3)``; None stands for
        Multimodal3DIdent, whose names have neither. A color's word is a place among the words that
        occur. A FileNotFoundError or ValueError names a file that is missing or does not fit.
        """
        from misalign.captions.lines import read_lines

        text, latents = (folder / name for name in captions_paths(*(which or (None, None))))
        selected = [semantic[i - 1] for i in bias.selected]
        columns = {
            factor.name: f"{HUES[factor.name]}_index" if is_hue(factor) else COLUMNS[factor.name]
            for factor in selected
        }
        rows = read_table(latents, (*columns.values(), PHRASE))
        lines = read_lines(text)
        if len(lines) != len(rows):
            expected = f"{len(rows)}, one a row of {latents}"
            raise invalid(str(text), expected, f"{len(lines)} lines")
        table, said = _said(rows, columns, selected)
        tokens, vocabulary = _cut(lines)
        return cls(bias, said, tokens, table, as_factor(rows[PHRASE], True), vocabulary)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def length(self) -> int:
        """Tokens of a caption, padding included."""
        return self.tokens.shape[1]

    @property
    def templates(self) -> int:
        """Number of values of m_t, the largest that occurs being the last."""
        return int(self.template.max()) + 1

    def caption(
        self, rows: Tensor, values: Mapping[str, Tensor], *, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor], Tensor, dict[str, Tensor]]:
        """Look captions up; `values` and `generator` are of no consequence."""
        said, hues = (
            {name: column[rows] for name, column in table.items()}
            for table in (self.table, self.content)
        )
        return self.tokens[rows], said, self.template[rows], hues

    def to(self, device: torch.device | str) -> StoredCaptions:
        """Move the tables to a device."""
        table, content = (
            {name: column.to(device) for name, column in one.items()}
            for one in (self.table, self.content)
        )
        tokens, template = self.tokens.to(device), self.template.to(device)
        return replace(self, tokens=tokens, table=table, template=template, content=content)


def _said(
    rows: pd.DataFrame, columns: dict[str, str], selected: list[Factor]
) -> tuple[dict[str, Tensor], tuple[Factor, ...]]:
    """What captions say of factors, and what kind of factors that makes them."""
    table, said = {}, []
    for factor in selected:
        discrete = is_hue(factor) or factor.kind == "discrete"
        values = as_factor(rows[columns[factor.name]], discrete)
        if is_hue(factor):
            known, values = values.unique(return_inverse=True)
            said.append(replace(factor, kind="discrete", size=len(known)))
        else:
            said.append(factor)
        table[factor.name] = values
    return table, tuple(said)


def _cut(lines: list[str]) -> tuple[Tensor, Vocabulary]:
    """Tokens of captions, each distinct one cut once, and their vocabulary."""
    from misalign.captions.vocabulary import Vocabulary, tokenize

    distinct = tqdm(dict.fromkeys(lines), "captions", unit="caption", disable=None)
    cut = {line: tokenize(line) for line in distinct}
    vocabulary = Vocabulary(token for tokens in cut.values() for token in tokens)
    ids = {
        line: torch.tensor([*vocabulary.indices(tokens), vocabulary.end])
        for line, tokens in cut.items()
    }
    return pad_sequence([ids[line] for line in lines], True, vocabulary.pad), vocabulary
