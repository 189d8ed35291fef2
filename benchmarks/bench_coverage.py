"""Captions counted: two engines on the same folded captions, whole files, and twenty millions."""

import io
import os
import tarfile
import time
from itertools import pairwise

import numpy as np
import pytest

os.environ.setdefault("POLARS_MAX_THREADS", "1")  # engines race on one core each
pa = pytest.importorskip("pyarrow")
pl = pytest.importorskip("polars")
ahocorasick = pytest.importorskip("ahocorasick")

from benchmarks import memory, synthetic_captions  # noqa: E402
from misalign import parallel as cluster  # noqa: E402
from misalign.coverage.count import count  # noqa: E402
from misalign.coverage.matcher import ROWS, Matcher  # noqa: E402
from misalign.coverage.taxonomy import Taxonomy  # noqa: E402

CAPTIONS, MILLIONS = 2_000_000, 20_000_000
MEMORY = 2**30  # bytes at most


def pieces(texts):
    edges = [*range(0, len(texts), ROWS), len(texts)]
    return [texts.slice(start, stop - start) for start, stop in pairwise(edges)]


def polars_engine(patterns):
    """Terms of each line, as Polars finds them."""
    texts = [pattern.decode() for pattern in patterns]
    kind = pl.Enum(texts)

    def find(data):
        lines = pl.Series(data.decode().splitlines())
        found = lines.str.extract_many(texts, overlapping=True)
        return found.explode(empty_as_null=False).cast(kind).to_physical().to_numpy()

    return find


def pyahocorasick_engine(patterns):
    """Terms of a text, as the C library finds them for Python."""
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for i, pattern in enumerate(patterns):
        automaton.add_word(pattern.decode(), i)
    automaton.make_automaton()
    return lambda data: np.array([i for _, i in automaton.iter(data.decode())])


@pytest.mark.parametrize("terms", [0, 500_000])
def bench_coverage_engines(benchmark, race, terms):
    texts = pa.array(synthetic_captions.pool(20_000 if terms else synthetic_captions.POOL))
    parts = pieces(texts)
    own = synthetic_captions.taxonomy(terms) if terms else Taxonomy.read()
    ours = Matcher(own)
    normalized = [ours.normalize(part)[0] for part in parts]
    engines = {"polars": polars_engine, "pyahocorasick": pyahocorasick_engine}
    rivals = {name: make(ours.patterns) for name, make in engines.items()}
    for data in normalized:
        found = np.sort(ours.find_matches(data)[0])
        assert all(np.array_equal(found, np.sort(find(data))) for find in rivals.values())
    raw = "\n".join(texts.to_pylist()).encode()
    table = bytes(range(256))
    sizes = {"captions": len(texts), "bytes": len(raw) - len(texts) + 1}
    benchmark.extra_info |= sizes | {"patterns": len(ours.patterns)}
    race(
        lambda: [*map(ours.find_matches, normalized)],
        {name: lambda find=find: [*map(find, normalized)] for name, find in rivals.items()}
        | {
            "whole": lambda: [*map(ours, parts)],
            "folding": lambda: [*map(ours.normalize, parts)],
            "pass": lambda: raw.translate(table),
        },
        rounds=3 if terms else 9,
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


def bench_coverage_tar(benchmark, race, tmp_path):
    """Captions among pictures: the archive is read as fast as its bytes alone."""
    path, picture = tmp_path / "a.tar", os.urandom(50_000)
    texts = synthetic_captions.pool(4_000)
    with tarfile.open(path, "w") as archive:
        for i, text in enumerate(texts):
            for ending, data in (("jpg", picture), ("txt", text.encode())):
                member = tarfile.TarInfo(f"{i:06}.{ending}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    assert count([path]).captions == len(texts)
    benchmark.extra_info |= {"captions": len(texts), "bytes": path.stat().st_size}
    race(lambda: count([path]), {"pass": path.read_bytes}, rounds=5)
