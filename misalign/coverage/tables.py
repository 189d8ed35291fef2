"""Counts as tables, with intervals that hold for few captions too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import binomtest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from misalign.coverage.counts import Counts

LEVEL = 0.95


def interval(count: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share.

    It keeps close to its level where shares are near 0 and captions are few, as most concepts'
    are; the usual interval by the standard deviation shrinks to nothing at a count of 0. See
    Brown, Cai and DasGupta, "Interval estimation for a binomial proportion", 2001.

    Parameters
    ----------
    count, total : int
        Captions that name a concept, and all captions of the sample.

    Returns
    -------
    low, high : float
        Both NaN without captions.
    """
    if not total:
        return float("nan"), float("nan")
    found = binomtest(int(count), int(total)).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)


def by_concept(tally: Counts) -> pd.DataFrame:
    """One line a concept.

    Parameters
    ----------
    tally : Tally
        Counts.

    Returns
    -------
    pandas.DataFrame
        Columns ``category, group, concept, captions, coverage, low, high``: captions that name the
        concept, their share of all captions, and its 95 % interval, if these captions are a sample
        of others. Shares are of 1. With labels, also ``pictures, omitted, right, perturbed``; see
        `Counts`.
    """
    concepts = tally.taxonomy.concepts
    about = {
        "category": [one.category for one in concepts],
        "group": [one.group for one in concepts],
        "concept": [one.name for one in concepts],
    }
    table = pd.DataFrame(about | _shares(tally.concepts, tally.captions))
    if tally.labelled.any():
        table[["pictures", "omitted", "right", "perturbed"]] = tally.labelled
    return table


def by_group(tally: Counts) -> pd.DataFrame:
    """One line a group.

    Parameters
    ----------
    tally : Tally
        Counts.

    Returns
    -------
    pandas.DataFrame
        Columns ``category, group, concepts, captions, coverage, low, high``, as `by_concept`, for
        captions that name at least one of the group's concepts.
    """
    taxonomy = tally.taxonomy
    members = [taxonomy.members(group) for group in taxonomy.groups]
    about = {
        "category": [taxonomy.concepts[places[0]].category for places in members],
        "group": list(taxonomy.groups),
        "concepts": [len(places) for places in members],
    }
    return pd.DataFrame(about | _shares(tally.group_named, tally.captions))


def _shares(counts: Iterable[int], total: int) -> dict[str, list]:
    counts = [int(count) for count in counts]
    low, high = zip(*(interval(count, total) for count in counts), strict=True)
    coverage = [count / total if total else float("nan") for count in counts]
    return {"captions": counts, "coverage": coverage, "low": low, "high": high}
