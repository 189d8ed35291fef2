"""``misalign coverage``: how many captions name each concept."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from misalign.cli.options import COUNT, FILE
from misalign.paths import expect_writable, replacing

if TYPE_CHECKING:
    from misalign.coverage import Tally
    from misalign.coverage.counting import Plan

SMALL = 1 << 26  # bytes of files that are counted before workers would have started


@click.command()
@click.argument("captions", nargs=-1, required=True)
@click.option("--concepts", type=FILE, help="YAML or CSV file of concepts [default: the 146].")
@click.option(
    "--match",
    type=click.Choice(["words", "substring"]),
    default="words",
    show_default=True,
    help="Find whole words, or as the authors' code also parts of words.",
)
@click.option("--column", help="Column of the captions [default: the first of a usual name].")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="GROUP=COLUMN",
    help="Column that says which concept of a group a picture shows; may be repeated.",
)
@click.option("--workers", type=COUNT, help="Processes [default: one a CPU], or jobs of Slurm.")
@click.option("--scheduler", help="Use this Dask scheduler, such as tcp://127.0.0.1:8786.")
@click.option("--slurm", is_flag=True, help="Use jobs of Slurm.")
@click.option("--out", type=FILE, help="CSV file for the counts by concept.")
@click.pass_context
def coverage(context: click.Context, captions: tuple[str, ...], **options: Any) -> None:
    """Count how many CAPTIONS name each concept.

    CAPTIONS are files, folders or quoted patterns: Parquet, CSV, TSV, JSON lines or text (a caption
    a line); all but Parquet maybe compressed. A file that cannot be read is named, the others are
    counted, and the exit status is 1.
    """
    for name, other, reason in (
        ("scheduler", "slurm", "choose one"),
        ("scheduler", "workers", "it has its own"),
    ):
        if options[name] and options[other]:
            raise click.UsageError(f"--{name} does not go with --{other}: {reason}")
    try:
        tally = _counted(captions, options)
    except (ValueError, OSError, ImportError) as error:
        raise click.ClickException(str(error)) from None
    _show(tally)
    context.exit(1 if tally.failed else 0)


def _counted(captions: tuple[str, ...], options: dict[str, Any]) -> Tally:
    """Count as the options say, and write the table."""
    from misalign.coverage import Taxonomy
    from misalign.coverage.counting import Plan

    out = options["out"]
    if out:
        expect_writable("out", out.parent)
    plan = Plan.of(
        captions,
        Taxonomy.read(options["concepts"]),
        match=options["match"],
        column=options["column"],
        labels=_labels(options["labels"]),
    )
    tally = _followed(plan, options)
    if out:
        with replacing(out) as partial:
            tally.by_concept().to_csv(partial, index=False)
    return tally


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


def _followed(plan: Plan, options: dict[str, Any]) -> Tally:
    """Count on as many workers as are worth it, behind a bar."""
    from misalign import cluster

    scheduler, slurm = options["scheduler"], options["slurm"]
    most = 1 if plan.size <= SMALL and not slurm else cluster.cpus()
    workers = max(1, min(options["workers"] or most, len(plan.shards)))
    with ExitStack() as stack:
        client = None
        if scheduler or slurm or workers > 1:
            cluster.expect_installed(slurm, notebooks=False)
            client = stack.enter_context(cluster.connected(scheduler, slurm, workers, keep=True))
        bar = stack.enter_context(
            tqdm(total=plan.size, unit="B", unit_scale=True, unit_divisor=1024, disable=None)
        )

        def progress(done: int, every: int, counted: int) -> None:
            bar.set_postfix_str(f"{counted:,} captions", refresh=False)
            bar.update(done - bar.n)

        return plan.count(client, progress)


def _show(tally: Tally) -> None:
    """Print counts by group, and files that failed."""
    table = tally.by_group().drop(columns=["category"])
    for name in ("coverage", "low", "high"):
        table[name] = [f"{100 * share:#.3g} %" for share in table[name]]
    table["captions"] = [f"{count:,}" for count in table["captions"]]
    click.echo(table.to_string(index=False))
    words = "whole words" if tally.match == "words" else "substrings"
    silent = f"{tally.silent:,} of them without text"
    click.echo(f"{tally.captions:,} captions, {silent}; {words} counted, 95 % intervals")
    for file, reason in tally.failed:
        click.echo(f"failed: {file}: {reason}", err=True)
