"""What was counted: sums over captions, which add up over files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    import pandas as pd

SUMS = ("captions", "empty", "concepts", "group_named", "cooccurrence", "labelled", "failed")


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts over captions, by concept; the counts of two sets of captions add up.

    Parameters
    ----------
    taxonomy : Taxonomy
        The C concepts in G groups.
    match : {"words", "substring"}
        How terms were found.
    captions : int
        How many there are, those without text included.
    empty : int
        How many of them have no text: null, empty, or nothing but white space.
    concepts : ndarray
        Captions that name each concept, each counted once, int64, shape (C,).
    group_named : ndarray
        Captions that name at least one concept of a group, int64, shape (G,).
    cooccurrence : ndarray
        Captions that name two concepts of one group, int64, shape (C, C), symmetric, 0 between
        groups and on the diagonal.
    labelled : ndarray
        Where pictures have labels, int64, shape (C, 4): pictures of each concept; those whose
        captions name no concept of its group (omitted); those whose captions name it (right);
        those whose captions name others of its group only (perturbed). The last three add up to
        the first. All 0 without labels.
    failed : tuple of (str, str)
        Files that could not be read, each with the reason; nothing of them is counted.
    """

    taxonomy: Taxonomy
    match: str
    captions: int
    empty: int
    concepts: np.ndarray
    group_named: np.ndarray
    cooccurrence: np.ndarray
    labelled: np.ndarray
    failed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def zero(
        cls, taxonomy: Taxonomy, match: str = "words", failed: tuple[tuple[str, str], ...] = ()
    ) -> Counts:
        """The count of no captions, maybe because files could not be read."""
        size, groups = len(taxonomy.concepts), len(taxonomy.groups)
        shapes = ((size,), (groups,), (size, size), (size, 4))
        return cls(taxonomy, match, 0, 0, *(np.zeros(one, np.int64) for one in shapes), failed)

    def __add__(self, other: Counts) -> Counts:
        """Counts of both sets of captions, of one taxonomy and match."""
        if self.match != other.match:
            raise invalid("match", self.match, other.match)
        same = self.taxonomy is other.taxonomy or self.taxonomy == other.taxonomy
        if not same:
            raise invalid("taxonomy", "one", "two that differ")
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return Counts(self.taxonomy, self.match, **sums)

    def equals(self, other: Counts) -> bool:
        """Whether every count is the same."""
        pairs = ((getattr(self, one.name), getattr(other, one.name)) for one in fields(self))
        return all(np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b for a, b in pairs)

    def by_concept(self) -> pd.DataFrame:
        """Table of concepts; see `misalign.coverage.tables.by_concept`."""
        from misalign.coverage import tables

        return tables.by_concept(self)

    def by_group(self) -> pd.DataFrame:
        """Table of groups; see `misalign.coverage.tables.by_group`."""
        from misalign.coverage import tables

        return tables.by_group(self)
