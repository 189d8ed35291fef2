"""The oracle: its closed form against regressions on fresh draws, and where it is silent."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from misalign.bias import Bias
from misalign.rng import generator_for
from misalign.theory.oracle import explained, oracle
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import wishart
from misalign.worlds.resampled import ResampledWorld

DRAWS = 1_000_000


def regression_r2(block: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    """R2 of least squares with an intercept, by numpy."""
    design = np.c_[block.double().numpy(), np.ones(len(block))]
    y = targets.double().numpy()
    weight = np.linalg.solve(design.T @ design, design.T @ y)
    return 1 - ((y - design @ weight) ** 2).mean(0) / y.var(0)


def test_explained_is_the_r2_of_a_regression():
    covariance = wishart(6, generator=generator_for(0, "sigma"))
    root = torch.linalg.cholesky(covariance)
    s = torch.randn(DRAWS, 6, generator=generator_for(0, "s"), dtype=torch.float64) @ root.mT
    for block in ((1,), (2, 5), (1, 3, 4, 6)):
        measured = regression_r2(s[:, [i - 1 for i in block]], s)
        assert explained(covariance, block).tolist() == pytest.approx(measured.tolist(), abs=0.005)


def test_what_is_missed_of_the_block_is_missed_of_all_that_it_tells():
    # a regression on predictions of the block, not on the block itself
    covariance = wishart(5, generator=generator_for(0, "sigma"))
    s = torch.randn(400_000, 5, generator=generator_for(0, "s"), dtype=torch.float64)
    s = s @ torch.linalg.cholesky(covariance).mT
    blurred = s[:, :3] + 0.3 * torch.randn(s.shape[0], 3, generator=generator_for(0, "e"))
    known = blurred @ torch.linalg.lstsq(blurred, s[:, :3]).solution
    missed = torch.cov((s[:, :3] - known).mT)
    shares = explained(covariance, (1, 2, 3), missed)
    fitted = known @ torch.linalg.lstsq(known, s).solution
    expected = 1 - (s - fitted).var(0) / s.var(0)
    torch.testing.assert_close(shares, expected, atol=0.01, rtol=0)
    assert (shares < explained(covariance, (1, 2, 3)) - 0.01).any()


@pytest.mark.parametrize(
    ("selected", "perturbed"),
    [((1, 2, 3), ()), ((1, 2, 3, 4, 5), (1, 4)), ((1, 2, 4), (2,))],
    ids=["selection", "perturbation", "joint"],
)
@pytest.mark.parametrize("latents", ["independent", "dependent"])
def test_oracle_is_what_the_unbiased_block_predicts(unmixed, latents, selected, perturbed):
    world = unmixed(Bias(5, selected, perturbed), latents, specific=1)
    batch = world.sample(DRAWS, generator=generator_for(0, "draws"))
    block = torch.cat([batch.factors[f"s{i}"] for i in world.bias.unbiased], 1)
    everything = {("image", name): values for name, values in batch.factors.items()}
    everything |= {("text", name): values for name, values in batch.text_factors.items()}
    measured = regression_r2(block, torch.cat(list(everything.values()), 1))
    predicted = oracle(world)
    assert set(predicted) == set(everything)
    assert [predicted[key] for key in everything] == pytest.approx(measured.tolist(), abs=0.005)


def test_unbiased_factors_score_1_and_independent_others_0(unmixed):
    world = unmixed(Bias(5, (1, 2, 4), (2,)))
    predicted = oracle(world)
    for i in range(1, 6):
        assert predicted["image", f"s{i}"] == pytest.approx(float(i in (1, 4)))
    assert predicted["image", "m_x"] == predicted["image", "m_t"] == 0


def test_dependence_makes_misaligned_factors_partly_predictable(unmixed):
    predicted = oracle(unmixed(Bias(5, (1, 2, 4), (2,)), "dependent"))
    assert predicted["image", "s1"] == pytest.approx(1)
    for i in (2, 3, 5):
        assert 0 < predicted["image", f"s{i}"] < 1
    assert 0 < predicted["text", "s2"] < predicted["image", "s2"]


def test_oracle_predicts_what_captions_say_of_selected_factors_only(unmixed):
    predicted = oracle(unmixed(Bias(5, (1, 2, 4), (2,)), "dependent"))
    said = [factor for target, factor in predicted if target == "text"]
    assert said == ["s1", "s2", "s4"]
    assert predicted["text", "s4"] == predicted["image", "s4"]


def test_oracle_follows_the_probability_of_perturbation(unmixed):
    seldom, always = (
        oracle(unmixed(Bias(3, (1, 2, 3), (2,), probability=p), "dependent")) for p in (0.1, 1)
    )
    assert seldom["text", "s2"] > always["text", "s2"]
    assert seldom["image", "s2"] == always["image", "s2"]


def test_oracle_is_silent_at_another_width(unmixed):
    world = unmixed(Bias(5, (1, 2, 4), (2,)))
    assert oracle(world, 2) == oracle(world)
    assert oracle(world, 1) is None
    assert oracle(world, 3) is None


@pytest.mark.parametrize(("block", "got"), [((), "none"), ((0, 1), "[0]"), ((1, 4), "[4]")])
def test_block_must_be_among_the_factors(complains, block, got):
    with complains("block", "indices from 1 to 3", got):
        explained(torch.eye(3), block)


def test_a_world_of_other_latents_hears_what_the_oracle_needs(complains):
    bias = Bias(2, (1, 2), (2,), kind="uniform")
    world = ResampledWorld(bias, None, Mixing((torch.eye(4),)), Mixing((torch.eye(4),)))
    with complains("world", "with sigma_s and sigma_eps", "ResampledWorld", TypeError):
        oracle(world)


def test_an_outside_world_of_gaussian_latents_has_its_own_names(unmixed):
    inner = unmixed(Bias(3, (1, 2), (2,)), "dependent")
    names = dict(
        zip(
            ("s1", "s2", "s3", "m_x", "m_t"),
            ("height", "width", "hue", "pose", "style"),
            strict=True,
        )
    )
    outside = SimpleNamespace(
        bias=inner.bias,
        sigma_s=inner.sigma_s,
        sigma_eps=inner.sigma_eps,
        factors=tuple(replace(factor, name=names[factor.name]) for factor in inner.factors),
    )
    expected = {(target, names[name]): value for (target, name), value in oracle(inner).items()}
    assert oracle(outside) == expected
