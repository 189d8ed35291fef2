"""Check that every chapter keeps the rules of the book.

A pair agrees and was executed in order, cells are short, figures have a caption, a name and an
alt text and are referred to, and parameters are literals.
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
    if not mystnb.get("image", {}).get("alt"):
        yield "a figure without mystnb.image.alt"
    if not figure.get("name"):
        yield "a figure without mystnb.figure.name"
    elif figure["name"] not in references:
        yield f"no page refers to its figure {figure['name']!r} with {{numref}} or {{ref}}"


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
