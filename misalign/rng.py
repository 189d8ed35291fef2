"""Random streams: one generator a purpose, so that one choice never shifts another's draws."""

from __future__ import annotations

import hashlib

import torch


def generator_for(
    seed: int, *purpose: object, device: torch.device | str = "cpu"
) -> torch.Generator:
    """Generator of one purpose of one run.

    Parameters
    ----------
    seed : int
        Seed of the run.
    *purpose : object
        Words that name the purpose, such as ``"latents"`` or ``"mixing", "image"``.
    device : torch.device or str, optional
        Where the generator lives; its draws differ between kinds of device.

    Returns
    -------
    torch.Generator
        Seeded from a hash of seed and purpose, hence independent of every other purpose.
    """
    name = "/".join(map(str, (seed, *purpose)))
    digest = hashlib.sha256(name.encode()).digest()
    generator = torch.Generator(device)
    generator.manual_seed(int.from_bytes(digest[:7], "little"))
    return generator
