"""What Theorem 4.1 predicts for Causal3DIdent, whose captions are coarser than its factors.

The block that captions share with pictures is their words, not the factors behind them: a hue is
known as far as its color's name tells it, the spotlight's position to a fifth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from misalign.bias import Bias
from misalign.captions.captioner import Captioner
from misalign.errors import invalid
from misalign.metrics import multiclass_mcc
from misalign.worlds.base import Factor
from misalign.worlds.causal3dident import FACTORS, SEMANTIC, draw

# groups of factors that depend on each other (Figure 15): what is said of one group tells nothing
# of another
GROUPS = (("shape",), ("x_pos", "y_pos", "color"), ("s_pos", "s_color", "b_color"))


def caption_oracle(
    bias: Bias,
    *,
    draws: int = 1_000_000,
    generator: torch.Generator,
    captioner: Captioner | None = None,
) -> dict[str, float]:
    """Score the best prediction of each factor of the picture from the words of unbiased factors.

    Factors are drawn afresh from the graph. All samples with the same words get one prediction:
    their mean, or the most frequent of a discrete factor's values.

    Parameters
    ----------
    bias : Bias
        Such as a `misalign.worlds.causal3dident.setting`; perturbed factors must be perturbed
        always, so that their words tell nothing, or it is a ValueError.
    draws, generator : int, torch.Generator
        Number of samples, and their source.
    captioner : Captioner, optional
        Whose words; by default those of Table 9.

    Returns
    -------
    dict of str to float
        By factor: R2, or MCC of a discrete one.
    """
    if bias.perturbed and bias.probability < 1:
        raise invalid("bias", "a probability of 1", bias.probability)
    words = captioner or Captioner.causal3dident()
    drawn = draw(draws, generator=generator)
    known = [SEMANTIC[i - 1].name for i in bias.unbiased]
    scores = {}
    for factor in FACTORS:
        group = next((names for names in GROUPS if factor.name in names), ())
        cells = drawn["shape"].new_zeros(draws)
        for name in (name for name in group if name in known):
            cells = cells * len(words.wordings[name].words) + words.word_of(name, drawn[name])
        scores[factor.name] = _score(factor, drawn[factor.name], cells)
    return scores


def _score(factor: Factor, values: Tensor, cells: Tensor) -> float:
    sizes = torch.bincount(cells)
    if factor.kind == "discrete":
        table = torch.bincount(cells * factor.size + values, minlength=len(sizes) * factor.size)
        best = table.view(-1, factor.size).argmax(1)
        return multiclass_mcc(values, best[cells])
    values = values.double()
    values = values - values.mean()
    sums, there = torch.bincount(cells, values), sizes > 0
    total = values.square().sum()
    within = total - (sums[there].square() / sizes[there]).sum()
    # a mean fitted to its own cell lies too near, by one degree of freedom a cell
    spare = len(values) - there.sum()
    return 1 - (within / spare / (total / (len(values) - 1))).item()
