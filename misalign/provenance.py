"""Where a number came from: which code, which commit, which device."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import platform
import subprocess
import time
from functools import cache
from pathlib import Path

import torch

from misalign.errors import invalid
from misalign.paths import DATA_FILES, LIBRARY, RESULTS, ROOT
from misalign.run import study_module

SHARED = "misalign.experiment"  # from a run to its record, the same path for every study
# where a file that git does not know may decide numbers
NEW = ("misalign/", "notebooks/", "sweeps/")
_LOADED = time.time()  # what is written later is not the code that this process runs


@cache
def code_hash(experiment: str) -> str:
    """Hash of the code that decides an experiment's numbers.

    That is every module of the package that the study's module imports, directly or not, and
    whatever it imports of its own top-level package. Of import lines only what ``from`` renames
    counts; comments, docstrings and layout do not, nor in which of those modules a definition
    stands, so a pure move leaves records fresh. The hash depends on the minor version of Python,
    whose parser has its say in how code is written out: compare hashes of one version only.

    Its 12 characters end with a + if a file was written after this process had loaded the package:
    it may run the older code, so what it records never counts as recorded by the present one.
    """
    return modules_hash(SHARED, study_module(experiment))


def modules_hash(*modules: str) -> str:
    """Hash of the code of modules and of what they import, as `code_hash`."""
    return files_hash(closure(*modules))


def files_hash(files: list[Path]) -> str:
    """Hash of the code of files, as `code_hash`."""
    late = any(file.stat().st_mtime > _LOADED for file in files)
    parts = sorted({part for file in files for part in _parts(file)})
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12] + "+" * late


def closure(*modules: str) -> list[Path]:
    """Files of modules, sorted, and of all that they import from this package or from their own.

    A module without a file, such as a notebook's, counts for nothing; a data file of the package
    counts if one of the modules names it.
    """
    tops = {"misalign", *(module.partition(".")[0] for module in modules)}
    waiting, found = [*modules], {}
    while waiting:
        module = waiting.pop()
        if module in found or module.partition(".")[0] not in tops:
            continue
        found[module] = _file(module)
        if found[module]:
            waiting += _imported(found[module], module)
    sources = {file for file in found.values() if file}
    named = {path for file in sources for path in _named_data(file)}
    return sorted(sources | named)


def _file(module: str) -> Path | None:
    """File of a module, found without importing it or, within this package, anything else."""
    if module.partition(".")[0] == "misalign":
        path = LIBRARY.joinpath(*module.split(".")[1:])
        files = (path / "__init__.py", path.with_suffix(".py"))
        return next((file for file in files if file.is_file()), None)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and spec.has_location else None


@cache
def _tree(file: Path) -> ast.Module:
    """Syntax tree of a file without what serves type checkers only."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    return tree


def _imported(file: Path, module: str) -> list[str]:
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            home = importlib.util.resolve_name(relative, package) if node.level else relative
            # what is imported may be a module, too
            names += [home, *(f"{home}.{alias.name}" for alias in node.names)]
    return names


def _named_data(file: Path) -> list[Path]:
    """Data files that a module names, beside it or among the package's."""
    texts = {
        node.value
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.endswith((".yml", ".yaml", ".json"))
    }
    paths = [folder / text for text in texts for folder in (file.parent, DATA_FILES)]
    return [path for path in paths if path.is_file()]


@cache
def _parts(file: Path) -> tuple[str, ...]:
    """Definitions and other statements of a file that could decide a number."""
    if file.suffix != ".py":
        return (file.read_text(encoding="utf-8"),)
    tree = ast.parse(ast.unparse(_tree(file)))
    renamed = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            renamed += [ast.unparse(alias) for alias in node.names if alias.asname]
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(getattr(node, "body", None), list):
            kept = [one for one in node.body if not isinstance(one, ast.Import | ast.ImportFrom)]
            node.body = kept or [ast.Pass()]
    return (*renamed, *map(ast.unparse, tree.body))


@cache
def commit() -> str:
    """Short name of the commit at hand, with a + if files differ from it; empty without git.

    Files under ``results/`` do not count, since a sweep that records changes them; files that git
    does not know count in `NEW` alone.
    """
    if not (ROOT / ".git").exists():  # a package in somebody else's repository has no commit
        return ""
    try:
        name = _git("rev-parse", "--short", "HEAD").strip()
        changes = _git("status", "--porcelain", "--untracked-files=all", ".", ":!results")
    except (OSError, subprocess.CalledProcessError):
        return ""
    files = changes.splitlines()
    dirty = any(not line.startswith("?? ") or line[3:].startswith(NEW) for line in files)
    return name + "+" * dirty


def _git(*words: str) -> str:
    call = ["git", "-C", str(ROOT), *words]
    return subprocess.run(call, capture_output=True, text=True, check=True).stdout


def expect_clean(folder: Path) -> None:
    """Raise a one-line error if results are the project's own and files differ from the commit."""
    if commit().endswith("+") and folder.resolve() == RESULTS.resolve():
        expected = "files as committed (commit them, or allow it by --allow-dirty or allow_dirty)"
        raise invalid("results", expected, f"others than those of {commit().rstrip('+')}")


def device_name(device: torch.device | str) -> str:
    """Name of a device for the records, such as ``"AMD EPYC, 2 threads"``."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{model}, {torch.get_num_threads()} threads"
