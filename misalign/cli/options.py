"""Kinds of options that commands share."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from misalign.errors import invalid
from misalign.paths import replacing

FOLDER = click.Path(file_okay=False, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)
COUNT = click.IntRange(min=1)
# options of where to work that do not go together, and why
WHERE = (("scheduler", "slurm", "choose one"), ("scheduler", "workers", "it has its own"))
IMPORT = click.option(
    "--import", "modules", multiple=True, help="Import this module, for its studies."
)


def import_modules(names: Iterable[str]) -> None:
    """Import modules for the studies that they register, also from the folder at hand."""
    sys.path.append(str(Path.cwd()))  # as `python -m` does
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever the module does
            got = f"{name} ({type(error).__name__}: {str(error).partition(chr(10))[0]})"
            raise invalid("--import", "a module that can be imported", got, ImportError) from None


def is_device(path: Path) -> bool:
    """Whether a path is no file to be replaced, such as /dev/stdout or a pipe."""
    return path.absolute().parts[1:2] == ("dev",) or path.exists() and not path.is_file()


@contextmanager
def one_line() -> Iterator[None]:
    """Tell in one line what is wrong with options, files or packages."""
    try:
        yield
    except (ValueError, OSError, ImportError) as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all, by a name that this yields; a device gets it at once."""
    if is_device(path):
        yield path
    else:
        with replacing(path.resolve()) as partial:
            yield partial


def expect_apart(options: dict[str, Any], pairs: Iterable[tuple[str, str, str]]) -> None:
    """Refuse two options at once, by their names and the reason."""
    for name, other, reason in pairs:
        if options[name] and options[other]:
            raise click.UsageError(f"--{name} does not go with --{other}: {reason}")


def expect_device(name: str) -> None:
    """Refuse a device that is not there."""
    import torch

    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise click.UsageError(f"--device: expected one of this machine, got {reason}") from None
