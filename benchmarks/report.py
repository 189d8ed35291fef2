"""Fill the tables and numbers of benchmarks/README.md.

``python -m benchmarks.report RAW`` takes what pytest-benchmark wrote, keeps what the tables need in
`results.json` (or in `long.json`, of a run with ``--long``), where captions are counted in
`coverage.json` (or `coverage_long.json`) and of a step on pictures in `pictures.json`, and fills
the page from all. Without RAW it only fills the page. A test fails while page and data disagree.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from statistics import median

from benchmarks import counting
from benchmarks.tables import (
    NONE,
    at,
    bars,
    best,
    gain,
    long_table,
    objective_table,
    of,
    over,
    per_step,
    picture_step_table,
    probes_table,
    rate,
    rows,
    runs_table,
    short,
    step_table,
)

HERE = Path(__file__).resolve().parent
README, SHORT, LONG = (HERE / name for name in ("README.md", "results.json", "long.json"))
COUNTED = (HERE / "coverage.json", HERE / "coverage_long.json")  # short and long
PICTURES = HERE / "pictures.json"
MARKED = re.compile(r"(<!-- ([a-z-]+) -->)(.*?)(<!-- / -->)", re.S)


# --- what is kept ---


def kept(raw: dict) -> dict:
    """The machine, and for every benchmark the best and the median round of every contestant."""
    lines = []
    for one in raw["benchmarks"]:
        extra = dict(one["extra_info"])
        rounds = {"ours": one["stats"]["data"], **extra.pop("rivals")}
        seconds = {name: _summary(values) for name, values in rounds.items()}
        about = {"benchmark": one["name"].partition("[")[0], **(one["params"] or {})}
        lines.append({**about, "rounds": one["stats"]["rounds"], "seconds": seconds, **extra})
    about = {**raw["machine_info"]["misalign"], "python": raw["machine_info"]["python_version"]}
    return {"machine": {**about, "date": raw["datetime"][:10]}, "rows": lines}


def _summary(seconds: list[float]) -> dict[str, float]:
    return {name: float(f"{f(seconds):.4g}") for name, f in (("min", min), ("median", median))}


# --- what is printed ---


def growth(data: dict, small: tuple[int, int], large: tuple[int, int], who: str) -> dict[str, str]:
    """By how much time and memory grow from one (B, n) to another."""
    a, b = at(data, *small), at(data, *large)
    found = {
        "time": over(best(b, who), best(a, who)),
        "memory": over(b["memory"].get(who), a["memory"].get(who)),
    }
    return {name: short(value) for name, value in found.items()}


def numbers(
    data: dict,
    long: dict | None,
    counted: dict | None = None,
    counted_long: dict | None = None,
    pictures: dict | None = None,
) -> dict[str, str]:
    """Everything that the page prints between marks."""
    machine, told = data["machine"], "{device}, {date}, commit {commit}"
    by_width = sorted(rows(data, "bench_objective", rows=2048), key=lambda row: row["width"])
    faster, leaner = bars(data)
    memory = at(data, 2048, 10)["memory"]
    resident = over(memory.get("naive_resident"), memory.get("ours_resident"))
    values = {name: machine[name] for name in ("device", "torch", "python", "sklearn", "date")}
    rounds = [row["rounds"] for row in data["rows"]]
    values |= {
        "commit": machine["commit"],
        "rounds": f"{min(rounds)} to {max(rounds)}",
        "rate": short(rate(data) / 1e9),
        "bandwidth": short(2 * 4 * 6144**2 / best(at(data, 6144, 10), "copy") / 1e9),
        "faster": short(faster),
        "leaner": short(leaner),
        "resident": short(resident),
        "objective": objective_table(data, rows(data, "bench_objective", width=10)),
        "width": objective_table(data, by_width),
        "step": step_table(data),
        "runs": runs_table(data),
        "many": short(gain(of(data, 30))),
        "few": short(gain(of(data, 2))),
        "mixed": short(gain(of(data, 30, 10))),
        "more": short(per_step(of(data, 30), "ours") / per_step(of(data, 10), "ours")),
        "probes": probes_table(data),
        "long": long_table(long) if long else "\nNot measured yet.\n",
        "long-machine": told.format(**long["machine"]) if long else NONE,
        "picture-step": picture_step_table(pictures) if pictures else "\nNot measured yet.\n",
        "picture-machine": told.format(**pictures["machine"]) if pictures else NONE,
    }
    values |= counting.numbers(counted, counted_long)
    for who in ("ours", "naive"):
        for axis, large in (("b", (2048, 10)), ("n", (2048, 40))):
            small = (512, 10) if axis == "b" else (2048, 2)
            grown = growth(data, small, large, who)
            values |= {f"{who}-{axis}-{what}": value for what, value in grown.items()}
    return values


def filled(text: str, values: dict[str, str]) -> str:
    """The page with everything between marks replaced; an unknown mark is a KeyError."""
    return MARKED.sub(lambda found: f"{found[1]}{values[found[2]]}{found[4]}", text)


def stored() -> list[dict | None]:
    """The committed data; all but the first may be missing."""
    paths = (SHORT, LONG, *COUNTED, PICTURES)
    return [json.loads(p.read_text(encoding="utf-8")) if p.exists() else None for p in paths]


def parted(data: dict) -> dict[Path, dict]:
    """Where the rows of a run are kept: counting, pictures, and what takes long, apart."""
    by_path: dict[Path, dict] = {}
    for row in data["rows"]:
        counts = row["benchmark"].startswith("bench_coverage")
        long = row["benchmark"] in ("bench_whole_runs", "bench_coverage_millions")
        path = COUNTED[long] if counts else LONG if long else SHORT
        path = PICTURES if row["benchmark"] == "bench_picture_step" else path
        by_path.setdefault(path, {"machine": data["machine"], "rows": []})["rows"].append(row)
    return by_path


def main(raw: str | None = None) -> None:
    """Keep the data of a run, if there is one, and fill the page."""
    if raw:
        by_path = parted(kept(json.loads(Path(raw).read_text(encoding="utf-8"))))
        if SHORT in by_path:
            numbers(by_path[SHORT], None)  # complains of what is missing before anything is lost
        for path, data in by_path.items():
            path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    page = filled(README.read_text(encoding="utf-8"), numbers(*stored()))
    README.write_text(page, encoding="utf-8")
    sys.stdout.write(f"updated {README.relative_to(HERE.parent)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
