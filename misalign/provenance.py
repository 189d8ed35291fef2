"""Where a number came from: which code, which commit, which device."""

from __future__ import annotations

import ast
import hashlib
import platform
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch

from misalign.paths import LIBRARY, ROOT

# the modules that decide an experiment's numbers; plots, command line and the like do not
SHARED = (
    *("bias", "streams", "objectives", "encoders", "optim", "checkpoints", "training"),
    *("probes", "scales", "run", "scoring", "experiment", "worlds/base", "studies/base"),
)
SCENES = tuple(
    f"scenes/{name}"
    for name in ("columns", "grids", "scene", "shapes", "surface", "trace", "vectors")
) + ("scenes/shapes.yaml",)
# modules that decide a world's pictures
RENDERING = {
    "mpi3d": ("scenes/mpi3d", "worlds/mpi3d", *SCENES),
    "causal3dident": ("scenes/causal3dident", "scenes/hues", "worlds/causal3dident", *SCENES),
    "concepts": ("scenes/concepts", "scenes/flat", "scenes/columns", "worlds/concepts"),
}
PICTURED = (
    *(*SHARED, "classifiers", "image_encoders", "published_encoders", "studies/pictured"),
    *(
        "worlds/captioned",
        "worlds/pictured",
        "pictures/base",
        "pictures/kept",
        "pictures/layout",
        "pictures/rendered",
    ),
    *("captions/captioner", "captions/tables", "captions/templates", "captions/vocabulary"),
    *("captions/wording", "data/captions.yml"),
)
MPI3D = (*PICTURED, *RENDERING["mpi3d"], "studies/mpi3d", "worlds/omitting")
DECIDING = {
    "numerical": (
        *(*SHARED, "studies/numerical", "worlds/mixing", "worlds/numerical"),
        *("downstream", "theory/oracle"),
    ),
    "assumptions": (*SHARED, "studies/assumptions", "worlds/mixing", "worlds/resampled"),
    "mpi3d": MPI3D,
    "mpi3d_sym_align_max_ent": MPI3D,
    "mpi3d_nt_xent": MPI3D,
    "causal3dident": (
        *(*PICTURED, *RENDERING["causal3dident"], "studies/causal3dident"),
        *("captions/palettes", "theory/words"),
    ),
    "concepts": (
        *(*SHARED, "classifiers", "image_encoders", "studies/pictured", "studies/concepts"),
        *("worlds/captioned", "worlds/pictured", "captions/vocabulary", "zeroshot/scores"),
        *("pictures/base", "pictures/kept", "pictures/rendered", *RENDERING["concepts"]),
    ),
}


@cache
def code_hash(experiment: str) -> str:
    """Hash of the code that decides an experiment's numbers.

    Comments, docstrings and layout do not count, so only a change that could move a number makes
    recorded runs stale. The hash depends on the minor version of Python, whose parser has its say
    in how code is written out: compare hashes of one version only.
    """
    return _digest(DECIDING[experiment])


@cache
def scenes_hash(world: str) -> str:
    """Hash of the code that decides a world's pictures, as `code_hash`."""
    return _digest(RENDERING[world])


def _digest(names: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for name in names:
        path = LIBRARY / (name if "." in name else f"{name}.py")
        digest.update(_bare(path).encode())
    return digest.hexdigest()[:12]


def _bare(path: Path) -> str:
    if path.suffix != ".py":
        return path.read_text(encoding="utf-8")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


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
