"""Eq. (2) with its gradient against a naive version: time, memory and their growth."""

from pathlib import Path

import pytest
from torch.testing import assert_close

from benchmarks import floors
from benchmarks.memory import objective, peak_allocated, peak_resident
from benchmarks.naive import expected_bytes
from benchmarks.timing import copying

LIMIT = 12 * 2**30
BAR = (2048, 10)
SIZES = [(512, 10), (2048, 10), (6144, 10), (2048, 2), (2048, 5), (2048, 20), (2048, 40)]


def available() -> int:
    """Bytes that may be asked for: what is free, less a third for others; no more than 12 GiB."""
    meminfo = Path("/proc/meminfo")
    lines = meminfo.read_text().splitlines() if meminfo.exists() else []
    free = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")]
    return min([LIMIT, *(size * 2 // 3 for size in free)])


@pytest.mark.parametrize(("rows", "width"), SIZES)
def bench_objective(benchmark, race, rows, width):
    fits = expected_bytes(rows, width) <= available()
    ours = objective("ours", rows, width)
    rivals = {"naive": objective("naive", rows, width)} if fits else {}
    memory = {"ours": peak_allocated(ours)}
    if fits:
        for mine, other in zip(ours(), rivals["naive"](), strict=True):
            assert_close(mine, other, rtol=1e-3, atol=1e-6)
        memory["naive"] = peak_allocated(rivals["naive"])
    if (rows, width) == BAR:
        memory |= {f"{version}_resident": peak_resident(version, rows, width) for version in memory}
    benchmark.extra_info |= {
        "memory": memory,
        "operations": floors.objective(rows, width),
        "copies": floors.objective_copies(),
    }
    size = expected_bytes(rows, width) / 2**30
    rounds = 7 if size <= 1 else 3 if size <= 4 else 2
    race(ours, {**rivals, "copy": copying(rows * rows)}, rounds)
