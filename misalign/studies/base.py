"""What an experiment is, beyond the path that all of them share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import pandas as pd
import torch
from torch import nn

from misalign.bias import Bias
from misalign.encoders import numerical_encoder
from misalign.scales import Scale
from misalign.scoring import Fitted, Read
from misalign.streams import stream
from misalign.worlds.base import Batch

if TYPE_CHECKING:
    from misalign.run import Run


class Study(Protocol):
    """An experiment: its worlds, its settings and what is read from its representations.

    Attributes
    ----------
    name : str
        The experiment's name in runs and records.
    variants, latents : tuple of str
        What these fields of a run may be.
    scales : mapping of str to Scale
        How much compute, by the scale's name.
    """

    name: str
    variants: tuple[str, ...]
    latents: tuple[str, ...]
    scales: Mapping[str, Scale]

    def bias(self, bias: str, setting: int) -> Bias:
        """Look a setting up; a ValueError for one that the study does not have."""
        ...

    def initial(self, run: Run, device: torch.device | str) -> Fitted:
        """Draw a run's world and its encoders before training."""
        ...

    def represent(self, run: Run, fitted: Fitted, purpose: str, device: torch.device | str) -> Read:
        """Represent fresh samples, and give the targets that probes predict from them."""
        ...

    def score(self, run: Run, fitted: Fitted, device: torch.device | str) -> pd.DataFrame:
        """Probe a run's representations: a table of `misalign.results.SCORES`."""
        ...


def mlp_pair(run: Run, scale: Scale, sample: Batch) -> nn.ModuleDict:
    """Draw a run's encoders of observations that are vectors, before training.

    Parameters
    ----------
    run : Run
        Decides the initial weights and the width.
    scale : Scale
        Decides the hidden layers and the fixed scales at both ends.
    sample : Batch
        Pairs to measure the scales on.

    Returns
    -------
    ModuleDict
        ``"image"`` and ``"text"``, on the sample's device, in evaluation mode.
    """
    observed = {"image": sample.image, "text": sample.text}
    pair = {
        modality: numerical_encoder(
            x,
            run.encoding_size,
            hidden=scale.widths(x.shape[1]),
            whiten=scale.whiten,
            standardize=scale.standardize,
            generator=stream(run.seed, "initial weights", modality),
        )
        for modality, x in observed.items()
    }
    return nn.ModuleDict(pair).eval()
