"""Classifiers: what they can tell, what they cannot, and how it is scored."""

import pytest
import torch

from misalign.metrics import multiclass_mcc
from misalign.probes.classification import Classifier
from misalign.rng import generator_for


def told(z, classes, sizes, hidden=64, steps=150):
    """MCC of each factor on the second half of the samples, fitted to the first."""
    half = len(z) // 2
    probe = Classifier(steps, hidden, generator=generator_for(0, "probe"))
    guess = probe.fit(z[:half], classes[:half], sizes).predict(z[half:])
    return [multiclass_mcc(classes[half:, i], guess[:, i]) for i in range(len(sizes))]


def normal(n, d, name="z"):
    return torch.randn(n, d, generator=generator_for(0, name))


def test_mcc_is_the_correlation_of_the_classes_indicators():
    """And for two classes the usual coefficient."""
    generator = generator_for(0, "classes")
    for size in (2, 3, 7):
        truth = torch.randint(size, (500,), generator=generator)
        keep = torch.rand(500, generator=generator) < 0.6
        guess = torch.where(keep, truth, torch.randint(size, (500,), generator=generator))
        a, b = (torch.nn.functional.one_hot(part, size).double() for part in (truth, guess))
        a, b = a - a.mean(0), b - b.mean(0)
        expected = (a * b).sum() / ((a * a).sum() * (b * b).sum()).sqrt()
        assert multiclass_mcc(truth, guess) == pytest.approx(expected.item())
        if size == 2:
            usual = torch.corrcoef(torch.stack([truth, guess]).double())[0, 1].item()
            assert multiclass_mcc(truth, guess) == pytest.approx(usual)


def test_mcc_is_1_for_the_truth_and_0_for_a_constant_guess():
    truth = torch.arange(9) % 3
    assert multiclass_mcc(truth, truth) == pytest.approx(1)
    assert multiclass_mcc(truth, torch.zeros_like(truth)) == 0


def test_mcc_of_different_lengths_is_one_line(complains):
    with complains("prediction", "(3,)", "2"):
        multiclass_mcc(torch.zeros(3).long(), torch.zeros(2).long())


def test_a_line_between_classes_is_found_by_both():
    # half are fitted to, less a fifth drawn at random, and half are scored: of 2000 in all that is
    # an MCC of 0.96 to 0.98, told to 0.01 by 1,000 samples, which are too few for the bound
    z = normal(4000, 3)
    classes = (z[:, :1] > 0).long()
    assert told(z, classes, [2], hidden=0, steps=800)[0] > 0.95
    assert told(z, classes, [2])[0] > 0.9


def test_only_the_perceptron_tells_a_checkerboard():
    z = normal(4000, 2)
    classes = ((z[:, 0] > 0) ^ (z[:, 1] > 0)).long()[:, None]
    assert abs(told(z, classes, [2], hidden=0)[0]) < 0.2
    assert told(z, classes, [2], steps=400)[0] > 0.85


def test_a_boundary_that_is_no_line_is_found_by_the_perceptron_alone():
    z, z_test = normal(6000, 2), normal(2000, 2, "z2")
    classes, truth = ((part.square().sum(1) > 1.4).long() for part in (z, z_test))

    def score(hidden):
        probe = Classifier(600, hidden, generator=generator_for(0, "probe"))
        return multiclass_mcc(truth, probe.fit(z, classes, [2]).predict(z_test)[:, 0])

    assert score(64) > 0.93
    assert score(0) < 0.3


@pytest.mark.parametrize("hidden", [0, 64])
def test_a_class_of_pure_chance_scores_about_0(hidden):
    z, z_test = normal(8000, 4), normal(8000, 4, "z2")
    coin, coin_test = ((normal(8000, 1, name) > 0).long() for name in ("c", "c2"))
    probe = Classifier(600, hidden, generator=generator_for(0, "probe"))
    guess = probe.fit(z, coin, [2]).predict(z_test)
    assert abs(multiclass_mcc(coin_test[:, 0], guess[:, 0])) < 0.05


def test_what_cannot_be_told_scores_about_0():
    z = normal(4000, 3)
    classes = torch.randint(40, (4000, 1), generator=generator_for(0, "noise"))
    for hidden in (0, 64):
        assert abs(told(z, classes, [40], hidden=hidden)[0]) < 0.05


@pytest.mark.parametrize("hidden", [0, 64])
def test_a_factor_s_classifier_does_not_depend_on_other_factors(hidden):
    z = normal(600, 2)
    first = (z[:, :1] > 0.3).long() + (z[:, :1] > 1).long()
    other = (z[:, 1:] > 0).long()
    alone, both = (
        Classifier(30, hidden, generator=generator_for(0, "probe")) for _ in ("alone", "both")
    )
    alone.fit(z, first, [3])
    both.fit(z, torch.cat([first, other], 1), [3, 2])
    assert (alone.predict(z)[:, 0] == both.predict(z)[:, 0]).all()


def test_a_class_that_a_factor_does_not_have_is_never_told():
    z = normal(400, 2)
    classes = torch.stack([torch.arange(400) % 2, torch.arange(400) % 5], 1)
    guess = (
        Classifier(30, generator=generator_for(0, "probe")).fit(z, classes, [2, 5]).predict(3 * z)
    )
    assert guess[:, 0].max() <= 1


def test_a_rare_class_is_no_reason_to_guess_it():
    """Classifiers start from the frequencies of the classes."""
    z = normal(1000, 2)
    classes = (torch.arange(1000) % 50 == 0).long()[:, None]
    guess = Classifier(1, generator=generator_for(0, "probe")).fit(z, classes, [2]).predict(z)
    assert (guess == 0).all()


def test_bad_input_is_one_line(complains):
    z, classes = normal(20, 2), torch.zeros(20, 1).long()
    probe = Classifier(5, generator=generator_for(0, "probe"))
    with complains("z", "shape (n, size)", "5"):
        probe.fit(z[:5], classes[:5], [2])
    with complains("classes", "shape (20, 2)", "(20, 1)"):
        probe.fit(z, classes, [2, 2])
    with complains("classes", "below [2]", "[2]"):
        probe.fit(z, classes + 2, [2])
    with complains("steps", "at least 1", "0"):
        Classifier(0, generator=generator_for(0, "probe"))


def test_a_constant_guess_scores_0_whatever_the_rounding_of_the_shares():
    for n in range(2, 200):
        truth = torch.arange(n) % 7
        assert multiclass_mcc(truth, torch.full_like(truth, 3)) == pytest.approx(0, abs=1e-6)


def test_classifiers_repeat_with_their_generator():
    z, classes = normal(600, 2), torch.arange(600)[:, None] % 3
    one, again, other = (
        Classifier(20, 16, generator=generator_for(seed, "probe")).fit(z, classes, [3])
        for seed in (0, 0, 1)
    )
    assert all(map(torch.equal, one.weights, again.weights))
    assert not torch.equal(one.weights[0], other.weights[0])


def test_classifiers_keep_the_weights_from_before_they_overfit():
    # 150 samples, 10 dimensions: trained to the end, nets are sure of noise
    z, classes = normal(150, 10), torch.randint(2, (150, 1), generator=generator_for(0, "noise"))
    probe = Classifier(400, generator=generator_for(0, "probe")).fit(z, classes, [2])
    fresh = torch.randint(2, (1000, 1), generator=generator_for(0, "fresh"))
    with torch.no_grad():
        error = probe._losses(probe._inputs(normal(1000, 10, "z2")), fresh).mean().item()
    assert error < 0.75  # log 2 for who knows nothing


def test_a_classifier_does_not_care_for_units():
    z, classes = normal(600, 2), (normal(600, 2)[:, :1] > 0).long()
    plain, scaled = (Classifier(30, 16, generator=generator_for(0, "probe")) for _ in range(2))
    guess = plain.fit(z, classes, [2]).predict(z)
    other = scaled.fit(1000 * z + 1e4, classes, [2]).predict(1000 * z + 1e4)
    assert (guess == other).float().mean() > 0.99


def test_a_class_that_a_factor_does_not_have_has_no_probability():
    z = normal(400, 2)
    classes = torch.stack([torch.arange(400) % 2, torch.arange(400) % 5], 1)
    probe = Classifier(30, generator=generator_for(0, "probe")).fit(z, classes, [2, 5])
    chances = probe._logits(probe._inputs(z)).softmax(-1)
    assert (chances[0, :, 2:] == 0).all()
    assert (chances[1] > 0).all()


@pytest.mark.parametrize("hidden", [0, 64])
def test_classifiers_start_from_the_frequencies_of_the_classes(hidden):
    # a single step of Adam moves log-odds by hundredths
    z, classes = normal(1000, 2), torch.tensor([0] * 7 + [1] * 2 + [2]).repeat(100)[:, None]
    probe = Classifier(1, hidden, generator=generator_for(0, "probe")).fit(z, classes, [3])
    chances = probe._logits(probe._inputs(z)).softmax(-1)[0].mean(0)
    assert chances.tolist() == pytest.approx([0.7, 0.2, 0.1], abs=0.03)


def test_log_odds_are_calibrated():
    # P(1 | z) is known, so a calibrated probe has the log-odds themselves
    z = normal(20_000, 1)
    odds = 1.5 * z[:, 0] + 0.7
    coin = torch.rand(len(z), generator=generator_for(0, "coin"))
    probe = Classifier(600, generator=generator_for(0, "probe"))
    probe.fit(z, (coin < odds.sigmoid()).long(), [2])
    with torch.no_grad():
        logits = probe._logits(probe._inputs(z))[0]
    error = (logits[:, 1] - logits[:, 0] - odds)[z[:, 0].abs() < 2]
    assert error.abs().mean() < 0.15


def test_labels_may_be_an_array_of_one_dimension():
    z = normal(400, 2)
    labels = (z[:, 0] > 0).numpy()
    guess = Classifier(60, 0, generator=generator_for(0, "probe")).fit(z.numpy(), labels, [2])
    assert (guess.predict(z.numpy())[:, 0].numpy() == labels).mean() > 0.9
