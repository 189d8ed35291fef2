"""Counts made by hand, for the tests of the audit."""

import numpy as np

from misalign.audit.trend import Fit
from misalign.coverage.counts import Counts
from misalign.coverage.taxonomy import Concept, Taxonomy

CAPTIONS = 100_000
ROWS = (  # category, group, concept, captions
    ("common", "Animal", "dog", 20_000),
    ("common", "Animal", "cat", 3_000),
    ("under-captioned", "Texture", "glossy", 0),
    ("under-captioned", "Texture", "matte", 9),
    ("under-captioned", "Texture", "rough", 102),
    ("nuisance", "Filter", "sepia", 5_000),
    ("nuisance", "Filter", "hdr", 3),
    ("sensitive", "Trait", "lazy", 1),
    ("sensitive", "Trait", "evil", 0),
    ("mine", "Part", "bolt", 2),
    ("mine", "Part", "nut", 40_000),
)
GROUPS = {"Animal": 22_000, "Texture": 105, "Filter": 5_001, "Trait": 1, "Part": 40_002}
# a plane that reaches 0.5 at 100 of the 100,000 captions
SIZES = {"one": 1e4, "two": 1e6}
TREND = Fit(
    (0.5 - 0.2 * np.log10(101) - 5 * 0.01, 0.2, 0.01),
    spread=0.05,
    between=0.02,
    points=12,
    sizes=SIZES,
    left_out=dict.fromkeys(SIZES, 0.95),
)


def make_counts(rows=ROWS, groups=GROUPS, *, together=(), labelled=(), exclusive=(), **values):
    """Counts of `rows`; pairs together and labels by their places, exclusive sets of places."""
    concepts = tuple(Concept(*row[:3], (row[2],)) for row in rows)
    taxonomy = Taxonomy(concepts, tuple(map(frozenset, exclusive)))
    both, seen = dict.fromkeys(taxonomy.pairs(), 0), np.zeros((len(concepts), 4), np.int64)
    both |= {(i, j): number for i, j, number in together if (i, j) in both}
    for i, counts in dict(labelled).items():
        seen[i] = counts
    counted = {
        "taxonomy": taxonomy,
        "match": "words",
        "captions": CAPTIONS,
        "empty": 0,
        "naming": CAPTIONS // 2,
        "concepts": np.array([row[3] for row in rows]),
        "group_named": np.array(list(groups.values())),
        "pairs": np.array([*both.values()], np.int64),
        "labelled": seen,
    }
    counted |= values
    counted["naming"] = min(counted["naming"], counted["captions"])
    return Counts(**counted)


FULL = {
    "together": [(2, 3, 4), (3, 4, 1), (0, 1, 1_000)],
    "exclusive": [(2, 3, 4)],
    "labelled": {0: (1_000, 100, 890, 10), 1: (1_000, 500, 300, 200)}
    | {2: (7, 7, 0, 0), 4: (4, 1, 3, 0)},
    "empty": 500,
}
