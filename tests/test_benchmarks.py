"""Benchmarks say what their data say, and race equals; nothing is timed here."""

import re

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import floors, memory, naive, report, tables
from benchmarks.run_batches import recipe, training, untrained
from misalign.objectives import sym_align_max_ent
from misalign.rng import generator_for
from misalign.run import Run
from misalign.worlds import mixing

TEXT = report.README.read_text(encoding="utf-8")


def test_page_is_filled_from_the_data():
    assert report.filled(TEXT, report.numbers(*report.stored())) == TEXT


def test_every_decimal_on_the_page_is_marked():
    unmarked = report.MARKED.sub("", TEXT)
    assert not re.search(r"\d\.\d", unmarked)


def test_recorded_bars_hold():
    faster, leaner = tables.bars(report.stored()[0])
    assert faster >= 4
    assert leaner >= 5
    *_, counted, millions, pictures = report.stored()
    (two,) = [row for row in counted["rows"] if row.get("workers") == 2]
    assert two["captions"] / two["seconds"]["ours"]["median"] >= 1e6
    assert millions["rows"][0]["captions"] == 20_000_000
    assert millions["rows"][0]["peak"] < 2**30


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_naive_objective_equals_ours(tau):
    z = [
        torch.randn(24, 3, generator=generator_for(0, name), dtype=torch.float64).requires_grad_()
        for name in "xt"
    ]
    values = [one(*z, tau=tau) for one in (sym_align_max_ent, naive.sym_align_max_ent)]
    assert_close(*values)
    assert_close(*(torch.autograd.grad(value, z) for value in values))


def test_memory_of_both_objectives():
    # tensors are counted, not timed: what is recorded on one machine is so on every other
    ours, other = (
        memory.peak_allocated(memory.objective(name, 512, 10)) for name in ("ours", "naive")
    )
    assert other >= 5 * ours
    assert other == pytest.approx(naive.expected_bytes(512, 10), rel=0.1)


def test_floor_of_the_objective_counts_its_products():
    work = memory.objective("ours", 64, 10)
    with FlopCounterMode(display=False) as counter:
        work()
    assert counter.get_total_flops() == floors.objective(64, 10)


@pytest.mark.parametrize("bias", ["selection", "perturbation"])
def test_floor_of_a_step_counts_its_products(bias, monkeypatch):
    monkeypatch.setattr(mixing, "DRAWS", 100)
    how = recipe("smoke", steps=1, prefetch_steps=1)
    fitted = untrained([Run(scale="smoke", bias=bias, setting=3)])
    with FlopCounterMode(display=False) as counter:
        training(fitted, how)()
    (one,) = fitted
    assert counter.get_total_flops() == floors.step(one.encoders, one.world, how)
