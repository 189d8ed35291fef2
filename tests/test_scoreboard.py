"""Every verdict follows from the records, and the scoreboard's arithmetic is right."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
import update_readme as pins
import yaml

from misalign.paths import NOTEBOOKS, SWEEPS
from misalign.records import SCORES
from misalign.records import runs as recorded_runs
from misalign.reporting import verdicts as scoreboard
from misalign.reporting.claims import Claim, claims
from misalign.reporting.verdicts import (
    BRIEF,
    FAILS,
    HOLDS,
    IN_PART,
    OPEN,
    assess,
    is_flat,
    late_starter,
)

LISTED = claims()
TESTED = [claim for claim in LISTED if claim.ours]
PLAIN = {
    **{"name": "x", "claim": "It is so.", "source": "Section 1", "refuted": "it is not"},
    **{"assumptions": "inside", "paper": "long"},
}
TESTS = {
    **{"ours": "short", "chapter": "06_numerical", "sweeps": ["table_05"], "rows": "setting == 1"},
    **{"criterion": "within 0.10", "why": "the default", "scale": "laptop"},
}


def claim(**fields):
    return Claim(**PLAIN | TESTS | fields)


@pytest.fixture(scope="module")
def measured():
    """What the records say of claims and sweeps; every sweep is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoreboard.Sweep, "scores", cache(scoreboard.Sweep.scores))
        pinned = {pins.VERDICTS: pins.verdicts(), pins.RECORDS: pins.records()}
        return pinned | {pins.DIGITS: pins.digits(), pins.PRINTED: pins.printed()}


@pytest.mark.parametrize(
    "path",
    [pins.VERDICTS, pins.RECORDS, pins.DIGITS, pins.PRINTED],
    ids=lambda path: path.stem,
)
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
    known = {run.id for sweep in sweeps for run in sweep.runs}
    assert set(recorded_runs()["run"]) <= known


def test_bars_are_the_two_of_the_file_s_head_or_say_why():
    others = {
        "forgetting-helps": "at least 0.00",
        "mpi3d-kept": "at least 0.80",
        "mpi3d-width": "at least 0.10",
        "mpi3d-width-linear": "at least 0.10",
        "causal-kept": "at least 0.75",
        "causal-theorem-kept": "at least 0.75",
        "causal-phrase": "at least 0.10",
        "coverage": "at least 0.80",
    }
    usual = {"at least 0.90", "within 0.10"}
    others |= {f"web-{name}": "at least 0.00" for name in ("coverage", "naming", "precision")}
    assert {one.name: one.criterion for one in TESTED if one.criterion not in usual} == others
    assert {one.name for one in TESTED if one.why != "the default"} == set(others)


def test_chapters_of_tests_exist():
    assert all((NOTEBOOKS / f"{one.chapter}.py").exists() for one in TESTED)


def points(values):
    index = pd.MultiIndex.from_product([range(len(values)), [0]], names=["world", "seed"])
    return pd.Series(values, index=index)


def table(**columns):
    """Scores of runs under both biases (Table 5): s1 is perturbed, s3 unbiased, s9 omitted."""
    rows = [
        {"factor": factor, "seed": seed, "score": score, "oracle": 1.0 if factor == "s3" else 0.0}
        for factor, scores in {"s1": (0.3, 0.1, 0.2), "s3": (0.9, 0.1, 0.8)}.items()
        for seed, score in enumerate(scores)
    ]
    shared = dict.fromkeys(SCORES, "") | {"bias": "joint", "setting": 1, "encoding_size": 6}
    return pd.DataFrame([shared | {"run": f"run{row['seed']}"} | row | columns for row in rows])


FALLING = np.linspace(5, 0, 50)
DONE = np.concatenate([np.linspace(5, 0, 25), np.zeros(25)])


class Recorded:
    """Runs that are recorded as a test says."""

    def __init__(self, patch):
        self.parts, self.curves = [table()], [DONE] * 3
        for name, call in {
            "named": classmethod(lambda cls, name: self),
            "scores": lambda *_: pd.concat(self.parts),
        }.items():
            patch.setattr(scoreboard.Sweep, name, call)
        patch.setattr(scoreboard, "read_runs", lambda _: self.ran)
        self.lacking, self.scale, self.world_seeds = [], "laptop", [None] * 3

    @property
    def ran(self):
        texts = [" ".join(map(str, curve)) for curve in self.curves]
        return pd.DataFrame({"run": ["run0", "run1", "run2"], "losses": texts, "steps": 9})

    @property
    def runs(self):
        kind = type("OneRun", (), {"experiment": "numerical", "scale": self.scale})
        made = [kind() for _ in range(3)]
        for i, (one, seed) in enumerate(zip(made, self.world_seeds, strict=True)):
            one.id, one.resolved_world_seed = f"run{i}", i if seed is None else seed
        return made

    def missing(self, folder):
        return self.lacking

    def scores(self, folder):
        return pd.concat(self.parts)


@pytest.fixture
def recorded(monkeypatch):
    """Let every sweep hold what a test puts here."""
    return Recorded(monkeypatch)


@pytest.mark.parametrize(
    ("criterion", "values", "verdict", "worst"),
    [
        ("at least 0.90", [0.9, 1.0, 1.0], HOLDS, 0.9),
        ("at least 0.90", [0.85, 1.0, 1.0], IN_PART, 0.85),
        ("at least 0.90", [0.5, 1.0, 1.0], FAILS, 0.5),
        ("within 0.10", [-0.1, 0.05, 0.0], HOLDS, -0.1),
        ("within 0.10", [-0.12, 0.0, 0.0], IN_PART, -0.12),
        # a mean of signed values would be 0 here, and so would a median
        ("within 0.10", [-0.5, 0.5, 0.0], FAILS, -0.5),
    ],
)
def test_verdict_is_by_the_worst_point_then_by_the_estimate(
    recorded, criterion, values, verdict, worst
):
    rows = table()
    recorded.parts = [rows[rows["factor"] == "s1"].assign(score=values)]
    result = assess(claim(criterion=criterion))
    assert result.verdict == verdict
    assert result.worst == worst


def test_a_point_is_one_run_s_and_no_median_hides_a_world(recorded):
    result = assess(claim())
    assert sorted(result.points) == [0.1, 0.1, 0.2, 0.3, 0.8, 0.9]
    assert (result.runs, result.worlds(), result.seeds) == (3, 3, 3)
    assert (len(result.off), result.worlds(result.off)) == (4, 2)


def test_status_can_be_asked_for_and_misses_are_from_the_oracle(recorded):
    result = assess(claim(rows="status == 'unbiased'", value="miss"))
    assert sorted(result.points) == pytest.approx([-0.9, -0.2, -0.1])


def test_a_miss_without_an_oracle_is_an_error_not_left_out(recorded):
    recorded.parts[0].loc[2, "oracle"] = np.nan
    with pytest.raises(ValueError, match="x: rows: expected scores that have an oracle"):
        assess(claim(value="miss"))


def test_a_printed_table_is_compared_with_by_latents_modality_probe_and_factor(recorded):
    recorded.parts = [table(latents="independent", modality="image", probe="linear")]
    printed = scoreboard.read_paper_table("Table 5").set_index(
        ["latents", "modality", "probe", "factor"]
    )["score"]
    result = assess(claim(value="Table 5"))
    of_s3 = result.points.xs("s3", level="factor")
    expected = np.array([0.9, 0.1, 0.8]) - printed["independent", "image", "linear", "s3"]
    assert of_s3.tolist() == pytest.approx(expected)


def test_contrast_takes_differences_of_points_that_agree_in_all_else(recorded):
    recorded.parts = [table(probe="nonlinear")]
    recorded.parts.append(table(probe="linear").assign(score=lambda rows: rows["score"] - 0.05))
    contrast = {"probe": ["nonlinear", "linear"]}
    assert assess(claim(contrast=contrast)).points.tolist() == pytest.approx([0.05] * 6)


def test_a_row_without_a_partner_is_an_error_not_left_out(recorded):
    recorded.parts = [table(probe="nonlinear"), table(probe="linear")]
    recorded.parts.append(table(probe="linear", factor="s9").iloc[:2])
    contrast = {"probe": ["nonlinear", "linear"]}
    with pytest.raises(ValueError, match="x: contrast: expected both .* probe, got one, 2 times"):
        assess(claim(contrast=contrast))


def test_two_contrasts_give_the_difference_of_differences(recorded):
    def shifted(by, **columns):
        return table(**columns).assign(score=lambda rows: rows["score"] + by)

    recorded.parts = [
        shifted(0.5, probe="a", split="ood"),
        shifted(0.2, probe="b", split="ood"),
        shifted(0.4, probe="a", split="test"),
        shifted(0.3, probe="b", split="test"),
    ]
    contrast = {"probe": ["a", "b"], "split": ["ood", "test"]}
    assert assess(claim(contrast=contrast)).points.tolist() == pytest.approx([0.2] * 6)


def test_spread_is_over_seeds_and_its_interval_over_their_draws(recorded):
    recorded.world_seeds = [0, 0, 0]
    result = assess(claim(value="spread", criterion="at least 0.00"))
    assert sorted(result.points) == pytest.approx([0.1, np.std([0.9, 0.1, 0.8], ddof=1)])
    assert (result.worlds(), result.seeds) == (1, 3)
    low, high = result.interval
    assert low < result.estimate < high


def test_interval_is_wide_where_worlds_differ_and_none_where_they_do_not(recorded):
    low, high = assess(claim(criterion="at least 0.90")).interval
    assert 0.1 <= low < 0.4 < high <= 0.6  # means by world: 0.6, 0.1, 0.5
    recorded.parts = [table().assign(score=0.7)]
    assert assess(claim(criterion="at least 0.90")).interval == pytest.approx((0.7, 0.7))


def test_seeds_of_one_world_do_not_count_as_worlds(recorded):
    recorded.world_seeds = [0, 0, 1]
    result = assess(claim())
    assert (result.worlds(), result.seeds) == (2, 3)
    # with one world, seeds alone are drawn: 0.6 of seed 0 is as likely to come up thrice as 0.1
    recorded.world_seeds = [0, 0, 0]
    assert assess(claim(criterion="at least 0.90")).interval == pytest.approx((0.1, 0.6))


def test_runs_at_another_scale_or_not_all_recorded_test_nothing(recorded):
    assert assess(claim(scale="full")).reason == "runs are at scale laptop, not full"
    recorded.lacking = recorded.runs[:1]
    found = assess(claim())
    assert (found.verdict, found.reason) == (OPEN, "2 of 3 runs recorded")


def test_no_verdict_on_runs_whose_loss_still_falls_or_is_unknown(recorded):
    recorded.curves[1] = FALLING
    found = assess(claim())
    words = "the loss of 1 of 3 runs was still falling"
    assert (found.verdict, found.reason) == (BRIEF, words)
    recorded.curves[1] = []
    found = assess(claim())
    assert (found.verdict, found.reason) == (BRIEF, "1 of 3 runs have no recorded loss")
    recorded.curves[1] = DONE
    assert assess(claim()).verdict == FAILS


def test_pictures_at_a_shorter_scale_were_trained_too_briefly(recorded):
    found = assess(claim(scale="long"))
    words = "runs are at scale laptop, not long"
    assert (found.verdict, found.reason) == (BRIEF, words)


def test_without_a_positive_control_nothing_is_tested(recorded):
    found = assess(claim(control="it can see"))
    assert (found.verdict, found.reason) == (OPEN, "no positive control: it can see")
    control = {"control": "it can see", "control_sweep": "c"}
    passes = claim(**control, control_rows="factor == 's3'")
    assert assess(passes).verdict == FAILS
    fails = claim(**control, control_rows="factor == 's1'")
    assert assess(fails).reason == "positive control fails, 0.20: it can see"
    recorded.lacking = recorded.runs[:1]
    assert assess(passes).verdict == OPEN


@pytest.mark.parametrize(
    ("curve", "flat"),
    [
        (DONE, True),
        (FALLING, False),
        ([], False),
        (np.full(50, 3.0), True),  # never learned: it is not excused
        (DONE + np.linspace(0.04, 0, 50), True),  # within 0.01 nats
        (np.concatenate([np.linspace(5, 1, 40), np.full(5, 1), np.full(5, 0.8)]), False),
    ],
)
def test_a_loss_is_flat_if_its_last_tenth_takes_nothing_more_off(curve, flat):
    assert is_flat(np.array(curve)) == flat


@pytest.mark.parametrize(
    ("curve", "late"),
    [
        (DONE, False),
        (np.concatenate([np.full(20, 5.0), np.linspace(5, 0, 30)]), True),
        (np.full(50, 3.0), True),
    ],
)
def test_a_run_that_begins_late_or_never_is_a_late_starter(recorded, curve, late):
    assert late_starter(curve) == late
    recorded.curves[2] = curve
    assert assess(claim()).late == (("run2",) if late else ())


@pytest.mark.parametrize(
    ("numbers", "verdict"),
    [((0.5, 0.1, 0.9), HOLDS), ((0.5, -0.1, 1.1), IN_PART), ((-0.5, -1.1, 0.1), FAILS)],
)
def test_an_estimate_from_published_tables_holds_if_its_whole_interval_does(
    monkeypatch, numbers, verdict
):
    found = pd.Series(numbers, index=["effect", "low", "high"])
    monkeypatch.setattr(scoreboard, "published", lambda name: found)
    fields = {name: TESTS[name] for name in ("ours", "chapter", "why")}
    one = Claim(**PLAIN, **fields, published="naming", criterion="at least 0.00")
    result = assess(one)
    assert (result.verdict, result.estimate) == (verdict, numbers[0])
    assert result.interval == numbers[1:]


def test_a_query_that_chooses_nothing_is_an_error(recorded):
    with pytest.raises(ValueError, match="x: rows: expected a query that chooses scores"):
        assess(claim(rows="setting == 7"))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sweeps": ["table_05"]}, "ours, chapter, .* or none of them, got sweeps"),
        ({**TESTS, "criterion": "about 1"}, "criterion: expected 'at least X'"),
        ({**TESTS, "criterion": 3}, "criterion: expected 'at least X'"),
        ({**TESTS, "value": "r2"}, "value: expected score"),
        ({**TESTS, "sweeps": "table_05"}, "sweeps: expected a list of names"),
        ({**TESTS, "published": "naming"}, "ours, chapter, criterion, why, or none of them"),
        ({"ours": "a", "chapter": "b", "criterion": "within 1", "why": "c"}, "or none of them"),
        ({**TESTS, "assumptions": "outside"}, "assumptions: expected 'inside', or"),
        ({**TESTS, "control_rows": "seed == 0"}, "control_sweep and control_rows, or neither"),
        ({**TESTS, "contrast": {"zzz": [1, 2]}}, "contrast: expected one or two of"),
        ({**TESTS, "contrast": {"probe": [1]}}, "contrast: expected one or two of"),
    ],
)
def test_half_a_test_is_refused(change, words):
    with pytest.raises(ValueError, match=f"^x.*{words}"):
        Claim(**PLAIN | change)


@pytest.mark.parametrize("rows", ["zzz == 1", "setting ==", "setting == 1 and"])
def test_a_query_that_is_none_is_one_line(recorded, rows):
    with pytest.raises(ValueError, match="^x: rows: expected a query, got [^\n]*$"):
        assess(claim(rows=rows))


def test_values_of_a_contrast_that_are_not_there_are_named(recorded):
    contrast = {"setting": [1, 7]}
    with pytest.raises(ValueError, match=r"x: contrast: expected values of setting .*, got \[7\]"):
        assess(claim(contrast=contrast))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"a": 1}, "expected a list of claims, got dict"),
        ([PLAIN | {"colour": "red"}], "x: expected some of .*, got colour"),
        ([PLAIN | {"verdict": "holds"}], "x: expected some of .*, got verdict"),
        ([{"name": "x", "claim": "So."}], "x: expected also source, refuted, .* got none"),
        ([{"claim": "So."}], "a claim without a name: expected also name"),
        ([PLAIN, PLAIN], "expected every name once, got x"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, content, words):
    path = tmp_path / "claims.yml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match=f"claims.yml.*{words}"):
        claims(path)
