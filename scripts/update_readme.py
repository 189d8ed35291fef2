"""Fill the numbers of README and front page, and README's figure, and pin what the records say.

A number stands between two comments, ``<!-- name -->0.98<!-- / -->``. What is pinned are the
numbers of every claim (`book/verdicts.csv`), a fingerprint of every sweep (`book/records.csv`) and
the digits that figures draw of the numerical study and of MPI3D beside the paper
(`book/numerical.csv`, `book/mpi3d.csv`), so that a review sees them move. `make readme` runs this
after a sweep; a test fails while README, figure or pins say something else than `results/`.
"""

import hashlib
import re
import sys

import matplotlib as mpl
import pandas as pd

from misalign import records as results
from misalign.paths import ROOT, SWEEPS
from misalign.records import SCORES
from misalign.reporting import plots
from misalign.reporting import summaries as summary
from misalign.reporting.claims import claims
from misalign.reporting.concept_plots import CORRECTED
from misalign.reporting.verdicts import BRIEF, FAILS, HOLDS, IN_PART, OPEN, assess
from misalign.reporting.web import published
from misalign.style import use_style
from misalign.sweeps.grid import Sweep

README, FRONT = ROOT / "README.md", ROOT / "book" / "preface.md"
FIGURE = ROOT / "book" / "figures" / "measured_against_predicted.png"
VERDICTS = ROOT / "book" / "verdicts.csv"
RECORDS = ROOT / "book" / "records.csv"
DIGITS = ROOT / "book" / "numerical.csv"
PRINTED = ROOT / "book" / "mpi3d.csv"
DRAWN = {"figure_03": "", "figure_09": "", "table_04": "Table 4", "table_05": "Table 5"}
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


def judged(table: pd.DataFrame) -> dict[str, str]:
    """How many claims have which verdict, within the theorem's assumptions and outside them."""
    scope = {claim.name: claim.scope for claim in claims()}
    counts = table.groupby([table["claim"].map(scope), "verdict"]).size()
    words = {"holds": HOLDS, "part": IN_PART, "not": FAILS}
    found = {
        f"{where}-{word}": str(counts.get((where, verdict), 0))
        for where in ("inside", "outside")
        for word, verdict in words.items()
    }
    return found | {"open": str(int(table["verdict"].isin([BRIEF, OPEN]).sum()))}


def advised() -> dict[str, str]:
    """What the front page's advice is worth, by the records of chapters 7, 12 and 13."""
    breadth = Sweep.named("concepts_breadth").scores().query(f"metric == {CORRECTED!r}")
    mean = breadth.groupby("setting")["score"].mean()
    shift = Sweep.named("figure_03").scores()
    shift = shift.query("split == 'ood' and latents == 'independent' and factor == 'y2_binary'")
    robust = shift.groupby("setting")["score"].mean()
    return {
        "few": f"{mean.iloc[0]:.2f}",
        "many": f"{mean.iloc[-1]:.2f}",
        "named": f"{published('naming')['effect']:.0f}",
        "stated": f"{robust[10]:.2f}",
        "omitted": f"{robust[8]:.2f}",
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
        there = {run.experiment for run in sweep.runs if run.id in done}
        tables = [results.read(name) for name in there]
        table = pd.concat(tables or [pd.DataFrame(columns=SCORES)]).query("run in @done")
        runs = f"{len(done)} of {len(sweep.runs)}" if missing else len(done)
        row = {"sweep": path.stem, "runs": runs, "scores": len(table)}
        rows.append(row | {"fingerprint": fingerprint(table)})
    return pd.DataFrame(rows)


def digits() -> pd.DataFrame:
    """Means of the numerical study over seeds, beside the oracle and the paper's tables."""
    keys = ["latents", "probe", "modality", "factor"]
    place = ["sweep", "bias", "setting", "encoding_size", *keys, "status"]
    parts = []
    for name, source in DRAWN.items():
        scores = Sweep.named(name).scores()
        rows = pd.concat([summary.latents(scores, probe) for probe in ("nonlinear", "linear")])
        table = summary.of_study("numerical", summary.over_seeds(rows)).assign(sweep=name)
        printed = summary.read_paper_table(source).rename(columns={"score": "paper"})
        parts.append(table.merge(printed[[*keys, "paper"]], "left", keys).sort_values(place))
    table = pd.concat(parts).set_index(place)[["mean", "spread", "oracle", "paper"]]
    shown = table.map("{:.3f}".format).replace({"nan": "", "-0.000": "0.000"})
    return shown.reset_index().astype(str)


def printed() -> pd.DataFrame:
    """Means of MPI3D over seeds beside every cell that Figures 6 and 13 print."""
    scores = summary.of_study("mpi3d", Sweep.named("figure_06").scores())
    table = summary.beside_paper(scores.query("target == 'image'"))
    table["difference"] = table["ours"] - table["paper"]
    for name in ("ours", "paper", "difference"):
        table[name] = table[name].map("{:.2f}".format).replace("-0.00", "0.00")
    return table.astype(str)


def main() -> None:
    """Write README, figure and pins."""
    mpl.use("agg")
    use_style()
    scores = rows()
    FIGURE.parent.mkdir(parents=True, exist_ok=True)
    plots.against_theory(scores).savefig(FIGURE, metadata={"Description": digest(scores)})
    pinned = verdicts()
    values = numbers(scores) | judged(pinned) | advised()
    for path in (README, FRONT):
        path.write_text(filled(path.read_text(encoding="utf-8"), values), encoding="utf-8")
    tables = {VERDICTS: pinned, RECORDS: records(), DIGITS: digits(), PRINTED: printed()}
    for path, table in tables.items():
        table.to_csv(path, index=False, lineterminator="\n")
    for path in (README, FRONT, FIGURE, *tables):
        sys.stdout.write(f"updated {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
