"""Run records: tidy CSV files that chapters draw from. Nobody types or edits them.

``<experiment>.csv`` holds one row a score, ``runs.csv`` one row a run. A run counts as recorded
once it stands in ``runs.csv``, which is written last, and as long as it has as many scores as it
says there.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
    *("steps", "seconds", "loss", "date", "rows", "losses"),
)
TEXT = dict.fromkeys(
    ("run", "variant", "commit", "code", "parameters", "date", "torch", "losses"), str
)
PARTS = 50  # of a training, whose mean losses are kept


@dataclass(frozen=True)
class Record:
    """What one run leaves behind: a row a score, columns `SCORES`, and a row, columns `RUNS`."""

    scores: pd.DataFrame
    run: pd.DataFrame

    @property
    def experiment(self) -> str:
        """Which file the scores belong to."""
        return self.run["experiment"].item()


def read(experiment: str, folder: Path = RESULTS) -> pd.DataFrame:
    """Scores of every recorded run of an experiment, such as ``"numerical"``.

    They have the columns `SCORES`; an unknown oracle is NaN, the paper's set-up has the variant "".

    Raises
    ------
    FileNotFoundError
        If nothing was recorded.
    ValueError
        If the file lacks a column, a row of it is cut or repeated, or a run lacks scores; the
        message names the line and what repairs it.
    """
    path = folder / f"{experiment}.csv"
    if not path.exists():
        raise invalid("results", "recorded runs (make sweep)", f"no {path}", FileNotFoundError)
    scores = _load(path, SCORES)
    of_run = _counted(experiment, scores, folder)
    for row in of_run[of_run["rows"] != of_run["found"]].itertuples():
        where, rows = f"{folder / 'runs.csv'}, line {row.Index + 2}", f"{row.rows} rows"
        got = f"{row.found} (misalign sweep records the run again)"
        raise invalid(where, f"{rows} of run {row.run} in {path.name}", got)
    return scores[scores["run"].isin(of_run["run"])].reset_index(drop=True)


def runs(folder: Path = RESULTS) -> pd.DataFrame:
    """One row a run, columns `RUNS`; empty if nothing was recorded."""
    return _load(folder / "runs.csv", RUNS)


def loss_curve(losses: str) -> np.ndarray:
    """Read a run's column `losses`: its mean loss in 50 equal parts of the training, in order.

    The array is empty for a run that was not trained, or was recorded before this was kept.
    """
    return np.array([float(loss) for loss in losses.split()])


def recorded(experiment: str, folder: Path = RESULTS) -> dict[str, str]:
    """Hashes of the code that recorded an experiment's runs, by run; of those that are whole."""
    of_run = _counted(experiment, _load(folder / f"{experiment}.csv", SCORES), folder)
    whole = of_run[of_run["rows"] == of_run["found"]]
    return dict(zip(whole["run"], whole["code"], strict=True))


def _counted(experiment: str, scores: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Rows of ``runs.csv`` of an experiment, and how many scores each run has."""
    table = runs(folder)
    table = table[table["experiment"] == experiment]
    return table.assign(found=table["run"].map(scores["run"].value_counts()).fillna(0).astype(int))


def write(record: Record, folder: Path = RESULTS) -> None:
    """Add a record, in the place of an earlier one of the same run.

    Writers of one folder, which is made if it is missing, wait for each other, and each file is
    replaced whole. A file there that lacks a column is a ValueError.
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
    content = path.read_bytes()
    _expect_rows(path, content.decode("utf-8", errors="replace"))
    empty = {"oracle": [""], "loss": [""]}  # the only numbers that may be unknown
    types = TEXT | {"score": float, "oracle": float} | dict.fromkeys(["rows"], int)
    try:
        table = pd.read_csv(
            io.BytesIO(content), dtype=types, keep_default_na=False, na_values=empty
        )
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a table of records, got {reason}") from None
    missing = [name for name in columns if name not in table]
    if missing:
        raise invalid(str(path), f"columns {', '.join(columns)}", f"none named {missing}")
    table = table[list(columns)]
    again = table.duplicated(["run"] if columns is RUNS else [*SCORES[:-2]]).to_numpy()
    if again.any():
        run, line = table["run"][again.argmax()], int(again.argmax()) + 2
        raise _damaged(path, line, "a row that is there once", f"run {run} again")
    return table


def _expect_rows(path: Path, text: str) -> None:
    """Raise a one-line error where a row is cut: pandas would fill it with empty values."""
    if not text.endswith("\n"):
        raise _damaged(path, text.count("\n") + 1, "a whole row", "one that is cut")
    rows = csv.reader(io.StringIO(text))
    header = next(rows)
    for row in rows:
        if len(row) != len(header) or row == header:
            got = "a second header" if row == header else f"{len(row)} values"
            raise _damaged(path, rows.line_num, f"a whole row of {len(header)} values", got)


def _damaged(path: Path, line: int, expected: str, got: str) -> Exception:
    # without its header no row can be read
    repair = f"rm {path}" if line == 1 else f"sed -i {line}d {path}"
    return invalid(f"{path}, line {line}", expected, f"{got} ({repair}, then misalign sweep)")


def _merged(
    path: Path, new: pd.DataFrame, columns: tuple[str, ...], order: tuple[str, ...]
) -> pd.DataFrame:
    """Rows of a file with new ones in the place of those of the same run, sorted."""
    old = _load(path, columns)
    kept = old[~old["run"].isin(new["run"])]
    table = pd.concat([kept, new[list(columns)]]) if len(kept) else new[list(columns)]
    return table.sort_values([*order, "run"])
