"""What a run's representations know: probes of every factor and task, beside their oracles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd
import torch
from torch import Tensor, nn

from misalign.downstream import BINARY, BLOCKS, SPLIT, predicted, tasks
from misalign.probes import LinearProbe, MLPProbe, mcc, r2
from misalign.results import IDENTITY, SCORES
from misalign.run import Run
from misalign.scales import numerical_scale
from misalign.streams import stream
from misalign.theory import oracle
from misalign.worlds import NumericalWorld
from misalign.worlds.numerical import heavy_tails

TASKS = (*BLOCKS, BINARY)
UNSHIFTED = ("m_x", "m_t", "noise")  # nothing to see there out of distribution


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
        captions say of the perturbed ones, ``noise``, which nothing predicts, and the downstream
        tasks y1 to y4.
    """
    samples = numerical_scale(run.scale).probe_samples
    generator = stream(run.seed, purpose, device=device)
    world = fitted.world
    batch = world.sample(samples, generator=generator, device=device)
    representations = {
        "image": fitted.encoders["image"](batch.image),
        "text": fitted.encoders["text"](batch.text),
    }
    targets = {("image", name): values for name, values in batch.factors.items()}
    for i in world.bias.perturbed:
        targets["text", f"s{i}"] = batch.text_factors[f"s{i}"]
    targets["image", "noise"] = torch.randn(samples, 1, generator=generator, device=device)
    s = torch.cat([batch.factors[f"s{i + 1}"] for i in range(world.bias.n)], 1)
    for name, y in zip(BLOCKS, tasks(s).mT, strict=True):
        targets["image", name] = y[:, None]
    return representations, targets


def score(run: Run, fitted: Fitted, *, device: torch.device | str = "cpu") -> pd.DataFrame:
    """Probe a run's representations.

    Every factor is read from both modalities by both probes. The downstream tasks are read from
    the image's representation by the nonlinear probe (App. C.1). Those probes, as they are, also
    meet images under `heavy_tails`: the split ``"ood"``.

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
    shifted = replace(fitted, world=replace(fitted.world, environment=heavy_tails))
    samples = {
        "fit": represent(run, fitted, "probe fit", device=device),
        "test": represent(run, fitted, "probe test", device=device),
        "ood": represent(run, shifted, "probe shift", device=device),
    }
    median = samples["fit"][1]["image", SPLIT].median()
    for _, targets in samples.values():
        targets["image", BINARY] = (targets["image", SPLIT] > median).float()
    useful = [("image", name) for name in TASKS]
    factors = [key for key in samples["fit"][1] if key not in useful]
    moved = [key for key in factors if key[0] == "image" and key[1] not in UNSHIFTED]
    oracles = _predicted(run, fitted.world)
    rows = []
    for modality in ("image", "text"):
        generator = stream(run.seed, "probes", modality, device=device)
        deep = MLPProbe(numerical_scale(run.scale).probe_steps, generator=generator)
        # the keys that are read in distribution, and those of them that are read out of it
        shallow = ("linear", LinearProbe(), factors, [])
        plans = {
            "image": [shallow, ("nonlinear", deep, factors + useful, moved + useful)],
            "text": [shallow, ("nonlinear", deep, factors, [])],
        }
        for name, probe, inside, outside in plans[modality]:
            found = _probed(probe, modality, inside, samples)
            for split, keys in (("test", inside), ("ood", outside)):
                for key in keys:
                    row = {"run": run.id, **{field: getattr(run, field) for field in IDENTITY}}
                    row |= {"modality": modality, "split": split, "probe": name}
                    row |= {"target": key[0], "factor": key[1]}
                    row |= {"metric": "mcc" if key[1] == BINARY else "r2"}
                    row |= {"score": round(found[split][key], 6)}
                    row |= {"oracle": oracles.get(key) if split == "test" else None}
                    rows.append(row)
    return pd.DataFrame(rows, columns=list(SCORES)).astype({"oracle": float})


def _probed(
    probe: LinearProbe | MLPProbe,
    modality: str,
    keys: list[tuple[str, str]],
    samples: dict[str, tuple[dict, dict]],
) -> dict[str, dict[tuple[str, str], float]]:
    """Fit a probe to targets and score it by split and target."""
    columns = {split: [targets[key] for key in keys] for split, (_, targets) in samples.items()}
    sizes = [part.shape[1] for part in columns["fit"]]
    y = {split: torch.cat(parts, 1) for split, parts in columns.items()}
    # the one column of classes comes last
    labels = [sum(sizes) - 1] if keys[-1][1] == BINARY else []
    options = {"labels": labels} if labels else {}
    probe.fit(samples["fit"][0][modality], y["fit"], **options)
    found = {}
    for split in ("test", "ood"):
        prediction = probe.predict(samples[split][0][modality])
        values = r2(y[split], prediction)
        values[labels] = mcc(y[split], prediction > 0)[labels].to(values.dtype)
        means = [part.mean().item() for part in values.split(sizes)]
        found[split] = dict(zip(keys, means, strict=True))
    return found


def _predicted(run: Run, world: NumericalWorld) -> dict[tuple[str, str], float]:
    """Oracle of every target; empty where the theorem says nothing (controls, other widths)."""
    noise = {("image", "noise"): 0.0}
    known = None if run.variant else oracle(world, run.encoding_size)
    if known is None:
        return noise
    block = world.bias.unbiased
    useful = predicted(world.sigma_s, block, generator=stream(run.seed, "oracle", *block))
    known |= {("image", name): value for name, value in useful.items()}
    return noise | {key: round(value, 6) for key, value in known.items()}
