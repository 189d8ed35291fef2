"""Captions counted: two engines on the same folded captions, whole files, and twenty millions."""

import os
import time
from itertools import pairwise

import numpy as np
import pytest

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # engines race on one core each
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")

from benchmarks import memory, synthetic_captions  # noqa: E402
from misalign import parallel as cluster  # noqa: E402
from misalign.coverage import lines  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.matcher import ROWS, Matcher  # noqa: E402
from misalign.coverage.taxonomy import Taxonomy  # noqa: E402

CAPTIONS, MILLIONS = 2_000_000, 20_000_000
MEMORY = 2**30  # bytes at most


class Polars(Matcher):
    """The same matcher on Polars, which gives strings that are looked up among the patterns."""

    def __init__(self, taxonomy):
        super().__init__(taxonomy)
        self.texts = [pattern.decode() for pattern in self.patterns]
        self.kind = pl.Enum(self.texts)

    def find_matches(self, data):
        texts = pl.Series(lines.captions(data))
        found = texts.str.extract_many(self.texts, overlapping=True)
        counts = found.list.len().to_numpy()
        words = found.explode(empty_as_null=False).cast(self.kind).to_physical().to_numpy()
        return words, np.repeat(np.arange(len(counts)), counts)


def pieces(texts):
    edges = [*range(0, len(texts), ROWS), len(texts)]
    return [texts.slice(start, stop - start) for start, stop in pairwise(edges)]


def bench_coverage_engines(benchmark, race):
    texts = pa.array(synthetic_captions.pool())
    parts = pieces(texts)
    ours, theirs = (kind(Taxonomy.read()) for kind in (Matcher, Polars))
    for part in parts:
        assert all(map(np.array_equal, ours(part), theirs(part)))
    raw = "\n".join(texts.to_pylist()).encode()
    table = bytes(range(256))
    benchmark.extra_info |= {"captions": len(texts), "bytes": len(raw) - len(texts) + 1}
    race(
        lambda: [*map(ours, parts)],
        {
            "polars": lambda: [*map(theirs, parts)],
            "folding": lambda: [*map(ours.normalize, parts)],
            "pass": lambda: raw.translate(table),
        },
        rounds=9,
    )


@pytest.mark.parametrize("workers", [1, 2])
def bench_coverage_files(benchmark, race, tmp_path, workers):
    files = synthetic_captions.shards(tmp_path, CAPTIONS)
    with cluster.connected(None, workers=workers, keep=True) as client:
        assert count(files, client=client).captions == CAPTIONS
        benchmark.extra_info |= {"captions": CAPTIONS, "bytes": sum(map(_bytes, files))}
        cpu = []

        def work():
            before = sum(client.run(time.process_time).values())
            count(files, client=client)
            cpu.append(sum(client.run(time.process_time).values()) - before)

        race(work, {}, rounds=7)
        benchmark.extra_info["cpu_seconds"] = min(cpu)


def _bytes(file):
    """Bytes of the text of a shard."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    return pc.sum(pc.binary_length(pq.read_table(file)["TEXT"])).as_py()


@pytest.mark.long
def bench_coverage_millions(benchmark, race, tmp_path):
    files, peaks = synthetic_captions.shards(tmp_path, MILLIONS), []
    call = ("misalign", "coverage", str(tmp_path), "--workers", "2")
    benchmark.extra_info |= {"captions": MILLIONS, "bytes": sum(map(_bytes, files))}
    race(lambda: peaks.append(memory.peak_tree(*call)), {}, rounds=1)
    benchmark.extra_info["peak"] = peaks[0]
    assert peaks[0] < MEMORY
