"""How representations are read, in every study: probes fitted to targets, scores as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd
import torch

from misalign.metrics import binary_mcc, r2
from misalign.probes.regression import LinearProbe, MLPProbe
from misalign.records import SCORES

if TYPE_CHECKING:
    from misalign.run import Key, Read, Run


def probed(
    probe: LinearProbe | MLPProbe,
    modality: str,
    keys: list[Key],
    samples: Mapping[str, Read],
    binary: str = "",
) -> dict[str, dict[Key, float]]:
    """Fit a probe to targets, and score it by split and target.

    Parameters
    ----------
    probe : LinearProbe or MLPProbe
        Fitted here to the split ``"fit"``.
    modality : {"image", "text"}
        Representation to read.
    keys : list of (str, str)
        Targets to read; a target of classes comes last.
    samples : mapping of str to (dict, dict)
        Representations and targets by split; every split but ``"fit"`` is scored.
    binary : str, optional
        Factor that holds classes 0 and 1; scored by MCC, all others by R2.

    Returns
    -------
    dict of str to dict
        Scores by split; a factor of several dimensions scores its mean.
    """
    columns = {split: [targets[key] for key in keys] for split, (_, targets) in samples.items()}
    sizes = [part.shape[1] for part in columns["fit"]]
    y = {split: torch.cat(parts, 1) for split, parts in columns.items()}
    labels = [sum(sizes) - 1] if binary and keys[-1][1] == binary else []
    options = {"labels": labels} if labels else {}
    probe.fit(samples["fit"][0][modality], y["fit"], **options)
    found = {}
    for split in samples:
        if split == "fit":
            continue
        prediction = probe.predict(samples[split][0][modality])
        values = r2(y[split], prediction)
        values[labels] = binary_mcc(y[split], prediction > 0)[labels].to(values.dtype)
        means = [part.mean().item() for part in values.split(sizes)]
        found[split] = dict(zip(keys, means, strict=True))
    return found


def row(
    run: Run, modality: str, split: str, probe: str, key: Key, score: float, oracle: float | None
) -> dict[str, object]:
    """One score as a row of the records; its metric, R2 unless replaced, is the caller's."""
    fields = {"run": run.id, **run.identity}
    fields |= {"modality": modality, "split": split, "probe": probe}
    fields |= {"target": key[0], "factor": key[1], "metric": "r2"}
    return fields | {"score": round(score, 6), "oracle": oracle}


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Rows as a table of scores, columns `misalign.records.SCORES`."""
    return pd.DataFrame(rows, columns=list(SCORES)).astype({"oracle": float})
