"""The training loop: pace, clipping, progress, and a killed run that ends as if never killed."""

import io
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_pre_hook

from misalign.bias import Bias
from misalign.encoders.mlp import numerical_encoder
from misalign.objectives import mmcl, sym_align_max_ent
from misalign.rng import generator_for
from misalign.training.loop import OBJECTIVES, Recipe, _clip, train, train_many
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
    # two encoders of three layers, weight and bias each; one hidden matrix each
    assert seen == {("Adam", 12), ("Adam", 10), ("Muon", 2)}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("steps", -1, "a whole number of at least 0"),
        ("steps", 1.5, "a whole number of at least 0"),
        ("batch_size", 1, "a whole number of at least 2"),
        ("learning_rate", 0.0, "a number above 0"),
        ("max_grad_norm", -1.0, "a number above 0"),
        ("tau", 0.0, "a number above 0"),
        ("warmup", 1.0, "a share of at least 0 and below 1"),
        ("prefetch_steps", 0, "a whole number of at least 1"),
        ("objective", "clip", "'sym_align_max_ent', 'mmcl', 'nt_xent'"),
    ],
)
def test_recipe_refuses(complains, field, value, expected):
    with complains(field, expected, str(value)):
        replace(RECIPE, **{field: value})


def test_only_eq_2_takes_a_second_batch(complains):
    with complains("second_batch", "only sym_align_max_ent takes a second batch", "True"):
        replace(RECIPE, objective="mmcl", second_batch=True)


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
    assert_same(run_tiny(), run_tiny())


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
    _clip(gradients, 1.0)
    norms = sum(gradient.square().sum((1, 2)) for gradient in gradients).sqrt()
    torch.testing.assert_close(norms, torch.tensor([1.0, 0.02**0.5]))


def test_company_of_runs_trains_each_as_it_would_alone():
    worlds = [tiny_world(), Watched(-1, None)]
    encoders = [make_encoders(tiny_world()) for _ in worlds]
    streams = [generator_for(seed, "batches") for seed in (0, 1)]
    losses = train_many(encoders, worlds, RECIPE, streams, runs=["a", "b"])
    alone, weights = run_tiny()
    assert losses.shape == (2, 30)
    torch.testing.assert_close(losses[0], alone, atol=1e-4, rtol=0)
    assert not torch.allclose(losses[0], losses[1])
    for name, value in encoders[0].state_dict().items():
        torch.testing.assert_close(value, weights[name], atol=1e-2, rtol=1e-2)


def test_company_names_the_run_that_breaks(complains):
    class Broken(Watched):
        def sample(self, n, **options):
            batch = self.world.sample(n, **options)
            return replace(batch, image=batch.image * torch.nan)

    encoders = [make_encoders(tiny_world()) for _ in range(2)]
    streams = [generator_for(seed, "batches") for seed in (0, 1)]
    with complains("loss", "a finite number", "nan at step 29 of run b", FloatingPointError):
        train_many(encoders, [tiny_world(), Broken(0, None)], RECIPE, streams, runs="ab")


def test_company_needs_one_of_each(complains):
    with complains("runs", "as many names", "1 encoders, 1 worlds, 2 generators"):
        streams = [generator_for(seed, "batches") for seed in (0, 1)]
        train_many([make_encoders(tiny_world())], [tiny_world()], RECIPE, streams)


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


# ---- checkpoints


@pytest.mark.parametrize("second_batch", [False, True])
@pytest.mark.parametrize("step", [5, 12, 29])
def test_interrupted_run_ends_as_one_that_was_not(tmp_path, step, second_batch):
    recipe = replace(RECIPE, second_batch=second_batch)
    path = tmp_path / "run.pt"
    interrupt(path, step, recipe, every=5, run="a")
    assert [file.name for file in tmp_path.iterdir()] == ["run.pt"]
    resumed = run_tiny(recipe, checkpoint=path, every=5, run="a")
    assert_same(resumed, run_tiny(recipe))
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
    assert_same(run_tiny(checkpoint=path, every=5), run_tiny())


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
    assert_same(run_tiny(world=world, checkpoint=path, every=5), run_tiny())
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
    with complains("checkpoint", "networks", "(1, 8, 8)"):
        options = {"checkpoint": path, "every": 5, "run": "a"}
        train(other, tiny_world(), RECIPE, generator=generator_for(0, "batches"), **options)
    assert path.exists()


def test_file_that_holds_no_run_is_refused(tmp_path, complains):
    path = tmp_path / "run.pt"
    torch.save([1, 2], path)
    with complains("checkpoint", f"one of run a in {path}", "run None"):
        run_tiny(checkpoint=path, run="a")


@pytest.mark.parametrize(
    "content",
    [b"", b"garbage", b"hello", *(share / 16 for share in range(1, 16))],
    ids=lambda content: str(content),
)
def test_damaged_checkpoint_is_refused_by_name(tmp_path, complains, content):
    path = tmp_path / "run.pt"
    interrupt(path, 12, every=5)
    whole = path.read_bytes()
    # where a file is cut decides which error torch's reader meets first
    cut = whole[: int(len(whole) * content)] if isinstance(content, float) else content
    path.write_bytes(cut)
    with complains("checkpoint", str(path), ""):
        run_tiny(checkpoint=path)


class Malicious:
    def __reduce__(self):
        return os.mkdir, (os.environ["MISALIGN_TEST_TRAP"],)


def test_checkpoint_never_runs_code(tmp_path, monkeypatch):
    trap, path = tmp_path / "trap", tmp_path / "run.pt"
    monkeypatch.setenv("MISALIGN_TEST_TRAP", str(trap))
    torch.save({"run": "a", "step": Malicious()}, path)
    with pytest.raises((pickle.UnpicklingError, ValueError)):
        run_tiny(checkpoint=path)
    assert not trap.exists()
    torch.load(path, weights_only=False)  # the trap works
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
