"""Carry a sweep out, group by group, in this process or on Dask."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from misalign import experiment
from misalign.parallel import completed
from misalign.paths import EXECUTED
from misalign.provenance import code_hash
from misalign.run import Run
from misalign.sweeps.grid import Sweep, groups, parameters
from misalign.sweeps.worker import Job, attempt, one_line

if TYPE_CHECKING:
    from distributed import Client


@dataclass(frozen=True)
class Task:
    """A group of runs to execute together, by the notebook of a sweep or here."""

    sweep: Sweep
    runs: tuple[Run, ...]
    results: Path  # folder for the records
    timeout: int | None = None  # most seconds that a cell of the notebook may take
    preamble: str = ""  # code that the notebook starts with

    @property
    def job(self) -> Job:
        """The task as a worker gets it."""
        results = self.results.resolve()
        return Job(
            runs=tuple(run.id for run in self.runs),
            experiment=self.runs[0].experiment,
            code=code_hash(self.runs[0].experiment),
            results=results,
            notebook=(self.sweep.notebook or Path()).resolve(),
            parameters=parameters(self.runs) | {"record": str(results)},
            preamble=self.preamble,
            target=EXECUTED.resolve() / self.sweep.name / f"{self.runs[0].id}.ipynb",
            timeout=self.timeout,
        )

    def part(self, runs: Iterable[Run], most: int = 10) -> list[Task]:
        """Tasks like this one for some of the sweep's runs, of at most so many each."""
        return [replace(self, runs=tuple(group)) for group in groups(runs, most)]


@dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    recorded: tuple[Run, ...]
    failed: tuple[Run, ...]  # those that are given up
    error: str  # one line; empty if nothing failed
    notebook: Path | None  # how far that of a failed run came, to look into


def run_local(
    todo: Iterable[Task], device: str = "cpu", allow_dirty: bool = False
) -> Iterator[Outcome]:
    """Execute tasks one after the other in this process, without notebooks.

    What becomes of a task is told as soon as it ends; a failure does not end the rest.
    """
    waiting = deque(todo)
    options = {"device": device, "allow_dirty": allow_dirty}
    while waiting:
        task = waiting.popleft()

        def execute(job: Job, task: Task = task) -> None:
            experiment.execute_all(list(task.runs), record=job.results, **options)

        outcome, again = _settled(task, *attempt(task.job, execute))
        waiting.extendleft(reversed(again))
        yield outcome


def run_on_dask(todo: Iterable[Task], client: Client) -> Iterator[Outcome]:
    """Execute notebooks for tasks on the workers of a Dask scheduler, see `parallel.completed`.

    What becomes of a task is told as soon as it ends; a failure does not end the rest.
    """
    waiting = deque(todo)
    for task, result in completed(client, attempt, waiting, lambda task: (task.job,)):
        failed = isinstance(result, Exception)  # such as KilledWorker
        left, error = (task.job.left(), one_line(result)) if failed else result
        outcome, again = _settled(task, left, error)
        waiting.extend(again)
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
