"""Probes: against least squares by numpy, on nonlinear targets, on noise, on nothing."""

import numpy as np
import pytest
import torch
from sklearn import linear_model

from misalign.metrics import binary_mcc, r2
from misalign.probes import base
from misalign.probes import regression as probes
from misalign.probes.regression import LinearProbe, MLPProbe
from misalign.rng import generator_for
from misalign.studies.numerical import SCALES as NUMERICAL


def normal(n, d, *name):
    return torch.randn(n, d, generator=generator_for(0, *name))


def mlp(steps=300, seed=0):
    return MLPProbe(steps, generator=generator_for(seed, "probe"))


def test_r2_is_1_for_the_truth_and_0_for_the_mean():
    truth = normal(100, 2, "y")
    assert r2(truth, truth).tolist() == [1, 1]
    assert r2(truth, truth.mean(0).expand_as(truth)).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_r2_is_not_clipped():
    truth = normal(100, 1, "y")
    truth = truth - truth.mean()
    assert r2(truth, -truth).item() == pytest.approx(-3)


def test_linear_probe_is_least_squares_with_an_intercept():
    z, targets = normal(200, 4, "z") + 5, normal(200, 3, "y")
    targets[:, 0] += z[:, 1] - 2 * z[:, 3]
    z_test, y_test = normal(100, 4, "z2") + 5, normal(100, 3, "y2")
    design, design_test = (np.c_[part.double(), np.ones(len(part))] for part in (z, z_test))
    weight = np.linalg.lstsq(design, targets.double().numpy(), rcond=None)[0]
    residual = (y_test.double().numpy() - design_test @ weight) ** 2
    expected = 1 - residual.sum(0) / ((y_test - y_test.mean(0)) ** 2).double().numpy().sum(0)
    probe = LinearProbe().fit(z, targets)
    assert r2(y_test, probe.predict(z_test)).tolist() == pytest.approx(expected.tolist(), abs=1e-5)


def test_linear_probe_survives_a_collapsed_representation():
    z = normal(300, 1, "z").repeat(1, 3)
    targets = torch.cat([z[:, :1], normal(300, 1, "y")], 1)
    scores = r2(targets, LinearProbe().fit(z, targets).predict(z))
    assert scores[0].item() == pytest.approx(1)
    assert abs(scores[1]) < 0.05


def test_mlp_probe_learns_what_a_linear_one_cannot():
    z, z_test = normal(4000, 2, "z"), normal(2000, 2, "z2")

    def targets(z):
        return torch.stack([z[:, 0].abs(), z[:, 0] * z[:, 1], z[:, 1]], 1)

    linear = LinearProbe().fit(z, targets(z)).predict(z_test)
    nonlinear = mlp().fit(z, targets(z)).predict(z_test)
    assert (r2(targets(z_test), linear)[:2] < 0.05).all()
    assert (r2(targets(z_test), nonlinear) > 0.95).all()


def test_mlp_probe_does_not_care_for_units():
    z, targets = normal(2000, 2, "z"), normal(2000, 2, "z").square()
    plain = r2(targets, mlp(100).fit(z, targets).predict(z))
    scaled_z, scaled = 1000 * z + 1e4, 1e-3 * targets - 5
    other = r2(scaled, mlp(100).fit(scaled_z, scaled).predict(scaled_z))
    torch.testing.assert_close(plain, other, atol=0.01, rtol=0)


def test_mlp_probe_repeats_with_its_generator():
    z, targets = normal(500, 2, "z"), normal(500, 2, "z").square()
    one, again = (mlp(50).fit(z, targets).predict(z) for _ in range(2))
    assert torch.equal(one, again)


def test_another_target_does_not_move_a_score():
    z, z_test = normal(4000, 3, "z"), normal(2000, 3, "z2")

    def targets(z):
        return torch.stack([z[:, 0].abs(), z[:, 1] * z[:, 2], z[:, 2].exp()], 1)

    alone = [
        r2(targets(z_test)[:, [j]], mlp().fit(z, targets(z)[:, [j]]).predict(z_test)).item()
        for j in range(3)
    ]
    together = r2(targets(z_test), mlp().fit(z, targets(z)).predict(z_test)).tolist()
    assert together == pytest.approx(alone, abs=1e-4)  # sums are taken in another order


@pytest.mark.parametrize("seed", range(3))
def test_noise_scores_about_0_at_laptop_scale(seed):
    scale = NUMERICAL["laptop"]
    n, columns = scale.probe_samples, 4
    z, noise = normal(2 * n, 10, "z", seed), normal(2 * n, columns, "noise", seed)
    for probe in (LinearProbe(), mlp(scale.probe_steps, seed)):
        scores = r2(noise[n:], probe.fit(z[:n], noise[:n]).predict(z[n:]))
        assert scores.abs().max() <= 0.02


def test_mlp_probe_keeps_the_weights_from_before_it_overfits():
    # 150 samples, 10 dimensions: trained to the end, nets fit noise and score far below 0
    z, noise = normal(1150, 10, "z"), normal(1150, 4, "noise")
    prediction = mlp(400).fit(z[:150], noise[:150]).predict(z[150:])
    assert (r2(noise[150:], prediction) > -0.15).all()


@pytest.mark.parametrize("make", [LinearProbe, mlp])
@pytest.mark.parametrize("value", [0.0, 0.3, 1e4])
def test_constant_representation_scores_about_0(make, value):
    z, targets = torch.full((1000, 3), value), normal(1000, 2, "y")
    scores = r2(targets, make().fit(z, targets).predict(z))
    assert scores.abs().max() < 0.01


@pytest.mark.parametrize("make", [LinearProbe, mlp])
def test_constant_target_is_predicted(make):
    z, targets = normal(500, 2, "z"), torch.full((500, 1), 3.0)
    torch.testing.assert_close(make().fit(z, targets).predict(z), targets, atol=1e-4, rtol=0)


@pytest.mark.parametrize("make", [LinearProbe, mlp])
def test_probes_refuse_what_they_cannot_pair(complains, make):
    with complains("z", "shape (n, size)", "(50,)"):
        make().fit(torch.zeros(50), torch.zeros(50, 1))
    with complains("targets", "shape (50, number of targets)", "(40, 1)"):
        make().fit(torch.zeros(50, 2), torch.zeros(40, 1))


def test_mlp_probe_needs_steps_and_samples(complains):
    with complains("steps", "at least 1", "0"):
        mlp(0)
    with complains("z", "at least 10 samples", "9"):
        mlp().fit(torch.zeros(9, 2), torch.zeros(9, 1))


# ---- classes


def test_mcc_is_the_correlation_of_two_columns_of_bits():
    truth, guess = (normal(500, 3, name) > 0.3 for name in ("a", "b"))
    guess[:, 0] = truth[:, 0]
    expected = [np.corrcoef(truth[:, j], guess[:, j])[0, 1] for j in range(3)]
    assert binary_mcc(truth, guess).tolist() == pytest.approx(expected)
    assert binary_mcc(truth, ~truth).tolist() == pytest.approx([-1] * 3)


def test_mcc_of_a_constant_guess_is_0():
    truth = normal(100, 1, "a") > 0
    assert binary_mcc(truth, torch.ones_like(truth)).item() == 0


def test_gradients_by_hand_are_those_of_autograd(monkeypatch):
    z, y = normal(64, 3, "z"), normal(64, 2, "y")
    seen = []
    by_hand = MLPProbe._differentiate

    def compare(self, rows, truth):
        by_hand(self, rows, truth)
        ours = [weight.grad.clone() for weight in self.weights]
        with torch.enable_grad():
            loss = self._losses(rows, truth).mean(1).sum()
            theirs = torch.autograd.grad(loss, self.weights)
        seen.append(all(torch.allclose(a, b, atol=1e-6) for a, b in zip(ours, theirs, strict=True)))

    monkeypatch.setattr(MLPProbe, "_differentiate", compare)
    monkeypatch.setattr(base, "BATCH", 16)
    mlp(8).fit(z, y)
    assert seen == [True] * 8


# ---- what comes from outside


@pytest.mark.parametrize("make", [LinearProbe, mlp])
@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64])
def test_arrays_of_any_type_and_targets_of_one_dimension_are_taken(make, kind):
    z = (10 * normal(500, 2, "z")).numpy().astype(kind)
    y = 2.0 * z[:, 0] - 3
    prediction = make().fit(z, y).predict(z)
    assert prediction.shape == (500, 1)
    assert r2(torch.as_tensor(y)[:, None].double(), prediction.double()).item() > 0.99


@pytest.mark.parametrize("make", [LinearProbe, mlp])
def test_what_is_not_finite_is_refused(complains, make):
    z, y = normal(50, 2, "z"), normal(50, 1, "y")
    z[3, 1] = torch.nan
    with complains("z", "finite numbers", "NaN or infinity in 1 of 50 rows"):
        make().fit(z, y)
    with complains("targets", "finite numbers", "1 of 50"):
        make().fit(normal(50, 2, "z"), torch.where(torch.arange(50)[:, None] == 7, torch.inf, y))


def test_sorted_samples_do_not_mislead_the_choice_of_weights():
    """The held-out fifth is chosen at random, not the first of the samples."""
    z = normal(4000, 3, "z")
    z = z[z[:, 0].argsort()]
    y = (z[:, :1] * 2).sin() + z[:, 1:2].abs() + 0.3 * normal(4000, 1, "e")
    shuffled = torch.randperm(4000, generator=generator_for(0, "order"))
    z_test = normal(2000, 3, "z2")
    truth = (z_test[:, :1] * 2).sin() + z_test[:, 1:2].abs()
    ordered, mixed = (
        r2(truth, mlp(400).fit(z[rows], y[rows]).predict(z_test)).item()
        for rows in (torch.arange(4000), shuffled)
    )
    assert ordered == pytest.approx(mixed, abs=0.01)
    assert ordered > 0.95


def test_few_samples_are_warned_of_and_ridge_bears_them():
    z, y = normal(600, 256, "z"), normal(600, 1, "e")
    y = z[:, :3].sum(1, keepdim=True) + y
    with pytest.warns(UserWarning, match="300 samples of 256 dimensions; try ridge"):
        plain = LinearProbe().fit(z[:300], y[:300])
    ridge = LinearProbe(ridge=True).fit(z[:300], y[:300])
    scores = [r2(y[300:], probe.predict(z[300:])).item() for probe in (plain, ridge)]
    assert scores[0] < 0 < 0.2 < scores[1]


def test_ridge_chooses_as_leave_one_out_does():
    z, y = normal(80, 30, "z").double(), normal(80, 2, "e").double()
    y[:, 0] += z[:, 0]
    probe = LinearProbe(ridge=True).fit(z, y)
    u, values, _ = torch.linalg.svd(z - z.mean(0), full_matrices=False)
    for j in range(2):
        grid = (probes.PENALTIES * values.square().mean()).numpy()
        theirs = linear_model.RidgeCV(grid).fit(z.numpy(), y[:, j].numpy())
        np.testing.assert_allclose(probe.weight[:, j], theirs.coef_, atol=1e-8)


def test_ridge_is_least_squares_where_samples_are_many():
    z = normal(5000, 4, "z")
    y = z @ normal(4, 2, "w") + 0.1 * normal(5000, 2, "e")
    plain, ridge = (LinearProbe(ridge).fit(z, y).predict(z) for ridge in (False, True))
    torch.testing.assert_close(plain, ridge, atol=1e-3, rtol=0)
