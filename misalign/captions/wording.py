"""The content words of a factor, and which of them a value gets (Tables 6 and 9)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from misalign.captions.palettes import named_hues
from misalign.errors import invalid


@dataclass(frozen=True)
class Wording:
    """How captions say one factor.

    Parameters
    ----------
    factor : str
        Its name.
    words : tuple of str
        Distinct words or phrases.
    cuts : tuple of float, optional
        Of a continuous factor: the increasing cuts of [0, 1] at which the word changes. A cut
        itself belongs to the interval above it.
    places : tuple of int, optional
        Of a continuous factor: the index in `words` of the word of each interval, one more than
        cuts. Two intervals may share a word, as red does at both ends of the hues.
    """

    factor: str
    words: tuple[str, ...]
    cuts: tuple[float, ...] = ()
    places: tuple[int, ...] = ()

    @classmethod
    def read(cls, factor: str, entry: list | dict, distinct: bool = False) -> Wording:
        """Wording from an entry of ``misalign/data/captions.yml``.

        Parameters
        ----------
        factor : str
            Name of the factor.
        entry : list or dict
            A list of words, or a dict with `parts`, or with `palette` and `mark`.
        distinct : bool, optional
            Put the palette's mark before each word of a color's name.

        Returns
        -------
        Wording
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
        """Index in `words` of what captions say for each value.

        Parameters
        ----------
        values : Tensor
            Numbers in [0, 1] for a continuous factor, else integers from 0 to the number of words
            less one; any shape.

        Returns
        -------
        Tensor
            int64, of the same shape.

        Raises
        ------
        ValueError
            If a value is out of range, or of the wrong type.
        """
        name, last = f"values of {self.factor}", len(self.words) - 1
        if self.continuous:
            if not values.is_floating_point():
                raise invalid(name, "floats in [0, 1]", values.dtype)
            stray = values[~((values >= 0) & (values <= 1))]
            if len(stray):
                raise invalid(name, "numbers in [0, 1]", stray[:3].tolist())
            cuts = torch.tensor(self.cuts, dtype=torch.float64, device=values.device)
            interval = torch.bucketize(values.double(), cuts, right=True)
            return torch.tensor(self.places, device=values.device)[interval]
        whole = not (values.is_floating_point() or values.dtype == torch.bool)
        if not whole:
            raise invalid(name, f"integers from 0 to {last}", values.dtype)
        stray = values[(values < 0) | (values > last)]
        if len(stray):
            raise invalid(name, f"integers from 0 to {last}", stray[:3].tolist())
        return values.long()
