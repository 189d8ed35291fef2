"""Pictures a second of the two image worlds, against the lookups that they cannot do without."""

from unittest import mock

import pytest
import torch

from benchmarks.memory import peak_allocated
from misalign.rendering import causal3dident, mpi3d, trace
from misalign.rng import generator_for

# images a second that must be reached on two cores
BARS = {"mpi3d": (mpi3d, 64, 256, 400), "causal3dident": (causal3dident, 128, 96, 120)}


def scenes(world, n):
    """Uniform factors of n scenes."""
    generator = generator_for(0, "scenes")
    return {
        column.name: torch.randint(column.values, (n,), generator=generator)
        if column.values
        else torch.rand(n, generator=generator)
        for column in world.COLUMNS
    }


def lookups(render):
    """All lookups of a rendering, as one piece of work: nothing is skipped, nothing else done."""
    asked = []
    lookup = trace._lookup

    def noted(volume, points):
        asked.append((volume, points.clone()))
        return lookup(volume, points)

    with mock.patch.object(trace, "_lookup", noted):
        render()
    return asked, lambda: [lookup(*one) for one in asked]


@pytest.mark.parametrize("name", BARS)
def bench_scenes(benchmark, race, name):
    world, size, n, bar = BARS[name]
    factors, few = scenes(world, n), scenes(world, world.ROWS)

    def render():
        return world.render(factors, size=size)

    asked, floor = lookups(render)
    benchmark.extra_info |= {
        "images": n,
        "bar": bar,
        "lookups": sum(len(points) for _, points in asked),
        "memory": peak_allocated(lambda: world.render(few, size=size)),
    }
    race(render, {"lookups": floor}, 7)
