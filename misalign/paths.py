"""Every folder of the project, and how files get into them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "misalign"
NOTEBOOKS = ROOT / "notebooks"
RESULTS = ROOT / "results"
SWEEPS = ROOT / "sweeps"
EXECUTED = ROOT / "_runs"  # notebooks that sweeps executed
CHECKPOINTS = EXECUTED / "checkpoints"  # of recorded runs under way


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : Path
        Where the file shall be; its folder is made if it is missing.

    Yields
    ------
    Path
        A hidden name beside it to write to. It takes the file's place at the end of the block,
        or disappears if the block raises.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
