"""Training: one step in two precisions, and many runs in one program."""

import copy
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import floors, timing
from benchmarks.run_batches import SETTING, one_step, recipe, training, untrained
from misalign import Run, execute
from misalign.experiment import execute_all
from misalign.rng import generator_for
from misalign.studies import images
from misalign.training.step import draw

SEEDS = 30


def lined_up(fitted, how):
    """Trainings, and what each does but once: one of no step. The difference is the steps."""
    nothing = training(fitted, recipe("smoke", steps=0, muon_rate=how.muon_rate))
    return training(fitted, how), nothing


@pytest.mark.usefixtures("quick_worlds")
@pytest.mark.parametrize(("scale", "steps", "rounds"), [("laptop", 20, 7), ("gpu", 5, 3)])
def bench_step(benchmark, race, scale, steps, rounds):
    how = recipe(scale, steps=steps, prefetch_steps=5)
    fitted = untrained([Run(scale=scale, setting=SETTING)])
    ours, nothing = lined_up(fitted, how)
    low, _ = lined_up(fitted, recipe(scale, steps=steps, prefetch_steps=5, autocast=True))
    benchmark.extra_info |= {
        "steps": steps,
        "batch": how.batch_size,
        "operations": floors.step(fitted[0].encoders, fitted[0].world, how),
    }
    race(ours, {"nothing": nothing, "bfloat16": low}, rounds)


@pytest.mark.parametrize(("world", "rounds"), [("mpi3d", 7), ("causal3dident", 5)])
def bench_picture_step(benchmark, race, monkeypatch, world, rounds):
    """A step at scale `long`, of pictures of noise: what they show is of no consequence here."""
    monkeypatch.setattr(images, "pool", noise)
    latents = {"mpi3d": "independent", "causal3dident": "graph"}[world]
    run = Run(experiment=world, scale="long", latents=latents, setting=5)
    how = run.scale_config.recipe
    fitted = run.study.initial(replace(run, options={"warmup_steps": 0}), "cpu")
    fine = one_step(copy.deepcopy(fitted), replace(how, autocast=False), stacked=False)
    with FlopCounterMode(display=False) as counted:
        fine()
    benchmark.extra_info |= {"batch": how.batch_size, "operations": counted.get_total_flops()}
    left, right = torch.ones(2, timing.SIDE, timing.SIDE, dtype=torch.bfloat16)
    pairs = [(fitted.world, generator_for(0, "batches"))]
    rivals = {"float32": fine, "bfloat16 product": lambda: left @ right}
    rivals |= {"pairs": lambda: draw(pairs, how, "cpu")}
    race(one_step(fitted, how, stacked=False), rivals, rounds)


def noise(study, n, side, device):
    """Pictures with the factors of the study's own, but none of them rendered."""
    pictures = study.rendered(1024, side)
    pictures._kept = torch.randint(256, (1024, 3, side, side), dtype=torch.uint8)
    pictures._there.fill_(True)
    return pictures


@pytest.mark.usefixtures("quick_worlds")
@pytest.mark.parametrize(("runs", "settings"), [(1, 1), (2, 1), (5, 1), (10, 1), (30, 1), (30, 10)])
def bench_runs(benchmark, race, runs, settings):
    how = recipe("laptop", steps=10)
    # of one setting, so that one run costs as much as another; or of all ten, as in Figure 3
    which = [SETTING] if settings == 1 else list(range(1, settings + 1))
    fitted = untrained(Run.grid(setting=which, seed=list(range(runs // settings))))
    ours, nothing = lined_up(fitted, how)
    alone, alone_nothing = lined_up(untrained([Run(setting=SETTING)]), how)
    operations = sum(floors.step(one.encoders, one.world, how) for one in fitted)
    benchmark.extra_info |= {"steps": how.steps, "operations": operations}
    rivals = {"nothing": nothing, "alone": alone, "alone_nothing": alone_nothing}
    race(ours, rivals, 3 if runs > 5 else 7)


@pytest.mark.usefixtures("quick_worlds")
@pytest.mark.parametrize(("scale", "rounds"), [("laptop", 15), ("paper", 3)])
def bench_stacking(benchmark, race, scale, rounds):
    """What one run saves by not being a stack of one."""
    how = recipe(scale, steps=1, prefetch_steps=1)
    (fitted,) = untrained([Run(scale=scale, setting=SETTING)])
    operations = floors.step(fitted.encoders, fitted.world, how)
    benchmark.extra_info |= {"batch": how.batch_size, "operations": operations}
    stacked = one_step(copy.deepcopy(fitted), how, stacked=True)
    race(one_step(fitted, how, stacked=False), {"stacked": stacked}, rounds)


@pytest.mark.long
def bench_whole_runs(benchmark, race, request):
    scale = "smoke" if request.config.getoption("--quick") else "laptop"
    runs = Run.grid(scale=scale, setting=list(range(1, 11)))
    one_by_one = {"one_by_one": lambda: [execute(run) for run in runs]}
    benchmark.extra_info |= {"scale": scale, "runs": len(runs)}
    race(lambda: execute_all(runs), one_by_one, 1)
