"""Run chapters and store their outputs: NAME.py (which is edited) into NAME.ipynb.

A chapter that fails leaves its .ipynb as it was. A second run of an unchanged chapter writes the
same bytes. An .ipynb whose own cells were edited is not written over, unless one says so.
"""

import hashlib
import json
import os
import sys
import time
from pathlib import Path

import click
import jupytext
import nbformat
from jupytext.combine import combine_inputs_with_outputs
from jupytext.config import load_jupytext_config
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from misalign.sweeps.worker import ONE_THREAD

KERNEL = "python3"  # the environment's own kernel is always called so
WRITTEN = "written"  # metadata of an .ipynb: fingerprint of the cells as this script wrote them


def read(path: Path) -> NotebookNode:
    """A chapter from either half of its pair, by the project's own rules of pairing."""
    return jupytext.read(path, config=load_jupytext_config(str(path.resolve())))


def join(py: Path, ipynb: Path) -> NotebookNode:
    """The cells of the .py, with the ids that its .ipynb gave them."""
    notebook = read(py)
    if ipynb.exists():
        notebook = combine_inputs_with_outputs(notebook, read(ipynb), fmt="py:percent")
    return notebook


def fingerprint(notebook: NotebookNode) -> str:
    """Hash of what a person edits: cells, without ids and outputs."""
    cells = [
        (cell.cell_type, cell.source, cell.metadata.get("tags") or [], cell.metadata.get("mystnb"))
        for cell in notebook.cells
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()[:16]


def edited(py: Path) -> bool:
    """Whether the .ipynb has cells of its own: neither those of its .py nor those once written."""
    ipynb = py.with_suffix(".ipynb")
    if not ipynb.exists():
        return False
    notebook = read(ipynb)
    return fingerprint(notebook) not in (notebook.metadata.get(WRITTEN), fingerprint(read(py)))


def run(py: Path, timeout: int) -> None:
    ipynb = py.with_suffix(".ipynb")
    notebook = join(py, ipynb)
    # no time stamps and no patch version of Python: they would change with every run
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name=KERNEL,
        record_timing=False,
        coalesce_streams=True,  # where the kernel flushed is chance
        resources={"metadata": {"path": str(py.parent)}},
    )
    new = not ipynb.exists()
    if new:  # a chapter may draw a sweep of its own, and a sweep wants its notebook to be there
        nbformat.write(notebook, ipynb)
    try:
        client.execute(env=os.environ | ONE_THREAD)
    except BaseException:
        if new:
            ipynb.unlink()
        raise
    notebook.metadata.pop("language_info", None)
    notebook.metadata[WRITTEN] = fingerprint(notebook)
    nbformat.write(notebook, ipynb)


@click.command()
@click.option("--timeout", default=600, show_default=True, help="Seconds a cell may take.")
@click.option("--discard", is_flag=True, help="Write over an .ipynb that was edited, too.")
@click.argument("chapters", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(chapters: tuple[Path, ...], timeout: int, discard: bool) -> None:
    """Run CHAPTERS (default: every notebooks/*.py) and store their outputs."""
    named = chapters or sorted(Path(__file__).parent.parent.glob("notebooks/*.py"))
    scripts = [chapter.with_suffix(".py") for chapter in named]
    lost = [] if discard else [py.with_suffix(".ipynb") for py in scripts if edited(py)]
    if lost:
        names = " ".join(map(str, lost))
        raise click.ClickException(
            f"edited, and not in the .py: {names}; keep that with `jupytext --to py:percent "
            f"{names}`, which writes over the .py, or drop it with --discard"
        )
    failed = []
    for py in scripts:
        start = time.perf_counter()
        try:
            run(py, timeout)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            failed.append(py.name)
            print(f"{py}: {error}", file=sys.stderr)
        else:
            print(f"{py}: {time.perf_counter() - start:.1f} s")
    if failed:
        raise click.ClickException(f"failed, and left as before: {', '.join(failed)}")


if __name__ == "__main__":
    main()
