"""Notebooks as papermill templates: what their parameters cell sets, and how a group is executed.

A run counts as done when the present code's record of it is in the results folder. What papermill
says of a notebook is not asked, since it marks one whose kernel died, or whose cell timed out, as
completed. So a group may be executed twice, by a retry or by another sweep, without harm.
"""

from __future__ import annotations

import ast
import json
import os
from dataclasses import dataclass
from pathlib import Path

from misalign.errors import invalid
from misalign.paths import ROOT
from misalign.records import recorded, runs

# cells with this tag draw what sweeps record; a sweep leaves them out
RECORDED = "recorded"
# what Dask sets for its workers, so that they give memory back at once: a kernel that inherits it
# asks for that memory again at every step, and takes more than twice as long
TRIM = "MALLOC_TRIM_THRESHOLD_"
# two threads of a kernel that spin for each other stall where another process has their CPU
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
# how an execution fails that raises nothing
UNRECORDED = "it ended without a record by the present code"


def expect_parameters(notebook: Path, names: list[str]) -> None:
    """Raise a one-line error unless the parameters cell of a notebook sets what will be passed.

    papermill sets any name and only logs one that is not there.

    Parameters
    ----------
    notebook : Path
        An .ipynb file. It is JSON, so a machine without Jupyter can read it, too.
    names : list of str
        What will be passed.

    Raises
    ------
    ValueError
        "NOTEBOOK: expected LACKING NAMES, got NAMES THAT ARE SET".
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{notebook.name}: expected a notebook, got {error!r}") from None
    if not tagged:
        raise invalid("notebook", "a cell tagged parameters", f"none in {notebook.name}")
    where = "in the parameters cell"
    try:
        tree = ast.parse("".join(tagged[0]["source"]))
    except SyntaxError as error:
        raise ValueError(f"{notebook.name}: expected Python {where}, got {error}") from None
    stored = [node for node in ast.walk(tree) if isinstance(getattr(node, "ctx", None), ast.Store)]
    found = {node.id for node in stored if isinstance(node, ast.Name)}
    lacking = ", ".join(name for name in names if name not in found)
    got = ", ".join(sorted(found)) or "nothing"
    if lacking:
        raise invalid(notebook.name, f"{lacking} {where}", f"only {got}")


@dataclass(frozen=True)
class Job:
    """An execution of a notebook for a group of runs, in plain data.

    It is what a worker gets, and all that it imports, so a worker does not need torch's memory.

    Parameters
    ----------
    runs : tuple of str
        Names of the runs.
    experiment : str
        Theirs.
    code : str
        Hash of the present code; asked here, a worker that runs for long would tell an old one.
    results : Path
        Folder for the records.
    notebook : Path
        What to execute.
    parameters : dict
        What to set after its parameters cell.
    target : Path
        The executed copy, once it is whole.
    timeout : int or None, optional
        Most seconds that a cell may take.
    """

    runs: tuple[str, ...]
    experiment: str
    code: str
    results: Path
    notebook: Path
    parameters: dict[str, object]
    target: Path
    timeout: int | None = None

    @property
    def partial(self) -> Path:
        """The copy under way, or how far it came."""
        return self.target.with_suffix(".partial.ipynb")

    def left(self) -> tuple[str, ...]:
        """Names of the runs that the present code has not recorded."""
        table = runs(self.results)
        done = set(table[table["code"] == self.code]["run"])
        done &= recorded(self.experiment, self.results)
        return tuple(name for name in self.runs if name not in done)


def attempt(job: Job) -> tuple[tuple[str, ...], str]:
    """Execute a job, unless another sweep recorded some of its runs meanwhile.

    Parameters
    ----------
    job : Job
        What to do.

    Returns
    -------
    tuple of str
        Names of the runs left without a record. They are told from here, where records were
        written, since other machines may see files of a network a while later.
    str
        What went wrong, in one line.
    """
    left, error = job.left(), ""
    if left != job.runs:
        return left, error
    try:
        _execute_notebook(job)
    except Exception as failure:  # papermill's, nbclient's, Jupyter's
        error = one_line(failure)
    left = job.left()
    if left:
        return left, error or UNRECORDED
    if not error:
        job.partial.replace(job.target)
    return left, error


def one_line(error: Exception) -> str:
    """One line of an error; papermill's own text is a page that quotes the cell."""
    name, text = getattr(error, "ename", ""), str(getattr(error, "evalue", error)).strip()
    first = (text.splitlines() or [type(error).__name__])[0]
    return f"{name}: {first}" if name else first


def _execute_notebook(job: Job) -> None:
    """Execute a copy of a notebook, without the cells that draw what sweeps record."""
    import nbformat
    import papermill

    notebook = nbformat.read(job.notebook, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if RECORDED not in cell.metadata.get("tags", [])
    ]
    job.partial.parent.mkdir(parents=True, exist_ok=True)
    os.environ.pop(TRIM, None)
    os.environ.update(ONE_THREAD)  # a kernel inherits it
    papermill.execute_notebook(
        notebook,
        str(job.partial),
        parameters=job.parameters,
        cwd=str(ROOT),
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=job.timeout,
    )
