"""The numerical world: every sampler against its closed-form moments, and the mixing."""

from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from misalign.bias import Bias
from misalign.rng import generator_for
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import Gaussian, NumericalWorld, wishart

SAMPLES = 200_000


def sample(world, n=SAMPLES, seed=0):
    return world.sample(n, generator=generator_for(seed, "samples"))


def stacked(factors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat(list(factors.values()), 1).double()


def assert_covariance(rows: torch.Tensor, expected: torch.Tensor) -> None:
    """Mean 0 and the covariance expected, within five standard errors of Gaussian samples."""
    n, expected = len(rows), expected.double()
    variance = expected.diagonal()
    assert (rows.mean(0).abs() < 5 * (variance / n).sqrt()).all()
    error = ((variance[:, None] * variance + expected.square()) / n).sqrt()
    assert ((torch.cov(rows.double().mT) - expected).abs() < 5 * error).all()


# ---- streams


def test_streams_of_one_purpose_repeat_and_of_two_differ():
    def draw(*name):
        return torch.rand(4, generator=generator_for(*name))

    assert torch.equal(draw(0, "a"), draw(0, "a"))
    for other in ((1, "a"), (0, "b"), (0, "a", "b")):
        assert not torch.equal(draw(0, "a"), draw(*other))


def test_streams_leave_the_global_generator_alone():
    before = torch.get_rng_state()
    torch.rand(3, generator=generator_for(0, "a"))
    assert torch.equal(torch.get_rng_state(), before)


# ---- covariances


def test_wishart_has_mean_and_variance_of_w_d_i_d():
    d, n = 3, 10_000
    generator = generator_for(0, "wishart")
    draws = torch.stack([wishart(d, generator=generator) for _ in range(n)])
    eye = torch.eye(d, dtype=torch.float64)
    variance = d * (1 + eye)  # of W_ij
    assert ((draws.mean(0) - d * eye).abs() < 5 * (variance / n).sqrt()).all()
    # heavy-tailed: the variance is known to a few percent only
    assert ((draws.var(0) / variance - 1).abs() < 0.1).all()


def test_wishart_is_symmetric_and_positive_definite():
    draws = [wishart(10, generator=generator_for(seed, "w")) for seed in range(50)]
    assert all(torch.equal(w, w.mT) and torch.linalg.eigvalsh(w)[0] > 0 for w in draws)


def test_gaussian_has_the_covariance_asked_for():
    covariance = wishart(4, generator=generator_for(3, "c"))
    assert_covariance(
        Gaussian(covariance).sample(SAMPLES, generator=generator_for(0, "g")).double(), covariance
    )


def test_every_matrix_has_its_own_stream(drawn):
    world = drawn(latents="dependent")
    assert not torch.allclose(world.sigma_s, world.sigma_eps)
    assert not torch.allclose(world.sigma_m_x, world.sigma_m_t)
    assert not torch.allclose(world.sigma_m_x, world.sigma_s[:5, :5])
    everything = drawn(bias="selection", setting=10)  # as wide a text as the image
    assert not torch.allclose(everything.g_x.weights[0], everything.g_t.weights[0])


def test_worlds_of_one_seed_share_latents_and_images_whatever_the_bias(drawn):
    one = drawn("selection", 3, "dependent")
    other = drawn("perturbation", 4, "dependent")
    assert torch.equal(one.sigma_s, other.sigma_s)
    assert all(map(torch.equal, one.g_x.weights, other.g_x.weights))


def test_worlds_of_two_seeds_differ(drawn):
    one, other = drawn(latents="dependent"), drawn(latents="dependent", seed=1)
    for name in ("sigma_s", "sigma_eps", "sigma_m_x", "sigma_m_t"):
        assert not torch.allclose(getattr(one, name), getattr(other, name))
    assert not torch.allclose(one.g_x.weights[0], other.g_x.weights[0])


def test_dependence_changes_sigma_s_alone(drawn):
    one, other = drawn(), drawn(latents="dependent")
    assert torch.equal(one.sigma_s, torch.eye(10, dtype=torch.float64))
    assert not torch.allclose(other.sigma_s, one.sigma_s)
    for name in ("sigma_eps", "sigma_m_x", "sigma_m_t"):
        assert torch.equal(getattr(one, name), getattr(other, name))


# ---- latents and observations


@pytest.mark.parametrize("latents", ["independent", "dependent"])
def test_latents_have_their_covariances_and_are_independent_across_groups(drawn, latents):
    world = drawn(latents=latents)
    rows = stacked(sample(world).factors)
    expected = torch.block_diag(world.sigma_s, world.sigma_m_x, world.sigma_m_t)
    assert_covariance(rows, expected)


def test_batches_repeat_with_the_generator_and_continue_without(drawn):
    world, generator = drawn("joint", 1), generator_for(0, "samples")
    first, second = (world.sample(5, generator=generator) for _ in range(2))
    again = sample(world, 5)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.text, again.text)
    assert not torch.equal(first.image, second.image)


@pytest.mark.parametrize(("bias", "setting"), [("selection", 3), ("perturbation", 4), ("joint", 1)])
def test_observations_hold_their_own_latents_and_nothing_else(drawn, bias, setting):
    world = drawn(bias, setting)
    batch = sample(world, 500)
    semantic = {name: values for name, values in batch.factors.items() if name[0] == "s"}
    image = torch.cat([*semantic.values(), batch.factors["m_x"]], 1)
    text = torch.cat([*batch.text_factors.values(), batch.factors["m_t"]], 1)
    assert batch.image.shape == (500, 15)
    assert batch.text.shape == (500, len(world.bias.selected) + 5)
    torch.testing.assert_close(world.g_x.inverse(batch.image), image, atol=1e-3, rtol=0)
    torch.testing.assert_close(world.g_t.inverse(batch.text), text, atol=1e-3, rtol=0)


def test_captions_say_the_selected_factors_only(unmixed):
    batch = sample(unmixed(Bias(4, (1, 3))), 100)
    assert list(batch.text_factors) == ["s1", "s3"]
    for name in batch.text_factors:
        assert torch.equal(batch.text_factors[name], batch.factors[name])


def test_factors_are_named_in_the_order_of_the_bias(drawn):
    world = drawn()
    batch = sample(world, 2)
    assert [factor.name for factor in world.factors] == list(batch.factors)
    assert [values.shape[1] for values in batch.factors.values()] == [f.size for f in world.factors]
    assert [factor.side for factor in world.factors] == ["semantic"] * 10 + ["image", "text"]


# ---- perturbation


@pytest.fixture(scope="module")
def perturbed(unmixed):
    """A dependent world with I_theta = {1, 2, 3, 4}, I_rho = {1, 2, 4}; s and what captions say."""
    world = unmixed(Bias(5, (1, 2, 3, 4), (1, 2, 4)), latents="dependent")
    s = world._samplers["s"].sample(SAMPLES, generator=generator_for(0, "s"))
    return world, s.double(), world.perturb(s, generator=generator_for(0, "noise")).double()


def test_outside_rho_captions_repeat_the_factor_exactly(perturbed):
    _, s, said = perturbed
    assert torch.equal(said[:, [2, 4]], s[:, [2, 4]])


def test_each_index_of_rho_is_hit_three_times_in_four_and_else_exact(perturbed):
    _, s, said = perturbed
    rate = (said != s)[:, [0, 1, 3]].double().mean(0)
    assert ((rate - 0.75).abs() < 5 * (0.75 * 0.25 / SAMPLES) ** 0.5).all()


def test_hits_of_different_indices_are_independent(perturbed):
    _, s, said = perturbed
    hit = (said != s)[:, [0, 1, 3]].double()
    correlation = torch.corrcoef(hit.mT) - torch.eye(3)
    assert (correlation.abs() < 5 / SAMPLES**0.5).all()
    assert hit.prod(1).mean() == pytest.approx(0.75**3, abs=5 * (0.25 / SAMPLES) ** 0.5)


def test_noise_given_a_hit_has_the_joint_covariance_of_eps(perturbed):
    world, s, said = perturbed
    noise, block = (said - s)[:, [0, 1, 3]], [0, 1, 3]
    both = noise[(noise != 0).all(1)]
    assert_covariance(both, world.sigma_eps[block][:, block])


def test_noise_is_independent_of_the_latents_so_it_does_not_propagate(perturbed):
    # Remark 3.1: s3 and s5 depend on s1, s2, s4, yet captions of them stay as they were
    world, s, said = perturbed
    assert (torch.corrcoef(s.mT)[[2, 4]][:, [0, 1, 3]].abs() > 0.05).any()
    cross = torch.corrcoef(torch.cat([s, (said - s)[:, [0, 1, 3]]], 1).mT)[:5, 5:]
    assert (cross.abs() < 5 / SAMPLES**0.5).all()


def test_perturbed_factor_has_its_variance_plus_three_quarters_of_the_noise(perturbed):
    world, _, said = perturbed
    expected = world.sigma_s.diagonal().clone()
    expected[[0, 1, 3]] += 0.75 * world.sigma_eps.diagonal()[[0, 1, 3]]
    # a mixture of Gaussians has a kurtosis above 3: a wider band than five Gaussian errors
    assert ((said.var(0) / expected - 1).abs() < 0.02).all()


def test_probability_one_hits_every_time(unmixed):
    world = unmixed(Bias(3, (1, 2, 3), (2,), probability=1))
    batch = sample(world, 1000)
    assert (batch.text_factors["s2"] != batch.factors["s2"]).all()


# ---- mixing


@pytest.fixture(scope="module")
def mixings():
    return {d: Mixing.draw(d, 3, generator=generator_for(0, "mixing", d)) for d in range(6, 16)}


def test_columns_of_mixing_weights_have_norm_1(mixings):
    for mixing in mixings.values():
        for weight in mixing.weights:
            torch.testing.assert_close(weight.norm(dim=0), torch.ones(len(weight)))


def test_mixing_layers_differ(mixings):
    for mixing in mixings.values():
        first, second, third = mixing.weights
        assert not (torch.equal(first, second) or torch.equal(second, third))


@pytest.mark.parametrize("d", [6, 10])
def test_mixing_is_as_well_conditioned_as_the_best_thousandth_of_fresh_draws(mixings, d):
    fresh = (
        torch.rand(25_000, d, d, generator=generator_for(1, "fresh", d), dtype=torch.float64) * 2
        - 1
    )
    numbers = torch.linalg.cond(functional.normalize(fresh, dim=1))
    accepted = torch.linalg.cond(torch.stack(mixings[d].weights).double())
    # both thousandths are estimated from 25 matrices, hence the room of 5 %
    assert accepted.max() < 1.05 * numbers.quantile(0.001)


@pytest.mark.parametrize("layers", [2, 3])
@pytest.mark.parametrize("d", range(6, 16))
def test_mixing_is_inverted_exactly(mixings, d, layers):
    mixing = Mixing(mixings[d].weights[:layers])
    z = torch.randn(500, d, generator=generator_for(0, "z"))
    x = mixing(z)
    assert x.shape == z.shape
    assert (mixing.inverse(x) - z).abs().max() < 1e-4


def test_mixing_of_two_layers_is_not_linear(mixings):
    mixing, z = mixings[6], torch.randn(10, 6, generator=generator_for(0, "z"))
    assert not torch.allclose(mixing(-z), -mixing(z), atol=0.1)


# ---- errors


def test_unknown_latents_list_the_known_ones(complains):
    with complains("latents", "independent, dependent", "'causal'"):
        NumericalWorld.draw(Bias(2, (1,)), latents="causal")


@pytest.mark.parametrize("layers", [0, 26])
def test_number_of_mixing_layers_must_be_in_range(complains, layers):
    with complains("layers", "from 1 to 25", str(layers)):
        Mixing.draw(3, layers, generator=generator_for(0, "mixing"))


def test_mixing_width_must_be_positive(complains):
    with complains("dimension", "at least 1", "0"):
        Mixing.draw(0, 1, generator=generator_for(0, "mixing"))


def test_sampling_elsewhere_than_where_the_world_is_says_so(complains, unmixed):
    world = unmixed(Bias(2, (1,)))
    with complains("device", "the world's own, cpu (move it with `to`)", "meta"):
        world.sample(2, generator=generator_for(0, "s"), device="meta")


def test_environment_changes_what_both_modalities_see(unmixed):
    world = unmixed(Bias(3, (1, 2)))
    doubled = replace(world, environment=lambda s, generator: 2 * s)
    one, other = (w.sample(50, generator=generator_for(0, "x")) for w in (world, doubled))
    assert torch.equal(other.factors["s1"], 2 * one.factors["s1"])
    assert torch.equal(other.image[:, :3], 2 * one.image[:, :3])
    assert torch.equal(other.text[:, :2], 2 * one.text[:, :2])
    assert torch.equal(other.factors["m_x"], one.factors["m_x"])
