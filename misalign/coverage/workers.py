"""Shards as tasks, which may be done anywhere and again, as by the workers of Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

from misalign.coverage import files as sources
from misalign.coverage.count_batch import Examples, count_batch
from misalign.coverage.counts import SAMPLE, Counts
from misalign.coverage.files import Batch, Shard
from misalign.coverage.matcher import BYTES, ROWS
from misalign.coverage.reading import SHOWN, Read
from misalign.coverage.taxonomy import Taxonomy
from misalign.parallel import completed

if TYPE_CHECKING:
    from distributed import Client


def run_on_dask(
    shards: Iterable[Shard], taxonomy: Taxonomy, match: str, by: str, client: Client
) -> Iterator[tuple[Shard, Counts | str]]:
    """Count shards on the workers of a Dask scheduler.

    Dask itself starts a shard again, up to three times, when its worker dies. It blames whatever
    waited on that worker too, so shards that it gives up are tried once more, each alone. If the
    scheduler goes away, that is a ConnectionError.
    """
    from distributed import KilledWorker

    def plain(shard: Shard) -> tuple:
        # workers may run in another folder
        return shard.resolved(), taxonomy, match, by

    rounds = [deque(shards)]
    for todo in rounds:  # which grow in the first one
        for shard, result in completed(client, attempt, todo, plain):
            if isinstance(result, KilledWorker) and todo is rounds[0]:
                rounds.append(deque([shard]))
            else:
                failed = isinstance(result, Exception)  # such as of a worker without the packages
                yield shard, sources.one_line(result) if failed else result


def attempt(shard: Shard, taxonomy: Taxonomy, match: str, by: str) -> Counts | str:
    """Count a shard, or say in one line why it could not be read."""
    total, read = Counts(taxonomy, match), Read.of(shard.source)
    sample: list[str] = []
    examples: dict[str, Examples] = {}
    try:
        for batch in sources.batches(shard, read):
            for piece in pieces(batch):
                total += count_batch(piece, taxonomy, match, by, examples)
            if len(sample) < SAMPLE:
                texts = (text for text in batch.captions.to_pylist() if text and text.strip())
                sample += islice(texts, SAMPLE - len(sample))
    except Exception as error:  # whatever a library finds wrong with a file
        return sources.one_line(error)
    read.captions, read.empty, read.samples = total.captions, total.empty, sample[:SHOWN]
    kept = {kind: some.texts for kind, some in examples.items()}
    return replace(total, read=(read,), sample=tuple(sample), examples=kept)


def pieces(batch: Batch) -> Iterator[Batch]:
    """Parts of a batch, of at most so many captions, and so many bytes if there are several."""
    size = len(batch.captions)
    mean = max(1, batch.captions.nbytes // max(1, size))
    step = max(1, min(ROWS, BYTES // mean))
    for start in range(0, size, step):
        beside = {name: column.slice(start, step) for name, column in batch.beside.items()}
        yield Batch(batch.captions.slice(start, step), beside)
