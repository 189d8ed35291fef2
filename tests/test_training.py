"""The training loop: pace, clipping, progress, and a killed run that ends as if never killed."""

import copy
import io
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim.optimizer import register_optimizer_step_pre_hook

from misalign.bias import Bias
from misalign.encoders.mlp import MLP, numerical_encoder
from misalign.objectives import mmcl, sym_align_max_ent
from misalign.paths import WRITER
from misalign.rng import generator_for
from misalign.training.loop import train, train_many
from misalign.training.recipe import OBJECTIVES, Recipe
from misalign.training.step import clip
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import NumericalWorld

RECIPE = Recipe(
    steps=30,
    batch_size=32,
    learning_rate=2e-2,
    muon_rate=0.1,
    warmup=0.2,
    decay=True,
    prefetch_steps=1,
)


def tiny_world() -> NumericalWorld:
    """Three factors, two in captions, mixed by random rotations."""
    one, three = torch.eye(1, dtype=torch.float64), torch.eye(3, dtype=torch.float64)
    turns = [
        torch.linalg.qr(torch.randn(d, d, generator=generator_for(0, "turn", d))).Q.contiguous()
        for d in (4, 3)
    ]
    return NumericalWorld(
        bias=Bias(3, (1, 2)),
        **{"sigma_s": three, "sigma_eps": three, "sigma_m_x": one, "sigma_m_t": one},
        **{"g_x": Mixing((turns[0],)), "g_t": Mixing((turns[1],))},
    )


def make_encoders(world: NumericalWorld) -> nn.ModuleDict:
    sample = world.sample(500, generator=generator_for(0, "scales"))
    options = {"hidden": (8, 8), "whiten": True, "standardize": True}
    return nn.ModuleDict(
        {
            name: numerical_encoder(observed, 2, **options, generator=generator_for(0, name))
            for name, observed in (("image", sample.image), ("text", sample.text))
        }
    )


class Interrupted(Exception):
    """Stands for whatever ends a run early."""


class SigLIP(nn.Module):
    """Pairwise sigmoid loss with a temperature and a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.log_scale, self.bias = (nn.Parameter(torch.tensor(v)) for v in (1.0, -2.0))

    def forward(self, z_x, z_t):
        cosines = functional.normalize(z_x, dim=1) @ functional.normalize(z_t, dim=1).mT
        signs = 2 * torch.eye(len(z_x)) - 1
        return -functional.logsigmoid(signs * (self.log_scale.exp() * cosines + self.bias)).mean()


class Watched:
    """The tiny world, with a call before the batch of some step."""

    def __init__(self, step: int, call) -> None:
        self.world, self.step, self.call, self.drawn = tiny_world(), step, call, 0
        self.bias, self.factors = self.world.bias, self.world.factors

    def sample(self, n, **options):
        if self.drawn == self.step:
            self.call()
        self.drawn += 1
        return self.world.sample(n, **options)


def run_tiny(recipe=RECIPE, world=None, run="a", **options):
    """Losses, weights and buffers of a training of the tiny world."""
    options["run"] = run
    encoders = make_encoders(tiny_world())
    generator = generator_for(0, "batches")
    losses = train(encoders, world or tiny_world(), recipe, generator=generator, **options)
    return losses, encoders.state_dict()


@cache
def uninterrupted(recipe=RECIPE):
    """What a run ends with that nothing disturbs."""
    return run_tiny(recipe)


def interrupt(path: Path, step: int, recipe=RECIPE, **options) -> None:
    def stop():
        raise Interrupted

    with pytest.raises(Interrupted):
        run_tiny(recipe, Watched(step, stop), checkpoint=path, **options)


def assert_same(one, other):
    assert torch.equal(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for name, value in one[1].items():
        assert torch.equal(value, other[1][name]), name


# ---- recipe


def test_rates_rise_through_the_warm_up_and_fall_to_0():
    recipe = Recipe(steps=100, batch_size=2, learning_rate=1, warmup=0.1, decay=True)
    pace = [recipe.lr_factor(step) for step in range(100)]
    assert pace[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert pace[10:] == pytest.approx([(100 - i) / 90 for i in range(10, 100)])


def test_rates_stay_put_without_warm_up_and_decay():
    recipe = Recipe(steps=7, batch_size=2, learning_rate=1)
    assert [recipe.lr_factor(step) for step in range(7)] == [1] * 7


def test_optimizers_step_at_the_pace_of_the_recipe():
    seen = []
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.extend(group["lr"] for group in optimizer.param_groups)
    )
    try:
        run_tiny()
    finally:
        handle.remove()
    expected = [rate * RECIPE.lr_factor(step) for step in range(30) for rate in (2e-2, 0.1, 0.1)]
    assert seen == pytest.approx(expected)


def test_without_a_rate_for_muon_adam_trains_everything():
    seen = set()
    handle = register_optimizer_step_pre_hook(
        lambda optimizer, *_: seen.add(
            (type(optimizer).__name__, sum(len(g["params"]) for g in optimizer.param_groups))
        )
    )
    try:
        run_tiny(replace(RECIPE, steps=1, muon_rate=None))
        run_tiny(replace(RECIPE, steps=1))
    finally:
        handle.remove()
    # two encoders of three layers, weights and biases but for the last; one hidden matrix each
    assert seen == {("Adam", 10), ("Adam", 8), ("Muon", 2)}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("steps", -1, "a whole number of at least 0"),
        ("steps", 1.5, "a whole number of at least 0"),
        ("batch_size", 1, "a whole number of at least 2"),
        ("learning_rate", 0.0, "a number above 0"),
        ("muon_rate", -0.1, "a number above 0"),
        ("max_grad_norm", -1.0, "a number above 0"),
        ("tau", 0.0, "a number above 0"),
        ("warmup", 1.0, "a share of at least 0 and below 1"),
        ("prefetch_steps", 0, "a whole number of at least 1"),
        ("objective", "clip", "'sym_align_max_ent', 'mmcl', 'nt_xent', or a callable"),
        ("objective", 3, "'sym_align_max_ent', 'mmcl', 'nt_xent', or a callable"),
    ],
)
def test_recipe_refuses(complains, field, value, expected):
    with complains(field, expected, str(value)):
        replace(RECIPE, **{field: value})


def test_only_eq_2_takes_a_second_batch(complains):
    with complains("second_batch", "sym_align_max_ent alone has it", "True"):
        replace(RECIPE, objective="mmcl", second_batch=True)
    with complains("second_batch", "sym_align_max_ent alone has it", "True"):
        replace(RECIPE, objective=mmcl, second_batch=True)


def test_only_eq_2_has_no_floor(complains):
    with complains("floor", "sym_align_max_ent alone has it", "False"):
        replace(RECIPE, objective="nt_xent", floor=False)


def test_temperature_moves_by_equal_factors_and_then_stays():
    recipe = replace(RECIPE, steps=100, tau=0.4, first_tau=0.1)
    taus = [recipe.tau_at(step) for step in range(100)]
    assert taus[0] == pytest.approx(0.1) and taus[40] == pytest.approx(0.2)
    assert taus[80:] == pytest.approx([0.4] * 20)
    assert {replace(recipe, first_tau=None).tau_at(step) for step in range(100)} == {0.4}


def test_the_temperature_of_a_step_is_that_of_its_loss():
    warming = replace(RECIPE, tau=1.0, first_tau=0.01)
    start, end = (replace(RECIPE, tau=tau) for tau in (0.01, 1.0))
    losses = {name: run_tiny(one)[0] for name, one in (("w", warming), ("s", start), ("e", end))}
    assert losses["w"][0] == losses["s"][0] != losses["e"][0]


def test_recipe_takes_numpy_s_integers_as_int():
    counts = {"steps": np.int64(3), "batch_size": np.uint8(8), "prefetch_steps": np.int32(1)}
    recipe = replace(RECIPE, **counts)
    assert recipe == replace(RECIPE, **{name: int(value) for name, value in counts.items()})
    assert recipe.fingerprint() == replace(RECIPE, steps=3, batch_size=8).fingerprint()
    assert len(run_tiny(recipe)[0]) == 3


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("mmcl", "objective='mmcl'"),
        (mmcl, "objective=<function mmcl>"),
        (partial(mmcl, tau=0.1), "objective=functools.partial(<function mmcl>, tau=0.1)"),
        (SigLIP().forward, "objective=<bound method SigLIP.forward of SigLIP()>"),
        (nn.Sequential(SigLIP()), "objective=Sequential( (0): SigLIP() )"),
    ],
)
def test_a_recipe_of_any_objective_is_hashable_and_told_without_addresses(objective, expected):
    recipe = replace(RECIPE, objective=objective)
    assert hash(recipe) == hash(replace(RECIPE, objective=objective))
    assert expected in recipe.fingerprint()
    assert "learning_rate=0.02" in recipe.fingerprint()
    assert " at 0x" not in recipe.fingerprint()


# ---- the loop


def test_gradient_is_clipped_over_all_encoders_together():
    norms = {}

    def record(optimizer, *_):
        squares = [p.grad.square().sum() for g in optimizer.param_groups for p in g["params"]]
        norms.setdefault(type(optimizer).__name__, []).append(sum(squares))

    handle = register_optimizer_step_pre_hook(record)
    try:
        run_tiny(replace(RECIPE, max_grad_norm=1e-3))
    finally:
        handle.remove()
    whole = (torch.stack(norms["Adam"]) + torch.stack(norms["Muon"])).sqrt()
    assert len(whole) == 30
    torch.testing.assert_close(whole, torch.full((30,), 1e-3), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("objective", "second_batch"),
    [*((name, False) for name in OBJECTIVES), ("sym_align_max_ent", True)],
)
def test_loss_goes_down(objective, second_batch):
    recipe = replace(RECIPE, steps=60, objective=objective, second_batch=second_batch)
    losses, _ = run_tiny(recipe)
    assert losses.shape == (60,)
    assert losses[-5:].mean() < losses[:5].mean() - 0.2


@pytest.mark.parametrize("second_batch", [False, True])
def test_first_loss_is_the_objective_on_the_first_batch(second_batch):
    encoders, world, generator = (
        make_encoders(tiny_world()),
        tiny_world(),
        generator_for(0, "batches"),
    )
    batch = world.sample(32 * (1 + second_batch), generator=generator)
    z_x, z_t = (
        encoders.train()[name](getattr(batch, name)).split(32) for name in ("image", "text")
    )
    others = (z_x[1], z_t[1]) if second_batch else ()
    expected = sym_align_max_ent(z_x[0], z_t[0], *others)
    losses, _ = run_tiny(replace(RECIPE, second_batch=second_batch))
    torch.testing.assert_close(losses[0], expected.detach())


def test_objective_and_temperature_of_the_recipe_are_used():
    encoders = make_encoders(tiny_world()).train()
    batch = tiny_world().sample(32, generator=generator_for(0, "batches"))
    expected = mmcl(encoders["image"](batch.image), encoders["text"](batch.text), tau=0.5)
    losses, _ = run_tiny(replace(RECIPE, objective="mmcl", tau=0.5))
    torch.testing.assert_close(losses[0], expected.detach())


def test_training_repeats_with_its_streams():
    assert_same(run_tiny(), uninterrupted())


def test_training_leaves_encoders_in_evaluation():
    encoders = make_encoders(tiny_world())
    losses = train(
        encoders, tiny_world(), replace(RECIPE, steps=0), generator=generator_for(0, "b")
    )
    assert len(losses) == 0
    assert not any(part.training for part in encoders.modules())


def test_training_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    run_tiny(replace(RECIPE, steps=2))
    assert torch.equal(torch.get_rng_state(), before)


def test_clipping_is_each_runs_own():
    # two gradients, one long, one short, in one stack
    gradients = [torch.tensor([[[3.0, 0.0]], [[0.1, 0.0]]]), torch.tensor([[[4.0]], [[0.1]]])]
    clip(gradients, 1.0, leading=1)
    norms = sum(gradient.square().sum((1, 2)) for gradient in gradients).sqrt()
    torch.testing.assert_close(norms, torch.tensor([1.0, 0.02**0.5]))


def test_runs_of_a_batch_train_as_each_would_alone():
    worlds = [tiny_world(), Watched(-1, None)]
    encoders = [make_encoders(tiny_world()) for _ in worlds]
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    losses = train_many(encoders, worlds, RECIPE, generators, runs=["a", "b"])
    alone, weights = run_tiny()
    assert losses.shape == (2, 30)
    torch.testing.assert_close(losses[0], alone, atol=1e-4, rtol=0)
    assert not torch.allclose(losses[0], losses[1])
    for name, value in encoders[0].state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=1e-2, rtol=1e-2)


def test_a_batch_names_the_run_that_breaks(complains):
    class Broken(Watched):
        def sample(self, n, **options):
            batch = self.world.sample(n, **options)
            return replace(batch, image=batch.image * torch.nan)

    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    with complains("loss", "a finite number", "nan at step 29 of run b", FloatingPointError):
        train_many(encoders, [tiny_world(), Broken(0, None)], RECIPE, generators, runs="ab")


def test_a_batch_of_runs_needs_one_of_each(complains):
    with complains("runs", "as many names", "1 encoders, 1 worlds, 2 generators"):
        generators = [generator_for(seed, "batches") for seed in (0, 1)]
        train_many([make_encoders(tiny_world())], [tiny_world()], RECIPE, generators)


def test_batches_drawn_ahead_are_used_in_order():
    drawn = tiny_world().sample(32 * 3, generator=generator_for(0, "batches"))
    encoders = make_encoders(tiny_world()).train()
    expected = sym_align_max_ent(
        encoders["image"](drawn.image[:32]), encoders["text"](drawn.text[:32])
    )
    world = Watched(-1, None)
    losses, _ = run_tiny(replace(RECIPE, steps=7, prefetch_steps=3), world=world, every=3)
    torch.testing.assert_close(losses[0], expected.detach())
    assert world.drawn == 3


def test_checkpoints_fall_between_draws(complains):
    with complains("every", "a multiple of 3 (prefetch_steps)", "5"):
        run_tiny(replace(RECIPE, prefetch_steps=3), every=5)


def test_loss_that_is_no_number_stops_the_run(complains):
    class Broken(Watched):
        def sample(self, n, **options):
            batch = self.world.sample(n, **options)
            return replace(batch, image=batch.image * torch.nan)

    world = Broken(0, None)
    with complains("loss", "a finite number", "nan at step 29", FloatingPointError):
        run_tiny(world=world)
    with complains("loss", "a finite number", "nan at step 4", FloatingPointError):
        run_tiny(world=world, every=5)


def test_nothing_is_printed_where_no_terminal_is(capfd):
    run_tiny(replace(RECIPE, steps=3))
    assert capfd.readouterr() == ("", "")


def test_a_terminal_sees_a_bar(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    run_tiny(replace(RECIPE, steps=3))
    assert "training" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_autocast_leaves_the_world_in_float32():
    kinds = set()

    class Spy(Watched):
        def sample(self, n, **options):
            batch = self.world.sample(n, **options)
            kinds.update({batch.image.dtype, batch.text.dtype})
            return batch

    run_tiny(replace(RECIPE, steps=1, autocast=True), Spy(0, None))
    assert kinds == {torch.float32}


# ---- any module, any objective


def train_plain(encoders, steps=30, **changes):
    """Losses of a training of modules that see 4 numbers of images and 3 of texts."""
    recipe = replace(RECIPE, steps=steps, muon_rate=None, **changes)
    return train(encoders, tiny_world(), recipe, generator=generator_for(0, "batches"))


def linear_pair() -> dict[str, nn.Module]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return {"image": nn.Linear(4, 2), "text": nn.Linear(3, 2)}


def seeing_rows(size: int) -> nn.Module:
    """A convolution over a row of numbers, with batch norm."""
    parts = [nn.Unflatten(1, (1, size)), nn.Conv1d(1, 3, 3, padding=1), nn.BatchNorm1d(3)]
    return nn.Sequential(*parts, nn.ReLU(), nn.Flatten(), nn.Linear(3 * size, 2))


def test_one_linear_layer_trains():
    losses = train_plain(linear_pair(), steps=60)
    assert losses[-5:].mean() < losses[:5].mean() - 0.1


def test_training_is_that_of_a_plain_loop():
    ours, naive = linear_pair(), linear_pair()
    losses = train_plain(ours, steps=5, warmup=0, decay=False)
    weights = [weight for module in naive.values() for weight in module.parameters()]
    optimizer = torch.optim.Adam(weights, RECIPE.learning_rate)
    world, generator = tiny_world(), generator_for(0, "batches")
    for loss in losses:
        batch = world.sample(32, generator=generator)
        expected = sym_align_max_ent(naive["image"](batch.image), naive["text"](batch.text))
        optimizer.zero_grad()
        expected.backward()
        nn.utils.clip_grad_norm_(weights, RECIPE.max_grad_norm)
        optimizer.step()
        torch.testing.assert_close(loss, expected.detach())
    for name, module in naive.items():
        torch.testing.assert_close(ours[name].state_dict(), module.state_dict())


def test_convolutions_with_batch_norm_train_and_keep_their_moments():
    encoders = nn.ModuleDict({"image": seeing_rows(4), "text": seeing_rows(3)})
    losses = train_plain(encoders, steps=60)
    assert losses[-5:].mean() < losses[:5].mean() - 0.1
    assert encoders["image"][2].num_batches_tracked == 60
    assert not any(part.training for part in encoders.modules())
    assert all(weight.grad is None for weight in encoders.parameters())


def test_frozen_and_unused_parameters_stay_and_shared_ones_stay_shared():
    head = nn.Linear(2, 2)
    encoders = {name: nn.Sequential(part, head) for name, part in linear_pair().items()}
    encoders["text"][0].requires_grad_(False)
    encoders["image"].unused = nn.Linear(7, 7)
    encoders["image"].forward = lambda x, both=encoders["image"]: both[1](both[0](x))
    before = {n: copy.deepcopy(part.state_dict()) for n, part in encoders.items()}
    train_plain(encoders)
    after = {n: part.state_dict() for n, part in encoders.items()}
    moved = {
        f"{n} {name}"
        for n in after
        for name in after[n]
        if (after[n][name] != before[n][name]).any()
    }
    # an offset of both sides changes no distance
    assert moved - {"image 1.bias", "text 1.bias"} == {
        *("image 0.weight", "image 0.bias"),
        *("image 1.weight", "text 1.weight"),
    }
    assert encoders["image"][1].weight is encoders["text"][1].weight


def test_one_module_may_encode_both_modalities():
    class Square(Watched):
        def sample(self, n, **options):
            batch = self.world.sample(n, **options)
            return replace(batch, text=batch.image * 2)

    both = nn.Linear(4, 2)
    before = both.weight.detach().clone()
    train({"image": both, "text": both}, Square(0, None), RECIPE, generator=generator_for(0, "b"))
    assert not torch.equal(both.weight, before)


def test_modules_with_nothing_to_train_are_refused(complains):
    with complains("encoders", "parameters to train", "none that requires a gradient"):
        train_plain({"image": nn.Identity(), "text": nn.Identity()})
    with complains("encoders", "an 'image' and a 'text' encoder", "image"):
        train_plain({"image": nn.Identity()})


def test_one_run_trains_as_it_does_in_a_stack_of_two():
    # the same run twice: the stacked path, which one run alone does not take
    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    generators = [generator_for(0, "batches") for _ in encoders]
    losses = train_many(encoders, [tiny_world()] * 2, RECIPE, generators, runs="ab")
    alone, weights = run_tiny()
    for part in losses:
        torch.testing.assert_close(part, alone, atol=1e-4, rtol=0)
    for name, value in encoders[1].state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=1e-2, rtol=1e-2)


def test_one_run_of_many_is_train_to_the_bit():
    encoders = make_encoders(tiny_world())
    generators = [generator_for(0, "batches")]
    losses = train_many([encoders], [tiny_world()], RECIPE, generators)
    assert_same((losses[0], encoders.state_dict()), uninterrupted())


@pytest.mark.parametrize(
    ("make", "got"),
    [
        (linear_pair, "Linear"),
        (lambda: {"image": seeing_rows(4), "text": seeing_rows(3)}, "BatchNorm1d, Conv1d, Linear"),
        (lambda: dict.fromkeys(("image", "text"), MLP(4, 2, (), generator=generator_for(0, "w"))),
         "shared parameters"),
    ],
)  # fmt: skip
def test_several_runs_of_modules_that_do_not_stack_are_refused(complains, make, got):
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    with complains("encoders", "all their tensors matrices (train others one by one)", got):
        train_many([make(), make()], [tiny_world()] * 2, RECIPE, generators, runs="ab")


def test_frozen_parameters_of_a_stack_stay():
    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    for pair in encoders:
        pair["text"].requires_grad_(False)
    before = copy.deepcopy(encoders[0].state_dict())
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    train_many(encoders, [tiny_world()] * 2, RECIPE, generators, runs="ab")
    for name, value in encoders[0].named_parameters():
        assert torch.equal(value, before[name]) == (not value.requires_grad), name


def test_objective_may_be_any_callable_which_has_its_own_temperature():
    cosine = partial(mmcl, similarity="cosine", tau=0.5)
    encoders = make_encoders(tiny_world()).train()
    batch = tiny_world().sample(32, generator=generator_for(0, "batches"))
    expected = cosine(encoders["image"](batch.image), encoders["text"](batch.text))
    losses, _ = run_tiny(replace(RECIPE, objective=cosine, tau=7.0))
    torch.testing.assert_close(losses[0], expected.detach())
    assert_same(
        run_tiny(replace(RECIPE, objective=mmcl)), run_tiny(replace(RECIPE, objective="mmcl"))
    )


def test_callable_objective_serves_every_run_of_a_stack():
    def objective(z_x, z_t):  # knows nothing of leading dimensions
        assert z_x.shape == z_t.shape == (32, 2)
        return (z_x - z_t).square().sum(1).mean() - z_x.std()

    recipe = replace(RECIPE, objective=objective)
    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    losses = train_many(encoders, [tiny_world()] * 2, recipe, generators, runs="ab")
    torch.testing.assert_close(losses[0], run_tiny(recipe)[0], atol=1e-4, rtol=0)


def test_an_objective_s_own_parameters_are_trained_and_resumed(tmp_path):
    path, straight, resumed = tmp_path / "run.pt", SigLIP(), SigLIP()
    recipe = replace(RECIPE, objective=straight)
    expected = run_tiny(recipe)
    assert straight.log_scale != 1.0
    assert straight.bias != -2.0
    assert not straight.training
    interrupt(path, 12, replace(RECIPE, objective=SigLIP()), every=5)
    # a process of its own starts from a new objective
    assert_same(run_tiny(replace(RECIPE, objective=resumed), checkpoint=path, every=5), expected)
    torch.testing.assert_close(resumed.state_dict(), straight.state_dict(), atol=0, rtol=0)


def test_several_runs_cannot_share_an_objective_s_parameters(complains):
    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    generators = [generator_for(seed, "batches") for seed in (0, 1)]
    recipe = replace(RECIPE, objective=SigLIP())
    with complains("objective", "for several runs (train them one by one)", "SigLIP"):
        train_many(encoders, [tiny_world()] * 2, recipe, generators, runs="ab")


@pytest.mark.parametrize(
    ("objective", "got"),
    [
        (lambda z_x, z_t: (z_x - z_t).square().sum(1), "(32,)"),
        (lambda z_x, z_t: 1.0, "float"),
        (lambda z_x, z_t: z_x.detach().sum(), "()"),
    ],
)
def test_an_objective_gives_one_number_that_has_a_gradient(complains, objective, got):
    with complains("objective", "a scalar loss with a gradient", got):
        run_tiny(replace(RECIPE, objective=objective))


# ---- checkpoints


@pytest.mark.parametrize("second_batch", [False, True])
@pytest.mark.parametrize("step", [5, 12, 29])
def test_interrupted_run_ends_as_one_that_was_not(tmp_path, step, second_batch):
    recipe = replace(RECIPE, second_batch=second_batch)
    path = tmp_path / "run.pt"
    interrupt(path, step, recipe, every=5, run="a")
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
    resumed = run_tiny(recipe, checkpoint=path, every=5, run="a")
    assert_same(resumed, uninterrupted(recipe))
    assert list(tmp_path.iterdir()) == []


def test_resumed_run_does_not_repeat_finished_steps(tmp_path):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    world = Watched(-1, None)
    run_tiny(world=world, checkpoint=path, every=5)
    assert world.drawn == 20


def test_run_may_be_interrupted_again_and_again(tmp_path):
    path = tmp_path / "run.pt"
    for _ in range(4):
        interrupt(path, 7, every=5)
    assert_same(run_tiny(checkpoint=path, every=5), uninterrupted())


def block_for_ever() -> None:
    print("waiting", flush=True)
    sys.stdin.read()


def test_killed_run_ends_as_one_that_was_not(tmp_path):
    path = tmp_path / "run.pt"
    program = (
        "import sys, torch; torch.set_num_threads(1)\n"
        "from pathlib import Path; import test_training as t\n"
        "t.run_tiny(world=t.Watched(13, t.block_for_ever), checkpoint=Path(sys.argv[1]), every=5)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", program, str(path)]
    with subprocess.Popen(command, **pipes, env=environment) as child:
        assert child.stdout.readline() == "waiting\n"  # in the middle of step 13
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL
    assert path.exists()
    world = Watched(-1, None)
    assert_same(run_tiny(world=world, checkpoint=path, every=5), uninterrupted())
    assert world.drawn == 20
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_of_another_run_is_refused(tmp_path, complains):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5, run="one")
    with complains("checkpoint", f"one of run two in {path}", "run one"):
        run_tiny(checkpoint=path, run="two")
    assert path.exists()


def test_checkpoint_needs_the_name_of_its_run(tmp_path, complains):
    with complains("run", "a name, which the checkpoint keeps", "''"):
        run_tiny(checkpoint=tmp_path / "run.pt", run="")


def test_checkpoint_of_another_recipe_or_network_is_refused(tmp_path, complains):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    with complains("checkpoint", "learning_rate=0.5", "learning_rate=0.02"):
        run_tiny(replace(RECIPE, learning_rate=0.5), checkpoint=path, every=5)
    options = {"hidden": (4, 4), "whiten": True, "standardize": True}
    sample = tiny_world().sample(500, generator=generator_for(0, "scales"))
    other = nn.ModuleDict(
        {
            name: numerical_encoder(
                getattr(sample, name), 2, **options, generator=generator_for(0, name)
            )
            for name in ("image", "text")
        }
    )
    with complains("checkpoint", "networks", "(8, 8)"):
        options = {"checkpoint": path, "every": 5, "run": "a"}
        train(other, tiny_world(), RECIPE, generator=generator_for(0, "batches"), **options)
    assert path.exists()


def expect_fresh_start(path: Path, content: bytes, reason: str) -> None:
    """A run beside a useless file sets it aside, says so in a line, and ends as any other."""
    with pytest.warns(UserWarning, match="^checkpoint: expected a whole file") as caught:
        assert_same(run_tiny(checkpoint=path, every=5), uninterrupted())
    (message,) = [str(warning.message) for warning in caught]
    aside = path.with_name("run.pt.damaged")
    assert "\n" not in message
    assert reason in message
    assert str(aside) in message
    assert aside.read_bytes() == content
    assert list(path.parent.iterdir()) == [aside]


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"hello", *(share / 16 for share in range(1, 16))],
    ids=lambda content: str(content),
)
def test_damaged_checkpoint_is_set_aside(tmp_path, content):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    whole = path.read_bytes()
    # where a file is cut decides which error torch's reader meets first
    cut = whole[: int(len(whole) * content)] if isinstance(content, float) else content
    path.write_bytes(cut)
    expect_fresh_start(path, cut, "cannot be read")


@pytest.mark.parametrize("key", ["run", "recipe", "step", "encoders", "optimizers", "losses"])
def test_checkpoint_that_lacks_a_part_is_set_aside(tmp_path, key):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    content = torch.load(path, weights_only=True)
    del content[key]
    torch.save(content, path)
    expect_fresh_start(path, path.read_bytes(), f"one without {key};")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("optimizers", []), ("optimizers", [{}, {}]), ("generators", [])),
        *(("losses", torch.zeros(2, 1)), ("step", 999), ("step", 0)),
    ],
    ids=str,
)
def test_checkpoint_whose_parts_do_not_fit_is_set_aside(tmp_path, key, value):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    torch.save(torch.load(path, weights_only=True) | {key: value}, path)
    expect_fresh_start(path, path.read_bytes(), "whose parts do not fit")


def test_checkpoint_of_weights_that_are_no_numbers_is_set_aside(tmp_path):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    content = torch.load(path, weights_only=True)
    next(iter(content["encoders"].values())).fill_(torch.nan)
    torch.save(content, path)
    expect_fresh_start(path, path.read_bytes(), "whose parts do not fit")


def test_file_that_holds_no_run_is_set_aside_in_place_of_an_older_one(tmp_path):
    path = tmp_path / "run.pt"
    path.with_name("run.pt.damaged").write_bytes(b"older")
    torch.save([1, 2], path)
    expect_fresh_start(path, path.read_bytes(), "one without encoders, generators")


@pytest.mark.parametrize("step", [None, 7])
def test_partial_files_of_killed_writers_go_and_those_of_living_ones_stay(tmp_path, step):
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    dead, other = (tmp_path / f".{run}.{WRITER}.{child.pid}.pt" for run in ("run", "run2"))
    living, named = tmp_path / f".run.{WRITER}.{os.getppid()}.pt", tmp_path / ".run.old.pt"
    elsewhere = tmp_path / f".run.another-machine.{child.pid}.pt"
    stay = {other, living, named, elsewhere}

    def leave():
        for file in (dead, *stay):
            file.write_bytes(b"half")

    if step is None:  # they are there at the start, and nothing is saved
        leave()
        run_tiny(checkpoint=tmp_path / "run.pt", every=100)
    else:  # they appear before a save
        run_tiny(world=Watched(step, leave), checkpoint=tmp_path / "run.pt", every=10)
    assert set(tmp_path.iterdir()) == stay


def test_checkpoint_that_the_system_does_not_give_is_not_set_aside(tmp_path):
    path = tmp_path / "run.pt"
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        run_tiny(checkpoint=path)
    assert path.is_dir()


class Malicious:
    def __reduce__(self):
        return os.mkdir, (os.environ["MISALIGN_TEST_TRAP"],)


def test_checkpoint_never_runs_code(tmp_path, monkeypatch):
    trap, path = tmp_path / "trap", tmp_path / "run.pt"
    monkeypatch.setenv("MISALIGN_TEST_TRAP", str(trap))
    torch.save({"run": "a", "step": Malicious()}, path)
    expect_fresh_start(path, path.read_bytes(), "UnpicklingError")
    assert not trap.exists()
    torch.load(path.with_name("run.pt.damaged"), weights_only=False)  # the trap works
    assert trap.exists()


def test_failing_save_leaves_the_last_checkpoint_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    whole = path.read_bytes()

    def full(content, partial):
        partial.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OSError, match="disk full"):
        run_tiny(checkpoint=path, every=5)
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
