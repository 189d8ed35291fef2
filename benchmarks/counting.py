"""The part of benchmarks/README.md about counted captions."""

from __future__ import annotations

from benchmarks.tables import MIB, NONE, best, rows, short, table

WHAT = {
    "pass": "floor: one pass over the bytes",
    "folding": "folding alone",
    "ours": "terms found in folded captions (ours)",
    "polars": "the same, Polars",
    "pyahocorasick": "the same, pyahocorasick",
    "whole": "captions matched, all in all",
}


def speed(row: dict, who: str) -> float:
    """Captions a second, in the best round."""
    return row["captions"] / best(row, who)


def numbers(data: dict | None, long: dict | None) -> dict[str, str]:
    """Everything that the page prints of counting between marks."""
    names = ("engines", "two-cores", "two-cores-cpu", "polars-faster", "millions", "millions-peak")
    values = dict.fromkeys((*names, "engines-machine", "millions-machine"), NONE)
    if data:
        engines = rows(data, "bench_coverage_engines")[0]
        (two,) = rows(data, "bench_coverage_files", workers=2)
        values["engines"] = engines_table(data)
        values["two-cores"] = short(speed(two, "ours") / 1e6)
        values["two-cores-cpu"] = short(two["captions"] / two["cpu_seconds"] / 1e6)
        values["polars-faster"] = short(best(engines, "ours") / best(engines, "polars"))
        values["engines-machine"] = _where(data)
    if long:
        (millions,) = rows(long, "bench_coverage_millions")
        values["millions"] = short(speed(millions, "ours") / 1e6)
        values["millions-peak"] = short(millions["peak"] / MIB)
        values["millions-machine"] = _where(long)
    return values


def _where(data: dict) -> str:
    return "{device}, {date}, commit {commit}".format(**data["machine"])


def engines_table(data: dict) -> str:
    """What a core, or two, do in a second."""
    lines = [
        {**engines, "who": who, "what": f"{what}, {engines['patterns']:,} terms", "cores": 1}
        for engines in rows(data, "bench_coverage_engines")
        for who, what in WHAT.items()
    ]
    for row in rows(data, "bench_coverage_files"):
        lines.append({**row, "who": "ours", "what": "Parquet, ours", "cores": row["workers"]})
    (tar,) = rows(data, "bench_coverage_tar")
    lines.append({**tar, "who": "ours", "what": "archive with pictures, ours", "cores": 1})
    lines.append({**tar, "who": "pass", "what": "its bytes read", "cores": 1})
    columns = {
        "what": lambda r: r["what"],
        "cores": lambda r: str(r["cores"]),
        "captions a second": lambda r: f"{speed(r, r['who']):,.0f}",
        "MB a second": lambda r: r["bytes"] / best(r, r["who"]) / 1e6,
        "ns a caption": lambda r: 1e9 / speed(r, r["who"]),
    }
    return table(columns, lines)
