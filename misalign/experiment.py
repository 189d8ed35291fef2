"""From a `Run` to its `Record`: the only place where the parts meet."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor, nn

from misalign.bias import Bias
from misalign.encoders import numerical_encoder
from misalign.paths import CHECKPOINTS
from misalign.probes import LinearProbe, MLPProbe, r2
from misalign.provenance import DECIDING, code_hash, commit, device_name
from misalign.results import IDENTITY, RUNS, SCORES, Record, write
from misalign.run import Run
from misalign.scales import numerical_scale
from misalign.streams import stream
from misalign.theory import oracle
from misalign.training import train
from misalign.worlds import NumericalWorld

# taken while these very modules are loaded: later the files may be other than what runs
CODE = {experiment: code_hash(experiment) for experiment in DECIDING}


@dataclass(frozen=True, eq=False)
class Fitted:
    """A world and encoders trained on it.

    Parameters
    ----------
    world : NumericalWorld
        Where pairs come from.
    encoders : ModuleDict
        f_x as ``"image"`` and f_t as ``"text"``; identities in the variant ``"raw"``.
    losses : Tensor
        Loss of every training step, shape (steps,).
    """

    world: NumericalWorld
    encoders: nn.ModuleDict
    losses: Tensor


def fit(run: Run, *, device: torch.device | str = "cpu", checkpoint: Path | None = None) -> Fitted:
    """Draw a run's world and train its encoders.

    Parameters
    ----------
    run : Run
        What to do.
    device : torch.device or str, optional
        Where to train.
    checkpoint : Path, optional
        File to resume from and to save to, see `misalign.training.train`.

    Returns
    -------
    Fitted
    """
    scale = numerical_scale(run.scale)
    bias = Bias.numerical(run.bias, run.setting)
    world = NumericalWorld.draw(bias, latents=run.latents, layers=scale.layers, seed=run.seed)
    world = world.to(device)
    if run.variant == "raw":
        identities = {"image": nn.Identity(), "text": nn.Identity()}
        return Fitted(world, nn.ModuleDict(identities), torch.zeros(0))
    sample = world.sample(
        scale.probe_samples, generator=stream(run.seed, "scales", device=device), device=device
    )
    encoders = nn.ModuleDict(
        {
            modality: numerical_encoder(
                observed,
                run.encoding_size,
                hidden=scale.widths(observed.shape[1]),
                whiten=scale.whiten,
                standardize=scale.standardize,
                generator=stream(run.seed, "initial weights", modality),
            )
            for modality, observed in (("image", sample.image), ("text", sample.text))
        }
    )
    if run.variant == "untrained":
        return Fitted(world, encoders.eval(), torch.zeros(0))
    generator = stream(run.seed, "batches", device=device)
    losses = train(
        encoders,
        world,
        scale.recipe,
        generator=generator,
        device=device,
        checkpoint=checkpoint,
        run=run.id,
    )
    return Fitted(world, encoders, losses)


@torch.no_grad()
def represent(
    run: Run, fitted: Fitted, purpose: str, *, device: torch.device | str = "cpu"
) -> tuple[dict[str, Tensor], dict[tuple[str, str], Tensor]]:
    """Representations of fresh samples, and the targets that probes predict from them.

    Parameters
    ----------
    run : Run
        Decides the number of samples.
    fitted : Fitted
        World and encoders.
    purpose : str
        Names the stream of samples, such as ``"probe fit"`` or ``"probe test"``.
    device : torch.device or str, optional
        Where everything lives.

    Returns
    -------
    dict of str to Tensor
        Representations by modality, each of shape (samples, size).
    dict of (str, str) to Tensor
        Targets by (target, factor), each of shape (samples, dimension): every true factor, what
        captions say of the perturbed ones, and ``noise``, which nothing predicts.
    """
    samples = numerical_scale(run.scale).probe_samples
    generator = stream(run.seed, purpose, device=device)
    batch = fitted.world.sample(samples, generator=generator, device=device)
    representations = {
        "image": fitted.encoders["image"](batch.image),
        "text": fitted.encoders["text"](batch.text),
    }
    targets = {("image", name): values for name, values in batch.factors.items()}
    for i in fitted.world.bias.perturbed:
        targets["text", f"s{i}"] = batch.text_factors[f"s{i}"]
    targets["image", "noise"] = torch.randn(samples, 1, generator=generator, device=device)
    return representations, targets


def score(run: Run, fitted: Fitted, *, device: torch.device | str = "cpu") -> pd.DataFrame:
    """Probe a run's representations.

    Parameters
    ----------
    run : Run
        Decides samples and probes.
    fitted : Fitted
        World and encoders.
    device : torch.device or str, optional
        Where everything lives.

    Returns
    -------
    DataFrame
        Columns `misalign.results.SCORES`. A factor of several dimensions scores its mean R2.
    """
    z_fit, targets_fit = represent(run, fitted, "probe fit", device=device)
    z_test, targets_test = represent(run, fitted, "probe test", device=device)
    y_fit, y_test = (torch.cat([*t.values()], 1) for t in (targets_fit, targets_test))
    sizes = [values.shape[1] for values in targets_fit.values()]
    predicted = _predicted(run, fitted.world)
    steps = numerical_scale(run.scale).probe_steps
    rows = []
    for modality in z_fit:
        generator = stream(run.seed, "probes", modality, device=device)
        for name, probe in (
            ("linear", LinearProbe()),
            ("nonlinear", MLPProbe(steps, generator=generator)),
        ):
            prediction = probe.fit(z_fit[modality], y_fit).predict(z_test[modality])
            columns = r2(y_test, prediction).split(sizes)
            for (target, factor), column in zip(targets_fit, columns, strict=True):
                rows.append(
                    {
                        **{"run": run.id, **{field: getattr(run, field) for field in IDENTITY}},
                        **{"modality": modality, "split": "test", "probe": name},
                        **{"target": target, "factor": factor, "metric": "r2"},
                        "score": round(column.mean().item(), 6),
                        "oracle": predicted.get((target, factor)),
                    }
                )
    return pd.DataFrame(rows, columns=list(SCORES)).astype({"oracle": float})


def _predicted(run: Run, world: NumericalWorld) -> dict[tuple[str, str], float]:
    """Oracle of every target; empty where the theorem says nothing (controls, other widths)."""
    noise = {("image", "noise"): 0.0}
    if run.variant:
        return noise
    scores = oracle(world, run.encoding_size) or {}
    return noise | {key: round(value, 6) for key, value in scores.items()}


def execute(
    run: Run,
    *,
    device: torch.device | str = "cpu",
    record: Path | str = "",
) -> Record:
    """Train and probe one run.

    Parameters
    ----------
    run : Run
        What to do.
    device : torch.device or str, optional
        Where.
    record : Path or str, optional
        Folder to write the record to. Such a run also keeps checkpoints, so that one that was
        killed goes on where it was. By default nothing is written.

    Returns
    -------
    Record
        Scores and provenance.
    """
    started = time.perf_counter()
    checkpoint = CHECKPOINTS / f"{run.id}-{CODE[run.experiment]}.pt" if record else None
    fitted = fit(run, device=device, checkpoint=checkpoint)
    scores = score(run, fitted, device=device)
    losses = fitted.losses
    row = {
        "run": run.id,
        "experiment": run.experiment,
        "scale": run.scale,
        "parameters": run.parameters,
        "commit": commit(),
        "code": CODE[run.experiment],
        "device": device_name(device),
        "torch": torch.__version__,
        "steps": len(losses),
        "seconds": round(time.perf_counter() - started, 1),
        "loss": round(losses[-50:].mean().item(), 6) if len(losses) else float("nan"),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    result = Record(scores, pd.DataFrame([row], columns=list(RUNS)))
    if record:
        write(result, Path(record))
    return result


def execute_all(
    runs: list[Run], *, device: torch.device | str = "cpu", record: Path | str = ""
) -> list[Record]:
    """Train and probe runs; each record is written as soon as its run ends.

    Parameters
    ----------
    runs : list of Run
        What to do.
    device : torch.device or str, optional
        Where.
    record : Path or str, optional
        Folder to write the records to; by default nothing is written.

    Returns
    -------
    list of Record
        In the order of the runs.
    """
    return [execute(run, device=device, record=record) for run in runs]


def seconds_a_step(run: Run, device: torch.device | str = "cpu") -> float:
    """Measure a training step of a run, by a short training.

    Parameters
    ----------
    run : Run
        What to train.
    device : torch.device or str, optional
        Where.

    Returns
    -------
    float
        Seconds.
    """
    scale = numerical_scale(run.scale)
    world = NumericalWorld.draw(
        Bias.numerical(run.bias, run.setting), latents=run.latents, layers=1, seed=run.seed
    ).to(device)
    sample = world.sample(2, generator=stream(run.seed, "scales", device=device), device=device)
    encoders = nn.ModuleDict(
        {
            modality: numerical_encoder(
                observed,
                run.encoding_size,
                hidden=scale.widths(observed.shape[1]),
                whiten=False,
                standardize=False,
                generator=stream(run.seed, "initial weights", modality),
            )
            for modality, observed in (("image", sample.image), ("text", sample.text))
        }
    )
    generator = stream(run.seed, "batches", device=device)
    recipe = replace(scale.recipe, steps=2)
    started = time.perf_counter()
    train(encoders, world, recipe, generator=generator, device=device)
    return (time.perf_counter() - started) / recipe.steps
