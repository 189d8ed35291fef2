"""The ``misalign`` command: the one place that prints and picks a device."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from misalign import __version__
from misalign.paths import RESULTS, SWEEPS

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Run the experiments of `misalign`, an executable edition of Cai et al. 2025."""


@main.command()
@click.argument("files", nargs=-1, type=FILE)
@click.option("--results", type=FOLDER, default=RESULTS, help="Where records are read and kept.")
@click.option("--scale", help="Take this scale instead of the file's.")
@click.option("--dry-run", is_flag=True, help="Only say what is missing.")
@click.option("--stale", is_flag=True, help="Redo what other code than the present recorded.")
@click.option("--notebooks/--no-notebooks", default=True, help="Execute by papermill, or here.")
@click.option("--device", help="Where to train, with --no-notebooks [default: cpu].")
@click.pass_context
def sweep(
    context: click.Context,
    files: tuple[Path, ...],
    results: Path,
    scale: str | None,
    dry_run: bool,
    stale: bool,
    notebooks: bool,
    device: str | None,
) -> None:
    """Record every run of sweep FILES that is not recorded yet (default: all of sweeps/)."""
    from misalign.sweep import Sweep, carry_out

    if device and notebooks:
        raise click.UsageError("--device goes with --no-notebooks: notebooks train on the CPU")
    if device:
        _check_device(device)
    try:
        plans = [Sweep.read(file, scale) for file in files or sorted(SWEEPS.glob("*.yml"))]
        wanted = [(p, p.missing(results) + (p.stale(results) if stale else [])) for p in plans]
        for plan, runs in wanted:
            click.echo(_summary(plan, runs, results))
    except (ValueError, FileNotFoundError) as error:
        raise click.ClickException(str(error)) from None
    if dry_run:
        return
    done = failed = 0
    with tqdm(total=sum(len(runs) for _, runs in wanted), unit="run", disable=None) as bar:
        for plan, runs in wanted:
            bar.set_description(plan.name)
            options = {"notebooks": notebooks, "device": device or "cpu"}
            for outcome in carry_out(plan, runs, results, **options):
                done, failed = done + len(outcome.recorded), failed + len(outcome.failed)
                bar.update(len(outcome.recorded) + len(outcome.failed))
                for run in outcome.failed:
                    where = f" (see {outcome.notebook})" if outcome.notebook else ""
                    bar.write(f"failed: {run.parameters}: {outcome.error}{where}")
    click.echo(f"{done} runs recorded, {failed} failed")
    context.exit(1 if failed else 0)


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise click.UsageError(f"--device: expected one of this machine, got {reason}") from None


def _summary(plan: object, runs: list, results: Path) -> str:
    """Say how much of a sweep is missing, and about how long it takes."""
    from misalign.sweep import estimate

    seconds = estimate(runs, results)
    time = "" if not runs or seconds is None else f", about {max(1, round(seconds / 60))} min"
    old = len(plan.stale(results))
    note = f"; {old} recorded by other code (--stale redoes them)" if old else ""
    return f"{plan.name}: {len(runs)} of {len(plan.runs)} runs to do{time}{note}"
