"""Run chapters and store their outputs: NAME.py (which is edited) into NAME.ipynb.

A chapter that fails leaves its .ipynb as it was. A second run of an unchanged chapter writes the
same bytes.
"""

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

KERNEL = "python3"  # the environment's own kernel is always called so


def join(py: Path, ipynb: Path) -> nbformat.NotebookNode:
    """The cells of the .py, with the ids that its .ipynb gave them."""
    config = load_jupytext_config(str(py.resolve()))
    notebook = jupytext.read(py, config=config)
    if ipynb.exists():
        notebook = combine_inputs_with_outputs(
            notebook, jupytext.read(ipynb, config=config), fmt="py:percent"
        )
    return notebook


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
        client.execute()
    except BaseException:
        if new:
            ipynb.unlink()
        raise
    notebook.metadata.pop("language_info", None)
    nbformat.write(notebook, ipynb)


@click.command()
@click.option("--timeout", default=600, show_default=True, help="Seconds a cell may take.")
@click.argument("chapters", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(chapters: tuple[Path, ...], timeout: int) -> None:
    """Run CHAPTERS (default: every notebooks/*.py) and store their outputs."""
    failed = []
    for chapter in chapters or sorted(Path(__file__).parent.parent.glob("notebooks/*.py")):
        py = chapter.with_suffix(".py")
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
