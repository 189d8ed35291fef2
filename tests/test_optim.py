"""Muon: what it does to singular values, and torch's own as the reference."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import _muon

from misalign.rng import generator_for
from misalign.training.muon import Muon, orthogonalize

SHAPES = [(16, 16), (16, 24), (24, 16)]


def matrices(seed=0, scale=1.0):
    return [scale * torch.randn(shape, generator=generator_for(seed, *shape)) for shape in SHAPES]


def gradients(step):
    """Gradients of a step, of very different sizes, as in training."""
    return [g * 10.0 ** (step % 3 - 2) for g in matrices(seed=100 + step)]


def walk(make, steps=8):
    """Weights after some steps of an optimizer, and the distance that each has gone."""
    weights = [nn.Parameter(w) for w in matrices()]
    optimizer = make(weights)
    for step in range(steps):
        for weight, gradient in zip(weights, gradients(step), strict=True):
            weight.grad = gradient
        optimizer.step()
    return [w.detach() - start for w, start in zip(weights, matrices(), strict=True)]


@pytest.mark.parametrize("shape", SHAPES)
def test_orthogonalize_keeps_singular_vectors_and_brings_values_near_1(shape):
    g = torch.randn(shape, generator=generator_for(0, "g"), dtype=torch.float64)
    u, _, vh = torch.linalg.svd(g, full_matrices=False)
    values = torch.logspace(0, -1.5, len(vh), dtype=torch.float64)
    for scale in (1e-3, 1.0, 1e3):
        inside = u.mT @ orthogonalize(scale * u @ values.diag() @ vh) @ vh.mT
        assert (inside - inside.diagonal().diag()).abs().max() < 1e-9
        assert inside.diagonal().min() > 0.5
        assert inside.diagonal().max() < 1.5


def test_orthogonalize_leaves_a_zero_matrix_zero():
    assert torch.equal(orthogonalize(torch.zeros(3, 4)), torch.zeros(3, 4))


def test_orthogonalize_of_a_stack_is_that_of_its_matrices():
    stack = torch.randn(5, 12, 8, generator=generator_for(0, "stack"))
    one_by_one = torch.stack([orthogonalize(g) for g in stack])
    torch.testing.assert_close(orthogonalize(stack), one_by_one, atol=1e-5, rtol=1e-5)


def test_orthogonalize_of_a_transpose_is_the_transpose():
    g = torch.randn(12, 8, generator=generator_for(0, "g"))
    torch.testing.assert_close(orthogonalize(g.mT), orthogonalize(g).mT)


def in_float32(grad, coefficients, steps, eps):
    """Torch's Newton-Schulz iteration without its cast to bfloat16."""
    a, b, c = coefficients
    x = grad.T if grad.size(0) > grad.size(1) else grad
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if grad.size(0) > grad.size(1) else x


def test_muon_is_torch_muon_in_float32(monkeypatch):
    monkeypatch.setattr(_muon, "_zeropower_via_newtonschulz", in_float32)
    ours = walk(lambda weights: Muon(weights, 0.02))
    theirs = walk(lambda weights: torch.optim.Muon(weights, 0.02, weight_decay=0))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_muon_is_torch_muon_up_to_bfloat16():
    # bfloat16 has 8 bits: each of 5 iterations of 3 products errs by about 2^-8 of its result,
    # and the iteration stretches errors up to 3.4-fold where singular values are small
    ours = walk(lambda weights: Muon(weights, 0.02))
    theirs = walk(lambda weights: torch.optim.Muon(weights, 0.02, weight_decay=0))
    for one, other in zip(ours, theirs, strict=True):
        assert (one - other).norm() < 0.05 * other.norm()


def test_muon_moves_matrices_without_regard_to_the_size_of_gradients():
    def make(factor):
        weights = [nn.Parameter(w) for w in matrices()]
        for weight, gradient in zip(weights, gradients(0), strict=True):
            weight.grad = factor * gradient
        Muon(weights, 0.02).step()
        return weights

    for one, other in zip(make(1.0), make(1000.0), strict=True):
        torch.testing.assert_close(one, other)


def test_muon_passes_over_matrices_without_a_gradient():
    still, moving = (nn.Parameter(torch.ones(4, 4)) for _ in range(2))
    moving.grad = torch.eye(4)
    Muon([still, moving], 0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moving, torch.ones(4, 4))


def test_muon_goes_on_from_its_state_dict():
    def make():
        weights = [nn.Parameter(w) for w in matrices()]
        return weights, Muon(weights, 0.02)

    def advance(weights, optimizer, steps):
        for step in steps:
            for weight, gradient in zip(weights, gradients(step), strict=True):
                weight.grad = gradient
            optimizer.step()

    straight, optimizer = make()
    advance(straight, optimizer, range(3))
    resumed, fresh = make()
    for weight, saved in zip(resumed, straight, strict=True):
        weight.data.copy_(saved)
    fresh.load_state_dict(copy.deepcopy(optimizer.state_dict()))  # loading copies nothing
    advance(straight, optimizer, range(3, 6))
    advance(resumed, fresh, range(3, 6))
    assert all(map(torch.equal, straight, resumed))


def test_a_stack_moves_each_matrix_as_alone_at_its_own_stretch():
    shapes = [(8, 4), (4, 4)]
    alone = [
        nn.Parameter(torch.randn(*shape, generator=generator_for(0, *shape))) for shape in shapes
    ]
    padded = torch.zeros(2, 8, 4)
    for i, weight in enumerate(alone):
        padded[i, : len(weight)] = weight.detach()
    stacked = nn.Parameter(padded)
    stretch = [max(1, rows / columns) ** 0.5 for rows, columns in shapes]
    one, other = Muon(alone, 0.1), Muon([{"params": [stacked], "stretch": stretch}], 0.1)
    for step in range(3):
        stacked.grad = torch.zeros_like(stacked)
        for i, weight in enumerate(alone):
            weight.grad = torch.randn(weight.shape, generator=generator_for(1, step, i))
            stacked.grad[i, : len(weight)] = weight.grad
        one.step()
        other.step()
    for i, weight in enumerate(alone):
        moved = stacked.detach()[i, : len(weight)]
        torch.testing.assert_close(moved, weight.detach(), atol=1e-5, rtol=1e-5)
    assert not stacked.detach()[1, 4:].any()
