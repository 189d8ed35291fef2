"""Colours from hue, saturation and value."""

from __future__ import annotations

import torch
from torch import Tensor


def rgb(hue: Tensor, saturation: float, value: float) -> Tensor:
    """Convert HSV to RGB of shape (n, 3), differentiably in the hue but at multiples of 1/6.

    Hues are in turns: 0 and 1 are red, 1/3 is green, 2/3 is blue; other numbers wrap.
    """
    shift = torch.tensor([0.0, 4.0, 2.0], dtype=hue.dtype, device=hue.device)
    wheel = (hue[:, None] * 6 + shift).remainder(6)
    pure = ((wheel - 3).abs() - 1).clamp(0, 1)
    return value * (1 - saturation + saturation * pure)
