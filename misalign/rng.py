"""Random streams: one generator a purpose, so that one choice never shifts another's draws."""

from __future__ import annotations

import hashlib

import torch


def generator_for(
    seed: int, *purpose: object, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Generator of one purpose of one run, independent of every other purpose.

    It is seeded from a hash of the run's seed and words that name the purpose, such as
    ``"latents"`` or ``"mixing", "image"``; draws differ between kinds of device.
    """
    name = "/".join(map(str, (seed, *purpose)))
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator(device)
    generator.manual_seed(int.from_bytes(digest[:7], "little"))
    return generator
