"""What was counted: sums over captions, which add up over files, and tables of shares."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from misalign.coverage.reading import SHOWN, Read, describe
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    import pandas as pd

SUMS = ("captions", "empty", "long", "naming", "concepts", "apart", "group_named", "pairs")
SUMS += ("labelled", "failed", "read", "skipped")
LEVEL = 0.95
EXAMPLES = 3  # captions of each kind that are kept of a concept
SAMPLE = 5_000  # captions that are kept to look at


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts over captions, by concept; the counts of two sets of captions add up.

    Parameters
    ----------
    taxonomy, match : Taxonomy, {"words", "substring", "spaces"}
        The C concepts in G groups, of which P pairs exclude each other, and how terms were found.
    captions, empty, long, naming : int
        Captions; those without text: null, empty, or nothing but white space; those that surely
        have more tokens than the 77 that CLIP reads; and those that name any concept.
    concepts : ndarray
        Captions that name each concept, each counted once, int64, shape (C,).
    apart : ndarray
        Captions, not in `concepts`, that name each concept in a negation alone, and that hold its
        terms in an exclusion alone ("hot dog"), int64, shape (C, 2).
    group_named : ndarray
        Captions that name at least one concept of a group, int64, shape (G,).
    pairs : ndarray
        Captions that name both concepts of each pair of `Taxonomy.pairs`, int64, shape (P,).
    labelled : ndarray
        Where it is known what pictures show, int64, shape (C, 4): captions of pictures that show
        each concept; of them those that name no concept of its group (omitted), and those that
        name it (right); and those that name it wrongly (perturbed). With labels, one of a group,
        the latter are of its pictures and name others of the group only, so the last three add up
        to the first. With tags, any number of them, "omitted" are those that do not name it, and
        "perturbed" name it although it is not shown. All 0 without either.
    read, failed, skipped : tuple
        What was read of each file; and files that could not be read, or were not, each with the
        reason: nothing of them is counted.
    sample, examples : tuple of str, dict
        The first captions with text; and for each kind (named, negated, compound, not named, not
        shown) a few captions by the place of the concept.
    units : tuple of ndarray, optional
        Hashes of pictures or texts, uint64, and of them with each concept they name, shape (n, 2),
        where these are counted in place of captions.
    """

    taxonomy: Taxonomy
    match: str = "words"
    captions: int = 0
    empty: int = 0
    long: int = 0
    naming: int = 0
    # zeros of the shape that the taxonomy asks for
    concepts: np.ndarray = None
    apart: np.ndarray = None
    group_named: np.ndarray = None
    pairs: np.ndarray = None
    labelled: np.ndarray = None
    failed: tuple[tuple[str, str], ...] = ()
    read: tuple[Read, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    examples: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    sample: tuple[str, ...] = ()
    units: tuple[np.ndarray, np.ndarray] | None = None

    def __post_init__(self) -> None:
        size, groups = len(self.taxonomy.concepts), len(self.taxonomy.groups)
        shapes = {"concepts": (size,), "apart": (size, 2), "group_named": (groups,)}
        shapes |= {"pairs": (len(self.taxonomy.pair_keys),), "labelled": (size, 4)}
        for name, shape in shapes.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.zeros(shape, np.int64))

    def __add__(self, other: Counts) -> Counts:
        """Counts of both sets of captions, of one taxonomy and match."""
        if self.match != other.match:
            raise invalid("match", self.match, other.match)
        if self.taxonomy is not other.taxonomy and self.taxonomy != other.taxonomy:
            raise invalid("taxonomy", "one", "two that differ")
        sums = {name: getattr(self, name) + getattr(other, name) for name in SUMS}
        if self.read and other.read and self.read[-1].file == other.read[0].file:
            one = self.read[-1] + other.read[0]  # two parts of a file
            sums["read"] = (*self.read[:-1], one, *other.read[1:])
        sums["sample"] = (self.sample + other.sample)[:SAMPLE]
        sums["examples"] = _merged(self.examples, other.examples)
        both = [one.units for one in (self, other) if one.units]
        if both:
            sums["units"] = tuple(
                np.unique(np.concatenate(one), axis=0) for one in zip(*both, strict=True)
            )
        return Counts(self.taxonomy, self.match, **sums)

    @property
    def total(self) -> int:
        """What shares are of: captions, or the pictures or texts that are counted."""
        return len(self.units[0]) if self.units else self.captions

    def described(self) -> list[str]:
        """Say what was read, what was not, and why."""
        lines = describe(self.read)
        if len(formats := sorted({read.format for read in self.read})) > 1:
            lines.append(f"files of several formats are counted: {', '.join(formats)} (--exclude?)")
        short = [read.rows == 1 for read in self.read if read.format == "txt"]
        if 0 < sum(short) < len(short):
            lines.append("some files of text hold one line, others several: are these captions?")
        reasons: dict[str, list[str]] = {}
        for file, why in self.skipped:
            reasons.setdefault(why, []).append(file)
        for why, files in reasons.items():
            rest = f" and {len(files) - SHOWN:,} more" if len(files) > SHOWN else ""
            lines.append(f"skipped: {', '.join(files[:SHOWN])}{rest}: {why}")
        return [*lines, *(f"failed: {file}: {reason}" for file, reason in self.failed)]

    def to_json(self) -> dict[str, Any]:
        """Write the counts, and what was read, as values of JSON."""
        return {
            **{name: getattr(self, name) for name in ("captions", "empty", "match")},
            "files": [one.to_json() for one in self.read],
            **{name: list(map(list, getattr(self, name))) for name in ("skipped", "failed")},
            "concepts": json.loads(self.by_concept().to_json(orient="records")),
        }

    def by_concept(self) -> pd.DataFrame:
        """One line a concept.

        Columns ``category, group, concept, captions, coverage, low, high``: captions that name the
        concept, their share of all captions, of 1, and its 95 % interval, if these captions are a
        sample of others; then ``negated, compound``, see `apart`. With labels or tags also
        ``pictures, omitted, right, perturbed``, see `labelled`. Pictures or texts stand in the
        place of captions if these are counted.
        """
        rows = [(one.category, one.group, one.name) for one in self.taxonomy.concepts]
        counts = self.concepts
        if self.units:
            counts = np.bincount(self.units[1][:, 1].astype(np.int64), minlength=len(counts))
        table = self._table(rows, "concept", counts)
        table[["negated", "compound"]] = self.apart
        if self.labelled.any():
            table[["pictures", "omitted", "right", "perturbed"]] = self.labelled
        return table

    def by_group(self) -> pd.DataFrame:
        """One line a group, as `by_concept`, for captions that name any of its `concepts`."""
        members = {group: self.taxonomy.members(group) for group in self.taxonomy.groups}
        categories = [self.taxonomy.concepts[places[0]].category for places in members.values()]
        rows = zip(categories, members, map(len, members.values()), strict=True)
        counts = self.group_named
        if self.units:
            group = self.taxonomy.group_of[self.units[1][:, 1].astype(np.int64)]
            pairs = np.stack([self.units[1][:, 0], group.astype(np.uint64)], 1)
            groups = np.unique(pairs, axis=0)[:, 1].astype(np.int64)
            counts = np.bincount(groups, minlength=len(counts))
        return self._table(rows, "concepts", counts)

    def _table(self, rows: ArrayLike, last: str, counts: np.ndarray) -> pd.DataFrame:
        import pandas as pd  # not needed by who only counts

        table = pd.DataFrame(rows, columns=["category", "group", last])
        table["captions"] = counts
        table["coverage"], table["low"], table["high"] = shares(counts, self.total)
        return table


def _merged(one: dict, other: dict) -> dict[str, dict[int, list[str]]]:
    """Examples of two sets of captions, the first ones first."""
    merged = {kind: dict(by_concept) for kind, by_concept in one.items()}
    for kind, by_concept in other.items():
        kept = merged.setdefault(kind, {})
        for place, texts in by_concept.items():
            if len(kept.get(place, ())) < EXAMPLES:
                kept[place] = [*kept.get(place, ()), *texts][:EXAMPLES]
    return merged


def shares(counts: ArrayLike, totals: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares with Wilson's 95 % intervals.

    These keep close to their level where shares are near 0 and captions are few, as most concepts'
    are; the usual interval by the standard deviation shrinks to nothing at a count of 0. See
    Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001. Of counts,
    shape (n,), and totals, n numbers or one, these are share, low and high, NaN where a total is 0.
    """
    from scipy.stats import norm

    k, n = np.broadcast_arrays(np.asarray(counts, float), np.asarray(totals, float))
    z, n = norm.ppf((1 + LEVEL) / 2), np.where(n > 0, n, np.nan)
    share = k / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    radius = z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2) / (1 + z**2 / n)
    low, high = np.where(k == 0, 0, centre - radius), np.where(k == n, 1, centre + radius)
    return share, np.where(n > 0, low, np.nan), np.where(n > 0, high, np.nan)
