"""Which rows to keep, and which to caption anew: a second pass over the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from misalign.coverage import files as sources
from misalign.coverage.count import Plan
from misalign.coverage.count_batch import tag_keys
from misalign.coverage.counts import Counts
from misalign.coverage.matcher import matcher
from misalign.coverage.reading import TAGS, Read
from misalign.coverage.workers import pieces
from misalign.errors import check_int, invalid


class Piece(NamedTuple):
    """Some captions with the concepts that they name and, with tags, that their pictures show."""

    file: str
    rows: np.ndarray  # places among the captions of the file, from 0
    captions: pa.Array
    named: np.ndarray  # keys, see `misalign.coverage.matcher.Found`
    shown: np.ndarray


def balance(plan: Plan, counts: Counts, most: int, out: Path, seed: int = 0) -> pd.DataFrame:
    """Write how likely each caption is kept if concepts are balanced, and a draw.

    A caption is kept if a coin of any of its concepts says so; that of a concept which n captions
    name says so with probability min(1, t / n). What names no concept is dropped. So has MetaCLIP
    been made (Xu et al. 2024, "Demystifying CLIP Data").

    Parameters
    ----------
    plan, counts : Plan, Counts
        What was counted, and its counts.
    most, seed : int
        The t, about how many captions of each concept are kept, and a seed of the coins.
    out : Path
        A Parquet file of columns ``file, row, caption, probability, keep``, a row a caption.

    Returns
    -------
    pandas.DataFrame
        By concept: ``group, concept, captions`` before, ``expected`` and ``kept`` after; and the
        sums over all captions as last row.
    """
    check_int("balance", most, 1)
    size, draw = len(counts.concepts), np.random.default_rng(seed)
    lost = 1 - np.minimum(1, most / np.maximum(1, counts.concepts))
    sums, total = np.zeros((2, size)), np.zeros(2)
    names = ("file", "row", "caption", "probability", "keep")
    kinds = (pa.string(), pa.int64(), pa.string(), pa.float64(), pa.bool_())
    with pq.ParquetWriter(out, pa.schema(list(zip(names, kinds, strict=True)))) as writer:
        for piece in _pieces(plan):
            rows, concepts = np.divmod(piece.named, size)
            chance = np.ones(len(piece.rows))
            np.multiply.at(chance, rows, lost[concepts])
            chance = 1 - chance
            keep = draw.random(len(chance)) < chance
            for i, value in enumerate((chance, keep)):
                sums[i] += np.bincount(concepts, value[rows], size)
                total[i] += value.sum()
            columns = ([piece.file] * len(chance), piece.rows, piece.captions, chance, keep)
            writer.write_table(pa.table(dict(zip(names, columns, strict=True)), writer.schema))
    table = counts.by_concept()[["group", "concept", "captions"]]
    table["expected"], table["kept"] = sums
    table.loc[size] = ["", "all captions", counts.captions, *total]
    return table.astype({"captions": int, "kept": int})


def recaption(plan: Plan, counts: Counts, most: int, out: Path, seed: int = 0) -> pd.DataFrame:
    """Write the captions to be written anew first: they raise the lowest naming rates most.

    A caption that leaves out a concept which its picture shows could raise the concept's naming
    rate by 1 / n of its n pictures. This gain counts the more the lower the rate is: gains are
    weighted with 1 - rate and added up over what the caption leaves out.

    Parameters
    ----------
    plan, counts : Plan, Counts
        What was counted, with tags, and its counts.
    most, seed : int
        How many captions to choose, and a seed that decides between equal gains.
    out : Path
        A Parquet file of columns ``file, row, caption, left_out, gain``, the largest gain first.

    Returns
    -------
    pandas.DataFrame
        By concept that some picture shows: ``group, concept, pictures, named``, and ``after``, how
        many would be named.
    """
    check_int("recaption", most, 1)
    if not plan.how.tags:
        raise invalid("recaption", "tags of what pictures show (--tags COLUMN)", "none")
    shown, _, both, _ = counts.labelled.T
    weight = (1 - both / np.maximum(1, shown)) / np.maximum(1, shown)
    size, draw = len(shown), np.random.default_rng(seed)
    names = ("row", "caption", "missing", "gain", "coin")
    best = pd.DataFrame({"file": [], **{name: [] for name in names}}).astype({"row": int})
    for piece in _pieces(plan):
        rows, concepts = np.divmod(np.setdiff1d(piece.shown, piece.named), size)
        gain = np.bincount(rows, weight[concepts], len(piece.rows))
        coin = draw.random(len(gain))
        first = np.lexsort((coin, -gain))[:most]
        first = first[gain[first] > 0]
        starts = np.searchsorted(rows, [first, first + 1])
        missing = [concepts[low:high].tolist() for low, high in starts.T]
        columns = [piece.rows[first], piece.captions.take(first).to_pylist(), missing, gain[first]]
        more = pd.DataFrame(dict(zip(names, [*columns, coin[first]], strict=True)))
        best = pd.concat([best, more.assign(file=piece.file)])
        best = best.sort_values(["gain", "coin"], ascending=[False, True])[:most]
    after = both + np.bincount([i for some in best["missing"] for i in some], minlength=size)
    concepts = plan.taxonomy.concepts
    best["left_out"] = [", ".join(concepts[i].name for i in some) for some in best["missing"]]
    best[["file", "row", "caption", "left_out", "gain"]].to_parquet(out, index=False)
    table = counts.by_concept()[["group", "concept", "pictures"]].assign(named=both, after=after)
    return table[table["pictures"] > 0]


def _pieces(plan: Plan) -> Iterator[Piece]:
    """Read everything again, in order."""
    find = matcher(plan.taxonomy, plan.match).find
    file, start = "", 0
    for shard in plan.shards:
        name = str(shard.source.item)
        file, start = name, start if name == file else 0
        for batch in sources.batches(shard, Read.of(shard.source)):
            for piece in pieces(batch):
                rows = np.arange(start, start := start + len(piece.captions))
                tags = piece.beside.get(TAGS)
                shown = np.zeros(0, np.int64) if tags is None else tag_keys(tags, plan.taxonomy)
                yield Piece(file, rows, piece.captions, find(piece.captions).named, shown)
