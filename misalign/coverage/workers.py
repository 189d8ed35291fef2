"""Shards as tasks, which may be done anywhere and again, as by the workers of Dask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from misalign.coverage import files as sources
from misalign.coverage.count_batch import count_batch
from misalign.coverage.counts import Counts
from misalign.coverage.files import Batch, Shard
from misalign.coverage.matcher import BYTES, ROWS
from misalign.coverage.taxonomy import Taxonomy
from misalign.errors import invalid

if TYPE_CHECKING:
    from distributed import Client, Future


def run_on_dask(
    shards: Iterable[Shard], taxonomy: Taxonomy, match: str, client: Client
) -> Iterator[tuple[Shard, Counts | str]]:
    """Count shards on the workers of a Dask scheduler.

    Dask itself starts a shard again, up to three times, when its worker dies. It blames whatever
    waited on that worker too, so shards that it gives up are tried once more, each alone. If the
    scheduler goes away, that is a ConnectionError.
    """
    from distributed import KilledWorker, as_completed

    def submitted(shard: Shard) -> Future:
        whole = replace(shard, file=shard.file.resolve())  # workers may run in another folder
        # not pure: the file may have changed since the same shard was counted
        return client.submit(attempt, whole, taxonomy, match, pure=False)

    futures = {submitted(shard): shard for shard in shards}
    blamed = []
    for future in as_completed(futures):
        shard = futures.pop(future)
        try:
            yield shard, _result(future)
        except KilledWorker:
            blamed.append(shard)
    for shard in blamed:
        try:
            yield shard, _result(submitted(shard))
        except KilledWorker as failure:
            yield shard, sources.one_line(failure)


def _result(future: Future) -> Counts | str:
    """What a shard's count has come to; raises if the scheduler, or every worker, went away."""
    from concurrent.futures import CancelledError

    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker:
        raise
    except CancelledError:
        raise invalid(
            "scheduler", "it to stay until the end", "no answer", ConnectionError
        ) from None
    except Exception as failure:  # such as a worker without the packages
        return sources.one_line(failure)


def attempt(shard: Shard, taxonomy: Taxonomy, match: str) -> Counts | str:
    """Count a shard, or say in one line why it could not be read."""
    total = Counts.zero(taxonomy, match)
    try:
        for batch in sources.batches(shard):
            for piece in _pieces(batch):
                total += count_batch(piece, taxonomy, match)
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
