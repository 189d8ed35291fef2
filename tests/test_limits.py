"""Closed forms of the objective's limits, held to quadrature, to samples and to the objectives."""

import math

import pytest
import torch

from misalign.objectives import mmcl, sym_align_max_ent
from misalign.rng import generator_for
from misalign.theory.asymptotics import (
    blur_divergence,
    corners_log_kernel,
    gaussian_entropy,
    gaussian_log_kernel,
    uniform_log_kernel,
)

TAUS = (10.0, 1.0, 0.1, 0.01, 0.001)


def riemann(density, edges, tau, points=2001):
    """Log-kernel term of a density on an interval, by the midpoint rule in both integrals."""
    left, right = edges
    step = (right - left) / points
    z = left + step * (torch.arange(points, dtype=torch.float64) + 0.5)
    p = density(z) * step
    kernel = torch.exp(-(z[:, None] - z).square() / tau) @ p
    return float(p @ kernel.log())


@pytest.mark.parametrize("tau", TAUS)
def test_uniform_is_the_double_integral(tau):
    expected = riemann(torch.ones_like, (0, 1), tau)
    assert uniform_log_kernel(tau) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("tau", "variance"), [(1.0, 1.0), (0.1, 1.0), (1.0, 0.3)])
def test_gaussian_is_the_double_integral(tau, variance):
    def density(z):
        return torch.exp(-z.square() / (2 * variance)) / math.sqrt(2 * math.pi * variance)

    expected = riemann(density, (-8, 8), tau)
    assert gaussian_log_kernel(tau, variance=variance) == pytest.approx(expected, abs=1e-5)


def test_gaussian_of_two_widths_is_what_samples_say():
    generator = generator_for(0, "test limits")
    z = torch.randn(4000, 3, generator=generator, dtype=torch.float64)
    other = torch.randn(4000, 3, generator=generator, dtype=torch.float64) * 0.5**0.5
    sampled = (-torch.cdist(z, other).square() / 2).exp().mean(1).log().mean()
    closed = gaussian_log_kernel(2.0, 3, other=0.5)
    assert closed == pytest.approx(float(sampled), abs=0.03)


@pytest.mark.parametrize("tau", TAUS)
def test_terms_add_over_dimensions(tau):
    for term in (gaussian_log_kernel, uniform_log_kernel, corners_log_kernel):
        assert term(tau, 3) == pytest.approx(3 * term(tau))


@pytest.mark.parametrize("tau", (1.0, 0.1))
def test_corners_are_the_mean_over_pairs_of_corners(tau):
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 2)
    kernel = torch.exp(-torch.cdist(corners, corners).square() / tau)
    assert corners_log_kernel(tau, 2) == pytest.approx(float(kernel.mean(1).log().mean()))


@pytest.mark.parametrize(
    ("tau", "gap"), [(1.0, 0.72), (0.1, 0.21), (0.01, 0.0675), (0.001, 0.0214)]
)
def test_gap_of_the_uniform(tau, gap):
    divergence = blur_divergence(uniform_log_kernel(tau), 0.0, tau)
    assert divergence == pytest.approx(gap, rel=0.02)


@pytest.mark.parametrize("tau", TAUS)
def test_gap_is_a_divergence(tau):
    gaussian = blur_divergence(gaussian_log_kernel(tau, 2), gaussian_entropy(2), tau, 2)
    # KL between Gaussians of variances 1 and 1 + tau/2, twice
    assert gaussian == pytest.approx(math.log(1 + tau / 2) - tau / 2 / (1 + tau / 2), abs=1e-9)
    assert blur_divergence(uniform_log_kernel(tau), 0.0, tau) > 0


def test_gaussian_entropy_is_torchs():
    normal = torch.distributions.Normal(0.0, math.sqrt(0.7))
    assert gaussian_entropy(4, variance=0.7) == pytest.approx(4 * float(normal.entropy()), rel=1e-6)


def test_corners_beat_the_uniform_at_temperature_one_only():
    assert corners_log_kernel(1.0) < uniform_log_kernel(1.0)
    assert corners_log_kernel(0.01) > uniform_log_kernel(0.01)


def test_objectives_tend_to_the_terms():
    tau, pairs = 0.5, 3000
    z = torch.rand(pairs, 1, generator=generator_for(0, "test limits uniform"), dtype=torch.float64)
    limit = uniform_log_kernel(tau)
    assert float(mmcl(z, z, tau=tau)) - math.log(pairs) == pytest.approx(limit, abs=0.02)
    assert float(sym_align_max_ent(z, z, tau=tau)) == pytest.approx(limit, abs=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: uniform_log_kernel(0.0), "tau: expected a temperature above 0, got 0.0"),
        (lambda: corners_log_kernel(1.0, 0), "n: expected a dimension of at least 1, got 0"),
        (lambda: gaussian_log_kernel(1.0, variance=-1.0), "variance: expected variances of at"),
        (lambda: gaussian_entropy(variance=0.0), "variance: expected a variance above 0"),
    ],
)
def test_errors_name_the_argument(call, message):
    with pytest.raises(ValueError, match=message):
        call()
