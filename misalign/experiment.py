"""From a `Run` to its `Record`: worlds, training and probes put together."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from misalign.errors import invalid
from misalign.paths import CHECKPOINTS
from misalign.provenance import code_hash, commit, device_name, expect_clean
from misalign.records import PARTS, RUNS, Record, write
from misalign.rng import generator_for
from misalign.run import Run, TrainedModel
from misalign.studies import scores as scoring
from misalign.training.loop import train_many

__all__ = ["execute", "execute_all", "fit", "fit_all", "represent", "score"]


def fit(
    run: Run, *, device: torch.device | str = "cpu", checkpoint: Path | None = None
) -> TrainedModel:
    """Draw a run's world and train its encoders, as `fit_all` does for several."""
    return fit_all([run], device=device, checkpoint=checkpoint)[0]


def fit_all(
    runs: Sequence[Run], *, device: torch.device | str = "cpu", checkpoint: Path | None = None
) -> list[TrainedModel]:
    """Draw the worlds of runs and train their encoders, all in one program; in the runs' order.

    Parameters
    ----------
    runs : sequence of Run
        What to do; all of one experiment, scale and recipe, or it is a ValueError.
    device : torch.device or str, optional
        Where to train.
    checkpoint : Path, optional
        File to resume from and to save to, see `misalign.training.loop.train_many`.
    """
    kinds = {f"{run.experiment}, {run.scale}" for run in runs}
    if len(kinds) != 1:
        got = "; ".join(sorted(kinds)) or "none"
        raise invalid("runs", "runs of one experiment and scale", got)
    fitted = [run.study.initial(run, device) for run in runs]
    trained = [place for place, run in enumerate(runs) if run.trains]
    recipes = {runs[i].scale_config.recipe.fingerprint(): runs[i] for i in trained}
    if len(recipes) > 1:
        raise invalid("runs", "runs of one recipe", "; ".join(recipes))
    if trained:
        losses = train_many(
            [fitted[i].encoders for i in trained],
            [fitted[i].world for i in trained],
            runs[trained[0]].scale_config.recipe,
            [generator_for(runs[i].seed, "batches", device=device) for i in trained],
            device=device,
            checkpoint=checkpoint,
            runs=[runs[i].id for i in trained],
        )
        for i, loss in zip(trained, losses, strict=True):
            fitted[i] = replace(fitted[i], losses=loss)
    return fitted


def seconds_a_step(run: Run, *, device: torch.device | str = "cpu") -> float:
    """Time a training step of a run of any scale, without training it to the end.

    It is the difference of a longer and a shorter training, so what is done once does not count.
    """
    start = run.study.initial(replace(run, variant=""), device)
    recipe = replace(run.scale_config.recipe, prefetch_steps=1)
    seconds: dict[int, list[float]] = {1: [], 3: []}
    for steps in (1, 1, 3, 1, 3):  # the first warms up
        started = time.perf_counter()
        generator = generator_for(run.seed, "batches", device=device)
        brief = replace(recipe, steps=steps)
        train_many([start.encoders], [start.world], brief, [generator], device=device)
        seconds[steps].append(time.perf_counter() - started)
    # what interrupts a machine only adds, so the shortest of each is the truest
    least = {steps: min(taken) for steps, taken in seconds.items()}
    return max((least[3] - least[1]) / 2, 1e-6)


def represent(
    run: Run, fitted: TrainedModel, purpose: str, *, device: torch.device | str = "cpu"
) -> scoring.Representations:
    """Representations of fresh samples, and the targets that probes predict from them.

    The purpose names the samples' generator, such as ``"probe fit"`` or ``"probe test"``.
    """
    return scoring.represent(run, fitted, purpose, device)


def score(run: Run, fitted: TrainedModel, *, device: torch.device | str = "cpu") -> pd.DataFrame:
    """Probe a run's representations, as its study does: columns `misalign.records.SCORES`."""
    if hasattr(run.study, "score"):
        return run.study.score(run, fitted, device)
    return scoring.score_run(run, fitted, device)


def execute(
    run: Run,
    *,
    device: torch.device | str = "cpu",
    record: Path | str = "",
    allow_dirty: bool = False,
) -> Record:
    """Train and probe one run, for its `Record`, as `execute_all` does for several."""
    return execute_all([run], device=device, record=record, allow_dirty=allow_dirty)[0]


def execute_all(
    runs: Sequence[Run],
    *,
    device: torch.device | str = "cpu",
    record: Path | str = "",
    allow_dirty: bool = False,
) -> list[Record]:
    """Train runs together and probe each.

    A run's scores do not depend on its batch, up to the order of sums.

    Parameters
    ----------
    runs : sequence of Run
        What to do; all of one experiment, scale and recipe.
    device : torch.device or str, optional
        Where.
    record : Path or str, optional
        Folder to write the records to. Such runs also keep a checkpoint, so that a batch that was
        killed in training goes on where it was; one that was killed while it was probed trains
        again. By default nothing is written.
    allow_dirty : bool, optional
        Whether to record in the project's own results though files differ from the commit; the
        record says so.

    Returns
    -------
    list of Record
        Scores and provenance; `seconds` are an equal share of the training and a run's own probing.

    Raises
    ------
    ValueError
        Without runs, for runs of several kinds, or for a tree of files that is not as committed.
    """
    if not runs:
        raise invalid("runs", "at least one run", "none")
    if record and not allow_dirty:
        expect_clean(Path(record))
    started = time.perf_counter()
    together = hashlib.sha256("".join(run.id for run in runs).encode()).hexdigest()[:12]
    code = code_hash(runs[0].experiment)
    checkpoint = CHECKPOINTS / f"{together}-{code}.pt" if record else None
    everyone = fit_all(runs, device=device, checkpoint=checkpoint)
    share = (time.perf_counter() - started) / len(runs)
    records = []
    for run, fitted in zip(runs, everyone, strict=True):
        started = time.perf_counter()
        scores = score(run, fitted, device=device)
        seconds = share + time.perf_counter() - started
        origin = _provenance(run, fitted.losses, seconds, device).assign(rows=len(scores))
        records.append(Record(scores, origin))
        if record:
            write(records[-1], Path(record))
    return records


def _provenance(
    run: Run, losses: Tensor, seconds: float, device: torch.device | str
) -> pd.DataFrame:
    row = {
        "run": run.id,
        "experiment": run.experiment,
        "scale": run.scale,
        "parameters": run.parameters,
        "commit": commit(),
        "code": code_hash(run.experiment),
        "device": device_name(device),
        "torch": torch.__version__,
        "steps": len(losses),
        "seconds": round(seconds, 1),
        "loss": round(losses[-50:].mean().item(), 6) if len(losses) else float("nan"),
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "losses": " ".join(
            f"{part.mean():.4g}" for part in losses.tensor_split(PARTS) if len(part)
        ),
    }
    return pd.DataFrame([row], columns=list(RUNS))
