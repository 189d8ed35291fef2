"""Is a picture an injective function of its factors? The theory asks that of g_x (section 3)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd import forward_ad

from misalign.errors import invalid


def jacobian(
    picture: Callable[[dict[str, Tensor]], Tensor], factors: dict[str, Tensor], names: Sequence[str]
) -> Tensor:
    """Derivatives of pictures by continuous factors, in forward mode.

    The map takes factors of n scenes, shape (n,) or (n, 1), to pictures, shape (n, ...), each of
    which depends on its own row alone; `names` are the k factors to differentiate by, a ValueError
    for one that is not there, or not floating. The result has the shape (n, pixels, k), where the
    pixels are all numbers of a picture.
    """
    columns = []
    for name in names:
        if name not in factors or not factors[name].is_floating_point():
            raise invalid("names", "floating factors", repr(name))
        with forward_ad.dual_level():
            with warnings.catch_warnings():  # by torch itself, of torch.jit.script
                warnings.simplefilter("ignore", DeprecationWarning)
                dual = forward_ad.make_dual(factors[name], torch.ones_like(factors[name]))
            drawn = picture({**factors, name: dual})
            columns.append(forward_ad.unpack_dual(drawn).tangent.flatten(1))
    return torch.stack(columns, -1)


def secants(
    picture: Callable[[dict[str, Tensor]], Tensor],
    factors: dict[str, Tensor],
    names: Sequence[str],
    step: float = 0.3,
) -> Tensor:
    """Changes of pictures over a wide step of each factor, in place of derivatives.

    They contain the motion of edges, and the grain of stored normals averages out in them: a plain
    ball, which looks the same however it is turned, has steep derivatives and small secants.

    Arguments are those of `jacobian`, with factors in [0, 1]. A `step` of at most 1/2 (else a
    ValueError) goes towards the farther border, so that none is crossed. Gives changes per unit,
    shape (n, pixels, k).
    """
    if not 0 < step <= 0.5:
        raise invalid("step", "a number in (0, 1/2]", step)
    here, columns = picture(factors), []
    for name in names:
        by = torch.where(factors[name] > 0.5, -step, step).to(factors[name])
        there = picture({**factors, name: factors[name] + by})
        columns.append((there - here).flatten(1) / by.view(-1, 1))
    return torch.stack(columns, -1)


def smallest_singular_value(slopes: Tensor) -> Tensor:
    """How far a picture moves at least for a unit step of its factors, to first order.

    Of Jacobians (n, pixels, k), pixels at least k, it is a Tensor (n,), above 0 where the map is
    locally injective.

    Examples
    --------
    >>> smallest_singular_value(torch.eye(3)[None, :, :2] * 2).tolist()
    [2.0]
    """
    return torch.linalg.svdvals(slopes.double())[:, -1]


def nearest_pair(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture's nearest other one, among at least two (else a ValueError).

    Of pictures (n, ...), bytes or numbers in [0, 1], it gives the root mean square difference, as a
    part of the whole range, and which one, both of shape (n,).
    """
    if len(pictures) < 2:
        raise invalid("pictures", "at least 2", len(pictures))
    whole = 255.0 if pictures.dtype == torch.uint8 else 1.0
    flat = pictures.flatten(1).double() / whole
    # differences, not products: equal pictures are at distance 0 exactly
    far = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    far.fill_diagonal_(torch.inf)
    least, which = far.min(1)
    return least / flat.shape[1] ** 0.5, which
