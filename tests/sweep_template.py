"""A small notebook for sweeps, with faults that settings and files ask for, and a grid of it."""

import nbformat
import yaml

PARAMETERS = """
experiment = "numerical"
scale = "smoke"
variant = ""
latents = "independent"
bias = "selection"
setting = 1
seed = 0
encoding_size = None
record = ""
"""
# runs are named before torch is imported, so that a fault does not take seconds to come
BODY = """
import os, time
from pathlib import Path
def play(folder, setting, seed):
    worker, threads = os.getppid(), os.environ.get("OMP_NUM_THREADS")
    trim = os.environ.get("MALLOC_TRIM_THRESHOLD_")
    (folder / f"started-{setting}").write_text(f"{worker} {threads} {trim}\\n")
    while (folder / f"hold-{setting}").exists():
        time.sleep(0.05)
    if setting == 7 and seed != 0:
        raise RuntimeError("seed one is sick")
    if setting == 8:
        os._exit(1)
    if setting == 9:
        time.sleep(600)
play(Path(record).parent, setting, seed)
from misalign import Run, execute_all
from misalign.worlds import mixing
mixing.DRAWS = 100
_done = execute_all(Run.from_notebook(globals()), record=record)
"""


def write_template(path, parameters=PARAMETERS, body=BODY):
    """Write a notebook of a parameters cell, a body and a cell that a sweep must leave out."""
    cell = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    drawing = nbformat.v4.new_code_cell("1 / 0", metadata={"tags": ["recorded"]})
    cells = [cell, nbformat.v4.new_code_cell(body), drawing]
    kernel = {"name": "python3", "language": "python", "display_name": "Python 3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(notebook, path)


def write_grid(folder, notebook="template", name="grid", **axes):
    """Write a sweep file of one block at smoke scale."""
    path = folder / f"{name}.yml"
    block = {"scale": "smoke", **axes}
    path.write_text(yaml.safe_dump({"notebook": str(notebook), "runs": [block]}))
    return path
