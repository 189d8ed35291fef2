"""What commands share that count captions: their options, and the count behind a bar."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from misalign.cli.options import COUNT, FILE, WHERE, expect_apart
from misalign.errors import invalid
from misalign.paths import expect_another, expect_writable

if TYPE_CHECKING:
    from misalign.coverage.count import Plan
    from misalign.coverage.counts import Counts

SMALL = 1 << 26  # bytes of files that are counted before workers would have started
OPTIONS = (
    click.argument("captions", nargs=-1, required=True),
    click.option("--concepts", type=FILE, help="YAML or CSV file of concepts [default: the 146]."),
    click.option(
        "--match",
        type=click.Choice(["words", "substring"]),
        default="words",
        show_default=True,
        help="Find whole words, or as the authors' code also parts of words.",
    ),
    click.option(
        "--format",
        "kind",
        default="",
        metavar="FORMAT",
        help="What the files are, whatever their endings: parquet, csv, tsv, jsonl, json, txt (a"
        " caption a line), or csv-bare and tsv-bare, whose columns are f0, f1, ...",
    ),
    click.option("--column", help="Column of the captions [default: the first of a usual name]."),
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="GROUP=COLUMN",
        help="Column that says which concept of a group a picture shows; may be repeated.",
    ),
    click.option("--workers", type=COUNT, help="Processes [default: one a CPU], or jobs of Slurm."),
    click.option("--scheduler", help="Use this Dask scheduler, such as tcp://127.0.0.1:8786."),
    click.option("--slurm", is_flag=True, help="Use jobs of Slurm."),
)


def counting(command: Callable) -> Callable:
    """Give a command the argument and the options of a count."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def planned(captions: tuple[str, ...], options: dict[str, Any], **outputs: Path | None) -> Plan:
    """Plan a count as the options say.

    A long count must not end at a place that cannot be written, or in a file that it reads.
    """
    from misalign.coverage.count import Plan
    from misalign.coverage.taxonomy import Taxonomy

    expect_apart(options, WHERE)
    own, how = options["concepts"], (options["match"], options["column"])
    labels = _labels(options["labels"])
    plan = Plan.of(captions, Taxonomy.read(own), *how, labels, options["kind"])
    for name, path in outputs.items():
        if path:
            expect_another(name, path, [*plan.files, *([own] if own else [])])
            expect_writable(name, path.parent)
    return plan


def _labels(given: tuple[str, ...]) -> dict[str, str]:
    """Columns by group."""
    labels = {}
    for one in given:
        group, _, column = one.partition("=")
        if not (group and column) or group in labels:
            got = f"{group} again" if group in labels else one
            raise click.UsageError(f"--label: expected GROUP=COLUMN, once a group, got {got}")
        labels[group] = column
    return labels


def followed(plan: Plan, options: dict[str, Any]) -> Counts:
    """Count on as many workers as are worth it, behind a bar; name files that cannot be read."""
    from misalign import parallel

    scheduler, slurm = options["scheduler"], options["slurm"]
    most = 1 if plan.size <= SMALL and not slurm else parallel.cpus()
    workers = max(1, min(options["workers"] or most, len(plan.shards)))
    with ExitStack() as stack:
        client = None
        if scheduler or slurm or workers > 1:
            parallel.expect_installed(slurm, notebooks=False)
            client = stack.enter_context(parallel.connected(scheduler, slurm, workers, keep=True))
        bar = stack.enter_context(
            tqdm(total=plan.size, unit="B", unit_scale=True, unit_divisor=1024, disable=None)
        )

        def progress(done: int, every: int, counted: int) -> None:
            bar.set_postfix_str(f"{counted:,} captions", refresh=False)
            bar.update(done - bar.n)

        counts = plan.count(client, progress)
    if not counts.captions:
        # the first reason stands for all, in the one line of the error
        first = "".join(f" ({file}: {reason})" for file, reason in counts.failed[:1])
        raise invalid("captions", "at least one", f"none{first}")
    for file, reason in counts.failed:
        click.echo(f"failed: {file}: {reason}", err=True)
    return counts
