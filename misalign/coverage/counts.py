"""What was counted: sums over captions, which add up over files, and tables of shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    import pandas as pd

SUMS = ("captions", "empty", "concepts", "group_named", "cooccurrence", "labelled", "failed")
LEVEL = 0.95


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
        if self.taxonomy is not other.taxonomy and self.taxonomy != other.taxonomy:
            raise invalid("taxonomy", "one", "two that differ")
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        return Counts(self.taxonomy, self.match, **sums)

    def by_concept(self) -> pd.DataFrame:
        """One line a concept.

        Returns
        -------
        pandas.DataFrame
            Columns ``category, group, concept, captions, coverage, low, high``: captions that name
            the concept, their share of all captions, and its 95 % interval, if these captions are a
            sample of others. Shares are of 1. With labels, also ``pictures, omitted, right,
            perturbed``; see `labelled`.
        """
        rows = [(one.category, one.group, one.name) for one in self.taxonomy.concepts]
        table = self._table(rows, "concept", self.concepts)
        if self.labelled.any():
            table[["pictures", "omitted", "right", "perturbed"]] = self.labelled
        return table

    def by_group(self) -> pd.DataFrame:
        """One line a group.

        Returns
        -------
        pandas.DataFrame
            Columns ``category, group, concepts, captions, coverage, low, high``, as `by_concept`,
            for captions that name at least one of the group's concepts.
        """
        members = {group: self.taxonomy.members(group) for group in self.taxonomy.groups}
        categories = [self.taxonomy.concepts[places[0]].category for places in members.values()]
        rows = zip(categories, members, map(len, members.values()), strict=True)
        return self._table(rows, "concepts", self.group_named)

    def _table(self, rows: ArrayLike, last: str, counts: np.ndarray) -> pd.DataFrame:
        import pandas as pd  # not needed by who only counts

        table = pd.DataFrame(rows, columns=["category", "group", last])
        table["captions"] = counts
        table["coverage"], table["low"], table["high"] = shares(counts, self.captions)
        return table


def shares(counts: ArrayLike, totals: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares with Wilson's 95 % intervals.

    These keep close to their level where shares are near 0 and captions are few, as most concepts'
    are; the usual interval by the standard deviation shrinks to nothing at a count of 0. See
    Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001.

    Parameters
    ----------
    counts, totals : array_like
        Such as captions that name a concept, shape (n,), and all captions, n numbers or one.

    Returns
    -------
    share, low, high : ndarray
        Shape (n,); NaN where the total is 0.
    """
    from scipy.stats import binomtest

    rows = [
        (k / n, *binomtest(int(k), int(n)).proportion_ci(LEVEL, "wilson")) if n else (np.nan,) * 3
        for k, n in np.broadcast(counts, totals)
    ]
    share, low, high = np.array(rows, float).reshape(-1, 3).T
    return share, low, high
