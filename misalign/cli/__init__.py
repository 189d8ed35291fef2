"""The ``misalign`` command: the one place that prints and picks a device."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from misalign import __version__
from misalign.cli.audit import audit
from misalign.cli.coverage import coverage
from misalign.cli.render import render
from misalign.cli.runs import runs, show
from misalign.cli.sweep import sweep
from misalign.cli.zeroshot import zeroshot


class OneLine(click.Group):
    """Commands that say in one line, too, that what they print cannot be written."""

    def invoke(self, context: click.Context) -> object:
        """Run a command, and let what it prints go out."""
        try:
            return super().invoke(context)
        finally:
            sys.stdout.flush()

    def main(self, *args: Any, **options: Any) -> Any:
        """Run the program."""
        try:
            return super().main(*args, **options)
        except OSError as error:  # not a broken pipe, which click knows
            if sys.stdout is sys.__stdout__:  # what is left must not fail again at the end
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            click.echo(f"Error: {error.filename or 'output'}: {error.strerror}", err=True)
            sys.exit(1)


@click.group(cls=OneLine)
@click.version_option(__version__)
def main() -> None:
    """Run the experiments of `misalign`, an executable edition of Cai et al. 2025."""


for command in (sweep, runs, show, render, coverage, audit, zeroshot):
    main.add_command(command)
