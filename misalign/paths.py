"""Every folder of the project, and how files get into them.

Folders are those of the checkout that the package lies in. A package installed from a wheel lies in
none: then they are the working directory's, whatever that is when a file is read or written.
"""

from __future__ import annotations

import os
import platform
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from misalign.errors import invalid

LIBRARY = Path(__file__).resolve().parent
_CHECKOUT = (LIBRARY.parent / "pyproject.toml").is_file() and (
    LIBRARY.parent / "notebooks"
).is_dir()
ROOT = LIBRARY.parent if _CHECKOUT else Path()
CHECKOUT = "the project's own in a checkout of it (see its README)"  # what a wheel lacks
DATA_FILES = LIBRARY / "data"  # packaged tables
NOTEBOOKS = ROOT / "notebooks"
RESULTS = ROOT / "results"
SWEEPS = ROOT / "sweeps"
REFERENCE = ROOT / "book" / "reference"  # what the paper printed
CLAIMS = ROOT / "book" / "claims.yml"  # what the paper claims
DATA = ROOT / "data"  # downloaded or rendered files; ignored by git
EXECUTED = ROOT / "_runs"  # notebooks that sweeps executed
CHECKPOINTS = EXECUTED / "checkpoints"  # of recorded runs under way

# of a partial file: machines that share a folder do not know each other's processes
WRITER = platform.node().replace(".", "-") or "here"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all, by a hidden name beside it that this yields.

    It takes the file's place at the end of the block, or disappears if the block raises. The folder
    is made if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{WRITER}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def expect_another(name: str, path: Path, sources: Iterable[Path]) -> None:
    """Raise a one-line error if a file cannot be at a path, or would replace one that is read."""
    if path.is_dir():
        raise invalid(name, "a file to write to", f"the folder {path}")
    if path.resolve() in {source.resolve() for source in sources}:
        raise invalid(name, "another file than is read", path)


def expect_writable(name: str, folder: Path) -> None:
    """Raise a one-line error unless files can be written to a folder, which need not exist yet.

    It really tries, since permission bits do not tell (root ignores them, a mount may be read
    only), and leaves nothing behind.
    """
    # an absolute path has a root, so there always is a first one
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryDirectory(dir=there):
            pass
    except OSError as error:
        expected = "a folder to write to"
        raise invalid(name, expected, f"{folder} ({there}: {error.strerror})", OSError) from None
