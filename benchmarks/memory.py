"""Peak memory of a piece of work, counted in two ways that know nothing of each other.

`peak_allocated` sums torch's own allocations and releases: exact, and the same on a busy machine.
`peak_resident` asks the operating system about a fresh process: it also sees what torch's
libraries allocate for themselves, and counts pages, not tensors.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch.profiler import ProfilerActivity, profile

from misalign.paths import ROOT
from misalign.rng import generator_for

if TYPE_CHECKING:
    import psutil

OBJECTIVES = {"ours": "misalign.objectives", "naive": "benchmarks.naive"}


def objective(version: str, rows: int, width: int) -> Callable[[], tuple[torch.Tensor, ...]]:
    """Value and gradients of Eq. (2), in float32, for fixed representations of unit variance."""
    value = importlib.import_module(OBJECTIVES[version]).sym_align_max_ent
    z_x, z_t = (
        torch.randn(rows, width, generator=generator_for(0, name)).requires_grad_() for name in "xt"
    )

    def work() -> tuple[torch.Tensor, ...]:
        loss = value(z_x, z_t)
        return loss.detach(), *torch.autograd.grad(loss, (z_x, z_t))

    return work


def peak_allocated(work: Callable[[], object]) -> int:
    """Most bytes of CPU tensors that were alive at once and were not before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        work()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    moves = [(e["ts"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]"]
    return max(accumulate(size for _, size in sorted(moves, key=lambda move: move[0])))


def peak_resident(version: str, rows: int, width: int) -> int | None:
    """By how many bytes a fresh process grows at most; None where /proc does not say."""
    if not Path("/proc/self/status").exists():
        return None
    call = [sys.executable, "-m", "benchmarks.memory", version, str(rows), str(width)]
    answer = subprocess.run(call, check=True, capture_output=True, text=True, cwd=ROOT)
    return int(answer.stdout)


def peak_tree(module: str, *words: str) -> int:
    """Most resident bytes at once of a Python module's process and all that it starts.

    Sampled twenty times a second, and pages that processes share count for each of them.
    """
    import psutil

    call = [sys.executable, "-m", module, *words]
    peak = 0
    with subprocess.Popen(call, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, sum(_resident(one) for one in (root, *_below(root))))
            time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, call)
    return peak


def _below(process: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:  # it has just ended
        return []


def _resident(process: psutil.Process) -> int:
    import psutil

    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _high_water() -> int:
    # not ru_maxrss: it is handed down from the process that started this one
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])


def main(version: str, rows: str, width: str) -> None:
    """Print how far one evaluation raises this process's high-water mark."""
    objective(version, 8, 2)()  # loads what is loaded on first use
    work = objective(version, int(rows), int(width))
    before = _high_water()
    work()
    print(_high_water() - before)


if __name__ == "__main__":
    main(*sys.argv[1:])
