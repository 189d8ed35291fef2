"""``misalign audit``: what captions omit and get wrong, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from misalign.cli.counting import counting, followed, planned
from misalign.cli.options import COUNT, FILE, one_line, writing

if TYPE_CHECKING:
    import pandas as pd

    from misalign.audit.findings import Findings

LEAST = 10  # concepts that the terminal shows
PAIRS = 5


@click.command()
@counting
@click.option("--html", type=FILE, help="Write a report to this page, and its table beside it.")
@click.option("--csv", type=FILE, help="Write the table here [default: beside the page].")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 100, min_open=True),
    metavar="PERCENT",
    help="Call a concept omitted that fewer captions name [default: 0.1, or less where"
    " published models know a concept from fewer].",
)
@click.option("--balance", type=COUNT, metavar="T", help="Choose captions, about T a concept.")
@click.option(
    "--recaption", type=COUNT, metavar="N", help="Choose the N captions to write anew first."
)
@click.option("--out", type=FILE, help="Write what is chosen here, as Parquet.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is chosen.")
@click.pass_context
def audit(context: click.Context, captions: tuple[str, ...], **options: Any) -> None:
    """Say what CAPTIONS omit, perturb and contradict, and what to do about it.

    CAPTIONS are files, folders or patterns. Without --html the findings are printed.
    """
    from misalign.audit import findings, page, trend

    html, csv, out, percent = (options[name] for name in ("html", "csv", "out", "threshold"))
    if html and not csv:
        csv = html.with_suffix(".csv")
    choosing = [name for name in ("balance", "recaption") if options[name]]
    if len(choosing) > 1 or bool(choosing) != bool(out):
        raise click.UsageError("--out needs one of --balance and --recaption, and these need --out")
    with one_line():
        plan = planned(captions, options, html=html, csv=csv, out=out)
        page.expect_places(html, csv)
        fit = trend.Fit.read(trend.TREND) if trend.TREND.is_file() else None
        counts = followed(plan, options)
        found = findings.find(counts, fit, None if percent is None else percent / 100)
        page.write(found, html, csv, captions)
        _say(found, short=bool(html))
        for name in choosing:
            from misalign.coverage import selection  # by now its packages are known to be there

            with writing(out) as partial:
                table = getattr(selection, name)(
                    plan, counts, options[name], partial, options["seed"]
                )
            click.echo(table.to_string(index=False, float_format="{:,.1f}".format))
            click.echo(f"written: {out}")
    for path in filter(None, (html, csv)):
        click.echo(f"written: {path}")
    context.exit(1 if counts.failed else 0)


def _say(findings: Findings, short: bool) -> None:
    """Print the summary, and unless a page has them short tables."""
    from misalign.audit.words import summary

    for sentence in summary(findings):
        click.echo(sentence)
    if findings.unpredicted:
        click.echo(f"No predicted blind spots: {findings.unpredicted}.")
    if short:
        return
    _table("Coverage by group, of all captions:", findings.groups)
    least = findings.wanted(findings.concepts)
    _table(f"The {min(LEAST, len(least))} concepts that captions name least:", least[:LEAST])
    pairs = findings.contradictions.rename(columns={"share": "coverage"})
    _table("Contradictions, of the captions that name either:", pairs[:PAIRS])


def _table(title: str, rows: pd.DataFrame) -> None:
    """Print a table, numbers as a reader expects them."""
    from misalign.audit.findings import SCORE
    from misalign.audit.words import between, percent, predicted

    if rows.empty:
        return
    names = ("group", "concept", "one", "other", "captions", "coverage", "low", "status", "omitted")
    shown = rows[[name for name in (*names, "score", "action") if name in rows]].copy()
    shown["coverage"] = rows["coverage"].map(percent)
    shown["low"] = [between(*ends) for ends in zip(rows["low"], rows["high"], strict=True)]
    shown = shown.rename(columns={"coverage": "share", "low": "95 % interval"})
    if "score" in shown:
        shown["score"] = [predicted(*row) for row in rows[list(SCORE)].itertuples(index=False)]
        shown = shown.rename(columns={"score": "predicted accuracy"})
    click.echo(f"\n{title}")
    click.echo(shown.to_string(index=False))
