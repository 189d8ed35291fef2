"""``misalign coverage``: how many captions name each concept."""

from __future__ import annotations

from typing import Any

import click

from misalign.cli.counting import counting, followed, planned
from misalign.cli.options import FILE, one_line, writing


@click.command()
@counting
@click.option("--out", type=FILE, help="CSV file for the counts by concept.")
@click.pass_context
def coverage(context: click.Context, captions: tuple[str, ...], **options: Any) -> None:
    """Count how many CAPTIONS name each concept.

    CAPTIONS are files, folders or quoted patterns: Parquet, CSV, TSV, JSON, JSON lines, text (a
    caption a line, or a file beside its picture) or .tar of webdataset; maybe compressed (.gz,
    .bz2, .xz, .zst) or in a .zip. A file that cannot be read is named, the others are counted, and
    the exit status is 1.
    """
    out = options["out"]
    with one_line():
        counts = followed(planned(captions, options, out=out), options)
        if out:
            with writing(out) as partial:
                counts.by_concept().to_csv(partial, index=False)
    table = counts.by_group().drop(columns=["category"])
    for name in ("coverage", "low", "high"):
        table[name] = [f"{100 * share:#.3g} %" for share in table[name]]
    table["captions"] = table["captions"].map("{:,}".format)
    click.echo(table.to_string(index=False))
    words = "whole words" if counts.match == "words" else "substrings"
    empty = f"{counts.empty:,} of them without text"
    click.echo(f"{counts.captions:,} captions, {empty}; {words} counted, 95 % intervals")
    context.exit(1 if counts.failed else 0)
