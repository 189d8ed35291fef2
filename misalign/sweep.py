"""Sweeps: a grid of runs, executed by a notebook, recorded, and resumable.

A sweep file names a notebook and blocks of its parameters; a list makes an axis::

    notebook: 05_numerical
    runs:
      - latents: [independent, dependent]
        setting: [1, 2, 3]
        seed: [0, 1, 2, 3, 4]

Runs that differ only in their seed go to one execution of the notebook, in a process of its own.
What is recorded is skipped, so a sweep that was killed goes on when it is started again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from misalign.errors import expect
from misalign.experiment import execute
from misalign.paths import EXECUTED, NOTEBOOKS, RESULTS, ROOT, SWEEPS
from misalign.provenance import code_hash
from misalign.results import read as read_scores
from misalign.results import recorded
from misalign.results import runs as recorded_runs
from misalign.run import Run

# cells with this tag draw what sweeps record; a sweep leaves them out
RECORDED = "recorded"


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read and checked.

    Parameters
    ----------
    name : str
        Stem of the file.
    notebook : Path
        The notebook that executes the runs.
    runs : tuple of Run
        Without repetitions, in the file's order.
    """

    name: str
    notebook: Path
    runs: tuple[Run, ...]

    @classmethod
    def named(cls, name: str) -> Sweep:
        """Read one of the project's own sweeps, such as ``"figure_03"``."""
        return cls.read(SWEEPS / f"{name}.yml")

    @classmethod
    def read(cls, path: Path, scale: str | None = None) -> Sweep:
        """Read a sweep file.

        Parameters
        ----------
        path : Path
            A YAML file, see the module's docstring.
        scale : str, optional
            Takes the place of the file's own scale.

        Returns
        -------
        Sweep

        Raises
        ------
        ValueError
            If the file is no such mapping, names no notebook with a parameters cell, or has an
            unknown field, an empty axis or a value that `Run` refuses.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{path}: expected YAML, got {reason}") from None
        keys = set(content) if isinstance(content, dict) else set()
        expect(keys == {"notebook", "runs"}, str(path), "the keys notebook and runs", sorted(keys))
        notebook = NOTEBOOKS / f"{content['notebook']}.ipynb"
        expect(notebook.exists(), "notebook", f"one of {NOTEBOOKS.name}/", content["notebook"])
        # a notebook is JSON, so a machine without Jupyter can read it, too
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
        expect(tagged, "notebook", "a cell tagged parameters", f"none in {notebook.name}")
        blocks = content["runs"]
        listed = isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)
        expect(listed and blocks, "runs", "a list of blocks, each of fields and values", blocks)
        override = {} if scale is None else {"scale": scale}
        try:
            runs = [run for block in blocks for run in Run.grid(**{**block, **override})]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from None
        return cls(path.stem, notebook, tuple(dict.fromkeys(runs)))

    def missing(self, folder: Path) -> list[Run]:
        """Runs that a results folder does not hold yet."""
        # reading the scores here also finds a damaged file before anything is trained
        known = {name: recorded(name, folder) for name in {run.experiment for run in self.runs}}
        return [run for run in self.runs if run.id not in known[run.experiment]]

    def scores(self, folder: Path = RESULTS) -> pd.DataFrame:
        """Read the scores of these runs and of no others.

        Parameters
        ----------
        folder : Path, optional
            Results folder.

        Returns
        -------
        DataFrame
            Columns `misalign.results.SCORES`.

        Raises
        ------
        ValueError
            If a run is not recorded: a figure of half a sweep would not show it.
        """
        left = len(self.missing(folder))
        all_runs = f"all {len(self.runs)} runs of {self.name} (make sweep)"
        expect(not left, "results", all_runs, f"{len(self.runs) - left}")
        experiments = {run.experiment for run in self.runs}
        tables = pd.concat([read_scores(experiment, folder) for experiment in experiments])
        return tables[tables["run"].isin({run.id for run in self.runs})]

    def stale(self, folder: Path) -> list[Run]:
        """Runs that are recorded, but by other code than the present."""
        code = recorded_runs(folder).set_index("run")["code"]
        recorded = [run for run in self.runs if run.id in code]
        return [run for run in recorded if code[run.id] != code_hash(run.experiment)]


def groups(runs: list[Run]) -> list[list[Run]]:
    """Put together what one notebook executes: runs that differ only in their seed."""
    together: dict[Run, list[Run]] = {}
    for run in runs:
        together.setdefault(replace(run, seed=0), []).append(run)
    return list(together.values())


def estimate(runs: list[Run], folder: Path) -> float | None:
    """Seconds that runs will take, from those recorded of their scale; None if there are none.

    A folder without any goes by the project's own records.
    """
    table = recorded_runs(folder)
    table = table if len(table) else recorded_runs()
    seconds = [pd.to_numeric(table[table["scale"] == run.scale]["seconds"]).mean() for run in runs]
    total = sum(seconds)
    return None if pd.isna(total) else float(total)


@dataclass(frozen=True)
class Outcome:
    """What became of one group of runs.

    Parameters
    ----------
    recorded, failed : list of Run
        The group, parted by whether the present code has recorded the run.
    error : str
        One line; empty if nothing failed.
    notebook : Path or None
        The executed notebook, to look into.
    """

    recorded: list[Run]
    failed: list[Run]
    error: str
    notebook: Path | None


def carry_out(
    sweep: Sweep,
    runs: list[Run],
    folder: Path,
    *,
    notebooks: bool = True,
    device: str = "cpu",
) -> Iterator[Outcome]:
    """Execute runs, group by group.

    A run counts as done when its record is in the folder; what papermill says of a notebook is
    not asked, since it marks one whose kernel died as completed.

    Parameters
    ----------
    sweep : Sweep
        Whose notebook executes the runs.
    runs : list of Run
        Some of the sweep's.
    folder : Path
        Results folder.
    notebooks : bool, optional
        Without it the runs are executed right here, for machines that have no Jupyter.
    device : str, optional
        Where to train, without notebooks.

    Yields
    ------
    Outcome
        One a group, as soon as it ends; a failure does not end the sweep.
    """
    for group in groups(runs):
        path = EXECUTED / sweep.name / f"{group[0].id}.ipynb" if notebooks else None
        error = ""
        try:
            if path is not None:
                _execute_notebook(sweep.notebook, path, group, folder)
            else:
                for run in group:
                    execute(run, device=device, record=folder)
        except Exception as failure:
            error = " ".join(str(failure).strip().splitlines()[-1:]) or repr(failure)
        code = recorded_runs(folder).set_index("run")["code"].to_dict()
        failed = [run for run in group if code.get(run.id) != code_hash(run.experiment)]
        if failed and not error:
            error = "the notebook ended without recording it"
        done = [run for run in group if run not in failed]
        yield Outcome(done, failed, error if failed else "", path)


def _execute_notebook(source: Path, target: Path, group: list[Run], folder: Path) -> None:
    """Execute a copy of a notebook, without the cells that draw records, for a group of runs."""
    import nbformat
    import papermill

    notebook = nbformat.read(source, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if RECORDED not in cell.metadata.get("tags", [])
    ]
    parameters = {
        **asdict(group[0]),
        "seed": [run.seed for run in group],
        "record": str(folder.resolve()),
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        notebook,
        str(target),
        parameters=parameters,
        cwd=str(ROOT),
        kernel_name="python3",
        progress_bar=False,
    )
