"""How many operations each piece of work cannot do without, by formula.

A product of (a, b) and (b, c) matrices costs 2 a b c operations: a multiplication and an addition
an element. Only matrix products are counted. Exponentials, random numbers, activations and Adam
come on top, so a time can come near its floor but not reach it.
"""

from __future__ import annotations

from torch import nn

from misalign.encoders.mlp import Whitening
from misalign.training.muon import ITERATIONS
from misalign.training.recipe import Recipe
from misalign.worlds.numerical import NumericalWorld

PASSES = 9  # over a (B, B) array and half of Eq. (2), see `objective_copies`


def objective(rows: int, width: int) -> int:
    """Eq. (2) with its gradient, B = rows, n = width."""
    # (B, n + 2) by (n + 2, B): the exponents
    product = 2 * rows * rows * (width + 2)
    # two halves; each has the exponents, and as much again for either factor's gradient
    return 2 * 3 * product


def objective_copies() -> float:
    """How many copies of a (B, B) array move as many bytes as Eq. (2) does.

    Forward, the product is written (1), read for its maximum (1), shifted in place (2),
    exponentiated in place (2) and summed (1); backward it is read twice (2). A copy is a read and
    a write. Not a floor of the formula, but of any code that keeps the array and does one thing
    at a time: a fused kernel could do with less.
    """
    return 2 * PASSES / 2


def encoder(network: nn.Module, rows: int) -> int:
    """One encoder, forward and backward."""
    total = 0
    for part in network.modules():
        if isinstance(part, Whitening):
            total += 2 * rows * part.matrix.numel()  # forward only: nothing there is trained
        if hasattr(part, "layers"):
            products = [2 * rows * layer.weight.numel() for layer in part.layers]
            # forward, gradient by the weights, gradient by the inputs; the first needs no last
            total += 3 * sum(products) - products[0]
    return total


def muon(rows: int, columns: int) -> int:
    """Newton-Schulz on one hidden matrix, m the smaller side and M the larger."""
    short, long = sorted((rows, columns))
    # X X' (m m M), its square (m m m), and the polynomial times X (m m M)
    return ITERATIONS * 2 * (2 * short * short * long + short**3)


def world(one: NumericalWorld, rows: int) -> int:
    """Draw rows pairs: Gaussians through their Cholesky factors, then the mixing layers."""
    roots = [one.sigma_s, one.sigma_m_x, one.sigma_m_t]
    roots += [one.sigma_eps] if one.bias.perturbed else []
    matrices = [*roots, *one.g_x.weights, *one.g_t.weights]
    return sum(2 * rows * matrix.numel() for matrix in matrices)


def step(encoders: nn.ModuleDict, one: NumericalWorld, recipe: Recipe) -> int:
    """One training step of one run: world, encoders, Eq. (2), Muon."""
    rows = recipe.batch_size * (1 + recipe.second_batch)
    mlps = [part for part in encoders.modules() if hasattr(part, "hidden_matrices")]
    hidden = [matrix for mlp in mlps for matrix in mlp.hidden_matrices()]
    size = mlps[0].layers[-1].weight.shape[0]
    total = world(one, rows) + objective(recipe.batch_size, size)
    total += sum(encoder(network, rows) for network in encoders.values())
    return total + sum(muon(*matrix.shape) for matrix in hidden)


def linear_probe(samples: int, size: int, targets: int) -> int:
    """Least squares by normal equations, and as many predictions."""
    inputs = size + 1  # the intercept
    # the Gram matrix, inputs times targets, inputs times weights
    return 2 * samples * inputs * (inputs + 2 * targets)


def mlp_probe(batch: int, size: int, hidden: int, targets: int, steps: int) -> int:
    """Steps of one-layer perceptrons, one a target."""
    # forward through both layers, and as much again for the gradients of their weights
    layers = 2 * batch * hidden * (size + 1) + 2 * batch * hidden
    return steps * targets * 2 * layers
