"""What was counted: sums over captions, which add up over files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from misalign.coverage.concepts import Taxonomy


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
