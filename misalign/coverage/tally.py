"""What was counted: sums over captions, which add up over files."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from misalign.coverage.concepts import Taxonomy
from misalign.errors import expect

if TYPE_CHECKING:
    import pandas as pd

SUMS = ("captions", "silent", "named", "group_named", "together", "labelled", "failed")


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts over captions, by concept; the counts of two sets of captions add up.

    Parameters
    ----------
    taxonomy : Taxonomy
        The C concepts in G groups.
    match : {"words", "substring"}
        How terms were found.
    captions : int
        How many there are, those without text included.
    silent : int
        How many of them have no text: null, empty, or nothing but white space.
    named : ndarray
        Captions that name each concept, each counted once, int64, shape (C,).
    group_named : ndarray
        Captions that name at least one concept of a group, int64, shape (G,).
    together : ndarray
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
    silent: int
    named: np.ndarray
    group_named: np.ndarray
    together: np.ndarray
    labelled: np.ndarray
    failed: tuple[tuple[str, str], ...] = ()

    @classmethod
    def zero(
        cls, taxonomy: Taxonomy, match: str = "words", failed: tuple[tuple[str, str], ...] = ()
    ) -> Tally:
        """The count of no captions, maybe because files could not be read."""
        size, groups = len(taxonomy.concepts), len(taxonomy.groups)
        shapes = ((size,), (groups,), (size, size), (size, 4))
        return cls(taxonomy, match, 0, 0, *(np.zeros(one, np.int64) for one in shapes), failed)

    def __add__(self, other: Tally) -> Tally:
        """Counts of both sets of captions, of one taxonomy and match."""
        expect(self.match == other.match, "match", self.match, other.match)
        same = self.taxonomy is other.taxonomy or self.taxonomy == other.taxonomy
        expect(same, "taxonomy", "one", "two that differ")
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return Tally(self.taxonomy, self.match, **sums)

    def equals(self, other: Tally) -> bool:
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
