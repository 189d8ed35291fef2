"""Where Eq. (1) goes as its batch grows: closed forms, and the gap to Eq. (2).

Eq. (1) less log K tends to E ||z_x - z_t||^2 / tau plus the mean of two log-kernel terms,
E_{z ~ p} log E_{z' ~ q} exp(-||z - z'||^2 / tau), one a direction. Up to (n/2) log(pi tau), such
a term is the log-likelihood of p under q blurred by N(0, tau/2 I). So where p = q it falls short
of minus the entropy of p by the divergence of p from its own blur, `blur_divergence`.
"""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt

from scipy.integrate import quad

from misalign.errors import invalid

EDGE = 6.0  # width of an edge layer, in units of sqrt(tau)


def _check(tau: float, n: int) -> None:
    if not tau > 0:
        raise invalid("tau", "a temperature above 0", tau)
    if not n >= 1:
        raise invalid("n", "a dimension of at least 1", n)


def gaussian_log_kernel(
    tau: float, n: int = 1, *, variance: float = 1.0, other: float | None = None
) -> float:
    """Log-kernel term of z ~ N(0, variance I) against z' ~ N(0, other I), at temperature tau.

    In n dimensions that is -(n/2) log(1 + 2 other / tau) - n variance / (tau + 2 other); `other` is
    the same as `variance` if left out.
    """
    _check(tau, n)
    other = variance if other is None else other
    if not (variance >= 0 and other >= 0):
        raise invalid("variance", "variances of at least 0", (variance, other))
    return -n / 2 * log(1 + 2 * other / tau) - n * variance / (tau + 2 * other)


def uniform_log_kernel(tau: float, n: int = 1) -> float:
    """Log-kernel term of the uniform distribution on (0, 1)^n against itself, at temperature tau.

    That is n times the integral over (0, 1) of the log of
    sqrt(pi tau) / 2 (erf(z / sqrt(tau)) + erf((1 - z) / sqrt(tau))), by quadrature.
    """
    _check(tau, n)
    width = sqrt(tau)

    def log_kernel(z: float) -> float:
        return log(width * sqrt(pi) / 2 * (erf(z / width) + erf((1 - z) / width)))

    # even about 1/2: twice its left half, with a break where it has left its edge
    half, _ = quad(log_kernel, 0, 0.5, points=[min(0.5, EDGE * width)], epsabs=1e-12)
    return n * 2 * half


def corners_log_kernel(tau: float, n: int = 1) -> float:
    """Log-kernel term of equal masses on the 2^n corners of the unit cube against itself.

    At temperature tau that is n log((1 + exp(-1 / tau)) / 2).
    """
    _check(tau, n)
    return n * log((1 + exp(-1 / tau)) / 2)


def gaussian_entropy(n: int = 1, *, variance: float = 1.0) -> float:
    """Differential entropy of N(0, variance I) in n dimensions, in nats."""
    if not variance > 0:
        raise invalid("variance", "a variance above 0", variance)
    return n / 2 * log(2 * pi * exp(1) * variance)


def blur_divergence(log_kernel: float, entropy: float, tau: float, n: int = 1) -> float:
    """Divergence of a distribution from its own blur, KL(p || p * N(0, tau/2 I)), never negative.

    From its log-kernel term against itself and its differential entropy, in nats, in n dimensions.
    It is what the limit of Eq. (1) and minus the entropy differ by, once (n/2) log(pi tau) is
    subtracted from the limit.
    """
    _check(tau, n)
    return n / 2 * log(pi * tau) - log_kernel - entropy
