"""The report: one HTML page that needs nobody else, and the table beside it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from misalign import __version__
from misalign.audit import findings as rules
from misalign.audit import words
from misalign.audit.advice import ACTIONS
from misalign.audit.findings import Findings
from misalign.errors import invalid
from misalign.paths import expect_another, replacing

PAIRS = 20  # contradictions on the page


def page(findings: Findings, files: Sequence[str] = ()) -> str:
    """Render the report.

    Parameters
    ----------
    findings : Findings
        What to report.
    files : sequence of str, optional
        Names of what was read.

    Returns
    -------
    str
        HTML without a link to anything outside of it.
    """
    # with figures comes matplotlib, which nobody needs who wants no page
    from misalign.audit.figures import drawings

    loader = PackageLoader("misalign.audit", ".")
    options = {"trim_blocks": True, "lstrip_blocks": True, "undefined": StrictUndefined}
    environment = Environment(loader=loader, autoescape=True, **options)
    for name in ("percent", "between", "counted", "listed", "tied"):
        environment.filters[name] = getattr(words, name)
    # these are the package's own and hold no text of users as markup
    css, js = (
        Markup(loader.get_source(environment, f"report.{name}")[0]) for name in ("css", "js")
    )
    figures = [(one, Markup(one.svg)) for one in drawings(findings)]
    return environment.get_template("report.html").render(
        findings=findings,
        counts=findings.counts,
        trend=findings.trend,
        files=list(files),
        summary=words.summary(findings),
        figures=figures,
        actions=_by_action(findings),
        pairs=PAIRS,
        rules=rules,
        titles={name: advice.title for name, advice in ACTIONS.items()},
        version=__version__,
        css=css,
        js=js,
    )


def _by_action(findings: Findings) -> list[tuple]:
    """Every advice that some concept gets: it, how many do, and their names by group."""
    advised = []
    for name, advice in ACTIONS.items():
        rows = findings.concepts[findings.concepts["action"] == name]
        if len(rows):
            by_group = rows.groupby("group", sort=False)["concept"].agg(list)
            advised.append((advice, len(rows), list(by_group.items())))
    return advised


def write(
    findings: Findings, html: Path | None = None, csv: Path | None = None, files: Sequence[str] = ()
) -> None:
    """Write the page, the table of concepts as CSV, or both: all of it or nothing.

    Parameters
    ----------
    findings : Findings
        What to report.
    html, csv : Path, optional
        Where to.
    files : sequence of str, optional
        Names of what was read.

    Raises
    ------
    ValueError
        If there is a folder in the place of either, or both are one file.
    """
    expect_places(html, csv)
    with ExitStack() as stack:
        # everything is written before anything takes its place
        if csv is not None:
            partial = stack.enter_context(replacing(csv))
            findings.concepts.to_csv(partial, index=False, lineterminator="\n")
        if html is not None:
            partial = stack.enter_context(replacing(html))
            partial.write_text(page(findings, files), encoding="utf-8")


def expect_places(html: Path | None, csv: Path | None) -> None:
    """Raise a one-line error if a report cannot go where it shall."""
    for name, path in (("html", html), ("csv", csv)):
        if path is not None:
            expect_another(name, path, [])
    if html is not None and csv is not None and html.resolve() == csv.resolve():
        raise invalid("csv", "another file than the page", csv)
