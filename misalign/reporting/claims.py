"""The scoreboard's claims: what the paper says, and which runs and numbers are to judge it.

`book/claims.yml` lists them, and its head states the rules of a verdict in words;
`misalign.reporting.verdicts` applies them.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import MISSING, dataclass, fields
from pathlib import Path

import yaml

from misalign.errors import invalid
from misalign.paths import CLAIMS
from misalign.records import SCORES

TABLES = ("Table 4", "Table 5")
VALUES = ("score", "miss", "rank", "spread", *TABLES)
CRITERION = re.compile(r"(at least|within) (\d+(?:\.\d+)?)")
CELL = [name for name in SCORES if name not in ("run", "seed", "score", "oracle")]
PUBLISHED = ("coverage", "naming", "precision")
TEST = ("ours", "chapter", "criterion", "why")
RUNS = ("sweeps", "rows", "scale")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim of the paper, and how it is held against the records.

    Parameters
    ----------
    name, claim, source, refuted : str
        Short name, unique; what the paper says, where, and what would speak against it.
    assumptions : str
        Whether the theorem covers it: ``inside``, or ``outside: `` and why.
    paper, ours : str
        Loss, world and length of the paper's own runs and of ours, which are empty for a claim that
        no run tests, and then so are the fields below.
    chapter : str, optional
        The notebook that tells of the test.
    sweeps, rows : list of str, str, optional
        Whose runs test it, and a query that chooses among their scores. Beside
        `misalign.records.SCORES` it may name `status`, what captions do to the factor.
    value : {"score", "miss", "rank", "spread", "Table 4", "Table 5"}, optional
        The score itself; how far it is above its oracle, or above what that table of the paper
        prints; one point a factor, the rank correlation over settings (Spearman's rho) of its score
        with its coverage, a metric beside the score's own; one point a cell, the standard deviation
        over seeds.
    contrast : dict of str to list, optional
        A column and two of its values: points are then differences, the first less the second. Two
        columns: differences of two differences.
    criterion, why : str, optional
        ``at least X``, or ``within X``: at most X in absolute value; and the reason for this bar.
    scale : str, optional
        The scale whose runs meet the claim's own conditions.
    control, control_sweep, control_rows : str, optional
        The positive control without which a score near 0 says nothing; the runs that are it, and a
        query that chooses among their scores.
    published : {"coverage", "naming", "precision"}, optional
        An estimate from published tables, in the place of sweeps, rows and scale, see
        `misalign.reporting.web.published`.
    note : str, optional
        What a reader of the verdict has to know.
    """

    name: str
    claim: str
    source: str
    refuted: str
    assumptions: str
    paper: str
    ours: str = ""
    chapter: str = ""
    sweeps: tuple[str, ...] = ()
    rows: str = ""
    value: str = "score"
    contrast: dict[str, list] | None = None
    criterion: str = ""
    why: str = ""
    scale: str = ""
    control: str = ""
    control_sweep: str = ""
    control_rows: str = ""
    published: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.sweeps, list | tuple):
            raise invalid(f"{self.name}: sweeps", "a list of names", repr(self.sweeps))
        object.__setattr__(self, "sweeps", tuple(self.sweeps))
        needed = [*TEST] if self.published else [*TEST, *RUNS]
        given = [name for name in (*TEST, *RUNS) if getattr(self, name)]
        if given != needed and (given or self.published):
            raise invalid(self.name, f"{', '.join(needed)}, or none of them", ", ".join(given))
        if self.published not in ("", *PUBLISHED):
            raise invalid(f"{self.name}: published", " or ".join(PUBLISHED), self.published)
        if not re.fullmatch("inside|outside: .+", str(self.assumptions)):
            form = "'inside', or 'outside: ' and why"
            raise invalid(f"{self.name}: assumptions", form, repr(self.assumptions))
        if self.value not in VALUES:
            raise invalid(f"{self.name}: value", " or ".join(VALUES), self.value)
        if bool(self.control_sweep) != bool(self.control_rows):
            raise invalid(self.name, "control_sweep and control_rows, or neither", "one of them")
        if given and not CRITERION.fullmatch(str(self.criterion)):
            form = "'at least X' or 'within X'"
            raise invalid(f"{self.name}: criterion", form, repr(self.criterion))
        columns = self.contrast if isinstance(self.contrast, dict) else {}
        pairs = all(isinstance(two, list) and len(two) == 2 for two in columns.values())
        right = len(columns) in (1, 2) and set(columns) <= set(CELL) and pairs
        if self.contrast is not None and not right:
            form = f"one or two of {', '.join(CELL)}, each with two values"
            raise invalid(f"{self.name}: contrast", form, self.contrast)

    @property
    def scope(self) -> str:
        """``"inside"`` or ``"outside"`` of the theorem's assumptions."""
        return self.assumptions.partition(":")[0]

    def beyond(self, value: float) -> float:
        """How far a value is from being as claimed; at most 0 if it is."""
        kind, bar = CRITERION.fullmatch(self.criterion).groups()
        return float(bar) - value if kind == "at least" else abs(value) - float(bar)


def claims(path: Path = CLAIMS) -> list[Claim]:
    """Read the claims of a YAML file, a list of mappings with the fields of `Claim`, in its order.

    Raises a ValueError, in one line that names the claim, for an unknown or missing field, or a
    name used twice.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not (isinstance(content, list) and all(isinstance(entry, dict) for entry in content)):
        raise invalid(path.name, "a list of claims", type(content).__name__)
    known = [field.name for field in fields(Claim)]
    needed = [field.name for field in fields(Claim) if field.default is MISSING]
    for entry in content:
        name = f"{path.name}: {entry.get('name', 'a claim without a name')}"
        if stray := [str(key) for key in entry if key not in known]:
            raise invalid(name, f"some of {', '.join(known)}", ", ".join(stray))
        if lacking := [key for key in needed if not entry.get(key)]:
            raise invalid(name, f"also {', '.join(lacking)}", "none")
    names = Counter(entry["name"] for entry in content)
    if twice := [name for name, count in names.items() if count > 1]:
        raise invalid(path.name, "every name once", ", ".join(twice))
    return [Claim(**entry) for entry in content]
