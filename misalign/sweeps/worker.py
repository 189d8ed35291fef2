"""Notebooks as papermill templates: what their parameters cell sets, and how a group is executed.

A run counts as done when the present code's record of it is in the results folder. What papermill
says of a notebook is not asked, since it marks one whose kernel died, or whose cell timed out, as
completed. So a group may be executed twice, by a retry or by another sweep, without harm.
"""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from misalign.errors import invalid
from misalign.parallel import THREADS
from misalign.paths import ROOT
from misalign.records import recorded
from misalign.run import Run, study_module

# cells with this tag draw what sweeps record; a sweep leaves them out
RECORDED = "recorded"
# what Dask sets for its workers, so that they give memory back at once: a kernel that inherits it
# asks for that memory again at every step, and takes more than twice as long
TRIM = "MALLOC_TRIM_THRESHOLD_"
# two threads of a kernel that spin for each other stall where another process has their CPU
ONE_THREAD = dict.fromkeys(THREADS, "1")
# how an execution fails that raises nothing
UNRECORDED = "it ended without a record by the present code"


def expect_template(notebook: Path | None, runs: Iterable[Run]) -> None:
    """Raise a one-line error unless a notebook takes runs: their parameters, and their study.

    papermill sets any name and only logs one that the notebook does not know. Without papermill,
    which then cannot execute it either, only the file itself is looked for.
    """
    if notebook is None:
        raise invalid("notebook", "one in the sweep file, or --no-notebooks", "none")
    if not notebook.exists():
        known = sorted(file.stem for file in notebook.parent.glob("*.ipynb") if _takes(file))
        expected = f"a path, or one of {', '.join(known)}" if known else "the path of a notebook"
        raise invalid("notebook", expected, notebook.stem)
    try:
        from papermill import inspect_notebook
    except ImportError:
        return
    try:
        cell = {name: cell["default"] for name, cell in inspect_notebook(notebook).items()}
    except Exception as error:  # nbformat's, or any other of what is no notebook
        raise invalid(notebook.name, "a notebook", one_line(error)) from None
    if not cell:
        raise invalid("notebook", "a cell tagged parameters", f"none in {notebook.name}")
    needed = dict.fromkeys(name for run in runs for name in (*run.needed, "record"))
    if lacking := ", ".join(name for name in needed if name not in cell):
        got = f"only {', '.join(sorted(cell))}"
        raise invalid(notebook.name, f"{lacking} in the parameters cell", got)
    # one module may hold several studies of a kind, and a notebook that serves them all
    own = study_module(ast.literal_eval(cell["experiment"]))
    if others := {run.experiment for run in runs if study_module(run.experiment) != own}:
        raise invalid(notebook.name, f"runs of {cell['experiment']}", ", ".join(sorted(others)))


def _takes(notebook: Path) -> bool:
    """Whether a notebook is a template of runs: its parameters cell says where to record."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    return any("record =" in "".join(cell["source"]) for cell in tagged)


def preamble(modules: Iterable[str], allow_dirty: bool = False) -> str:
    """Code that a notebook starts with: imports, found as from here, and leave to record."""
    lines = [f"import {module}" for module in modules]
    if lines:
        lines = ["import sys", f"sys.path.append({str(Path.cwd())!r})", *lines]
    if allow_dirty:
        lines += ["import functools, misalign.experiment"]
        for function in ("misalign.experiment.execute", "misalign.experiment.execute_all"):
            lines += [f"{function} = functools.partial({function}, allow_dirty=True)"]
    return "\n".join(lines)


@dataclass(frozen=True)
class Job:
    """An execution of a notebook for a group of runs, in plain data: what a worker gets."""

    runs: tuple[str, ...]  # their names
    experiment: str
    code: str  # hash of the present code; a worker that runs for long would tell an old one
    results: Path  # folder for the records
    notebook: Path
    parameters: dict[str, object]  # to set after its parameters cell
    preamble: str  # code to execute before that
    target: Path  # the executed copy, once it is whole
    timeout: int | None = None  # most seconds of a cell

    @property
    def partial(self) -> Path:
        """The copy under way, or how far it came."""
        return self.target.with_suffix(".partial.ipynb")

    def left(self) -> tuple[str, ...]:
        """Names of the runs that the present code has not recorded."""
        code = recorded(self.experiment, self.results)
        return tuple(name for name in self.runs if code.get(name) != self.code)


def attempt(
    job: Job, execute: Callable[[Job], object] | None = None
) -> tuple[tuple[str, ...], str]:
    """Execute a job, by its notebook, unless another sweep recorded some of its runs meanwhile.

    Returns names of the runs left without a record, and what went wrong, in one line. They are told
    from here, where records were written, since other machines may see files of a network a while
    later.
    """
    left, error = job.left(), ""
    if left != job.runs:
        return left, error
    try:
        (execute or _execute_notebook)(job)
    except Exception as failure:  # papermill's, nbclient's, Jupyter's
        error = one_line(failure)
    left = job.left()
    return left, error or (UNRECORDED if left else "")


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
    if job.preamble:
        notebook.cells.insert(0, nbformat.v4.new_code_cell(job.preamble))
    job.partial.parent.mkdir(parents=True, exist_ok=True)
    os.environ.pop(TRIM, None)
    os.environ.update(ONE_THREAD)  # a kernel inherits it
    papermill.execute_notebook(
        notebook,
        str(job.partial),
        parameters=job.parameters,
        cwd=str(ROOT if job.notebook.is_relative_to(ROOT) else job.notebook.parent),
        kernel_name="python3",
        progress_bar=False,
        execution_timeout=job.timeout,
    )
    if not job.left():
        job.partial.replace(job.target)
