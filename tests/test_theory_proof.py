"""The proof's parts against closed forms: Darmois maps, uniformity, Jacobians, what is left."""

import math

import numpy as np
import pytest
import torch

from misalign.probes.regression import MLPProbe
from misalign.rng import generator_for
from misalign.theory.darmois import (
    GaussianDarmois,
    HistogramDarmois,
    entropy_after,
    nearest_neighbour_entropy,
)
from misalign.theory.information import partial_r2, retained_information
from misalign.theory.jacobian import jacobians, profile, smallest_stretch
from misalign.theory.uniformity import Folded, uniformity

SIGMA = torch.tensor([[1.0, 0.8], [0.8, 2.0]], dtype=torch.float64)


def gaussian(m: int, name: str = "s", sigma: torch.Tensor = SIGMA) -> torch.Tensor:
    root = torch.linalg.cholesky(sigma)
    rows = torch.randn(m, len(sigma), generator=generator_for(0, name), dtype=torch.float64)
    return rows @ root.mT


def skewed(m: int, name: str = "skewed") -> torch.Tensor:
    """One exponential coordinate, and one whose spread it decides."""
    rows = torch.rand(m, 2, generator=generator_for(0, name), dtype=torch.float64)
    first = -(1 - rows[:, 0]).log()
    return torch.stack([first, -(1 - rows[:, 1]).log() * (0.5 + first)], 1)


def noise(m: int, n: int) -> torch.Tensor:
    return torch.randn(m, n, generator=generator_for(0, "noise", m, n))


# ---- Darmois


def test_gaussian_darmois_is_the_conditional_distribution_function():
    s = gaussian(50)
    mean, spread = 0.8 * s[:, 0], math.sqrt(2 - 0.8**2)
    expected = [torch.special.ndtr(s[:, 0]), torch.special.ndtr((s[:, 1] - mean) / spread)]
    torch.testing.assert_close(GaussianDarmois(SIGMA)(s), torch.stack(expected, 1))


def test_gaussian_darmois_makes_its_density_uniform_and_no_other():
    darmois = GaussianDarmois(SIGMA)
    assert uniformity(darmois(gaussian(20_000))) > 0.01
    assert uniformity(darmois(gaussian(20_000, sigma=torch.eye(2).double()))) < 1e-6


def test_gaussian_darmois_has_the_entropy_of_the_uniform_exactly():
    entropy = math.log(2 * math.pi * math.e) + 0.5 * torch.logdet(SIGMA).item()
    # H(s) + E log |det| is exact up to the mean of a quadratic form
    assert entropy_after(GaussianDarmois(SIGMA), gaussian(100_000), entropy) == pytest.approx(
        0, abs=0.02
    )


def test_gaussian_darmois_refuses_what_is_no_covariance(complains):
    with complains("covariance", "positive definite", "another"):
        GaussianDarmois(-SIGMA)


@pytest.mark.parametrize("draw", [gaussian, skewed])
def test_histogram_darmois_makes_fresh_draws_uniform(draw):
    v = HistogramDarmois(draw(200_000))(draw(10_000, "fresh"))
    assert uniformity(v, 8) > 0.01
    assert nearest_neighbour_entropy(v) == pytest.approx(0, abs=0.05)


def test_histogram_darmois_approaches_the_closed_form():
    s = gaussian(2_000, "fresh")
    found = HistogramDarmois(gaussian(400_000), 64)(s)
    assert (found - GaussianDarmois(SIGMA)(s)).abs().mean() < 0.01


def test_histogram_darmois_without_conditioning_is_not_uniform():
    # one cell: the second coordinate is mapped by its marginal, which dependence gives away
    v = HistogramDarmois(gaussian(50_000), 1)(gaussian(10_000, "fresh"))
    assert uniformity(v, 8) < 1e-6


def test_histogram_darmois_names_a_small_sample(complains):
    with complains("sample", "at least 640 rows", "100"):
        HistogramDarmois(gaussian(100))


def test_entropy_of_a_gaussian_by_neighbours_is_the_closed_form():
    expected = math.log(2 * math.pi * math.e) + 0.5 * torch.logdet(SIGMA).item()
    assert nearest_neighbour_entropy(gaussian(20_000)) == pytest.approx(expected, abs=0.03)


def test_entropy_by_neighbours_of_points_on_two_heaps_is_minus_infinity():
    heaps = torch.zeros(100, 1)
    heaps[50:] = 1
    assert nearest_neighbour_entropy(heaps) == -math.inf


def test_entropy_after_a_map_that_drops_a_direction_is_minus_infinity():
    drop = torch.tensor([[1.0, 1.0], [0.0, 0.0]], dtype=torch.float64)
    assert entropy_after(lambda s: s @ drop, gaussian(10), 0.0) == -math.inf


# ---- uniformity


def test_p_values_of_uniform_samples_are_uniform():
    ps = [uniformity(torch.rand(500, 2, generator=generator_for(i, "u")), 5) for i in range(400)]
    counts = np.histogram(ps, bins=4, range=(0, 1))[0]
    assert ((counts - 100) ** 2 / 100).sum() < 16.3  # 0.1 % of the chi-squared law, 3 degrees


def test_uniformity_is_the_chi_squared_law():
    v = torch.tensor([[0.1]] * 30 + [[0.6]] * 10)
    # counts 30 and 10 against 20 and 20: statistic 10 with one degree of freedom
    assert uniformity(v, 2) == pytest.approx(math.erfc(math.sqrt(10 / 2)))


def test_uniformity_sees_a_dropped_coordinate_every_time():
    # both outputs are functions of one uniform variable, and each of them is uniform by itself
    for i in range(20):
        u = torch.rand(500, generator=generator_for(i, "dropped"))
        v = torch.stack([u, (2 * u) % 1], 1)
        assert uniformity(v[:, :1], 10) > 1e-4
        assert uniformity(v, 10) < 1e-6


@pytest.mark.parametrize(
    ("v", "expected", "got"),
    [
        (torch.rand(20), "shape (m, n)", "(20,)"),
        (torch.full((600, 2), 1.5), "points of the unit cube", "1.5"),
        (torch.rand(499, 2), "at least 500 rows for 100 cells", "499"),
    ],
)
def test_uniformity_refuses(complains, v, expected, got):
    with complains("v", expected, got):
        uniformity(v)


def test_folded_map_turns_twice_and_covers_the_interval():
    folded = Folded()
    u = torch.linspace(0, 3, 3001, dtype=torch.float64)
    v = folded(u)
    assert v[[0, -1]].tolist() == pytest.approx([0, 1])
    assert v.min() > -1e-12
    assert v.max() < 1 + 1e-12
    signs = folded.slope(u).sign()
    assert (signs[1:] != signs[:-1]).sum() == 2
    torch.testing.assert_close(folded.slope(u)[1:-1], (v[2:] - v[:-2]) / 0.002, atol=1e-4, rtol=0)


def test_folded_density_is_a_density_and_positive_almost_everywhere():
    u = torch.linspace(0, 3, 300_001, dtype=torch.float64)
    density = Folded().density(u)
    assert torch.trapezoid(density, u) == pytest.approx(1, abs=1e-6)
    assert (density > 0).double().mean() > 0.97  # it underflows next to the turning points
    assert density.min() >= 0


def test_shares_of_the_preimages_of_every_target_sum_to_1():
    folded = Folded()
    for target in (0.1, 0.31, 0.4, 0.5, 0.65, 0.9):
        cubic = np.roots([4, 0, -3, -5 * (target - 0.5)])
        t = torch.tensor([root.real for root in cubic if abs(root.imag) < 1e-9])
        u = (t.double() / folded.EDGE + 1) * 1.5
        assert len(u) == (3 if 0.3 < target < 0.7 else 1)
        assert folded.share(u).sum() == pytest.approx(1)


def test_folded_map_has_a_uniform_image_though_it_is_not_injective():
    folded = Folded()
    u = folded.draw(50_000, generator=generator_for(0, "folded"))
    assert len(u) == 50_000
    assert uniformity(folded(u)[:, None].clamp(0, 1), 50) > 0.01


# ---- Jacobians


def test_jacobian_of_a_linear_map_is_its_matrix():
    weight = torch.tensor([[1.0, 0.0, 2.0], [0.0, 0.0, 1.0]])
    found = jacobians(lambda z: z @ weight.mT, torch.randn(4, 3, generator=generator_for(0, "z")))
    torch.testing.assert_close(found, weight.expand(4, 2, 3))
    assert profile(found).tolist() == pytest.approx([1, 0, math.sqrt(5)])


def test_profile_in_a_dependent_world_counts_what_a_latent_can_do_alone():
    weight = torch.eye(2)[None]
    alone = [math.sqrt(1 - 0.8**2 / 2), math.sqrt(2 - 0.8**2)]
    assert profile(weight, SIGMA).tolist() == pytest.approx(alone, rel=1e-5)


def test_smallest_stretch_is_zero_where_a_direction_is_lost():
    weight = torch.diag(torch.tensor([3.0, 2.0, 0.0]))[None]
    assert smallest_stretch(weight, (1, 2)).item() == pytest.approx(2)
    assert smallest_stretch(weight, (1, 3)).item() == pytest.approx(0)


def test_jacobian_arguments_are_checked(complains):
    jacobian = torch.eye(2)[None]
    with complains("z", "shape (m, d)", "(3,)"):
        jacobians(lambda z: z, torch.zeros(3))
    with complains("covariance", "shape (2, 2)", "(3, 3)"):
        profile(jacobian, torch.eye(3))
    with complains("block", "indices from 1 to 2", "[3]"):
        smallest_stretch(jacobian, (1, 3))
    with complains("block", "at most 1 indices", "2"):
        smallest_stretch(jacobian[:, :1], (1, 2))


# ---- what is left


@pytest.mark.parametrize("values", [2, 3, 4])
@pytest.mark.parametrize("kind", ["uniform", "other"])
@pytest.mark.parametrize("probability", [0, 0.3, 0.9, 1])
def test_retained_information_is_that_of_the_joint_table(values, kind, probability):
    stay = probability / values if kind == "uniform" else 0
    move = probability / values if kind == "uniform" else probability / (values - 1)
    table = np.full((values, values), move) + np.diag([1 - probability + stay - move] * values)
    table /= values
    outer = table.sum(0) * table.sum(1)[:, None]
    cells = table > 0
    expected = (table[cells] * np.log2(table[cells] / outer[cells])).sum()
    found = retained_information(values, probability, kind)
    assert found == pytest.approx(expected, abs=1e-12)


def test_retained_information_of_row_7():
    assert retained_information(2, 0.9, "other") == pytest.approx(0.531, abs=5e-4)
    uniform = [retained_information(values, 0.9) for values in (2, 3, 4)]
    assert uniform == pytest.approx([0.007, 0.014, 0.020], abs=5e-4)
    assert retained_information(2, 1, "other") == pytest.approx(1)


@pytest.mark.parametrize(
    ("arguments", "name", "expected"),
    [
        ((1, 0.5), "values", "at least 2"),
        ((2, 1.5), "probability", "from 0 to 1"),
        ((2, 0.5, "noise"), "kind", "'uniform' or 'other'"),
    ],
)
def test_retained_information_refuses(complains, arguments, name, expected):
    with complains(name, expected, str(arguments[-1 if name != "values" else 0])):
        retained_information(*arguments)


def test_partial_r2_is_the_squared_partial_correlation():
    root = torch.randn(3, 3, generator=generator_for(0, "root"), dtype=torch.float64)
    sigma = root @ root.mT + torch.eye(3)
    s = gaussian(400_000, "partial", sigma)
    precision = torch.linalg.inv(sigma)
    expected = (precision[0, 1].square() / precision[0, 0] / precision[1, 1]).item()
    assert partial_r2(s[:, :1], s[:, 1:2], s[:, 2:]) == pytest.approx(expected, abs=0.005)


def test_partial_r2_sees_what_goes_beyond_the_block():
    s = torch.randn(8_000, 2, generator=generator_for(0, "beyond"))
    target = s[:, :1] + s[:, 1:]

    def probe():
        return MLPProbe(300, generator=generator_for(0, "probe"))

    # a bent copy of what the block knows adds nothing; one of what it does not know closes the gap
    assert abs(partial_r2(target, s[:, :1].pow(3), s[:, :1], probe=probe)) < 0.02
    assert partial_r2(target, s[:, 1:].exp(), s[:, :1], probe=probe) > 0.9


def test_partial_r2_needs_an_open_question(complains):
    s = torch.randn(100, 2, generator=generator_for(0, "open"))
    with complains("target", "does not determine", "R2 of 1"):
        partial_r2(s[:, :1], s[:, 1:], s)
    with complains("z", "100 rows", "50"):
        partial_r2(s[:, :1], s[:50, 1:], s)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: GaussianDarmois(torch.ones(2, 2).triu()), "covariance: expected a symmetric"),
        (lambda: HistogramDarmois(noise(100, 1), 4)(noise(5, 2)), "s: expected shape \\(m, 1\\)"),
        (lambda: nearest_neighbour_entropy(torch.rand(9)), "v: expected shape \\(m, n\\)"),
        (lambda: uniformity(torch.rand(0, 2)), "v: expected at least 500 rows"),
        (lambda: partial_r2(noise(1, 1), noise(1, 1), noise(1, 1)), "target: expected at least 20"),
        (lambda: partial_r2(noise(50, 2), noise(50, 1), noise(50, 1)), "target: expected shape"),
    ],
)
def test_bad_input_is_one_line_that_names_the_argument(call, words):
    with pytest.raises(ValueError, match=f"^{words}[^\\n]*$"):
        call()
