"""Fill the README's numbers and its figure from the records, and pin what the records say.

A number stands between two comments, ``<!-- name -->0.98<!-- / -->``. What is pinned are the
numbers of every claim (`book/verdicts.csv`) and a fingerprint of every sweep (`book/records.csv`),
so that a review sees both move. `make readme` runs this after a sweep; a test fails while README,
figure or pins say something else than `results/`.
"""

import hashlib
import re
import sys

import matplotlib as mpl
import pandas as pd

from misalign import records as results
from misalign.paths import ROOT, SWEEPS
from misalign.reporting import plots
from misalign.reporting import summaries as summary
from misalign.reporting.claims import claims
from misalign.reporting.verdicts import assess
from misalign.style import use_style
from misalign.sweeps.grid import Sweep

README = ROOT / "README.md"
FIGURE = ROOT / "book" / "figures" / "measured_against_predicted.png"
VERDICTS = ROOT / "book" / "verdicts.csv"
RECORDS = ROOT / "book" / "records.csv"
NUMBERS = ("worst", "estimate", "low", "high")
MARKED = re.compile(r"(<!-- ([a-z-]+) -->)(.*?)(<!-- / -->)")


def rows() -> pd.DataFrame:
    """Scores of Figures 3 and 9: nonlinear probes of the true latents."""
    sweeps = (Sweep.named(name).scores() for name in ("figure_03", "figure_09"))
    return summary.latents(pd.concat(sweeps))


def numbers(scores: pd.DataFrame) -> dict[str, str]:
    """Every number that the README prints, by its marker."""
    table = results.runs()
    ours = table[table["run"].isin(scores["run"])]
    worst = summary.worst_by_status(scores)
    miss = summary.oracle_error(scores, ["latents", "status"]).loc["dependent"]
    return {
        "runs": str(scores["run"].nunique()),
        "kept": f"{worst['unbiased']:.2f}",
        "lost": f"{worst.drop('unbiased').max():.3f}",
        **{f"miss-{name}": f"{mean:.3f}" for name, mean in miss["mean"].items()},
        "off": f"{100 * miss.loc['perturbed', 'off']:.0f}",
        "largest": f"{miss['largest'].max():.2f}",
        "seconds": f"{pd.to_numeric(ours['seconds']).median():.0f}",
    }


def filled(text: str, values: dict[str, str]) -> str:
    """README text with every marked number replaced; an unknown marker is a KeyError."""
    return MARKED.sub(lambda found: f"{found[1]}{values[found[2]]}{found[4]}", text)


def digest(scores: pd.DataFrame) -> str:
    """Fingerprint of what the figure draws; it is kept in the picture's metadata."""
    drawn = scores[["latents", "setting", "factor", "score", "oracle"]].to_csv(index=False)
    return hashlib.sha256(drawn.encode()).hexdigest()


def verdicts() -> pd.DataFrame:
    """Verdict and numbers of every claim, to four decimals; none where nothing is tested."""
    rows = []
    for claim in claims():
        found = assess(claim)
        row = {"claim": claim.name, "verdict": found.verdict, "reason": found.reason}
        row["criterion"] = claim.criterion
        if len(found.points):
            numbers = (found.worst, found.estimate, *found.interval)
            if not claim.published:
                row |= {"runs": found.runs, "worlds": found.worlds()}
                row |= {"points": len(found.points), "off": len(found.off)}
                row["late"] = len(found.late)
            row |= dict(zip(NUMBERS, (f"{one:.4f}" for one in numbers), strict=True))
        rows.append({name: str(value) for name, value in row.items()})
    return pd.DataFrame(rows).fillna("").replace("-0.0000", "0.0000")


def fingerprint(scores: pd.DataFrame) -> str:
    """Hash of scores, whatever their order."""
    lines = scores.to_csv(index=False, header=False, float_format="%.6f").splitlines()
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:12]


def records() -> pd.DataFrame:
    """Runs and scores of every sweep, as far as recorded, and the scores' fingerprint."""
    rows = []
    for path in sorted(SWEEPS.glob("*.yml")):
        sweep = Sweep.read(path)
        missing = {run.id for run in sweep.missing(results.RESULTS)}
        done = {run.id for run in sweep.runs} - missing
        tables = [results.read(name) for name in {run.experiment for run in sweep.runs}]
        table = pd.concat(tables).query("run in @done")
        runs = f"{len(done)} of {len(sweep.runs)}" if missing else len(done)
        row = {"sweep": path.stem, "runs": runs, "scores": len(table)}
        rows.append(row | {"fingerprint": fingerprint(table)})
    return pd.DataFrame(rows)


def main() -> None:
    """Write README, figure and pins."""
    mpl.use("agg")
    use_style()
    scores = rows()
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    plots.against_theory(scores).savefig(FIGURE, metadata={"Description": digest(scores)})
    README.write_text(filled(README.read_text(encoding="utf-8"), numbers(scores)), encoding="utf-8")
    for path, table in ((VERDICTS, verdicts()), (RECORDS, records())):
        table.to_csv(path, index=False, lineterminator="\n")
    for path in (README, FIGURE, VERDICTS, RECORDS):
        sys.stdout.write(f"updated {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
