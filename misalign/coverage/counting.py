"""Count captions by the concepts that they name, over shards of any number of files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from misalign.coverage import files as sources
from misalign.coverage.concepts import Taxonomy
from misalign.coverage.files import Batch, Shard
from misalign.coverage.folding import normalized
from misalign.coverage.matcher import BYTES, ROWS, WORDS, Matcher, expect_installed, matcher, valid
from misalign.coverage.tally import Tally
from misalign.errors import expect

if TYPE_CHECKING:
    import pyarrow as pa
    from distributed import Client

Progress = Callable[[int, int, int], None]


def count(
    files: Iterable[str | Path],
    taxonomy: Taxonomy | None = None,
    *,
    match: str = WORDS,
    column: str | None = None,
    labels: Mapping[str, str] | None = None,
    client: Client | None = None,
    progress: Progress | None = None,
) -> Tally:
    """Count the captions of files.

    Files are read some captions at a time, so memory does not grow with them. Shards, that is,
    row groups of a Parquet file, ranges of a large text or JSON-lines file, or a whole CSV or
    compressed file, are independent tasks whose counts are added here, once each, however often
    a worker was lost over one.

    Parameters
    ----------
    files : iterable of str or Path
        Files, folders, or patterns of ``.parquet``, ``.csv``, ``.tsv``, ``.jsonl``, ``.ndjson``
        and ``.txt``, all but the first maybe compressed (``.gz``, ``.bz2``, ``.zst``).
    taxonomy : Taxonomy, optional
        By default the packaged one.
    match : {"words", "substring"}, optional
        How terms are found; see `misalign.coverage.matcher.Matcher`.
    column : str, optional
        Where captions are, if not in a column of a usual name. A list in it is several captions.
    labels : mapping, optional
        From groups to columns whose value is the name of the concept that a picture shows.
    client : distributed.Client, optional
        Where to count; see `misalign.cluster.connected`. By default in this process, on one core.
    progress : callable, optional
        Gets, after each shard, the bytes of files read, those to read, and captions counted.

    Returns
    -------
    Tally
        With files that could not be read in `failed`; nothing of them is counted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        For an unknown group, or a column that is missing, which lists those that there are.
    ImportError
        Without the packages of captions.
    """
    expect_installed()
    taxonomy = taxonomy or Taxonomy.read()
    total = Tally.zero(taxonomy, match)
    for group in labels or ():
        expect(group in taxonomy.groups, "labels", f"groups among {_listed(taxonomy)}", group)
    matcher(taxonomy, match)  # refuses what cannot be matched before anything is read
    shards, failed = sources.shards(sources.found(files), column, labels)
    outcomes = _on_dask(shards, total, client) if client else _here(shards, total)
    total += Tally.zero(taxonomy, match, tuple(failed))
    total += _gathered(outcomes, shards, total, progress)
    for group in labels or ():
        labelled = total.labelled[list(taxonomy.members(group)), 0].sum()
        expected = f"names of its concepts in column {labels[group]}"
        expect(labelled or not total.captions, f"labels of {group}", expected, "none")
    return total


def _listed(taxonomy: Taxonomy) -> str:
    return ", ".join(taxonomy.groups)


def _gathered(
    outcomes: Iterator[tuple[Shard, Tally | str]],
    shards: list[Shard],
    zero: Tally,
    progress: Progress | None,
) -> Tally:
    """Add up the counts of files all of whose shards were read, and name the others."""
    zero = Tally.zero(zero.taxonomy, zero.match)
    total, done, every = zero, 0, sum(shard.size for shard in shards)
    left = Counter(shard.file for shard in shards)
    partial: dict[Path, Tally] = {}
    for shard, outcome in outcomes:
        so_far = partial.pop(shard.file, zero)
        if not so_far.failed:
            failed = isinstance(outcome, str)
            reason = ((str(shard.file), outcome),) if failed else ()
            so_far = Tally.zero(zero.taxonomy, zero.match, reason) if failed else so_far + outcome
        left[shard.file] -= 1
        if left[shard.file]:
            partial[shard.file] = so_far
        else:
            total += so_far
        done += shard.size
        if progress:
            counted = total.captions + sum(one.captions for one in partial.values())
            progress(done, every, counted)
    return total


def _here(shards: list[Shard], zero: Tally) -> Iterator[tuple[Shard, Tally | str]]:
    """Count shards one after the other in this process."""
    for shard in shards:
        yield shard, attempt(shard, zero.taxonomy, zero.match)


def _on_dask(
    shards: list[Shard], zero: Tally, client: Client
) -> Iterator[tuple[Shard, Tally | str]]:
    """Count shards on the workers of a Dask scheduler.

    Dask itself starts a shard again, up to three times, when its worker dies.

    Raises
    ------
    ConnectionError
        If the scheduler goes away.
    """
    from distributed import as_completed

    about = (zero.taxonomy, zero.match)
    # not pure: a file may have changed since the same shard was counted; workers see whole paths
    futures = {}
    for shard in shards:
        futures[client.submit(attempt, shard.resolved(), *about, pure=False)] = shard
    for future in as_completed(futures):
        shard = futures.pop(future)
        if future.cancelled():
            raise ConnectionError("scheduler: expected it to stay until the end, got no answer")
        try:
            yield shard, future.result()
        except Exception as failure:  # such as KilledWorker
            yield shard, sources.one_line(failure)


def attempt(shard: Shard, taxonomy: Taxonomy, match: str) -> Tally | str:
    """Count a shard.

    Parameters
    ----------
    shard : Shard
        Where captions are.
    taxonomy : Taxonomy
        Concepts.
    match : {"words", "substring"}
        How terms are found.

    Returns
    -------
    Tally or str
        Its counts, or in one line why it could not be read.
    """
    find, total = matcher(taxonomy, match), Tally.zero(taxonomy, match)
    try:
        for batch in sources.batches(shard):
            for piece in _pieces(batch):
                total += tally(piece, taxonomy, match, find)
    except Exception as error:  # whatever a library finds wrong with a file
        return sources.one_line(error)
    return total


def _pieces(batch: Batch) -> Iterator[Batch]:
    """Parts of a batch, of at most so many captions, and so many bytes if there are several."""
    size = len(batch.captions)
    mean = max(1, batch.captions.nbytes // max(1, size))
    step = max(1, min(ROWS, BYTES // mean))
    for start in range(0, size, step):
        labels = {name: column.slice(start, step) for name, column in batch.labels.items()}
        yield Batch(batch.captions.slice(start, step), labels)


def tally(batch: Batch, taxonomy: Taxonomy, match: str, find: Matcher) -> Tally:
    """Count the captions of a batch.

    Parameters
    ----------
    batch : Batch
        Captions, and maybe labels.
    taxonomy : Taxonomy
        The C concepts in G groups.
    match : {"words", "substring"}
        How `find` finds terms.
    find : Matcher
        See `misalign.coverage.matcher.matcher`.

    Returns
    -------
    Tally
    """
    rows, concepts = find(batch.captions)
    size, group_of = len(taxonomy.concepts), _groups(taxonomy)
    blocks = rows * len(taxonomy.groups) + group_of[concepts]  # sorted, as groups lie together
    firsts = np.flatnonzero(np.diff(blocks, prepend=-1))
    group_named = np.bincount(group_of[concepts[firsts]], minlength=len(taxonomy.groups))
    labelled = np.zeros((size, 4), np.int64)
    for group, column in batch.labels.items():
        labelled += _labelled(rows, concepts, taxonomy, group, column)
    return Tally(
        taxonomy,
        match,
        len(batch.captions),
        _silent(batch.captions),
        np.bincount(concepts, minlength=size),
        group_named,
        _together(blocks, concepts, size),
        labelled,
    )


def _groups(taxonomy: Taxonomy) -> np.ndarray:
    """Place of every concept's group, shape (C,)."""
    place = {group: i for i, group in enumerate(taxonomy.groups)}
    return np.array([place[one.group] for one in taxonomy.concepts])


def _together(blocks: np.ndarray, concepts: np.ndarray, size: int) -> np.ndarray:
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


def _silent(captions: pa.Array) -> int:
    """How many captions have no text."""
    import pyarrow.compute as pc

    # trimming refuses what is not UTF-8 at an end of a caption
    texts = valid(captions.fill_null(""))
    lengths = pc.binary_length(pc.utf8_trim_whitespace(texts))
    return len(captions) - np.count_nonzero(lengths.to_numpy())


def _labelled(
    rows: np.ndarray, concepts: np.ndarray, taxonomy: Taxonomy, group: str, column: pa.Array
) -> np.ndarray:
    """Pictures by what their captions say of a group: `Tally.labelled`, shape (C, 4)."""
    members = taxonomy.members(group)
    first, width = members[0], len(members)
    place = {normalized(taxonomy.concepts[i].name): i - first for i in members}
    encoded = column.dictionary_encode()
    known = [
        place.get(normalized((one or "").strip()), -1) for one in encoded.dictionary.to_pylist()
    ]
    codes = encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
    label = np.array([*known, -1])[codes]
    said = np.zeros((len(column), width), bool)
    inside = (concepts >= first) & (concepts < first + width)
    said[rows[inside], concepts[inside] - first] = True
    shown = np.flatnonzero(label >= 0)
    right = said[shown, label[shown]]
    silent = ~said[shown].any(1)
    sums = np.zeros((len(taxonomy.concepts), 4), np.int64)
    kinds = (np.ones(len(shown), bool), silent, right, ~silent & ~right)
    for place, kind in enumerate(kinds):
        sums[first : first + width, place] = np.bincount(label[shown[kind]], minlength=width)
    return sums
