"""Sweeps: a grid of runs, executed by a notebook, recorded, and resumable.

A sweep file names a notebook, by its path or as one of the project's own, and blocks of its
parameters; a list makes an axis::

    notebook: 06_numerical
    runs:
      - latents: [independent, dependent]
        setting: [1, 2, 3]
        seed: [0, 1, 2, 3, 4]

Runs of one grid go to one execution of the notebook, in a process of its own, and train together.
What is recorded is skipped, so a sweep that was killed goes on when it is started again. This
module is the plan; `misalign.sweeps.runner` executes it.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import yaml

from misalign.errors import check_int, invalid
from misalign.experiment import seconds_a_step
from misalign.paths import CHECKOUT, NOTEBOOKS, RESULTS, SWEEPS
from misalign.provenance import code_hash
from misalign.records import read as read_scores
from misalign.records import recorded
from misalign.records import runs as recorded_runs
from misalign.run import Run, plain

# the axes along which runs are put together, the first one first
GROUPED = ("seed", "latents", "setting")


@dataclass(frozen=True)
class Sweep:
    """A sweep file, read and checked, by its stem; runs without repetitions, in the file's order.

    A file without a notebook, which executes the runs, is for ``--no-notebooks``.
    """

    name: str
    notebook: Path | None
    runs: tuple[Run, ...]

    @classmethod
    def named(cls, name: str) -> Sweep:
        """Read one of the project's own, such as ``"figure_03"``; an error lists the known ones."""
        known = sorted(path.stem for path in SWEEPS.glob("*.yml"))
        if name not in known:
            expected = f"one of {', '.join(known)}" if known else CHECKOUT
            raise invalid("sweep", expected, repr(name))
        return cls.read(SWEEPS / f"{name}.yml")

    @classmethod
    def read(cls, path: Path, scale: str | None = None) -> Sweep:
        """Read a YAML file, see the module's docstring; a scale takes the place of its own.

        What is no such mapping, an unknown field, an empty axis or a value that `Run` refuses is a
        ValueError.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(f"{path}: expected YAML, got {reason}") from None
        keys = set(content) if isinstance(content, dict) else set()
        if "runs" not in keys or not keys <= {"notebook", "runs"}:
            raise invalid(str(path), "the keys notebook and runs", sorted(map(str, keys)))
        blocks = content["runs"]
        listed = isinstance(blocks, list) and all(isinstance(block, dict) for block in blocks)
        if not (listed and blocks):
            raise invalid("runs", "a list of blocks, each of fields and values", blocks)
        override = {} if scale is None else {"scale": scale}
        try:
            runs = [run for block in blocks for run in Run.grid(**{**block, **override})]
        except (TypeError, ValueError, LookupError) as error:
            raise ValueError(f"{path}: {error}") from None
        notebook = None
        if "notebook" in keys:
            name = str(content["notebook"]).removesuffix(".ipynb") + ".ipynb"
            beside = path.parent / name
            notebook = beside if beside.exists() else NOTEBOOKS / name
        return cls(path.stem, notebook, tuple(dict.fromkeys(runs)))

    def missing(self, folder: Path) -> list[Run]:
        """Runs that a results folder does not hold yet, or not whole."""
        recorded = self._recorded(folder)
        return [run for run in self.runs if run.id not in recorded]

    def stale(self, folder: Path) -> list[Run]:
        """Runs that are recorded, but by other code than the present."""
        code = self._recorded(folder)
        known = [run for run in self.runs if run.id in code]
        return [run for run in known if code[run.id] != code_hash(run.experiment)]

    def _recorded(self, folder: Path) -> dict[str, str]:
        # reading the scores here also finds a damaged file before anything is trained
        experiments = {run.experiment for run in self.runs}
        return dict(ChainMap(*(recorded(name, folder) for name in experiments)))

    def scores(self, folder: Path = RESULTS) -> pd.DataFrame:
        """Read the scores of these runs and of no others, with columns `misalign.records.SCORES`.

        A missing run is a ValueError: a figure of half a sweep would not show it.
        """
        if left := len(self.missing(folder)):
            expected = f"all {len(self.runs)} runs of {self.name} (make sweep)"
            raise invalid("results", expected, len(self.runs) - left)
        experiments = {run.experiment for run in self.runs}
        tables = pd.concat([read_scores(experiment, folder) for experiment in experiments])
        return tables[tables["run"].isin({run.id for run in self.runs})]


def groups(runs: Iterable[Run], most: int) -> list[list[Run]]:
    """Put together what one notebook executes: full products of seeds, latents and settings.

    Every run is there once; each group, of at most so many runs, is the grid of its `parameters`.
    """
    check_int("most", most, 1)
    # a box is a grid, its axes by name; at first every run is a box of its own
    boxes = [{name: (value,) for name, value in _named(run).items()} for run in runs]
    for axis in GROUPED:
        alike: dict[tuple, list] = {}
        for box in boxes:
            others = tuple({**box, axis: (None,)}.items())  # the axis keeps its place
            alike.setdefault(others, []).extend(box[axis])
        boxes = []
        for others, values in alike.items():
            values = list(dict.fromkeys(values))
            size = max(1, most // math.prod(len(held) for _, held in others))
            parts = [tuple(values[i : i + size]) for i in range(0, len(values), size)]
            boxes += [{**dict(others), axis: part} for part in parts]
    return [Run.grid(**{name: list(values) for name, values in box.items()}) for box in boxes]


def parameters(group: list[Run]) -> dict[str, object]:
    """Parameters of a notebook whose grid is a group: a list for each field that varies."""
    named = [_named(run) for run in group]
    needed = {name for run in group for name in run.needed}  # the others are as they always are
    values = {name: dict.fromkeys(fields[name] for fields in named) for name in named[0]}
    axes = {name: [*map(plain, axis)] for name, axis in values.items() if name in needed}
    return {name: axis if len(axis) > 1 else axis[0] for name, axis in axes.items()}


def _named(run: Run) -> dict[str, object]:
    """Fields of a run, the encoding size None where it is the default of the run's setting."""
    default = replace(run, encoding_size=None).encoding_size
    fields = run.as_dict()
    return fields | {"encoding_size": None} if run.encoding_size == default else fields


def estimate(runs: list[Run], folder: Path) -> float | None:
    """Seconds that runs take one after the other, from recorded ones; None for an unknown scale.

    A scale that the folder does not hold goes by the project's own records.
    """
    kinds = [(run.experiment, run.scale) for run in runs]
    seconds = {kind: recorded_seconds(*kind, folder) for kind in set(kinds)}
    return None if None in seconds.values() else sum(seconds[kind] for kind in kinds)


def recorded_seconds(experiment: str, scale: str, folder: Path) -> float | None:
    """Mean seconds of recorded runs that train; None if none of that scale ever was recorded."""
    for table in (recorded_runs(folder), recorded_runs()):
        alike = (table["experiment"] == experiment) & (table["scale"] == scale)
        seconds = pd.to_numeric(table[alike & (pd.to_numeric(table["steps"]) > 0)]["seconds"])
        if len(seconds):
            return float(seconds.mean())
    return None


def measured(
    runs: list[Run], folder: Path, device: str = "cpu"
) -> Iterator[tuple[str, float, float, int]]:
    """Measure a training step of each scale of which no run ever was recorded.

    Yields the scale, seconds of a step and of all steps of a run, and the number of runs; those
    that do not train are left out.
    """
    trained = [run for run in runs if run.trains]
    for kind in dict.fromkeys((run.experiment, run.scale) for run in trained):
        if recorded_seconds(*kind, folder) is None:
            alike = [run for run in trained if (run.experiment, run.scale) == kind]
            step = seconds_a_step(alike[0], device=device)
            yield kind[1], step, step * alike[0].scale_config.recipe.steps, len(alike)
