"""Every verdict follows from the records, and the scoreboard's arithmetic is right."""

from functools import cache

import pandas as pd
import pytest
import update_readme as pins
import yaml

from misalign.paths import NOTEBOOKS, SWEEPS
from misalign.records import SCORES
from misalign.records import runs as recorded_runs
from misalign.reporting import claims as scoreboard
from misalign.reporting.claims import FAILS, HOLDS, IN_PART, Claim, Result, assess, claims

LISTED = claims()
TESTED = [claim for claim in LISTED if claim.tested]
PLAIN = {"name": "x", "claim": "It is so.", "source": "Section 1", "refuted": "it is not"}
TESTS = {"chapter": "06_numerical", "sweeps": ["table_05"], "rows": "setting == 1"}


@pytest.fixture(scope="module")
def measured():
    """What the records say of claims and sweeps; every sweep is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoreboard.Sweep, "scores", cache(scoreboard.Sweep.scores))
        return {pins.VERDICTS: pins.verdicts(), pins.RECORDS: pins.records()}


@pytest.mark.parametrize("claim", TESTED, ids=lambda claim: claim.name)
def test_verdict_follows_from_the_records(claim, measured):
    verdicts = measured[pins.VERDICTS].set_index("claim")["verdict"]
    assert verdicts[claim.name] == claim.verdict


@pytest.mark.parametrize("path", [pins.VERDICTS, pins.RECORDS], ids=lambda path: path.stem)
def test_numbers_of_claims_and_records_are_as_pinned(path, measured):
    pinned = pd.read_csv(path, dtype=str, keep_default_na=False)
    now = measured[path].astype(str)
    pd.testing.assert_frame_equal(now, pinned, obj=f"{path.name} (make readme)")


def test_a_score_that_moves_a_little_moves_the_fingerprint():
    scores = scoreboard.Sweep.named("table_05").scores()
    moved = scores.copy()
    moved.iloc[7, moved.columns.get_loc("score")] += 0.05
    assert pins.fingerprint(scores[::-1]) == pins.fingerprint(scores) != pins.fingerprint(moved)


def test_every_record_is_of_a_sweep_and_so_is_pinned():
    sweeps = [scoreboard.Sweep.read(path) for path in SWEEPS.glob("*.yml")]
    assert set(recorded_runs()["run"]) == {run.id for sweep in sweeps for run in sweep.runs}


def test_criteria_are_the_two_of_the_file_s_head_with_these_exceptions():
    others = {
        "forgetting-helps": "at least 0.05",
        "mpi3d-kept": "at least 0.80",
        "mpi3d-width": "within 0.90",
        "causal-kept": "at least 0.75",
        "causal-phrase": "at least 0.05",
        "coverage": "at least 0.8",
    }
    usual = {"at least 0.90", "within 0.10"}
    assert {one.name: one.criterion for one in TESTED if one.criterion not in usual} == others


def test_chapters_of_tests_exist():
    assert all((NOTEBOOKS / f"{claim.chapter}.py").exists() for claim in TESTED)


@pytest.mark.parametrize(
    ("criterion", "points", "verdict", "worst"),
    [
        ("at least 0.90", [0.9, 1.0], HOLDS, 0.9),
        ("at least 0.90", [0.85, 1.0], IN_PART, 0.85),
        ("at least 0.90", [0.5, 1.0], FAILS, 0.5),
        ("within 0.10", [-0.1, 0.05], HOLDS, -0.1),
        ("within 0.10", [-0.12, 0.0], IN_PART, -0.12),
        # a mean of signed values would be 0 here
        ("within 0.10", [-0.5, 0.5], FAILS, -0.5),
    ],
)
def test_verdict_is_by_the_worst_point_then_by_the_average(criterion, points, verdict, worst):
    result = Result(
        Claim(**PLAIN, **TESTS, criterion=criterion, verdict=verdict), pd.Series(points), 1
    )
    assert result.verdict == verdict
    assert result.worst == worst


def table(**columns):
    """Scores of runs under both biases (Table 5): s1 is perturbed, s3 unbiased, s9 omitted."""
    rows = [
        {"factor": factor, "seed": seed, "score": score, "oracle": 1.0 if factor == "s3" else 0.0}
        for factor, scores in {"s1": (0.3, 0.1, 0.2), "s3": (0.9, 0.1, 0.8)}.items()
        for seed, score in enumerate(scores)
    ]
    shared = dict.fromkeys(SCORES, "") | {"bias": "joint", "setting": 1, "encoding_size": 6}
    return pd.DataFrame([shared | {"run": str(row["seed"])} | row | columns for row in rows])


@pytest.fixture
def recorded(monkeypatch):
    """Let every sweep hold the scores that a test puts into this list."""
    parts = [table()]
    monkeypatch.setattr(scoreboard.Sweep, "scores", lambda *_: pd.concat(parts))
    return parts


def test_a_point_is_the_median_over_seeds(recorded):
    result = assess(Claim(**PLAIN, **TESTS, criterion="within 0.10", verdict=FAILS))
    assert sorted(result.points) == [0.2, 0.8]
    assert result.runs == 3


def test_status_can_be_asked_for_and_misses_are_from_the_oracle(recorded):
    claim = Claim(
        **PLAIN,
        **TESTS | {"rows": "status == 'unbiased'"},
        value="miss",
        criterion="within 0.10",
        verdict=FAILS,
    )
    assert assess(claim).points.tolist() == pytest.approx([-0.2])


def test_contrast_takes_differences_of_points_that_agree_in_all_else(recorded):
    recorded[0] = table(probe="nonlinear")
    recorded.append(table(probe="linear").assign(score=lambda rows: rows["score"] - 0.05))
    recorded.append(table(probe="linear", factor="s9"))  # has no partner
    contrast = {"probe": ["nonlinear", "linear"]}
    claim = Claim(**PLAIN, **TESTS, contrast=contrast, criterion="within 0.10", verdict=HOLDS)
    assert assess(claim).points.tolist() == pytest.approx([0.05, 0.05])


def test_a_missing_record_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="results: expected all 10 runs of table_05"):
        assess(next(claim for claim in TESTED if claim.name == "both-biases"), tmp_path)


def test_a_query_that_chooses_nothing_is_an_error(recorded):
    claim = Claim(
        **PLAIN, **TESTS | {"rows": "setting == 7"}, criterion="within 0.10", verdict=HOLDS
    )
    with pytest.raises(ValueError, match="x: rows: expected a query that chooses scores"):
        assess(claim)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"sweeps": ["table_05"]},
            "chapter, sweeps, rows and criterion, or none of them, got 1 of 4",
        ),
        ({"verdict": HOLDS}, "verdict: expected not tested yet, got holds"),
        ({**TESTS, "criterion": "about 1", "verdict": HOLDS}, "criterion: expected 'at least X'"),
        ({**TESTS, "criterion": "within 0.1"}, "verdict: expected holds or .*, got not tested yet"),
        (
            {**TESTS, "criterion": "within 0.1", "verdict": HOLDS, "value": "r2"},
            "value: expected score",
        ),
        ({**TESTS, "criterion": 3, "verdict": HOLDS}, "criterion: expected 'at least X'"),
        (
            {**TESTS, "criterion": "within 1", "sweeps": "table_05"},
            "sweeps: expected a list of names",
        ),
        (
            {**TESTS, "criterion": "within 1", "verdict": HOLDS, "contrast": {"zzz": [1, 2]}},
            "contrast: expected one of .*, with two values",
        ),
    ],
)
def test_half_a_test_is_refused(change, words):
    with pytest.raises(ValueError, match=f"^x.*{words}"):
        Claim(**PLAIN | change)


@pytest.mark.parametrize("rows", ["zzz == 1", "setting ==", "setting == 1 and"])
def test_a_query_that_is_none_is_one_line(recorded, rows):
    claim = Claim(**PLAIN, **TESTS | {"rows": rows}, criterion="within 0.10", verdict=HOLDS)
    with pytest.raises(ValueError, match="^x: rows: expected a query, got [^\n]*$"):
        assess(claim)


def test_values_of_a_contrast_that_are_not_there_are_named(recorded):
    contrast = {"setting": [1, 7]}
    claim = Claim(**PLAIN, **TESTS, contrast=contrast, criterion="within 0.10", verdict=HOLDS)
    with pytest.raises(ValueError, match=r"x: contrast: expected values of setting .*, got \[7\]"):
        assess(claim)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, "expected a list of claims, got dict"),
        ([PLAIN | {"colour": "red"}], "x: expected some of .*, got colour"),
        ([{"name": "x", "claim": "So."}], "x: expected also source, refuted, got none"),
        ([{"claim": "So."}], "a claim without a name: expected also name"),
        ([PLAIN, PLAIN], "expected every name once, got x"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=f"claims.yml.*{words}"):
        claims(path)


def test_a_number_that_moves_turns_the_verdict(monkeypatch):
    claim = next(claim for claim in TESTED if claim.name == "omitted-lost")
    scores = scoreboard.Sweep.scores

    def worse(*call):
        rows = scores(*call)
        return rows.assign(score=rows["score"] + 0.2)

    assert assess(claim).verdict == HOLDS
    monkeypatch.setattr(scoreboard.Sweep, "scores", worse)
    assert assess(claim).verdict == FAILS
