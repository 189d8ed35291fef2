"""What commands share that count captions: their options, and the count behind a bar."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from tqdm import tqdm

from misalign.cli.options import COUNT, FILE, WHERE, expect_apart, is_device, writing
from misalign.coverage.found import kinds
from misalign.coverage.matcher import MATCHES
from misalign.errors import invalid
from misalign.paths import expect_another, expect_writable

if TYPE_CHECKING:
    from misalign.coverage.count import Plan
    from misalign.coverage.counts import Counts

SMALL = 1 << 26  # bytes of files that are counted before workers would have started
OPTIONS = (
    click.argument("captions", nargs=-1, required=True),
    click.option(
        "--concepts",
        type=FILE,
        help="YAML or CSV file of concepts; of CSV a line 'Animal,dog,puppy|pup' stands under the"
        " header 'group,concept,terms' [default: the 146].",
    ),
    click.option(
        "--match",
        type=click.Choice(MATCHES),
        default="words",
        help="Find whole words [default]; as the authors' code also parts of words; or as MetaCLIP"
        " whole words between spaces, in their case.",
    ),
    click.option(
        "--format",
        "kind",
        default="",
        metavar="FORMAT",
        help=f"What the files are, whatever their endings: {', '.join(kinds())}. Columns of tables"
        " without a header (-bare) are f0, f1, ...",
    ),
    click.option(
        "--column",
        help="Column of the captions, such as text or conversations.value [default: the first of a"
        " usual name].",
    ),
    click.option(
        "--label",
        "labels",
        multiple=True,
        metavar="GROUP=COLUMN",
        help="Column that says which concept of a group a picture shows; may be repeated.",
    ),
    click.option(
        "--tags",
        default="",
        metavar="COLUMN|FILE",
        help="Column of all that a picture shows, as a tagger lists it, or a file with columns tags"
        " and --image: how often captions name it, and how often what they name is shown.",
    ),
    click.option("--image", default="", metavar="COLUMN", help="Column of the caption's picture."),
    click.option(
        "--by",
        type=click.Choice(["caption", "text", "image"]),
        default="caption",
        help="Count captions [default], distinct texts, or pictures.",
    ),
    click.option(
        "--quotes",
        type=click.Choice(["auto", "double", "none"]),
        default="auto",
        help="Whether fields of tables stand in quotes, or a quote is like others [default: auto].",
    ),
    click.option("--encoding", default="utf-8", show_default=True, help="Of text, such as cp1252."),
    click.option("--skip-bad", is_flag=True, help="Count the rows that can be read."),
    click.option("--exclude", multiple=True, metavar="PATTERN", help="Leave out such files."),
    click.option("--json", type=FILE, help="Write what was read, and the counts, here."),
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
    from misalign.coverage.reading import How
    from misalign.coverage.taxonomy import Taxonomy

    expect_apart(options, WHERE)
    try:
        codecs.lookup(options["encoding"])
    except LookupError:
        expected = "one that Python knows, such as cp1252"
        raise invalid("encoding", expected, options["encoding"]) from None
    own, labels = options["concepts"], tuple(_labels(options["labels"]).items())
    names = ("kind", "column", "tags", "image", "by", "quotes", "encoding", "skip_bad", "exclude")
    how = How(labels=labels, **{one: options[one] for one in names})
    plan = Plan.of(captions, Taxonomy.read(own), options["match"], how)
    for name, path in {**outputs, "json": options["json"]}.items():
        if path:
            expect_another(name, path, [*plan.files, *([own] if own else [])])
            if not is_device(path):
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
    for line in counts.described():
        click.echo(line, err=True)
    if options["json"]:
        with writing(options["json"]) as partial:
            partial.write_text(json.dumps(counts.to_json(), indent=2, ensure_ascii=False) + "\n")
    return counts
