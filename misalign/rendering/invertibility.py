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

    Parameters
    ----------
    picture : callable
        From factors to pictures, of shape (n, ...); a picture depends on its own row alone.
    factors : dict of Tensor
        Of n scenes, shape (n,) or (n, 1).
    names : sequence of str
        The k factors to differentiate by, floating.

    Returns
    -------
    Tensor
        Shape (n, pixels, k), where the pixels are all numbers of a picture.

    Raises
    ------
    ValueError
        For a name that no factor has, or no floating one.
    """
    columns = []
    for name in names:
        if name not in factors or not factors[name].is_floating_point():
            raise invalid("names", "floating factors", repr(name))
        with forward_ad.dual_level():
            drawn = picture({**factors, name: _dual(factors[name])})
            columns.append(forward_ad.unpack_dual(drawn).tangent.flatten(1))
    return torch.stack(columns, -1)


def _dual(factor: Tensor) -> Tensor:
    # torch's first dual number sets off torch's own warning of torch.jit.script
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return forward_ad.make_dual(factor, torch.ones_like(factor))


def secants(
    picture: Callable[[dict[str, Tensor]], Tensor],
    factors: dict[str, Tensor],
    names: Sequence[str],
    step: float = 0.3,
) -> Tensor:
    """Changes of pictures over a wide step of each factor, in place of derivatives.

    They contain the motion of edges, and the grain of stored normals averages out in them: a plain
    ball, which looks the same however it is turned, has steep derivatives and small secants.

    Parameters
    ----------
    picture, factors, names
        As for `jacobian`; factors in [0, 1].
    step : float, optional
        Towards the farther border, so that none is crossed; at most 1/2.

    Returns
    -------
    Tensor
        Changes per unit, shape (n, pixels, k).

    Raises
    ------
    ValueError
        For another step.
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

    Parameters
    ----------
    slopes : Tensor
        Jacobians of shape (n, pixels, k), pixels at least k.

    Returns
    -------
    Tensor
        Shape (n,); above 0 where the map is locally injective.

    Examples
    --------
    >>> smallest_singular_value(torch.eye(3)[None, :, :2] * 2).tolist()
    [2.0]
    """
    return torch.linalg.svdvals(slopes.double())[:, -1]


def nearest_pair(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Each picture's nearest other one.

    Parameters
    ----------
    pictures : Tensor
        Bytes or numbers in [0, 1], shape (n, ...), n at least 2.

    Returns
    -------
    Tensor, Tensor
        Root mean square difference, as a part of the whole range, and which one; shape (n,).

    Raises
    ------
    ValueError
        For fewer than two pictures.
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
