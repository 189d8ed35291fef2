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

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import nbformat
import pandas as pd
import yaml

from misalign.errors import expect
from misalign.experiment import execute
from misalign.paths import EXECUTED, NOTEBOOKS, ROOT
from misalign.provenance import code_hash
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
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        keys = set(content) if isinstance(content, dict) else set()
        expect(keys == {"notebook", "runs"}, str(path), "the keys notebook and runs", sorted(keys))
        notebook = NOTEBOOKS / f"{content['notebook']}.ipynb"
        expect(notebook.exists(), "notebook", f"one of {NOTEBOOKS.name}/", content["notebook"])
        cells = nbformat.read(notebook, as_version=4).cells
        tagged = [cell for cell in cells if "parameters" in cell.metadata.get("tags", [])]
        expect(tagged, "notebook", "a cell tagged parameters", f"none in {notebook.name}")
        blocks = content["runs"]
        expect(isinstance(blocks, list) and blocks, "runs", "a list of blocks", blocks)
        override = {} if scale is None else {"scale": scale}
        runs = [run for block in blocks for run in Run.grid(**{**block, **override})]
        return cls(path.stem, notebook, tuple(dict.fromkeys(runs)))

    def missing(self, folder: Path) -> list[Run]:
        """Runs that a results folder does not hold yet."""
        known = set(recorded_runs(folder)["run"])
        return [run for run in self.runs if run.id not in known]

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
    """Seconds that runs will take, from those recorded of their scale; None if there are none."""
    table = recorded_runs(folder)
    seconds = [pd.to_numeric(table[table["scale"] == run.scale]["seconds"]).mean() for run in runs]
    total = sum(seconds)
    return None if pd.isna(total) else float(total)


@dataclass(frozen=True)
class Outcome:
    """What became of one group of runs.

    Parameters
    ----------
    runs : list of Run
        The group.
    error : str
        One line; empty if every run was recorded.
    notebook : Path or None
        The executed notebook, to look into.
    """

    runs: list[Run]
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
        known = set(recorded_runs(folder)["run"])
        unrecorded = [run for run in group if run.id not in known]
        if unrecorded and not error:
            error = f"the notebook ended without recording {len(unrecorded)} of its runs"
        yield Outcome(group, error, path)


def _execute_notebook(source: Path, target: Path, group: list[Run], folder: Path) -> None:
    """Execute a copy of a notebook, without the cells that draw records, for a group of runs."""
    import papermill  # only sweeps need it: pip install 'misalign[sweeps]'

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
