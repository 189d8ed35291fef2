"""Run records: tidy CSV files that chapters draw from. Nobody types or edits them.

``<experiment>.csv`` holds one row a score, ``runs.csv`` one row a run. A run counts as recorded
once it stands in ``runs.csv``, which is written last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from filelock import FileLock

from misalign.errors import invalid
from misalign.paths import RESULTS, replacing

IDENTITY = ("scale", "variant", "latents", "bias", "setting", "seed", "encoding_size")
SCORES = (
    *("run", *IDENTITY, "modality", "split", "probe", "target", "factor", "metric"),
    *("score", "oracle"),
)
RUNS = (
    *("run", "experiment", "scale", "parameters", "commit", "code", "device", "torch"),
    *("steps", "seconds", "loss", "date"),
)
TEXT = {name: str for name in ("run", "variant", "commit", "code", "parameters", "date", "torch")}


@dataclass(frozen=True)
class Record:
    """What one run leaves behind.

    Parameters
    ----------
    scores : DataFrame
        One row a score, columns `SCORES`.
    run : DataFrame
        One row, columns `RUNS`.
    """

    scores: pd.DataFrame
    run: pd.DataFrame

    @property
    def experiment(self) -> str:
        """Which file the scores belong to."""
        return self.run["experiment"].item()


def read(experiment: str, folder: Path = RESULTS) -> pd.DataFrame:
    """Scores of every recorded run of an experiment.

    Parameters
    ----------
    experiment : str
        Such as ``"numerical"``.
    folder : Path, optional
        Where the records are.

    Returns
    -------
    DataFrame
        Columns `SCORES`; an unknown oracle is NaN, the paper's own set-up has the variant "".

    Raises
    ------
    FileNotFoundError
        If nothing was recorded.
    ValueError
        If the file lacks a column.
    """
    path = folder / f"{experiment}.csv"
    if not path.exists():
        raise invalid("results", "recorded runs (make sweep)", f"no {path}", FileNotFoundError)
    scores = _load(path, SCORES)
    return scores[scores["run"].isin(runs(folder)["run"])].reset_index(drop=True)


def runs(folder: Path = RESULTS) -> pd.DataFrame:
    """One row a recorded run, columns `RUNS`; empty if nothing was recorded."""
    return _load(folder / "runs.csv", RUNS)


def recorded(experiment: str, folder: Path = RESULTS) -> set[str]:
    """Names of the runs that have both their scores and their row in ``runs.csv``."""
    scores = _load(folder / f"{experiment}.csv", SCORES)
    return set(runs(folder)["run"]) & set(scores["run"])


def write(record: Record, folder: Path = RESULTS) -> None:
    """Add a record, in the place of an earlier one of the same run.

    Writers of one folder wait for each other, and each file is replaced whole.

    Parameters
    ----------
    record : Record
        What `misalign.execute` returned.
    folder : Path, optional
        Where to; made if it is missing.

    Raises
    ------
    ValueError
        If a file that is already there lacks a column.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        parts = (
            (folder / f"{record.experiment}.csv", record.scores, SCORES, SCORES[1:-2]),
            (folder / "runs.csv", record.run, RUNS, ("experiment", "scale", "parameters")),
        )
        # both are read before either is written, so a file that is not as it should be stops both
        tables = [(path, _merged(path, new, *keys)) for path, new, *keys in parts]
        for path, table in tables:
            with replacing(path) as partial:
                table.to_csv(partial, index=False, lineterminator="\n")


def _load(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.exists():
        return pd.DataFrame(columns=list(columns))
    empty = {"oracle": [""], "loss": [""]}  # the only numbers that may be unknown
    types = TEXT | {"score": float, "oracle": float}
    try:
        table = pd.read_csv(path, dtype=types, keep_default_na=False, na_values=empty)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a table of records, got {reason}") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise invalid(str(path), f"columns {', '.join(columns)}", f"none named {missing}")
    return table[list(columns)]


def _merged(
    path: Path, new: pd.DataFrame, columns: tuple[str, ...], order: tuple[str, ...]
) -> pd.DataFrame:
    """Rows of a file with new ones in the place of those of the same run, sorted."""
    old = _load(path, columns)
    kept = old[~old["run"].isin(new["run"])]
    table = pd.concat([kept, new[list(columns)]]) if len(kept) else new[list(columns)]
    return table.sort_values([*order, "run"])
