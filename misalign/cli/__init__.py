"""The ``misalign`` command: the one place that prints and picks a device."""

from __future__ import annotations

import click

from misalign import __version__
from misalign.cli.audit import audit
from misalign.cli.coverage import coverage
from misalign.cli.render import render
from misalign.cli.runs import runs, show
from misalign.cli.sweep import sweep
from misalign.cli.zeroshot import zeroshot


@click.group()
@click.version_option(__version__)
def main() -> None:
    """Run the experiments of `misalign`, an executable edition of Cai et al. 2025."""


for command in (sweep, runs, show, render, coverage, audit, zeroshot):
    main.add_command(command)
