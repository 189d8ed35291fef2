"""The count of some captions in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from misalign.coverage.counts import Counts
from misalign.coverage.files import Batch
from misalign.coverage.matcher import matcher
from misalign.coverage.normalize import normalize
from misalign.coverage.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pyarrow as pa


def count_batch(batch: Batch, taxonomy: Taxonomy, match: str) -> Counts:
    """Count the captions of a batch."""
    rows, concepts = matcher(taxonomy, match)(batch.captions)
    size = len(taxonomy.concepts)
    widths = [*Counter(one.group for one in taxonomy.concepts).values()]  # groups lie together
    group_of = np.repeat(np.arange(len(widths)), widths)
    blocks = rows * len(widths) + group_of[concepts]  # sorted
    firsts = np.flatnonzero(np.diff(blocks, prepend=-1))
    group_named = np.bincount(group_of[concepts[firsts]], minlength=len(widths))
    labelled = np.zeros((size, 4), np.int64)
    for group, column in batch.labels.items():
        labelled += _labelled(rows, concepts, taxonomy, group, column)
    return Counts(
        taxonomy,
        match,
        len(batch.captions),
        _empty(batch.captions),
        np.bincount(concepts, minlength=size),
        group_named,
        _cooccurrence(blocks, concepts, size),
        labelled,
    )


def _cooccurrence(blocks: np.ndarray, concepts: np.ndarray, size: int) -> np.ndarray:
    """How often two concepts stand in one block, shape (C, C), of sorted blocks."""
    counts = np.zeros(size * size, np.int64)
    for lag in range(1, size):
        same = np.flatnonzero(blocks[lag:] == blocks[:-lag])
        if not len(same):
            break
        pairs = concepts[same] * size + concepts[same + lag]
        counts += np.bincount(pairs, minlength=size * size)
    counts = counts.reshape(size, size)
    return counts + counts.T


def _empty(captions: pa.Array) -> int:
    """How many captions have no text."""
    import pyarrow.compute as pc

    lengths = pc.binary_length(pc.utf8_trim_whitespace(captions.fill_null("")))
    return len(captions) - int(np.count_nonzero(lengths.to_numpy()))


def _labelled(
    rows: np.ndarray, concepts: np.ndarray, taxonomy: Taxonomy, group: str, column: pa.Array
) -> np.ndarray:
    """Pictures by what their captions say of a group: `Counts.labelled`, shape (C, 4)."""
    members = taxonomy.members(group)
    first, width = members[0], len(members)
    place = {normalize(taxonomy.concepts[i].name): i - first for i in members}
    encoded = column.dictionary_encode()
    known = [
        place.get(normalize((one or "").strip()), -1) for one in encoded.dictionary.to_pylist()
    ]
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    label = np.array([*known, -1])[codes]
    said = np.zeros((len(column), width), bool)
    inside = (concepts >= first) & (concepts < first + width)
    said[rows[inside], concepts[inside] - first] = True
    shown = np.flatnonzero(label >= 0)
    right, any_said = said[shown, label[shown]], said[shown].any(1)
    sums = np.zeros((len(taxonomy.concepts), 4), np.int64)
    np.add.at(sums, (first + label[shown], np.where(right, 2, np.where(any_said, 3, 1))), 1)
    sums[:, 0] = sums.sum(1)
    return sums
