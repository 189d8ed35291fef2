"""Does a world keep its promises? Asked of samples alone, so of any world."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from misalign.errors import check_int, invalid
from misalign.rng import generator_for
from misalign.worlds.base import Batch, World

LEAST = 256  # different pairs that say enough
WIDTH, WAVES = 64, 128  # features: columns of what is wider than that, and random cosines
RARE = 1e-4  # chance that a sound world fails a test of independence
ERRORS = 5  # standard errors that a share may be off
Row = tuple[str, float, float, bool]


def check_world(
    world: World, *, samples: int = 4096, generator: torch.Generator | None = None
) -> pd.DataFrame:
    """Draw samples, and tell whether a world keeps the promises of its factors and its bias.

    Parameters
    ----------
    world : World
        Anything with `factors`, `bias` and `sample`.
    samples : int, optional
        Pairs to draw; a ValueError if fewer than 256 are different. A picture of a finite set that
        comes up again counts once.
    generator : torch.Generator, optional
        Source of the samples, on the world's device; by default on the CPU, of a fixed seed.

    Returns
    -------
    DataFrame
        A row a promise: `check`, `expected`, `measured` and whether it `holds`. Rows such as
        ``"m_x | text"`` say whether one tells of the other, nonlinearly or not: the covariance of
        random features of both, squared, in units of what chance gives; chance passes `expected`
        once in 10,000 times. ``"s3 | text beyond selected"`` is of what selected factors leave
        open of an omitted one. ``"s1 as said"`` is the share of captions that say another value
        (no row where only the word is known). Other rows count faults; the first ends the check.

    Examples
    --------
    >>> from misalign.bias import Bias
    >>> from misalign.worlds.resampled import ResampledWorld
    >>> found = check_world(ResampledWorld.draw(Bias(3, (1, 2), (2,), kind="uniform")))
    >>> found["check"].tolist()[-4:]
    ['m_t | image', 'm_t | other factors', 's1 as said', 's2 as said']
    >>> bool(found["holds"].all())
    True
    """
    samples = check_int("samples", samples, LEAST)
    generator = generator_for(0, "check world") if generator is None else generator
    draw = partial(world.sample, generator=generator, device=generator.device)
    state, shared = generator.get_state(), torch.get_rng_state()
    first, second = draw(8), draw(8)
    generator.set_state(state)
    faults = {
        "samples repeat with the generator": _different(first, draw(8)),
        "samples go on with the generator": not _different(first, second),
    }
    batch = draw(samples)
    faults["torch's own generator is left alone"] = not torch.equal(shared, torch.get_rng_state())
    faults |= _flaws(world, batch, samples, generator.device)
    rows: list[Row] = [(name, 0, int(count), not count) for name, count in faults.items()]
    if not any(faults.values()):
        batch = _distinct(world, batch)
        rows += _independence(world, batch) + _perturbation(world, batch)
    return pd.DataFrame(rows, columns=["check", "expected", "measured", "holds"])


def _different(one: Batch, other: Batch) -> int:
    pairs = zip(*([b.image, b.text, *b.factors.values()] for b in (one, other)), strict=True)
    return sum(not torch.equal(*pair) for pair in pairs)


def _flaws(world: World, batch: Batch, n: int, device: torch.device) -> dict[str, int]:
    """Faults of names, shapes, devices and values."""
    known = {factor.name: factor for factor in world.factors}
    semantic = [factor.name for factor in world.factors if factor.side == "semantic"]
    said = {name for i, name in enumerate(semantic, 1) if i in world.bias.selected}
    flaws = {
        "number of semantic factors": abs(len(semantic) - world.bias.n),
        "names of factors": len(known.keys() ^ batch.factors.keys()),
        "names of text_factors": len(said ^ batch.text_factors.keys()),
    }
    parts = {"image": batch.image, "text": batch.text} | batch.factors
    parts |= {f"text_factors {name}": values for name, values in batch.text_factors.items()}
    for name, values in parts.items():
        stray, right = ~values.isfinite(), len(values) == n and values.device.type == device.type
        if name in known:
            discrete, size = known[name].kind == "discrete", known[name].size
            right &= values.shape[1:] == (1 if discrete else size,)
            stray |= discrete & ((values < 0) | (values >= size) | (values != values.round()))
        flaws[f"{name}: shape, device, values"] = int(stray.sum()) if right else n
    return flaws


def _distinct(world: World, batch: Batch) -> Batch:
    """Each picture once: one of a finite set comes up again, and its factors are no new draw."""
    shown, rows = [f for f in world.factors if f.side != "text"], np.arange(len(batch.text))
    if math.prod(f.size if f.kind == "discrete" else math.inf for f in shown) > len(rows):
        # else factors of so few values come up again in any world
        values = torch.cat([batch.factors[factor.name].double() for factor in shown], 1)
        rows = np.sort(np.unique(values.cpu().numpy(), axis=0, return_index=True)[1])
    if len(rows) < LEAST:
        raise invalid("samples", f"at least {LEAST} different pairs", len(rows))
    tables = [
        {name: values[rows].cpu() for name, values in table.items()}
        for table in (batch.factors, batch.text_factors, batch.content)
    ]
    return Batch(batch.image[rows].cpu(), batch.text[rows].cpu(), *tables)


def _independence(world: World, batch: Batch) -> list[Row]:
    """Whether texts tell of what is omitted, and either side of what is the other's alone."""
    true, said = batch.factors, [*(batch.text_factors | batch.content).values()]
    selected = [true[name] for name in batch.text_factors]
    seen = {"text": _features(batch.text), "image": _features(batch.image)}
    pairs = {}
    for factor in world.factors:
        name, other = factor.name, "image" if factor.side == "text" else "text"
        if factor.side != "semantic":
            rest = [true[one.name] for one in world.factors if one.side != factor.side]
            pairs[f"{name} | {other}"] = _features(true[name]), seen[other]
            pairs[f"{name} | other factors"] = _features(true[name]), _features(*rest, *said)
        elif name not in batch.text_factors:
            pairs[f"{name} | text beyond selected"] = _left(true[name], selected), seen["text"]
    return [(check, *_covary(*pair)) for check, pair in pairs.items()]


def _perturbation(world: World, batch: Batch) -> list[Row]:
    """Whether captions say other values as often as the bias promises."""
    bias, said, n, rows = world.bias, batch.text_factors | batch.content, len(batch.text), []
    semantic = [factor for factor in world.factors if factor.side == "semantic"]
    for i, factor in enumerate(semantic, 1):
        true, told = batch.factors[factor.name], said.get(factor.name)
        if told is None or true.is_floating_point() != told.is_floating_point():
            continue
        count = factor.size if factor.kind == "discrete" else len(true.unique(dim=0))
        hit = 1 - 1 / count if bias.kind == "uniform" else 1  # a fresh draw may be the old value
        expected = bias.probability * hit if i in bias.perturbed else 0.0
        measured = (true != told).any(1).double().mean().item()
        room = ERRORS * math.sqrt(expected * (1 - expected) / n) + (expected > 0) / n
        holds = abs(measured - expected) <= room
        rows.append((f"{factor.name} as said", expected, measured, holds))
    return rows


def _features(*values: Tensor) -> Tensor:
    """Columns of mean 0 that tell all about values: themselves, and random cosines of them."""
    columns = []
    for x in (one.flatten(1) for one in values):
        if x.is_floating_point() or x.dtype == torch.uint8:
            columns.append((x.float() - x.float().mean(0)) / x.float().std(0).clamp_min(1e-6))
        else:  # names rather than numbers
            columns += [(one[:, None] == one.unique()).float() for one in x.mT]
    x = torch.cat(columns, 1)
    x = x - x.mean(0)
    generator = generator_for(0, "check world", "features")
    if x.shape[1] > WIDTH:
        x = x @ torch.randn(x.shape[1], WIDTH, generator=generator) / x.shape[1] ** 0.5
    waves = min(WAVES, len(x) // 32)
    scale = x.square().sum(1).mean().sqrt().clamp_min(1e-6)
    turns = x @ torch.randn(x.shape[1], waves, generator=generator) / scale
    turns = torch.cos(turns + 2 * math.pi * torch.rand(waves, generator=generator))
    return torch.cat([x, turns - turns.mean(0)], 1)


def _left(values: Tensor, given: list[Tensor]) -> Tensor:
    """What others leave open of a factor's features."""
    features, design = _features(values), _features(*given)
    # first a guess of the factor, then what depends on that guess: of Gaussian factors that is all
    guess = _fitted(design, features[:, : values.shape[1]])
    left = features - _fitted(torch.cat([design, _features(guess)], 1), features)
    # what is next to nothing is error of the fit, not of the world
    return left * (left.square().mean() > 0.01 * features.square().mean())


def _fitted(design: Tensor, target: Tensor) -> Tensor:
    """Least squares, a little shrunk: columns may depend on each other."""
    design = design.double()
    square = design.mT @ design
    square += 1e-6 * square.trace() * torch.eye(len(square))
    return (design @ torch.linalg.solve(square, design.mT @ target.double())).float()


def _covary(one: Tensor, other: Tensor) -> tuple[float, float, bool]:
    """Bound of the features' squared covariance if rows had random signs, itself, and whether."""
    chance = (one.square().sum(1) * other.square().sum(1)).sum()
    if not chance:
        return 1.0, 0.0, True  # one of them has nothing to tell
    measured = ((one.mT @ other).square().sum() / chance).item()
    some = slice(1024)  # rows that tell the variance well enough
    pairs = (one[some] @ one[some].mT) * (other[some] @ other[some].mT) / chance
    variance = 2 * pairs.fill_diagonal_(0).square().sum().item() * (len(one) / len(pairs)) ** 2
    bound = float(stats.gamma.isf(RARE, 1 / variance, scale=variance))
    return bound, measured, measured <= bound
