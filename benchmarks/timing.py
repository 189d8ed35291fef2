"""Time ours and its rivals in turns, so that all meet the same moods of a shared machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:  # the tests use this module and do without the package
    from pytest_benchmark.fixture import BenchmarkFixture

SIDE = 2048  # of the product that measures the machine's matrix rate
PRODUCT = 2 * SIDE**3  # its operations


def race(
    benchmark: BenchmarkFixture,
    ours: Callable[[], object],
    rivals: dict[str, Callable[[], object]],
    rounds: int,
) -> dict[str, list[float]]:
    """Time ours, and before each round of it every rival once.

    Rivals' seconds go to the benchmark's `extra_info`, with those of the product of two matrices
    of 2048 rows: the machine's matrix rate of the moment. A first round warms up and is dropped,
    unless there is but one.
    """
    left, right = torch.ones(2, SIDE, SIDE)
    contestants = {**rivals, "product": lambda: left @ right}
    seconds = {name: [] for name in contestants}

    def setup() -> None:
        for name, rival in contestants.items():
            started = time.perf_counter()
            rival()
            seconds[name].append(time.perf_counter() - started)

    warmups = int(rounds > 1)
    benchmark.pedantic(ours, setup=setup, rounds=rounds, warmup_rounds=warmups)
    seconds = {name: all_rounds[warmups:] for name, all_rounds in seconds.items()}
    benchmark.extra_info["rivals"] = seconds
    return seconds


def copying(elements: int) -> Callable[[], object]:
    """A copy of so many numbers, from array to array: what this size costs at best to move."""
    source, target = torch.ones(elements), torch.ones(elements)
    return lambda: target.copy_(source)
