"""Scores of runs: what probes read in every study, as rows of the records."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from misalign.evaluation import CIRCLE, PROBES, Reader
from misalign.probes.base import RATE
from misalign.records import SCORES
from misalign.rng import generator_for
from misalign.worlds.base import Factor

if TYPE_CHECKING:
    from misalign.run import Key, Run, Study, TrainedModel


@dataclass(frozen=True, eq=False)
class Representations:
    """What probes read and what they predict.

    Representations by modality, each of shape (n, size); targets by target and factor, each of
    shape (n, dimension), int64 if discrete; and kind and size of every target.
    """

    z: dict[str, Tensor]
    targets: dict[Key, Tensor]
    factors: dict[Key, Factor]


def represent(
    run: Run,
    model: TrainedModel,
    purpose: str,
    device: torch.device | str,
    study: Study | None = None,
) -> Representations:
    """Represent fresh samples of a run, as its study does, or else by `represent_samples`."""
    study = study or run.study
    if hasattr(study, "represent"):
        return study.represent(run, model, purpose, device)
    generator = generator_for(run.seed, purpose, device=device)
    return represent_samples(model, run.scale_config.probe_samples, generator)


@torch.no_grad()
def represent_samples(model: TrainedModel, n: int, generator: torch.Generator) -> Representations:
    """Represent n fresh samples of a world, drawn by a generator on its device.

    Targets are every factor of the image, and what captions say of perturbed ones.
    """
    world = model.world
    batch = world.sample(n, generator=generator, device=generator.device)
    observed = {"image": batch.image, "text": batch.text}
    z = {name: model.encoders[name](x) for name, x in observed.items()}
    factors = {("image", factor.name): factor for factor in world.factors}
    targets = {key: batch.factors[key[1]] for key in factors}
    for i in world.bias.perturbed:
        key = ("text", world.factors[i - 1].name)
        factors[key], targets[key] = world.factors[i - 1], batch.text_factors[key[1]]
    return Representations(z, targets, factors)


def score_run(
    run: Run, model: TrainedModel, device: torch.device | str, study: Study | None = None
) -> pd.DataFrame:
    """Probe a run's representations: a table of `misalign.records.SCORES`.

    Both modalities are read by both probes, fitted to the samples ``"fit"``, and scored on all
    others. A study, by default the run's, may restrict this (`reads`), name more samples
    (`samples`), score them in other ways, too (`extra_scores`), and say what the theorem predicts
    of the test samples (`oracle`).
    """
    study, splits = study or run.study, ("fit", "test")
    if hasattr(study, "samples"):
        samples = study.samples(run, model, device)
    else:
        samples = {name: represent(run, model, f"probe {name}", device, study) for name in splits}
    oracle = study.oracle(run, model) if hasattr(study, "oracle") else {}
    reads = getattr(study, "reads", lambda modality, probe, split, key: True)
    fit, rows = samples["fit"], []
    scale = run.scale_config
    options = {
        "circular": getattr(study, "circular", ()),
        "rate": getattr(scale, "probe_rate", RATE),
    }
    for modality, probe in itertools.product(fit.z, PROBES):
        wanted = [key for key in fit.targets if reads(modality, probe, "fit", key)]
        if not wanted:
            continue
        generator = generator_for(run.seed, "probes", modality, probe, device=device)
        reader = Reader(probe, scale.probe_steps, generator=generator, **options)
        reader.fit(fit.z[modality], {key: fit.targets[key] for key in wanted}, fit.factors)
        for split, one in samples.items():
            keys = [key for key in wanted if reads(modality, probe, split, key)]
            if split == "fit" or not keys:
                continue
            found = reader.score(one.z[modality], {key: one.targets[key] for key in keys})
            for (key, metric), value in found.items():
                known = oracle.get(key) if split == "test" and metric != CIRCLE else None
                rows.append(row(run, modality, split, probe, key, metric, value, known))
    if hasattr(study, "extra_scores"):
        rows += study.extra_scores(run, model, samples)
    return table(rows)


def row(
    run: Run,
    modality: str,
    split: str,
    probe: str,
    key: Key,
    metric: str,
    score: float,
    oracle: float | None = None,
) -> dict[str, object]:
    """One score as a row of the records."""
    fields = {"run": run.id, **run.identity}
    fields |= {"modality": modality, "split": split, "probe": probe}
    fields |= {"target": key[0], "factor": key[1], "metric": metric}
    known = None if oracle is None else round(oracle, 6)
    return fields | {"score": round(score, 6), "oracle": known}


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table of scores, columns `misalign.records.SCORES`."""
    return pd.DataFrame(rows, columns=list(SCORES)).astype({"oracle": float})
