"""Encoders: shapes, range, initial weights, and the fixed scales at their two ends."""

import pytest
import torch
from torch import nn

from misalign.encoders.mlp import MLP, Standardize, Whitening, numerical_encoder, stack, unstack
from misalign.rng import generator_for
from misalign.training.muon import Muon


def observations(n=2000, d=5):
    mixing = torch.randn(d, d, generator=generator_for(0, "mixing"))
    return torch.randn(n, d, generator=generator_for(0, "x")) @ mixing + 3


def make(**options):
    defaults = {"hidden": (8, 8), "whiten": True, "standardize": True}
    generator = generator_for(0, "weights")
    return numerical_encoder(observations(), 3, **(defaults | options), generator=generator)


def test_mlp_has_the_widths_asked_for():
    mlp = MLP(5, 2, (7, 11), generator=generator_for(0, "w"))
    assert [tuple(layer.weight.shape) for layer in mlp.layers] == [(7, 5), (11, 7), (2, 11)]
    assert mlp(observations()).shape == (2000, 2)


def test_mlp_without_hidden_layers_is_affine():
    mlp, x = MLP(5, 2, (), generator=generator_for(0, "w")), observations(4)
    (layer,) = mlp.layers
    torch.testing.assert_close(mlp(x), x @ layer.weight.mT + layer.bias)


def test_leaky_relus_stand_between_layers_and_not_at_the_ends():
    mlp = MLP(1, 1, (1,), slope=0.25, generator=generator_for(0, "w"))
    for layer in mlp.layers:
        nn.init.ones_(layer.weight)
    assert mlp(torch.tensor([[-4.0], [4.0]])).flatten().tolist() == [-1.0, 4.0]


def test_initial_weights_repeat_with_the_stream_and_biases_are_0():
    one, again, other = (MLP(5, 2, (7,), generator=generator_for(seed, "w")) for seed in (0, 0, 1))
    assert all(map(torch.equal, one.parameters(), again.parameters()))
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
    assert all(not layer.bias.any() for layer in one.layers)


def test_kaiming_weights_keep_the_second_moment():
    layer = MLP(400, 1, (400,), generator=generator_for(0, "w")).layers[0]
    assert layer.weight.var().item() == pytest.approx(2 / 400 / (1 + 0.01**2), rel=0.02)


def test_bounded_mlp_stays_in_the_open_unit_cube():
    mlp = MLP(5, 2, (7,), bounded=True, generator=generator_for(0, "w"))
    z = mlp(observations() / 10)
    assert z.min() > 0
    assert z.max() < 1


def test_hidden_matrices_leave_out_both_ends():
    mlp = MLP(5, 2, (7, 11, 13), generator=generator_for(0, "w"))
    assert [tuple(w.shape) for w in mlp.hidden_matrices()] == [(11, 7), (13, 11)]
    assert MLP(5, 2, (7,), generator=generator_for(0, "w")).hidden_matrices() == []


def test_whitening_gives_mean_0_and_covariance_1():
    x = observations()
    white = Whitening(x)(x).double()
    assert white.mean(0).abs().max() < 1e-5
    torch.testing.assert_close(
        torch.cov(white.mT), torch.eye(5, dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_whitening_can_be_undone():
    x = observations()
    whitening = Whitening(x)
    back = torch.linalg.solve(whitening.matrix, whitening(x), left=False) + whitening.mean
    torch.testing.assert_close(back, x, atol=1e-3, rtol=1e-4)


def test_whitening_is_measured_once_and_has_nothing_to_train():
    whitening = Whitening(observations())
    assert list(whitening.parameters()) == []
    assert set(whitening.state_dict()) == {"mean", "matrix"}


def test_standardized_encoder_has_unit_variance_in_training():
    z = make().train()(observations())
    assert z.shape == (2000, 3)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(z.var(0), torch.ones(3), atol=1e-2, rtol=0)


def test_moments_in_evaluation_are_those_of_torch_s_batch_norm():
    ours, naive = Standardize(5).train(), nn.BatchNorm1d(5, affine=False)
    batches = observations(600).split(100)
    for batch in batches:
        torch.testing.assert_close(ours(batch), naive(batch), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.mean[0], naive.running_mean)
    # torch's running variance is of correction 1, but for the 1 that it starts from
    start = 0.9 ** len(batches)
    theirs = start + (naive.running_var - start) * 99 / 100
    torch.testing.assert_close(ours.variance[0], theirs)


def test_evaluation_has_caught_up_with_training_after_some_tens_of_steps():
    encoder, x = make().train(), observations()
    for _ in range(60):
        encoder(x)
    torch.testing.assert_close(encoder.eval()(x), encoder.train()(x), atol=0.02, rtol=0.02)


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        ({}, [Whitening, MLP, Standardize]),
        ({"whiten": False}, [MLP, Standardize]),
        ({"standardize": False}, [Whitening, MLP]),
        ({"whiten": False, "standardize": False}, [MLP]),
    ],
)
def test_numerical_encoder_has_the_ends_asked_for(options, kinds):
    assert [type(part) for part in make(**options)] == kinds


def test_fixed_scales_do_not_shift_the_initial_weights():
    whole, bare = make()[1], make(whiten=False, standardize=False)[0]
    assert all(map(torch.equal, whole.parameters(), bare.parameters()))


def test_encoding_size_must_be_positive(complains):
    with complains("encoding_size", "a width of at least 1", "0"):
        MLP(5, 0, (7,), generator=generator_for(0, "w"))


# ---- stacks


def pairs():
    """Encoders of two widths, inputs and outputs, and observations that fit each."""
    found = []
    for seed, (d, hidden, n) in enumerate([(5, (8, 8), 3), (3, (6, 4), 2)]):
        x = torch.randn(400, d, generator=generator_for(seed, "x")) + 1
        options = {"hidden": hidden, "whiten": True, "standardize": True}
        encoder = numerical_encoder(x, n, **options, generator=generator_for(seed, "w"))
        found.append((encoder.train(), x))
    return found


def side_by_side(members):
    widest = max(x.shape[1] for _, x in members)
    return torch.stack([nn.functional.pad(x, (0, widest - x.shape[1])) for _, x in members])


def test_stack_encodes_as_each_encoder_alone():
    members = pairs()
    together = stack([encoder for encoder, _ in members])(side_by_side(members))
    for (encoder, x), z in zip(members, together, strict=True):
        alone = encoder(x)
        torch.testing.assert_close(z[:, : alone.shape[1]], alone, atol=1e-5, rtol=1e-4)
        assert not z[:, alone.shape[1] :].any()


def test_what_a_stack_pads_stays_exactly_zero_in_training():
    members = pairs()
    together = stack([encoder for encoder, _ in members])
    weights = list(together.parameters())
    matrices = together[1].hidden_matrices()
    rest = [weight for weight in weights if all(weight is not m for m in matrices)]
    optimizers = [torch.optim.Adam(rest, 1e-2), Muon(matrices, 0.1)]
    for _ in range(3):
        together.zero_grad()
        together(side_by_side(members)).pow(3).mean().backward()
        for optimizer in optimizers:
            optimizer.step()
    small = members[1][0]
    for whole, own in zip(weights, small.parameters(), strict=True):
        if not own.requires_grad:  # the bias before outputs are centered
            continue
        outside = whole[1].clone()
        inside = outside[: own.shape[0], : own.shape[1]]
        assert not torch.equal(inside, own)  # what is not padded has moved
        inside.zero_()
        assert not outside.any()


def test_unstack_gives_every_encoder_its_own_tensors_back():
    members = pairs()
    encoders = [encoder for encoder, _ in members]
    before = [[value.clone() for value in encoder.state_dict().values()] for encoder in encoders]
    together = stack(encoders)
    together(side_by_side(members))  # moves the running moments
    with torch.no_grad():
        for weight in together.parameters():
            weight.add_(weight)
    unstack(together, encoders)
    for encoder, old in zip(encoders, before, strict=True):
        for (name, value), was in zip(encoder.state_dict().items(), old, strict=True):
            assert value.shape == was.shape
            if "layers" in name and "weight" in name:
                torch.testing.assert_close(value, 2 * was)
        assert encoder[2].mean.any()


def test_encoders_that_are_not_alike_do_not_stack(complains):
    with complains("encoders", "encoders built alike", "Sequential"):
        stack([make(), make(whiten=False)])
    with complains("encoders", "all their tensors matrices", "BatchNorm1d"):
        stack([nn.BatchNorm1d(3)])
    with complains("encoders", "of layers that stack", "Linear"):
        stack([nn.Linear(3, 2, bias=False)])
    with complains("encoders", "(train others one by one)", "shared parameters"):
        stack([nn.Sequential(mlp, mlp) for mlp in [MLP(3, 3, (), generator=generator_for(0, "w"))]])
    slopes = [MLP(3, 2, (), slope=s, generator=generator_for(0, "w")) for s in (0.0, 0.1)]
    with complains("encoders", "encoders built alike", "different MLP"):
        stack(slopes)
    activations = [nn.Sequential(slopes[0], part) for part in (nn.ReLU(), nn.Tanh())]
    with complains("encoders", "encoders built alike", "different Sequential"):
        stack(activations)


def test_frozen_weights_stay_frozen_in_a_stack(complains):
    encoders = [MLP(3, 2, (), generator=generator_for(i, "w")) for i in range(2)]
    for encoder in encoders:
        encoder.layers[0].bias.requires_grad_(False)
    together = stack(encoders)
    assert [weight.requires_grad for weight in together.parameters()] == [True, False]
    encoders[0].requires_grad_(False)
    with complains("encoders", "encoders built alike", "different MLP"):
        stack(encoders)
