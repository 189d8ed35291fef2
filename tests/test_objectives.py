"""Objectives against double loops written from the formulas, their floor, and their memory."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from misalign.objectives import mmcl, nt_xent, squared_distances, sym_align_max_ent
from misalign.rng import generator_for


def rows(count, width, name, scale=0.7, dtype=torch.float64):
    z = scale * torch.randn(count, width, generator=generator_for(0, name), dtype=dtype)
    return z.requires_grad_()


def minus_distance(a, b):
    return -((a - b) ** 2).sum()


def cosine(a, b):
    return (a * b).sum() / ((a * a).sum().sqrt() * (b * b).sum().sqrt())


def naive_mmcl(z_x, z_t, similarity, tau):
    """Eq. (1), as printed."""
    k, total = len(z_x), 0.0
    for i in range(k):
        pair = torch.exp(similarity(z_x[i], z_t[i]) / tau)
        texts = sum(torch.exp(similarity(z_x[i], z_t[j]) / tau) for j in range(k))
        images = sum(torch.exp(similarity(z_x[j], z_t[i]) / tau) for j in range(k))
        total = total + torch.log(pair / texts) + torch.log(pair / images)
    return -total / (2 * k)


def naive_align_max_ent(z_x, z_t, other_x, other_t, tau):
    """Eq. (2): alignment minus half of either entropy, each minus a log-mean of kernels."""
    n, alignment, entropies = len(z_x), 0.0, 0.0
    for i in range(n):
        pair = torch.exp(minus_distance(z_x[i], z_t[i]) / tau)
        alignment = alignment - minus_distance(z_x[i], z_t[i]) / tau / n
        for z, other in ((z_x, other_x), (z_t, other_t)):
            if other is None:
                kernels = [torch.exp(minus_distance(z[i], z[j]) / tau) for j in range(n) if j != i]
            else:
                kernels = [torch.exp(minus_distance(z[i], row) / tau) for row in other]
            kernels.append(pair)
            entropies = entropies - torch.log(sum(kernels) / len(kernels)) / n
    return alignment - entropies / 2


def naive_nt_xent(z_x, z_t, tau):
    """NT-Xent: among all 2K rows, the partner against everything but oneself."""
    k, everything, total = len(z_x), [*z_x, *z_t], 0.0
    for i, row in enumerate(everything):
        partner = everything[(i + k) % (2 * k)]
        others = sum(
            torch.exp(cosine(row, other) / tau) for j, other in enumerate(everything) if j != i
        )
        total = total - torch.log(torch.exp(cosine(row, partner) / tau) / others)
    return total / (2 * k)


def assert_same_value_and_gradient(ours, theirs, inputs):
    """In float64."""
    torch.testing.assert_close(ours, theirs, atol=1e-10, rtol=1e-10)
    for one, other in zip(
        torch.autograd.grad(ours, inputs), torch.autograd.grad(theirs, inputs), strict=True
    ):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("tau", [1.0, 0.3])
@pytest.mark.parametrize(
    ("name", "similarity"), [("euclidean", minus_distance), ("cosine", cosine)]
)
def test_mmcl_is_equation_1(name, similarity, tau):
    z = (rows(7, 3, "x"), rows(7, 3, "t"))
    assert_same_value_and_gradient(
        mmcl(*z, tau=tau, similarity=name), naive_mmcl(*z, similarity, tau), z
    )


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_sym_align_max_ent_is_equation_2_on_the_batch_itself(tau):
    z = (rows(7, 3, "x"), rows(7, 3, "t"))
    ours, theirs = sym_align_max_ent(*z, tau=tau), naive_align_max_ent(*z, None, None, tau)
    assert_same_value_and_gradient(ours, theirs, z)


@pytest.mark.parametrize("tau", [1.0, 0.3])
@pytest.mark.parametrize("others", [1, 5, 9])
def test_sym_align_max_ent_is_equation_2_against_a_second_batch(others, tau):
    z = (rows(7, 3, "x"), rows(7, 3, "t"), rows(others, 3, "x2"), rows(others, 3, "t2"))
    ours, theirs = sym_align_max_ent(*z, tau=tau), naive_align_max_ent(*z, tau)
    assert_same_value_and_gradient(ours, theirs, z)


@pytest.mark.parametrize("tau", [1.0, 0.01])
def test_exponentials_that_underflow_change_nothing(tau):
    # most kernels are 0 in float32 there; the value is that of double precision
    z = [rows(64, 10, name, scale=3) for name in ("x", "t")]
    single = [one.detach().float().requires_grad_() for one in z]
    losses = [sym_align_max_ent(*pair, tau=tau) for pair in (z, single)]
    gradients = [torch.autograd.grad(losses[i], (z, single)[i][0])[0] for i in (0, 1)]
    torch.testing.assert_close(losses[1].double(), losses[0], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradients[1].double(), gradients[0], rtol=1e-4, atol=1e-4 / tau)


@pytest.mark.parametrize("tau", [1.0, 0.3])
def test_nt_xent_contrasts_every_row_with_all_others(tau):
    z = (rows(6, 3, "x"), rows(6, 3, "t"))
    assert_same_value_and_gradient(nt_xent(*z, tau=tau), naive_nt_xent(*z, tau), z)


def test_modalities_may_be_swapped():
    z_x, z_t = rows(8, 3, "x"), rows(8, 3, "t")
    for objective in (mmcl, sym_align_max_ent, nt_xent):
        torch.testing.assert_close(objective(z_x, z_t), objective(z_t, z_x))


@pytest.mark.parametrize("scale", [1, 3, 10, 100, 1000])
@pytest.mark.parametrize("noise", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("second", [False, True])
def test_sym_align_max_ent_never_falls_below_its_floor(scale, noise, second):
    count, width = 64, 4
    z_x = scale * rows(count, width, "x")
    z_t = z_x + scale * noise * rows(count, width, "t")
    others = [scale * rows(32, width, name) for name in ("x2", "t2")] if second else []
    terms = 33 if second else count
    assert sym_align_max_ent(z_x, z_t, *others) >= -math.log(terms) - 1e-12  # log N is rounded


@pytest.mark.parametrize("second", [False, True])
def test_gradient_vanishes_at_the_floor(second):
    # why encoders standardise their outputs: far apart, nothing is left to learn from
    z = rows(64, 4, "x", scale=1000)
    others = [rows(32, 4, name, scale=1000) for name in ("x2", "t2")] if second else []
    loss = sym_align_max_ent(z, z.detach(), *others)
    (gradient,) = torch.autograd.grad(loss, z)
    assert loss.item() == pytest.approx(-math.log(33 if second else 64))
    assert gradient.abs().max() < 1e-9


def test_gradient_does_not_vanish_at_unit_variance():
    z = rows(64, 4, "x", scale=1)
    (gradient,) = torch.autograd.grad(sym_align_max_ent(z, z.detach()), z)
    assert gradient.abs().max() > 1e-4


def test_mmcl_is_never_negative_and_log_k_without_information():
    z = rows(64, 4, "x", scale=100)
    assert 0 <= mmcl(z, z).item() < 1e-6
    assert mmcl(torch.zeros(64, 4), torch.zeros(64, 4)).item() == pytest.approx(math.log(64))


def test_squared_distances_are_those_of_the_differences():
    a, b = rows(5, 3, "a"), rows(6, 3, "b")
    expected = (a[:, None] - b).square().sum(-1)
    torch.testing.assert_close(squared_distances(a, b), expected)


class Largest(TorchDispatchMode):
    """Size of the largest tensor that any operation returns."""

    elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for part in result if isinstance(result, list | tuple) else [result]:
            if isinstance(part, torch.Tensor):
                self.elements = max(self.elements, part.numel())
        return result


@pytest.mark.parametrize(
    ("objective", "inputs"), [(mmcl, 2), (sym_align_max_ent, 2), (sym_align_max_ent, 4)]
)
def test_memory_grows_with_the_square_of_the_batch_not_times_the_width(objective, inputs):
    batch, width = 24, 20
    z = [rows(batch, width, i) for i in range(inputs)]
    with Largest() as largest:
        objective(*z).backward()
    assert largest.elements <= batch * (batch + 1)  # one column more for the positive pair


def test_memory_of_nt_xent_is_that_of_all_pairs_of_rows():
    batch, width = 24, 100
    with Largest() as largest:
        nt_xent(rows(batch, width, "x"), rows(batch, width, "t")).backward()
    assert largest.elements <= max((2 * batch) ** 2, 2 * batch * width)


@pytest.mark.parametrize("objective", [mmcl, sym_align_max_ent, nt_xent])
def test_objectives_refuse_what_they_cannot_compare(complains, objective):
    z = torch.zeros(4, 3)
    with complains("tau", "a temperature above 0", "0"):
        objective(z, z, tau=0)
    with complains("z_x", "shape (..., B, n)", "(4,)"):
        objective(z[:, 0], z)
    with complains("z_t", "rows of width 3", "(4, 2)"):
        objective(z, z[:, :2])
    with complains("z_t", "4 rows", "3"):
        objective(z, z[:3])


def test_unknown_similarity_lists_the_known_ones(complains):
    z = torch.zeros(4, 3)
    with complains("similarity", "euclidean, cosine", "dot"):
        mmcl(z, z, similarity="dot")


def test_one_pair_alone_has_no_entropy(complains):
    with complains("z_x", "at least 2 rows", "1"):
        sym_align_max_ent(torch.zeros(1, 3), torch.zeros(1, 3))


@pytest.mark.parametrize("second", [False, True])
def test_batches_side_by_side_have_the_losses_of_each_alone(second):
    stacks = [torch.stack([rows(6, 3, (n, i)).detach() for i in range(4)]) for n in "xt"]
    others = [torch.stack([rows(5, 3, (n, i)).detach() for i in range(4)]) for n in "uv"]
    for objective in (mmcl, nt_xent, sym_align_max_ent):
        more = others if second and objective is sym_align_max_ent else []
        together = objective(*stacks, *more)
        each = [objective(*(z[i] for z in (*stacks, *more))) for i in range(4)]
        torch.testing.assert_close(together, torch.stack(each))
