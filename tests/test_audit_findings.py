"""What an audit finds in counts whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
from audited import CAPTIONS, FULL, TREND, make_counts

from misalign.audit.advice import ACTIONS, action
from misalign.audit.findings import BLIND, RARE, find
from misalign.audit.words import between, counted, listed, percent, summary


def column(findings, name):
    return dict(zip(findings.concepts["concept"], findings.concepts[name], strict=True))


def test_rare_is_told_from_too_few_to_tell():
    status = column(find(make_counts(), threshold=0.001), "status")
    assert status == {
        "dog": "covered",
        "cat": "covered",
        "glossy": "omitted",
        "matte": "omitted",
        "rough": "unclear",  # 102 of 100,000 at a limit of 100: its interval is on both sides
        "sepia": "covered",
        "hdr": "omitted",
        "lazy": "omitted",
        "evil": "omitted",
        "bolt": "omitted",
        "nut": "covered",
    }
    few = make_counts([("common", "A", "a", 0)], {"A": 0}, captions=100)
    assert find(few, threshold=0.001).concepts["status"].tolist() == ["unclear"]


def test_threshold_is_where_the_fit_predicts_a_blind_spot():
    assert find(make_counts(), TREND).threshold == pytest.approx(0.001)
    assert find(make_counts(), TREND, 0.02).threshold == 0.02
    assert find(make_counts()).threshold == RARE
    assert (find(make_counts(), TREND, 0.02).chosen, find(make_counts(), TREND).chosen) == (
        True,
        False,
    )


def test_shares_have_intervals_that_hold_them():
    findings = find(make_counts())
    for table in (findings.concepts, findings.groups):
        assert (table["coverage"] == table["captions"] / CAPTIONS).all()
        assert (table["low"] <= table["coverage"]).all()
        assert (table["coverage"] <= table["high"]).all()
        assert (table["low"] < table["high"]).all()
    # of 100,000 captions none: the interval's end is of the order of 3 in 100,000
    assert 2e-5 < findings.concepts["high"].min() < 5e-5


def test_groups_count_captions_once_and_concepts_by_status():
    groups = find(make_counts(), threshold=0.001).groups.set_index("group")
    assert groups["captions"].to_dict()["Animal"] == 22_000
    assert groups.loc["Texture", ["concepts", "omitted", "unclear"]].tolist() == [3, 2, 1]
    assert groups.loc["Part", "category"] == "mine"


def test_scores_follow_the_fit_and_groups_are_means():
    findings = find(make_counts(), TREND)
    scores = findings.concepts.set_index("concept")
    line = 0.5 + 0.2 * np.log10(np.array([20_001, 1]) / 101)
    assert scores.loc[["dog", "glossy"], "score"].tolist() == pytest.approx(line)
    assert scores.loc["dog", "score_low"] < scores.loc["dog", "score"]
    assert not scores["extrapolated"].any()
    groups = findings.groups.set_index("group")
    animals = scores.loc[["dog", "cat"], "score"].mean()
    assert groups.loc["Animal", "score"] == pytest.approx(animals)
    assert not groups["extrapolated"].any()


def test_a_file_of_another_size_than_was_fitted_is_extrapolated_and_the_summary_says_so():
    few = make_counts([("common", "A", "a", 9)], {"A": 9}, captions=1_000)
    findings = find(few, TREND)
    assert findings.concepts["extrapolated"].all() and findings.groups["extrapolated"].all()
    missed = summary(findings)[1]
    assert missed.startswith(
        "No blind spots are predicted: no published model of the fit saw as few"
    )


def test_omitted_is_at_most_one_caption_in_a_thousand_and_less_where_fewer_will_do():
    assert find(make_counts(), TREND).threshold == pytest.approx(RARE)
    eager = replace(TREND, coefficients=(0.3, 0.2, 0.01))
    assert find(make_counts(), eager).threshold == pytest.approx((10**0.75 - 1) / CAPTIONS)
    assert find(make_counts(), replace(TREND, coefficients=(-9.0, 0.2, 0.01))).threshold == RARE


def test_sensitive_concepts_are_counted_and_nothing_else():
    findings = find(make_counts(**FULL), TREND)
    rows = findings.concepts[findings.concepts["category"] == "sensitive"]
    assert rows["captions"].tolist() == [1, 0]
    assert rows["score"].isna().all() and rows["score_high"].isna().all()
    assert rows["action"].tolist() == ["take out", "keep out"]
    assert np.isnan(findings.groups.set_index("group").loc["Trait", "score"])


def test_labels_of_people_s_traits_are_not_reported():
    labelled = {0: (50, 10, 40, 0), 8: (50, 10, 10, 30)}
    table = find(make_counts(labelled=labelled)).concepts.set_index("concept")
    assert table.loc["dog", "omission"] == 0.2
    assert table.loc["evil", "pictures"] == 0
    assert table.loc["evil", ["omission", "perturbation"]].isna().all()


def test_blind_spots_to_mend_are_neither_nuisances_nor_sensitive():
    findings = find(make_counts(), TREND)
    wanted = findings.wanted(findings.groups)
    assert wanted["group"].tolist() == ["Texture", "Part", "Animal"]
    assert wanted["score"].is_monotonic_increasing
    assert "sepia" not in findings.wanted(findings.concepts)["concept"].tolist()


def test_rates_are_those_of_the_labels():
    findings = find(make_counts(**FULL))
    rates = findings.concepts.set_index("concept")
    assert rates.loc["cat", ["pictures", "omission", "perturbation"]].tolist() == [1000, 0.5, 0.4]
    assert rates.loc["cat", "perturbation_low"] < 0.4 < rates.loc["cat", "perturbation_high"]
    assert rates.loc["cat", "omission_low"] < 0.5 < rates.loc["cat", "omission_high"]
    # four pictures: a rate, but hardly known
    assert rates.loc["rough", "omission"] == 0.25 and rates.loc["rough", "omission_high"] > 0.6
    assert np.isnan(rates.loc["nut", "omission"]) and np.isnan(rates.loc["nut", "omission_low"])
    assert "pictures" not in find(make_counts()).concepts


def test_a_concept_always_omitted_has_no_rate_of_perturbation():
    findings = find(make_counts(labelled={0: (50, 50, 0, 0)}))
    dog = findings.concepts.iloc[0]
    assert dog["omission"] == 1 and np.isnan(dog["perturbation"])
    assert dog["action"] == "keep"


def test_contradictions_are_pairs_of_exclusive_concepts_only():
    pairs = find(make_counts(**FULL)).contradictions
    # dog with cat is no contradiction; matte or glossy stand in 0 + 9 - 4 captions
    assert pairs[["one", "other", "captions", "either"]].to_numpy().tolist() == [
        ["glossy", "matte", 4, 5],
        ["matte", "rough", 1, 110],
    ]
    assert pairs["share"].tolist() == [4 / 5, 1 / 110]
    assert (pairs["low"] < pairs["share"]).all() and (pairs["share"] < pairs["high"]).all()
    assert find(make_counts()).contradictions.empty


def test_what_to_do_follows_category_and_count():
    assert column(find(make_counts(**FULL), threshold=0.001), "action") == {
        "dog": "keep",  # perturbed in 1 of 100: not surely above the limit
        "cat": "correct",
        "glossy": "add",
        "matte": "show",  # others of its group have pictures
        "rough": "count more",
        "sepia": "take out",
        "hdr": "keep out",
        "lazy": "take out",
        "evil": "keep out",
        "bolt": "decide",
        "nut": "keep",
    }


@pytest.mark.parametrize("category", ["common", "under-captioned", "nuisance", "sensitive", ""])
@pytest.mark.parametrize("status", ["omitted", "unclear", "covered"])
@pytest.mark.parametrize("perturbed", [False, True])
def test_every_concept_gets_an_advice(category, status, perturbed):
    assert action(category, status, perturbed, 1) in ACTIONS


def test_summary_says_the_three_things_a_reader_needs():
    omitted, missed, todo = summary(find(make_counts(**FULL), TREND))
    assert "Of 7 concepts that a model may need, 3 are effectively omitted" in omitted
    assert "100,000 captions, 500 of them without text (surely named by less than 0.1 %" in omitted
    assert "for 1 more these captions are too few to tell" in omitted
    assert f"1 blind spot among 3 groups (zero-shot accuracy below {BLIND}" in missed
    assert missed.endswith("Texture 0.30 (0.20 to 0.41).")
    for said in (
        "add 1 concept to the captions",
        "find pictures of 1 concept",
        "decide whether to add 1 concept",
        "correct the captions of 1 concept",
        "take 2 concepts out of the captions",
        "glossy and matte in 4 captions",
    ):
        assert said in todo
    assert summary(find(make_counts()))[1].startswith(
        "The groups that captions name least are Texture"
    )


def test_nothing_to_do_is_said():
    fine = make_counts([("common", "A", "a", 90_000)], {"A": 90_000})
    omitted, missed, todo = summary(find(fine, TREND))
    assert "Of 1 concept that a model may need, none is effectively omitted" in omitted
    assert "no blind spot" in missed and "nothing" in todo


def test_only_unwanted_concepts_have_no_blind_spots():
    only = make_counts([("sensitive", "Trait", "lazy", 3)], {"Trait": 3})
    assert "No group" in summary(find(only, TREND))[1]


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0 %"), (0.5, "50 %"), (4.1e-7, "0.000041 %"), (0.9987, "99.9 %"), (1, "100 %")],
)
def test_percent(share, said):
    assert percent(share) == said


def test_words():
    assert percent(float("nan")) == between(float("nan"), float("nan")) == ""
    assert between(0.0123456, 0.2) == "1.23 to 20 %"
    assert [counted(n, "caption") for n in (0, 1, 2000)] == [
        "0 captions",
        "1 caption",
        "2,000 captions",
    ]
    assert listed(["a"]) == "a" and listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


def test_what_cannot_be_judged_is_refused(complains):
    with complains("captions", "at least one", "none"):
        find(make_counts(captions=0))
    for threshold in (0, -0.1, 1.5, float("nan")):
        with complains("threshold", "a share above 0", str(threshold)):
            find(make_counts(), threshold=threshold)
