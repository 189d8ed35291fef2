"""The report: one HTML page that needs nobody else, and the table beside it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from misalign import __version__
from misalign.audit import figures, words
from misalign.audit import findings as rules
from misalign.audit.advice import ACTIONS
from misalign.audit.findings import Findings
from misalign.audit.words import listed
from misalign.errors import invalid
from misalign.paths import expect_another, replacing

PAIRS = 20  # contradictions on the page
ROWS, NAMES = 1000, 100  # concepts in its table, and of a group under an advice


def page(findings: Findings, files: Sequence[str] = ()) -> str:
    """Render the report, with names of what was read, as HTML that links to nothing outside."""
    loader = PackageLoader("misalign.audit", ".")
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    environment = Environment(loader=loader, autoescape=True, **options)
    for name in ("percent", "between", "counted", "listed", "tied"):
        environment.filters[name] = getattr(words, name)
    # these are the package's own and hold no text of users as markup
    css, js = (
        Markup(loader.get_source(environment, f"report.{name}")[0]) for name in ("css", "js")
    )
    drawn = [(one, Markup(one.svg)) for one in figures.drawings(findings)]
    return environment.get_template("report.html").render(
        findings=findings,
        counts=findings.counts,
        trend=findings.trend,
        files=list(files),
        read=findings.counts.described(),
        examples=_examples(findings),
        apart=findings.counts.apart.sum(0).tolist(),
        summary=words.summary(findings),
        figures=drawn,
        actions=_by_action(findings),
        pairs=PAIRS,
        rows=findings.concepts[:ROWS],
        rules=rules,
        titles={name: advice.title for name, advice in ACTIONS.items()},
        version=__version__,
        css=css,
        js=js,
    )


def _examples(findings: Findings) -> dict[int, list[tuple[str, list[str]]]]:
    """Captions of each concept by kind, as the taxonomy orders them."""
    found: dict[int, list[tuple[str, list[str]]]] = {}
    for kind, by_concept in findings.counts.examples.items():
        for place, texts in by_concept.items():
            found.setdefault(place, []).append((kind, texts))
    return found


def _by_action(findings: Findings) -> list[tuple]:
    """Every advice that some concept gets: it, how many do, and their names by group."""
    advised = []
    for name, advice in ACTIONS.items():
        rows = findings.concepts[findings.concepts["action"] == name]
        if len(rows):
            by_group = rows.groupby("group", sort=False)["concept"].agg(list)
            few = [(group, listed(names, NAMES)) for group, names in by_group.items()]
            advised.append((advice, len(rows), few))
    return advised


def write(
    findings: Findings, html: Path | None = None, csv: Path | None = None, files: Sequence[str] = ()
) -> None:
    """Write the page, the table of concepts as CSV, or both: all of it or nothing.

    The page says the names of the files that were read. A folder in the place of either, or one
    file for both, is a ValueError.
    """
    expect_places(html, csv)
    with ExitStack() as stack:
        # everything is written before anything takes its place
        if csv is not None:
            partial = stack.enter_context(replacing(csv))
            _inert(findings.concepts).to_csv(partial, index=False, lineterminator="\n")
        if html is not None:
            partial = stack.enter_context(replacing(html))
            partial.write_text(page(findings, files), encoding="utf-8")


def _inert(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts no spreadsheet takes for a formula."""
    texts = table.select_dtypes(include=["object", "string"])
    mark = texts.apply(lambda column: column.astype(str).str.match(r"[=+\-@\t\r]"))
    return table.assign(**texts.where(~mark, "'" + texts.astype(str)))


def expect_places(html: Path | None, csv: Path | None) -> None:
    """Raise a one-line error if a report cannot go where it shall."""
    for name, path in (("html", html), ("csv", csv)):
        if path is not None:
            expect_another(name, path, [])
    if html is not None and csv is not None and html.resolve() == csv.resolve():
        raise invalid("csv", "another file than the page", csv)
