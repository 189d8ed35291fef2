"""From benchmark data to the tables of benchmarks/README.md."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable

from benchmarks.timing import PRODUCT

MIB = 2**20
NONE = "–"  # not measured


# --- reading it ---


def rows(data: dict, benchmark: str, **about: object) -> list[dict]:
    """Rows of one benchmark, with these parameters."""
    named = (row for row in data["rows"] if row["benchmark"] == benchmark)
    found = [row for row in named if about.items() <= row.items()]
    if not found:
        which = " ".join([benchmark, *(f"{name}={value}" for name, value in about.items())])
        sys.exit(f"no {which} in the data: run all benchmarks, with scikit-learn installed")
    return found


def best(row: dict, who: str) -> float | None:
    """Fastest round, in seconds; None for a contestant that did not run."""
    return row["seconds"][who]["min"] if who in row["seconds"] else None


def rate(data: dict) -> float:
    """Multiplications and additions a second: the best product of the whole session."""
    return PRODUCT / min(best(row, "product") for row in data["rows"])


def per_step(row: dict, who: str, nothing: str = "nothing") -> float:
    """Seconds a step, without what is done once."""
    return (best(row, who) - best(row, nothing)) / row["steps"]


# --- writing it ---


def short(value: float | None) -> str:
    """Three significant digits."""
    if value is None:
        return NONE
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    return f"{value:,.{digits}f}"


def over(a: float | None, b: float | None) -> float | None:
    """a / b, if both are known."""
    return None if a is None or b is None else a / b


def table(columns: dict[str, Callable[[dict], object]], lines: Iterable[dict]) -> str:
    """A Markdown table: a column is a heading and what it says of a row."""
    out = ["| " + " | ".join(columns) + " |", "|" + " --: |" * len(columns)]
    for row in lines:
        cells = [tell(row) for tell in columns.values()]
        out.append("| " + " | ".join(c if isinstance(c, str) else short(c) for c in cells) + " |")
    return "\n" + "\n".join(out) + "\n"


def ms(seconds: float | None) -> float | None:
    """Seconds as milliseconds."""
    return None if seconds is None else 1e3 * seconds


def objective_floors(data: dict, row: dict) -> tuple[float, float]:
    """Seconds by operations, and by bytes: of copies of this size, the best of the session."""
    alike = rows(data, "bench_objective", rows=row["rows"])
    return row["operations"] / rate(data), row["copies"] * min(best(r, "copy") for r in alike)


def objective_table(data: dict, chosen: Iterable[dict]) -> str:
    """Time and memory of Eq. (2), ours and naive."""
    columns = {
        "B": lambda r: str(r["rows"]),
        "n": lambda r: str(r["width"]),
        "ours, ms": lambda r: ms(best(r, "ours")),
        "naive, ms": lambda r: ms(best(r, "naive")),
        "times faster": lambda r: over(best(r, "naive"), best(r, "ours")),
        "ours, MiB": lambda r: r["memory"]["ours"] / MIB,
        "naive, MiB": lambda r: over(r["memory"].get("naive"), MIB),
        "times leaner": lambda r: over(r["memory"].get("naive"), r["memory"]["ours"]),
        "floor by operations, ms": lambda r: ms(objective_floors(data, r)[0]),
        "floor by bytes, ms": lambda r: ms(objective_floors(data, r)[1]),
        "time / larger floor": lambda r: best(r, "ours") / max(objective_floors(data, r)),
    }
    return table(columns, chosen)


def step_table(data: dict) -> str:
    """One training step in two precisions."""
    floor = {id(row): row["operations"] / rate(data) for row in rows(data, "bench_step")}
    columns = {
        "scale": lambda r: r["scale"],
        "batch": lambda r: str(r["batch"]),
        "float32, ms": lambda r: ms(per_step(r, "ours")),
        "bfloat16, ms": lambda r: ms(per_step(r, "bfloat16")),
        "bfloat16 / float32": lambda r: per_step(r, "bfloat16") / per_step(r, "ours"),
        "floor, ms": lambda r: ms(floor[id(r)]),
        "float32 / floor": lambda r: per_step(r, "ours") / floor[id(r)],
    }
    return table(columns, rows(data, "bench_step"))


def picture_step_table(data: dict) -> str:
    """A step on pictures: its floor is that of its bfloat16 products."""
    of = rows(data, "bench_picture_step")
    floor = {id(r): r["operations"] / PRODUCT * best(r, "bfloat16 product") for r in of}
    columns = {
        "world": lambda r: r["world"],
        "batch": lambda r: str(r["batch"]),
        "pairs, ms": lambda r: ms(best(r, "pairs")),
        "float32, ms": lambda r: ms(best(r, "float32")),
        "bfloat16, ms": lambda r: ms(best(r, "ours")),
        "operations, billions": lambda r: r["operations"] / 1e9,
        "floor, ms": lambda r: ms(floor[id(r)]),
        "bfloat16 / floor": lambda r: best(r, "ours") / floor[id(r)],
    }
    return table(columns, of)


def gain(row: dict) -> float:
    """How many times less a run costs in a batch than alone."""
    return per_step(row, "alone", "alone_nothing") * row["runs"] / per_step(row, "ours")


def runs_table(data: dict) -> str:
    """Many runs in one program."""
    columns = {
        "runs": lambda r: str(r["runs"]),
        "settings": lambda r: str(r["settings"]),
        "ms a step": lambda r: ms(per_step(r, "ours")),
        "ms a step and run": lambda r: ms(per_step(r, "ours")) / r["runs"],
        "one run alone, ms a step": lambda r: ms(per_step(r, "alone", "alone_nothing")),
        "times cheaper a run": gain,
        "floor, ms a step and run": lambda r: ms(r["operations"] / rate(data)) / r["runs"],
        "time / floor": lambda r: per_step(r, "ours") * rate(data) / r["operations"],
    }
    return table(columns, rows(data, "bench_runs"))


def long_table(data: dict) -> str:
    """Whole runs: world, training, probes."""
    columns = {
        "scale": lambda r: r["scale"],
        "runs": lambda r: str(r["runs"]),
        "one after the other, s": lambda r: best(r, "one_by_one"),
        "together, s": lambda r: best(r, "ours"),
        "times faster": lambda r: best(r, "one_by_one") / best(r, "ours"),
    }
    return table(columns, rows(data, "bench_whole_runs"))


def probes_table(data: dict) -> str:
    """Probes a target: ours of 26 at once against each way to ask scikit-learn."""
    both = [*rows(data, "bench_linear_probe"), *rows(data, "bench_mlp_probe")]
    lines = [{**row, "theirs": name} for row in both for name in row["their_targets"]]
    columns = {
        "probe": lambda r: r["benchmark"].split("_")[1].replace("mlp", "MLP"),
        "scikit-learn fits": lambda r: r["theirs"].replace("sklearn", "26 targets"),
        "theirs, ms a target": lambda r: ms(best(r, r["theirs"])) / their_targets(r),
        "ours, 26 targets, ms": lambda r: ms(best(r, "ours")),
        "ours, ms a target": lambda r: ms(best(r, "ours")) / r["targets"],
        "times faster": probe_gain,
        "R² theirs": lambda r: f"{r['r2'][r['theirs']]:.3f}",
        "R² ours": lambda r: f"{r['r2']['ours']:.3f}",
        "floor, ms a target": lambda r: ms(r["operations"] / rate(data)) / r["targets"],
        "ours / floor": lambda r: best(r, "ours") * rate(data) / r["operations"],
    }
    return table(columns, lines)


def their_targets(row: dict) -> int:
    """How many targets scikit-learn fits in the time that is given for it."""
    return row["their_targets"][row["theirs"]]


def probe_gain(row: dict) -> float:
    """How many times less of our time a target takes."""
    return best(row, row["theirs"]) / their_targets(row) * row["targets"] / best(row, "ours")


def at(data: dict, size: int, width: int) -> dict:
    """The objective's row at B = size and n = width."""
    return rows(data, "bench_objective", rows=size, width=width)[0]


def of(data: dict, runs: int, settings: int = 1) -> dict:
    """The row of so many runs in one program."""
    return rows(data, "bench_runs", runs=runs, settings=settings)[0]


def bars(data: dict) -> tuple[float, float]:
    """At B = 2048 and n = 10, how many times faster and leaner ours is than the naive version."""
    row = at(data, 2048, 10)
    return best(row, "naive") / best(row, "ours"), row["memory"]["naive"] / row["memory"]["ours"]
