"""``misalign sweep``: record the runs that a sweep names."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from misalign.cli.options import (
    COUNT,
    FILE,
    FOLDER,
    IMPORT,
    WHERE,
    expect_apart,
    expect_device,
    import_modules,
    one_line,
)
from misalign.errors import invalid
from misalign.paths import CHECKOUT, EXECUTED, RESULTS, SWEEPS, expect_writable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from misalign.run import Run
    from misalign.sweeps.grid import Sweep
    from misalign.sweeps.runner import Outcome, Task


@click.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--results", type=FOLDER, default=RESULTS, help="Where records are read and kept.")
@click.option("--scale", help="Take this scale instead of the file's.")
@click.option("--dry-run", is_flag=True, help="Only say what is missing and how long it takes.")
@click.option("--stale", is_flag=True, help="Redo what other code than the present recorded.")
@click.option("--runs-per-notebook", type=COUNT, default=10, show_default=True, help="At most.")
@click.option("--workers", type=COUNT, help="Notebooks at a time [default: one a CPU, one a job].")
@click.option("--scheduler", help="Use this Dask scheduler, such as tcp://127.0.0.1:8786.")
@click.option("--slurm", is_flag=True, help="Use jobs of Slurm.")
@click.option("--timeout", type=COUNT, help="Most seconds that a cell of a notebook may take.")
@click.option("--notebooks/--no-notebooks", default=True, help="Execute by papermill, or here.")
@IMPORT
@click.option("--allow-dirty", is_flag=True, help="Record though files differ from the commit.")
@click.option("--device", help="Where to train, with --no-notebooks [default: cpu].")
@click.pass_context
def sweep(context: click.Context, files: tuple[Path, ...], **options: Any) -> None:
    """Record every run of sweep FILES that is not recorded yet (default: all of sweeps/).

    A sweep of the project's own may also be called by its name, such as figure_03.
    """
    here = "notebooks train on the CPU (see --no-notebooks)"
    expect_apart(options, (*WHERE, ("device", "notebooks", here)))
    for name in ("scheduler", "slurm", "workers", "timeout"):
        if options[name] and not options["notebooks"]:
            raise click.UsageError(f"--{name} does not go with --no-notebooks, which runs here")
    if options["device"]:
        expect_device(options["device"])
    with one_line():
        import_modules(options["modules"])
        failed = _sweep(_found(files), options)
    context.exit(1 if failed else 0)


def _found(files: tuple[Path, ...]) -> list[Path]:
    """Where sweep files are: as given, or the project's own by name, of which none means all."""
    known = {path.stem: path for path in sorted(SWEEPS.glob("*.yml"))}
    lost = [str(file) for file in files if not file.exists() and str(file) not in known]
    if lost or not (files or known):
        names = f"one of {', '.join(known)}" if known else CHECKOUT
        raise invalid("FILES", f"a file, or {names}", lost[0] if lost else "none")
    return [file if file.exists() else known[str(file)] for file in files] or [*known.values()]


def _sweep(files: list[Path], options: dict[str, Any]) -> int:
    """Carry sweeps out, or only say what is to do; returns how many runs failed."""
    from misalign import parallel
    from misalign.sweeps import runner

    folder, slurm, dry_run = (options[name] for name in ("results", "slurm", "dry_run"))
    device = options["device"] or "cpu"
    if options["scheduler"] or (options["notebooks"] and not dry_run):
        parallel.expect_installed(slurm)
    wanted, todo = _planned(files, options)
    if todo and not dry_run:
        _expect_room(options)
    with ExitStack() as stack:
        client, workers = None, 1
        if options["scheduler"]:
            client = stack.enter_context(parallel.connected(options["scheduler"]))
            workers = sum(client.nthreads().values())
            if not workers:
                click.echo(f"no workers at {options['scheduler']} yet", err=True)
        elif options["notebooks"]:
            most = len(todo) if slurm else parallel.cpus()
            workers = max(1, min(options["workers"] or most, len(todo)))
        for plan, runs in wanted:
            click.echo(_summary(plan, runs, folder, workers))
        if dry_run:
            _say_measured([run for task in todo for run in task.runs], folder, device)
            return 0
        if todo and options["notebooks"]:
            client = client or stack.enter_context(parallel.connected(None, slurm, workers))
        here = runner.run_local(todo, device, options["allow_dirty"])
        return _follow(runner.run_on_dask(todo, client) if client else here, todo)


def _planned(
    files: list[Path], options: dict[str, Any]
) -> tuple[list[tuple[Sweep, list[Run]]], list[Task]]:
    """What is to do of each sweep, and all of it as tasks, each run once."""
    from misalign.sweeps.grid import Sweep
    from misalign.sweeps.runner import Task
    from misalign.sweeps.worker import expect_template, preamble

    plans = [Sweep.read(file, options["scale"]) for file in files]
    for plan in plans if options["notebooks"] else ():
        expect_template(plan.notebook, plan.runs)
    folder, stale = options["results"], options["stale"]
    wanted = [(p, p.missing(folder) + (p.stale(folder) if stale else [])) for p in plans]
    first = {run: plan for plan, runs in reversed(wanted) for run in runs}
    shared = (folder, options["timeout"], preamble(options["modules"], options["allow_dirty"]))
    todo = []
    for plan, runs in wanted:
        fresh = [run for run in runs if first[run] is plan]
        todo += Task(plan, (), *shared).part(fresh, options["runs_per_notebook"])
    return wanted, todo


def _expect_room(options: dict[str, Any]) -> None:
    """Refuse to record where it cannot be, or from files that no commit holds."""
    from misalign.provenance import expect_clean

    if not options["allow_dirty"]:
        expect_clean(options["results"])
    expect_writable("results", options["results"])
    if options["notebooks"]:
        expect_writable("executed notebooks", EXECUTED)


def _follow(outcomes: Iterator[Outcome], todo: list[Task]) -> int:
    """Show how a sweep goes on; returns how many runs failed."""
    done = failed = 0
    with tqdm(total=sum(len(task.runs) for task in todo), unit="run", disable=None) as bar:
        for outcome in outcomes:
            done, failed = done + len(outcome.recorded), failed + len(outcome.failed)
            bar.update(len(outcome.recorded) + len(outcome.failed))
            for run in outcome.failed:
                where = f" (see {outcome.notebook})" if outcome.notebook else ""
                bar.write(f"failed: {run.parameters}: {outcome.error}{where}")
    click.echo(f"{done} runs recorded, {failed} failed")
    return failed


def _summary(plan: Sweep, runs: list[Run], folder: Path, workers: int) -> str:
    """Say how much of a sweep is missing, and about how long it takes."""
    from misalign.sweeps.grid import estimate

    seconds = estimate(runs, folder) if runs else None
    beside = f" on {workers} workers" if workers > 1 else ""
    time = "" if seconds is None else f", about {_duration(seconds / max(1, workers))}{beside}"
    old = len(plan.stale(folder))
    note = f"; {old} recorded by other code (--stale redoes them)" if old else ""
    return f"{plan.name}: {len(runs)} of {len(plan.runs)} runs to do{time}{note}"


def _say_measured(runs: list[Run], folder: Path, device: str) -> None:
    """Say how long runs of scales take that nobody ever recorded, by a short training."""
    from misalign.sweeps.grid import measured, recorded_seconds

    kinds = {(run.experiment, run.scale) for run in runs if run.trains}
    unknown = [scale for name, scale in kinds if recorded_seconds(name, scale, folder) is None]
    if unknown:
        click.echo(f"timing a few steps of {', '.join(sorted(unknown))} ...", err=True)
    for scale, step, seconds, count in measured(runs, folder, device):
        # measured on the whole machine, so workers side by side would not be faster
        total = _duration(count * seconds)
        each = f"{step:.2g} s a step of one run here, so {_duration(seconds)} a run"
        click.echo(f"{scale}: {each} and {total} in all")


def _duration(seconds: float) -> str:
    """Round seconds to a whole number of a unit that suits."""
    for unit, length in (("hours", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{round(seconds / length):,} {unit}"
    return f"{max(1, round(seconds))} s"
