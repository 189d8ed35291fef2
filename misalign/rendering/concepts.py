"""Picture-book scenes, the case study in miniature (the slides' second validation).

A thing on a backdrop, in some light and weather, under a row of lanterns. Ten groups of four
concepts are visible properties of their own, so captions can name any and leave out any.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from misalign.rendering import flat
from misalign.rendering.columns import Column, expect_sizes, in_chunks, read

COLOURS = ((0.86, 0.12, 0.12), (0.1, 0.66, 0.2), (0.16, 0.25, 0.9), (0.97, 0.85, 0.1))
PLACES = ((-0.4, 0.1), (0.4, 0.1), (0.0, -0.3), (0.0, 0.5))  # left, right, top, bottom
RADII = (0.22, 0.34, 0.48, 0.66)
LANTERN = 0.11  # radius of one, in a row of up to four along the upper edge
ROW = (-0.72, -0.24, 0.24, 0.72), -0.84
BACKDROPS = ((0.5, 0.72, 0.42), (0.88, 0.76, 0.52), (0.42, 0.62, 0.82), (0.7, 0.45, 0.4))
# sunlit, moonlit, candlelit, floodlit: the light's colour in the middle and far from it
LIGHTS = (
    ((1.1, 1.0, 0.72), (1.1, 1.0, 0.72)),
    ((0.42, 0.5, 0.74), (0.42, 0.5, 0.74)),
    ((1.15, 0.86, 0.55), (0.3, 0.16, 0.1)),
    ((1.12, 1.12, 1.12), (1.12, 1.12, 1.12)),
)
SHADOWS = (0.5, 0.2, 0.0, 0.0)  # how dark, by light
NAMES = (
    *("color", "shape", "position", "light", "background"),
    *("size", "pattern", "count", "weather", "material"),
)
SPECIFIC = ("across", "down", "turn", "drift")
COLUMNS = (*(Column(name, 4) for name in NAMES), *map(Column, SPECIFIC))
TURN = math.radians(24)  # most that a thing is turned, both ways together
AT_ONCE = 64  # scenes


def picture(factors: dict[str, Tensor], *, size: int = 64) -> Tensor:
    """Pictures in [0, 1], all scenes at once; otherwise as `render`."""
    expect_sizes(size, 1)
    values = read(COLUMNS, factors)
    x, y = _grid(size, values["across"])
    canvas = _of(BACKDROPS, values["background"], values)[..., None, None].expand(-1, -1, *x.shape)
    n = len(values["pattern"])
    dark = flat.of_kind(flat.PATTERNS, values["pattern"], *(t.expand(n, -1, -1) for t in (x, y)))
    canvas = canvas * (1 - 0.3 * dark[:, None])
    canvas = _lit(_with_thing(canvas, values, x, y), values, x, y)
    return _weathered(_with_lanterns(canvas, values, x, y), values, x, y).clamp(0, 1)


def render(factors: dict[str, Tensor], *, size: int = 64) -> Tensor:
    """Render scenes, a few at a time: `picture` rounded to bytes, uint8 (n, 3, size, size).

    Parameters
    ----------
    factors : dict of Tensor
        Integers from 0 to 3 for each of `NAMES`, and numbers in [0, 1] for what captions never
        name: how far the things are off their place (across, down), their turn, and the drift of
        rain and snow. Each of shape (n,) or (n, 1), all on one device; else a ValueError.
    size : int, optional
        Side of a picture in pixels.

    Examples
    --------
    >>> factors = {name: torch.tensor([0, 3]) for name in NAMES}
    >>> factors |= {name: torch.tensor([0.5, 0.5]) for name in SPECIFIC}
    >>> tuple(render(factors, size=16).shape)
    (2, 3, 16, 16)
    """
    return in_chunks(partial(picture, size=size), read(COLUMNS, factors), AT_ONCE)


def _grid(size: int, like: Tensor) -> tuple[Tensor, Tensor]:
    # x to the right and y down, from -1 to 1, shape (size, size)
    ticks = (torch.arange(size, dtype=like.dtype, device=like.device) * 2 + 1 - size) / size
    return ticks.expand(size, size), ticks[:, None].expand(size, size)


def _of(table: tuple, kind: Tensor, values: dict[str, Tensor]) -> Tensor:
    return values["across"].new_tensor(table)[kind]


def _with_thing(canvas: Tensor, values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    """Put the thing and its shadow on a canvas, (n, 3, S, S)."""
    scale = _of(RADII, values["size"], values)[:, None, None]
    jitter = torch.stack([values["across"], values["down"]], -1) * 0.2 - 0.1
    at = (_of(PLACES, values["position"], values) + jitter)[..., None, None]
    u, v = (x - at[:, 0]) / scale, (y - at[:, 1]) / scale
    turn = ((values["turn"] - 0.5) * TURN)[:, None, None]
    u, v = turn.cos() * u + turn.sin() * v, turn.cos() * v - turn.sin() * u
    shade = _of(SHADOWS, values["light"], values)[:, None, None, None]
    cast = flat.of_kind(flat.SHAPES, values["shape"], u - 0.3, v - 0.2)
    canvas = canvas * (1 - shade * _inside(cast, scale)[:, None])
    return _painted(canvas, values, u, v, scale)


def _inside(level: Tensor, scale: Tensor | float) -> Tensor:
    # share of a pixel that is inside: distances are in units of the radius
    return (0.5 - level * scale * level.shape[-1] / 2).clamp(0, 1)


def _painted(
    canvas: Tensor, values: dict[str, Tensor], u: Tensor, v: Tensor, scale: Tensor
) -> Tensor:
    """Put the thing on a canvas, given the coordinates in its own frame, (n, S, S)."""
    paint = _of(COLOURS, values["color"], values)[..., None, None]
    level = flat.of_kind(flat.SHAPES, values["shape"], u, v)
    glossy, glowing, glassy = (
        (values["material"] == kind)[:, None, None].to(u.dtype) for kind in (1, 2, 3)
    )
    glow = glowing * torch.exp(-2 * level.clamp(min=0))
    canvas = canvas + 0.85 * glow[:, None] * (1 - canvas)
    light = torch.exp(-6 * ((u + 0.3).square() + (v + 0.35).square()))
    body = paint + (glossy * light)[:, None] * (1 - paint)
    body = body + 0.3 * glowing[:, None] * (1 - body)
    rim = (level > -flat.EDGE - 0.1 * glassy).to(u.dtype)
    rim_paint = glassy[:, None].expand_as(body)  # white of glass, dark of the rest
    body = body + rim[:, None] * (0.85 * rim_paint + 0.12 * (1 - rim_paint) - body)
    inside = _inside(level, scale)
    cover = inside * (1 - 0.7 * glassy * (1 - rim))
    return canvas + cover[:, None] * (body - canvas)


def _lit(canvas: Tensor, values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    near, far = _of(LIGHTS, values["light"], values)[..., None, None].unbind(1)
    away = (x.square() + y.square()).clamp(max=1.2) / 1.2
    return canvas * (near + away * (far - near))


def _with_lanterns(canvas: Tensor, values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    across, height = ROW
    for number, at in enumerate(across):
        there = (values["count"] >= number)[:, None, None].to(x.dtype)
        u, v = (x - at) / LANTERN, (y - height) / LANTERN
        level = flat.discs(u, v)
        tone = 1.0 - 0.9 * (level > -0.25).to(x.dtype)
        cover = there * _inside(level, LANTERN)
        canvas = canvas + cover[:, None] * (tone - canvas)
    return canvas


def _weathered(canvas: Tensor, values: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
    foggy, rainy, snowy = (
        (values["weather"] == kind)[:, None, None].to(x.dtype) for kind in (1, 2, 3)
    )
    drift = values["drift"][:, None, None] * 2 * math.pi
    fog = foggy * (0.42 + 0.2 * y)
    streaks = torch.sin(24 * (x + 0.3 * y) + drift) + 0.7 * torch.sin(5 * y - 11 * x + drift)
    rain = rainy * 0.75 * (streaks - 1.0).clamp(0, 1)
    flakes = torch.cos(11 * x + 2 * torch.sin(5 * y) + drift) + torch.cos(11 * y + 2 * x - drift)
    snow = snowy * (4 * (flakes - 1.45)).clamp(0, 1)
    for amount, tone in ((fog, 0.78), (rain, 0.86), (snow, 1.0)):
        canvas = canvas + amount[:, None] * (tone - canvas)
    return canvas
