"""Check that every chapter keeps the rules of the book.

A pair agrees and was executed in order, cells are short, figures have a caption, a name and an
alt text and are referred to, and parameters are literals. The caption of a recorded figure ends
with the sweep and the number of runs that it is of.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jupytext
from jupytext.config import load_jupytext_config
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parent.parent
FORMATS = {".py", ".ipynb"}
LONGEST_CELL = 25
LONGEST_LINE = 100
# "100 runs of sweep figure_03." or, of several and in part, "15 of 140 runs of sweeps a, b and c."
RUNS = re.compile(r"(?:(\d+) of )?\b(\d+) runs of (sweeps?) (\w+(?:, \w+)*(?: and \w+)?)\.$")
# what no sweep recorded, and verdicts, which are of many
TABLE = re.compile(r"Drawn from ((?:results|book)/\w+\.csv)\.$")
REFERENCE = re.compile(r"\{(?:numref|ref)\}`([^`]*)`")


def chapters(root: Path = ROOT) -> list[Path]:
    """Chapters without suffix, whichever half of the pair is there."""
    return sorted(
        {path.with_suffix("") for path in root.glob("notebooks/*") if path.suffix in FORMATS}
    )


def problems(stem: Path, references: set[str]) -> list[str]:
    """Everything that is wrong with one chapter, a line each."""
    py, ipynb = stem.with_suffix(".py"), stem.with_suffix(".ipynb")
    missing = [path.name for path in (py, ipynb) if not path.exists()]
    if missing:
        return [f"{name} is missing; `make execute` writes the .ipynb" for name in missing]
    notebook = jupytext.read(ipynb)
    found = list(_pair(py, ipynb, notebook)) + list(_executed(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            found += [f"{_where(cell)}: {text}" for text in _cell(cell, references)]
    return found


def referred(root: Path = ROOT) -> set[str]:
    """Names that any page refers to with {numref} or {ref}."""
    texts = [*root.glob("notebooks/*.py"), *root.glob("book/**/*.md")]
    inside = "\n".join(
        role for path in texts for role in REFERENCE.findall(path.read_text(encoding="utf-8"))
    )
    return set(re.findall(r"[\w.:-]+", inside))


def _where(cell: NotebookNode) -> str:
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {first[:50]!r}"


def _pair(py: Path, ipynb: Path, notebook: NotebookNode) -> Iterator[str]:
    config = load_jupytext_config(str(ipynb.resolve()))
    text = jupytext.writes(notebook, fmt="py:percent", config=config)
    if text.rstrip() != py.read_text(encoding="utf-8").rstrip():
        yield f"{py.name} and {ipynb.name} differ: edit the .py, then `make execute`"


def _executed(notebook: NotebookNode) -> Iterator[str]:
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    if [cell.execution_count for cell in code] != list(range(1, len(code) + 1)):
        yield "was not executed from top to bottom: `make execute`"


def _cell(cell: NotebookNode, references: set[str]) -> Iterator[str]:
    lines = [line for line in cell.source.splitlines() if line.strip()]
    if len(lines) > LONGEST_CELL:
        yield f"{len(lines)} lines, more than {LONGEST_CELL}"
    if any(len(line) > LONGEST_LINE for line in lines):
        yield f"a line of more than {LONGEST_LINE} characters"
    if any(output.output_type == "error" for output in cell.outputs):
        yield "its stored output is an error"
    if any("image/png" in output.get("data", {}) for output in cell.outputs):
        yield from _figure(cell, references)
    if "parameters" in cell.metadata.get("tags", []):
        yield from _parameters(cell.source)


def _figure(cell: NotebookNode, references: set[str]) -> Iterator[str]:
    mystnb = cell.metadata.get("mystnb", {})
    figure = mystnb.get("figure", {})
    if not figure.get("caption"):
        yield "a figure without mystnb.figure.caption"
    elif "recorded" in cell.metadata.get("tags", []):
        yield from source(figure["caption"])
    if not mystnb.get("image", {}).get("alt"):
        yield "a figure without mystnb.image.alt"
    if not figure.get("name"):
        yield "a figure without mystnb.figure.name"
    elif figure["name"] not in references:
        yield f"no page refers to its figure {figure['name']!r} with {{numref}} or {{ref}}"


def source(caption: str) -> Iterator[str]:
    """What is wrong with the end of a recorded figure's caption, which says where it is from."""
    from misalign.sweeps.grid import Sweep  # takes seconds, and not every chapter has records

    table = TABLE.search(caption)
    if table:
        path = ROOT / table[1]
        if not path.exists() or path.read_text(encoding="utf-8").startswith("run,"):
            yield f"its caption ends with {table[1]}, which is no table without runs"
        return
    found = RUNS.search(caption)
    if not found:
        yield f"its caption ends with {caption[-30:]!r}, not with 'N runs of sweep NAME.'"
        return
    part, total, noun, listed = found.groups()
    names = re.split(", | and ", listed)
    try:
        runs = {run for name in names for run in Sweep.named(name).runs}
    except ValueError as error:
        yield f"its caption: {error}"
        return
    if noun != ("sweep" if len(names) == 1 else "sweeps") or len(set(names)) < len(names):
        yield f"its caption says {noun} {listed}: one sweep, or several sweeps, each once"
    if int(total) != len(runs) or (part and not 0 < int(part) < len(runs)):
        counted = f"{part} of {total}" if part else total
        yield f"its caption says {counted} runs, its {noun} {listed} have {len(runs)}"


def _parameters(source: str) -> Iterator[str]:
    for statement in ast.parse(source).body:
        try:
            if not isinstance(statement, ast.Assign | ast.AnnAssign):
                raise ValueError
            ast.literal_eval(statement.value)
        except ValueError:
            yield f"line {statement.lineno}: parameters are NAME = LITERAL, for papermill"


def main() -> int:
    references = referred()
    lines = [f"{stem.name}: {text}" for stem in chapters() for text in problems(stem, references)]
    print("\n".join(lines) if lines else f"{len(chapters())} chapters keep the rules")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
