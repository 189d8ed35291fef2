"""``misalign runs`` and ``misalign show``: from a number to the run that it is of."""

from __future__ import annotations

import json
import os
import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from misalign.cli.options import FOLDER, IMPORT, import_modules, one_line
from misalign.errors import invalid
from misalign.paths import RESULTS, SWEEPS

FIELDS = ["experiment", "scale", "variant", "latents", "bias", "setting", "seed", "encoding_size"]
MADE = ["commit", "code", "device", "torch", "steps", "seconds", "loss", "date"]
WHERE = click.option("--results", type=FOLDER, default=RESULTS, help="Where records are read.")


@click.command()
@click.argument("query", nargs=-1)
@WHERE
@IMPORT
def runs(query: tuple[str, ...], results: Path, modules: tuple[str, ...]) -> None:
    """List the recorded runs that QUERY chooses (default: all).

    QUERY is plain words, such as: mpi3d perturbation 5 stale. Each word has to begin a value of the
    run's, and a number has to be one. Or it is a query of pandas, over the columns of runs.csv and
    the run's parameters: "setting > 8 and seconds > 60".
    """
    with one_line():
        table = _recorded(results, modules)
        chosen = _choose(table, " ".join(query))
    if len(chosen):
        click.echo(chosen[["run", *FIELDS, "date", "stale"]].to_string(index=False))
    click.echo(f"{len(chosen)} of {len(table)} runs", err=True)


@click.command()
@click.argument("run")
@WHERE
@IMPORT
def show(run: str, results: Path, modules: tuple[str, ...]) -> None:
    """Print what is recorded of RUN, and how to repeat it; the beginning of its id will do."""
    with one_line():
        table = _recorded(results, modules)
        found = table[table["run"].str.startswith(run)]
        if len(found) != 1:
            got = f"{run!r}, with which {len(found) or 'none'} of {len(table)} begin"
            raise invalid("RUN", "the id of one recorded run (see misalign runs)", got)
        row = found.iloc[0].copy()
        row["code"] += f" ({row['stale']}: now {row['now']})" if row["stale"] else " (as now)"
        fields = {**row[["run", *FIELDS]], **json.loads(row["parameters"]), **row[MADE]}
        lines = fields | {"scores": _scores(row, results)} | _sources(row)
    click.echo("\n".join(f"{name:<14} {value}".rstrip() for name, value in lines.items()))


def _recorded(folder: Path, modules: tuple[str, ...]) -> Any:
    """Table of recorded runs: runs.csv, their parameters, the code `now`, and whether stale."""
    import pandas as pd

    from misalign import provenance, records

    import_modules(modules)
    table = records.runs(folder)
    if table.empty:
        raise invalid("results", "recorded runs (misalign sweep)", f"none in {folder}")
    own = pd.DataFrame([*table["parameters"].map(json.loads)])
    now = dict.fromkeys(table["experiment"], "unknown")
    for name in now:
        with suppress(ValueError):  # a study that is not there has no code here
            now[name] = provenance.code_hash(name)
    table = table.join(own.drop(columns=["experiment", "scale"]))
    table["now"] = table["experiment"].map(now)
    table["stale"] = table["code"].ne(table["now"]).map({True: "stale", False: ""})
    return table.assign(stale=table["stale"].where(table["now"] != "unknown", "unknown"))


def _choose(table: Any, query: str) -> Any:
    """Rows that a query of pandas chooses, or that have all of its words."""
    from misalign.reporting.summaries import choose

    if {"and", "or", "not", "in"} & {*query.split()} or not re.fullmatch(r"[\w.:+ -]*", query):
        return choose("QUERY", table, query)
    lines = table.astype(object).fillna("").astype(str).agg("\t".join, axis=1)
    for word in query.split():
        end = r"(?:\t|$)" if word.isdigit() else ""
        lines = lines[lines.str.contains(rf"(?:^|[\t ,]){re.escape(word)}{end}", case=False)]
    return table.loc[lines.index]


def _scores(run: Any, folder: Path) -> str:
    """How many scores a run has, and those that are farthest from their oracles, either way."""
    from misalign import records

    rows = records.read(run["experiment"], folder).query("run == @run.run")
    off = (rows["score"] - rows["oracle"]).dropna()
    if off.empty:
        return f"{len(rows)} rows, no oracle"
    point = ["modality", "split", "probe", "target", "factor", "metric"]
    ends = (off.idxmin(), off.idxmax())
    least, most = (f"{off[at]:+.3f} ({' '.join(rows.loc[at, point])})" for at in ends)
    return f"{len(rows)} rows; score less oracle: {least} to {most}"


def _sources(run: Any) -> dict[str, str]:
    """The project's sweeps that name a run, and the line that executes it again."""
    from misalign.sweeps.grid import Sweep

    sweeps = map(Sweep.read, sorted(SWEEPS.glob("*.yml")))
    naming = [sweep for sweep in sweeps if run["run"] in {one.id for one in sweep.runs}]
    if not naming:
        return {"sweeps": "none"}
    notebook, defaults = str(naming[0].notebook), {}
    with suppress(ImportError):  # without it every field is passed
        from papermill import inspect_notebook

        defaults = {name: one["default"] for name, one in inspect_notebook(notebook).items()}
    words = ["papermill", os.path.relpath(notebook), f"{run['run']}.ipynb"]
    for name, value in json.loads(run["parameters"]).items():
        if defaults.get(name) != json.dumps(value):
            words += ["-p", name, str(value)]
    return {"sweeps": ", ".join(one.name for one in naming), "repeat": shlex.join(words)}
