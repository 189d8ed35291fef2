"""Carry a sweep out, group by group, in this process or on Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from misalign.paths import EXECUTED
from misalign.provenance import code_hash
from misalign.run import Run
from misalign.sweeps.grid import Sweep, groups, parameters
from misalign.sweeps.worker import UNRECORDED, Job, attempt, one_line

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Task:
    """A group of runs to execute together.

    Parameters
    ----------
    sweep : Sweep
        Whose notebook executes it.
    runs : tuple of Run
        The group, a grid.
    results : Path
        Folder for the records.
    timeout : int or None, optional
        Most seconds that a cell of the notebook may take.
    """

    sweep: Sweep
    runs: tuple[Run, ...]
    results: Path
    timeout: int | None = None

    @property
    def job(self) -> Job:
        """The task as a worker gets it."""
        names = tuple(run.id for run in self.runs)
        experiment = self.runs[0].experiment
        results = self.results.resolve()
        return Job(
            runs=names,
            experiment=experiment,
            code=code_hash(experiment),
            results=results,
            notebook=self.sweep.notebook.resolve(),
            parameters=parameters(self.runs) | {"record": str(results)},
            target=EXECUTED / self.sweep.name / f"{names[0]}.ipynb",
            timeout=self.timeout,
        )

    def part(self, runs: Iterable[Run], most: int) -> list[Task]:
        """Tasks for some of the runs, of at most so many each."""
        shared = (self.results, self.timeout)
        return [Task(self.sweep, tuple(group), *shared) for group in groups(runs, most)]


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Parameters
    ----------
    recorded, failed : tuple of Run
        Runs that are done, and those that are given up.
    error : str
        One line; empty if nothing failed.
    notebook : Path or None
        How far the notebook of a failed run came, to look into.
    """

    recorded: tuple[Run, ...]
    failed: tuple[Run, ...]
    error: str
    notebook: Path | None


def tasks(
    sweep: Sweep, runs: Iterable[Run], folder: Path, most: int = 10, timeout: int | None = None
) -> list[Task]:
    """Part a sweep's runs into tasks.

    Parameters
    ----------
    sweep : Sweep
        Whose notebook executes the runs.
    runs : iterable of Run
        Some of the sweep's.
    folder : Path
        Results folder.
    most : int, optional
        Most runs of a task.
    timeout : int, optional
        Most seconds that a cell of a notebook may take.

    Returns
    -------
    list of Task
    """
    return Task(sweep, (), folder, timeout).part(runs, most)


def run_local(todo: Iterable[Task], device: str = "cpu") -> Iterator[Outcome]:
    """Execute tasks one after the other in this process, without notebooks.

    Parameters
    ----------
    todo : iterable of Task
        What to do.
    device : str, optional
        Where to train.

    Yields
    ------
    Outcome
        As soon as a task ends; a failure does not end the rest.
    """
    waiting = deque(todo)
    while waiting:
        task = waiting.popleft()
        outcome, again = _settled(task, *_attempt_here(task, device))
        waiting.extendleft(reversed(again))
        yield outcome


def _attempt_here(task: Task, device: str) -> tuple[tuple[str, ...], str]:
    """Do as `misalign.sweeps.worker.attempt`, without a notebook."""
    from misalign.experiment import execute_all

    left, error = task.job.left(), ""
    if left != task.job.runs:
        return left, error
    try:
        execute_all(list(task.runs), device=device, record=task.results)
    except Exception as failure:
        error = one_line(failure)
    return task.job.left(), error or UNRECORDED


def run_on_dask(todo: Iterable[Task], client: Client) -> Iterator[Outcome]:
    """Execute notebooks for tasks on the workers of a Dask scheduler.

    Dask itself starts a job again, up to three times, when its worker dies.

    Parameters
    ----------
    todo : iterable of Task
        What to do.
    client : Client
        See `misalign.parallel.connected`.

    Yields
    ------
    Outcome
        As soon as a task ends; a failure does not end the rest.

    Raises
    ------
    ConnectionError
        If the scheduler goes away.
    """
    from distributed import as_completed

    # not pure: the same job may have run before, on results that are gone
    futures = {client.submit(attempt, task.job, pure=False): task for task in todo}
    completed = as_completed(futures)
    for future in completed:
        task = futures.pop(future)
        if future.cancelled():
            raise ConnectionError("scheduler: expected it to stay until the end, got no answer")
        try:
            left, error = future.result()
        except Exception as failure:  # such as KilledWorker
            left, error = task.job.left(), one_line(failure)
        outcome, again = _settled(task, left, error)
        for part in again:
            future = client.submit(attempt, part.job, pure=False)
            futures[future] = part
            completed.add(future)
        yield outcome


def _settled(task: Task, left: tuple[str, ...], error: str) -> tuple[Outcome, list[Task]]:
    """What became of a task, and what of it to try again.

    The rest of a group that another sweep has recorded in part goes together again; of one that
    failed each run goes alone, so that the sick one alone stays failed.
    """
    failed = tuple(run for run in task.runs if run.id in left)
    done = tuple(run for run in task.runs if run.id not in left)
    partial = task.job.partial
    if not failed or len(task.runs) == 1:
        shown = partial if failed and partial.exists() else None
        return Outcome(done, failed, error if failed else "", shown), []
    partial.unlink(missing_ok=True)  # the notebooks to come will tell more
    return Outcome(done, (), "", None), task.part(failed, 1 if error else len(failed))
