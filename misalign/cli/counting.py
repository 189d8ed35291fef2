"""What commands share that count captions: their options, and the count with a progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from misalign.cli.options import COUNT, FILE
from misalign.errors import expect

if TYPE_CHECKING:
    from misalign.coverage import Tally


class Label(click.ParamType):
    """GROUP=COLUMN."""

    name = "GROUP=COLUMN"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[str, str]:
        """Part it at the first equals sign."""
        group, equals, column = value.partition("=")
        if not (group and equals and column):
            self.fail(f"expected GROUP=COLUMN, got {value!r}", param, ctx)
        return group, column


OPTIONS = (
    click.argument("captions", nargs=-1, required=True),
    click.option("--concepts", type=FILE, help="Concepts, YAML or CSV [default: the slides' 146]."),
    click.option(
        "--match",
        type=click.Choice(["words", "substring"]),
        default="words",
        show_default=True,
        help="Find terms as whole words, or within words too.",
    ),
    click.option("--column", help="Where captions are [default: a column of a usual name]."),
    click.option(
        "--label",
        "labels",
        type=Label(),
        multiple=True,
        help="Column that says which concept of a group a picture shows. May be repeated.",
    ),
    click.option("--workers", type=COUNT, default=1, show_default=True, help="Processes."),
    click.option("--scheduler", help="Use this Dask scheduler, such as tcp://127.0.0.1:8786."),
)


def counting(command: Callable) -> Callable:
    """Give a command the argument and the options of a count."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def count(captions: Iterable[str], options: dict[str, Any]) -> Tally:
    """Count captions with a progress bar; names files that could not be read.

    Parameters
    ----------
    captions : iterable of str
        Files, folders or patterns.
    options : dict
        Values of `OPTIONS`.

    Returns
    -------
    Tally
        Of at least one caption.

    Raises
    ------
    ValueError, OSError, ImportError
        In one line, as `misalign.coverage.count`, and for no captions.
    """
    from misalign import cluster, coverage

    workers, scheduler = options["workers"], options["scheduler"]
    if scheduler and workers > 1:
        raise click.UsageError("--scheduler does not go with --workers: it has its own")
    taxonomy = coverage.Taxonomy.read(options["concepts"])
    given = {name: options[name] for name in ("match", "column")}
    given["labels"] = dict(options["labels"])
    with ExitStack() as stack:
        if scheduler or workers > 1:
            cluster.expect_installed()
            given["client"] = stack.enter_context(cluster.connected(scheduler, workers=workers))
        bar = stack.enter_context(tqdm(unit="B", unit_scale=True, disable=None, leave=False))

        def follow(done: int, total: int, counted: int) -> None:
            bar.total = total
            bar.set_postfix_str(f"{counted:,} captions", refresh=False)
            bar.update(done - bar.n)

        tally = coverage.count(captions, taxonomy, progress=follow, **given)
    # without a caption the first reason stands for all, in the one line of the error
    first = "".join(f" ({file}: {reason})" for file, reason in tally.failed[:1])
    expect(tally.captions, "captions", "at least one", f"none{first}")
    for file, reason in tally.failed:
        click.echo(f"not counted: {file}: {reason}", err=True)
    return tally


def sources(captions: Iterable[str], concepts: Path | None) -> list[Path]:
    """Every file that a count reads, so that nothing is written over it."""
    from misalign.coverage.files import found

    return [*found(captions), *filter(None, [concepts])]
