"""Where a number came from: which code, which commit, which device."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import platform
import subprocess
from functools import cache
from pathlib import Path

import torch

from misalign.paths import DATA_FILES, LIBRARY, ROOT
from misalign.run import study_module

SHARED = "misalign.experiment"  # from a run to its record, the same path for every study


@cache
def code_hash(experiment: str) -> str:
    """Hash of the code that decides an experiment's numbers.

    That is every module of the package that the study's module imports, directly or not, and
    whatever of the study's own distribution it imports. Imports, comments, docstrings and layout
    do not count, nor in which of those modules a definition stands, so a pure move leaves records
    fresh. The hash depends on the minor version of Python, whose parser has its say in how code
    is written out: compare hashes of one version only.

    Parameters
    ----------
    experiment : str
        Name of a study, see `misalign.run.study`.

    Returns
    -------
    str
        12 characters.
    """
    return modules_hash(SHARED, study_module(experiment))


@cache
def modules_hash(*modules: str) -> str:
    """Hash of the code of modules and of what they import, as `code_hash`."""
    parts = sorted({part for file in closure(*modules) for part in _parts(file)})
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def closure(*modules: str) -> list[Path]:
    """Files of modules, and of all that they import from this package or from their own.

    Parameters
    ----------
    *modules : str
        Dotted names; a module without a file, such as a notebook's, counts for nothing.

    Returns
    -------
    list of Path
        Sorted; also data files of the package that one of the modules names.
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
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (
            ast.get_docstring(node) is not None
        ):
            node.body = node.body[1:] or [ast.Pass()]
        if isinstance(getattr(node, "body", None), list):
            kept = [one for one in node.body if not isinstance(one, ast.Import | ast.ImportFrom)]
            node.body = kept or [ast.Pass()]
    return tuple(ast.unparse(node) for node in tree.body)


@cache
def commit() -> str:
    """Short name of the commit at hand, with a + if files differ from it; empty without git."""
    try:
        call = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
        return subprocess.run(call, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def device_name(device: torch.device | str) -> str:
    """Name of a device for the records, such as ``"AMD EPYC, 2 threads"``."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    model = models[0] if models else platform.processor() or platform.machine()
    return f"{model}, {torch.get_num_threads()} threads"
