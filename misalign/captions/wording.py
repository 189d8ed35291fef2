"""The content words of a factor, and which of them a value gets (Tables 6 and 9)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from misalign.captions.values import whole_numbers
from misalign.errors import invalid
from misalign.paths import DATA_FILES


@cache
def named_hues(palette: str) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Colors of a palette nearest to the pure hues, hsv(h, 1, 1), and the cuts between them.

    The palette is a dict of `matplotlib.colors` (Table 9), such as ``"XKCD_COLORS"``. Each interval
    of hues from 0 to 1 has a name, without a prefix such as "tab:"; cuts are one fewer. Both stand
    in ``misalign/data/hues.json``, which ``scripts/name_hues.py`` made.
    """
    table = json.loads((DATA_FILES / "hues.json").read_text(encoding="utf-8"))
    starts, names = zip(*table[palette], strict=True)
    return names, starts[1:]


@dataclass(frozen=True)
class Wording:
    """How captions say one factor.

    Parameters
    ----------
    factor, words : str, tuple of str
        Its name, and its distinct words or phrases.
    cuts, places : tuple of float, tuple of int, optional
        Of a continuous factor: the increasing cuts of [0, 1] at which the word changes, each of
        the interval above it; and the index in `words` of the word of each interval, one more than
        cuts. Two intervals may share a word, as red does at both ends of the hues.
    """

    factor: str
    words: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    places: tuple[int, ...] = ()

    @classmethod
    def read(cls, factor: str, entry: list | dict, distinct: bool = False) -> Wording:
        """Wording from an entry of ``misalign/data/captions.yml``.

        It is a list of words, or a dict with `parts`, or one with `palette` and `mark`; the mark is
        put before each word of a color's name if names shall be `distinct`.
        """
        if isinstance(entry, list):
            return cls(factor, tuple(entry))
        if "parts" in entry:
            words = tuple(entry["parts"])
            cuts = tuple(i / len(words) for i in range(1, len(words)))
            return cls(factor, words, cuts, tuple(range(len(words))))
        names, cuts = named_hues(entry["palette"])
        if distinct:
            mark = entry["mark"]
            names = [" ".join(f"{mark}-{word}" for word in name.split()) for name in names]
        words = tuple(dict.fromkeys(names))
        return cls(factor, words, cuts, tuple(map(words.index, names)))

    @property
    def continuous(self) -> bool:
        """Whether values are numbers in [0, 1] rather than places in `words`."""
        return bool(self.places)

    def word_of(self, values: Tensor) -> Tensor:
        """Index in `words` of what captions say for each value, int64, of the same shape.

        Values are numbers in [0, 1] for a continuous factor, else integers from 0 to the number of
        words less one; a ValueError for others.
        """
        name = f"values of {self.factor}"
        if not self.continuous:
            return whole_numbers(name, values, len(self.words) - 1)
        if not values.is_floating_point():
            raise invalid(name, "floats in [0, 1]", values.dtype)
        stray = values[~((values >= 0) & (values <= 1))]
        if len(stray):
            raise invalid(name, "numbers in [0, 1]", stray[:3].tolist())
        cuts = torch.tensor(self.cuts, dtype=torch.float64, device=values.device)
        interval = torch.bucketize(values.double(), cuts, right=True)
        return torch.tensor(self.places, device=values.device)[interval]
