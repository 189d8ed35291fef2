"""The count of some captions in memory."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from misalign.coverage.counts import EXAMPLES, Counts
from misalign.coverage.files import Batch
from misalign.coverage.matcher import Found, matcher, once
from misalign.coverage.normalize import normalize
from misalign.coverage.reading import IMAGE, TAGS
from misalign.coverage.taxonomy import Taxonomy

CONTEXT, TOKEN = 75, r"\w+|[^\w\s]"  # CLIP makes of each a token or more, and reads so many


def count_batch(
    batch: Batch, taxonomy: Taxonomy, match: str, by: str, examples: dict[str, Examples]
) -> Counts:
    """Count the captions of a batch, and add to the examples of each kind."""
    texts, size = batch.captions, len(taxonomy.concepts)
    found = matcher(taxonomy, match).find(texts)
    rows, concepts = np.divmod(found.named, size)
    kinds = {"named": found.named, "negated": found.negated, "compound": found.compounds}
    labelled = np.zeros((size, 4), np.int64)
    for group, column in batch.beside.items():
        if group == TAGS:
            more, apart = _tagged(found, tag_keys(column, taxonomy), column, size)
            labelled, kinds = labelled + more, kinds | apart
        elif group != IMAGE:
            labelled += _labelled(found.named, taxonomy, group, column)
    groups = once(rows * len(taxonomy.groups) + taxonomy.group_of[concepts])
    for kind, keys in kinds.items():
        examples.setdefault(kind, Examples(size)).add(texts, keys)
    units = batch.beside[IMAGE] if by == "image" else texts
    # those surely have more tokens than CLIP reads whose words and marks alone are more
    maybe = texts.filter(pc.greater(pc.binary_length(texts), 2 * CONTEXT))
    return Counts(
        taxonomy,
        match,
        captions=len(texts),
        empty=pc.sum(pc.equal(pc.utf8_trim_whitespace(texts.fill_null("")), "")).as_py() or 0,
        long=pc.sum(pc.greater(pc.count_substring_regex(maybe, TOKEN), CONTEXT)).as_py() or 0,
        naming=np.count_nonzero(np.diff(rows, prepend=-1)),
        concepts=np.bincount(concepts, minlength=size),
        apart=np.stack([np.bincount(keys % size, minlength=size) for keys in found[1:]], 1),
        group_named=np.bincount(groups % len(taxonomy.groups), minlength=len(taxonomy.groups)),
        pairs=_together(rows, concepts, taxonomy),
        labelled=labelled,
        units=None if by == "caption" else _units(units, found.named, size),
    )


def _together(rows: np.ndarray, concepts: np.ndarray, taxonomy: Taxonomy) -> np.ndarray:
    """How many captions name both of each two exclusive concepts, in the order of their pairs."""
    pairs = taxonomy.pair_keys
    counts = np.zeros(len(pairs), np.int64)
    some = np.isin(concepts, np.unique(np.divmod(pairs, len(taxonomy.concepts))))
    rows, concepts = rows[some], concepts[some]
    for lag in range(1, len(rows)):
        same = np.flatnonzero(rows[lag:] == rows[:-lag])
        if not len(same):
            break
        keys = concepts[same] * len(taxonomy.concepts) + concepts[same + lag]
        places = np.searchsorted(pairs, keys).clip(max=len(pairs) - 1)
        np.add.at(counts, places[pairs[places] == keys], 1)
    return counts


class Examples:
    """The first captions of each concept, by its place in `texts`."""

    def __init__(self, size: int) -> None:
        self.size, self.left = size, np.full(size, EXAMPLES)
        self.texts: dict[int, list[str]] = {}

    def add(self, captions: pa.Array, keys: np.ndarray) -> None:
        """Keep captions of concepts that have too few."""
        rows, concepts = np.divmod(keys, self.size)
        for i in np.flatnonzero(self.left[concepts] > 0):
            if self.left[place := int(concepts[i])]:
                self.left[place] -= 1
                self.texts.setdefault(place, []).append(captions[int(rows[i])].as_py())


def _labelled(named: np.ndarray, taxonomy: Taxonomy, group: str, column: pa.Array) -> np.ndarray:
    """Pictures by what their captions say of a group: `Counts.labelled`, shape (C, 4)."""
    members, size = np.array(taxonomy.members(group)), len(taxonomy.concepts)
    place = {normalize(taxonomy.concepts[i].name): i for i in members}
    encoded = column.dictionary_encode()
    known = [
        place.get(normalize((one or "").strip()), -1) for one in encoded.dictionary.to_pylist()
    ]
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    label = np.array([*known, -1])[codes]
    shown = np.flatnonzero(label >= 0)
    right = np.isin(shown * size + label[shown], named)
    rows, concepts = np.divmod(named, size)
    said = np.isin(shown, rows[np.isin(concepts, members)])
    sums = np.zeros((size, 4), np.int64)
    np.add.at(sums, (label[shown], np.where(right, 2, np.where(said, 3, 1))), 1)
    sums[:, 0] = sums.sum(1)
    return sums


def tag_keys(column: pa.Array, taxonomy: Taxonomy) -> np.ndarray:
    """Concepts that pictures show, as keys, of tags that one of their terms is."""
    tags = pc.split_pattern_regex(column.fill_null(""), r"\s*[|,;]\s*")
    rows, encoded = pc.list_parent_indices(tags), pc.list_flatten(tags).dictionary_encode()
    names = [normalize(one.strip()) for one in encoded.dictionary.to_pylist()]
    known = pa.array([taxonomy.by_term.get(one, ()) for one in names], pa.list_(pa.int64()))
    shown = known.take(encoded.indices)  # places of concepts, a list a tag
    rows = rows.take(pc.list_parent_indices(shown)).to_numpy()
    return np.unique(rows * len(taxonomy.concepts) + pc.list_flatten(shown).to_numpy())


def _tagged(
    found: Found, shown: np.ndarray, column: pa.Array, size: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """`Counts.labelled` of captions whose pictures have tags; and keys of what differs."""
    there = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    named = found.named[np.isin(found.named // size, there)]
    right = np.intersect1d(named, shown)
    kinds = {"not named": np.setdiff1d(shown, named), "not shown": np.setdiff1d(named, shown)}
    every = (shown, kinds["not named"], right, kinds["not shown"])
    return np.stack([np.bincount(keys % size, minlength=size) for keys in every], 1), kinds


def _units(units: pa.Array, named: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of pictures or texts, and with each concept that a caption of them names."""
    from pandas.util import hash_array  # not needed by who only counts captions

    hashes = hash_array(units.fill_null("").to_numpy(zero_copy_only=False))
    rows, concepts = np.divmod(named, size)
    pairs = np.stack([hashes[rows], concepts.astype(np.uint64)], 1)
    return np.unique(hashes), np.unique(pairs, axis=0)
