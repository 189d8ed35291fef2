"""Probes against scikit-learn's: time, at a quality that is measured beside it."""

import warnings

import pytest
import torch
from torch.nn import functional

from benchmarks import floors
from misalign.metrics import r2
from misalign.probes.regression import BATCH, HIDDEN, LinearProbe, MLPProbe
from misalign.rng import generator_for
from misalign.studies.downstream import f_y
from misalign.studies.numerical import SCALES

SAMPLES, SIZE, TARGETS = 16_384, 5, 26
JUDGED = 10 + SIZE - 1  # the column of f_y(s_1, ..., s_5), which z knows all about


def samples(purpose):
    """Representations that know s_1 to s_5, and 26 targets, standardised as a fit would see them.

    Targets are the ten factors, f_y of the first 1, 2, ..., 10 of them, and 6 columns of noise.
    """
    s = torch.randn(SAMPLES, 10, generator=generator_for(0, purpose, "factors"))
    weight = torch.randn(SIZE, SIZE, generator=generator_for(0, "mixing"))
    z = functional.leaky_relu(s[:, :SIZE] @ weight, 0.2)
    tasks = torch.stack([f_y(s[:, :size]) for size in range(1, 11)], 1)
    noise = torch.randn(SAMPLES, 6, generator=generator_for(0, purpose, "noise"))
    y = torch.cat([s, tasks, noise], 1)
    assert y.shape[1] == TARGETS
    return z, y


@pytest.fixture(scope="module")
def data():
    (z, y), (z_test, y_test) = samples("fit"), samples("test")
    center, spread = z.mean(0), z.std(0)
    middle, scale = y.mean(0), y.std(0)
    return [
        (z - center) / spread,
        (y - middle) / scale,
        (z_test - center) / spread,
        (y_test - middle) / scale,
    ]


def judged(predict, z, y):
    """R2 on held-out samples of the one target that both sides are judged on."""
    prediction = torch.as_tensor(predict(z)).view(len(y), -1)
    column = JUDGED if prediction.shape[1] > 1 else 0
    return r2(y[:, JUDGED : JUDGED + 1], prediction[:, column : column + 1].to(y.dtype)).item()


def bench_linear_probe(benchmark, race, data):
    linear = pytest.importorskip("sklearn.linear_model").LinearRegression()
    z, y, z_test, y_test = data
    z_np, y_np = z.numpy(), y.numpy()
    ours = LinearProbe()
    race(lambda: ours.fit(z, y), {"sklearn": lambda: linear.fit(z_np, y_np)}, 15)
    benchmark.extra_info |= {
        "targets": TARGETS,
        "their_targets": {"sklearn": TARGETS},
        "operations": floors.linear_probe(SAMPLES, SIZE, TARGETS),
        "r2": {
            "ours": judged(ours.predict, z_test, y_test),
            "sklearn": judged(lambda rows: linear.predict(rows.numpy()), z_test, y_test),
        },
    }


# scikit-learn's perceptron by targets and epochs: one net for the one target that is judged, or
# one net whose outputs, all 26 of them, share their hidden layer
THEIRS = {"1 target, 10 epochs": (1, 10), "1 target, 40 epochs": (1, 40)}
THEIRS |= {"26 targets in 1 net, 40 epochs": (TARGETS, 40)}


def bench_mlp_probe(benchmark, race, data):
    network = pytest.importorskip("sklearn.neural_network").MLPRegressor
    z, y, z_test, y_test = data
    steps = SCALES["laptop"].probe_steps
    fitted = {}

    def fit_ours():
        generator = generator_for(0, "probe")
        fitted["ours"] = MLPProbe(steps, generator=generator).fit(z, y).predict

    def theirs(name, targets, epochs):
        wanted = y.numpy() if targets > 1 else y[:, JUDGED].numpy()

        def fit():
            with warnings.catch_warnings():
                # it says that it could go on; how far it came is what we report
                warnings.simplefilter("ignore")
                model = network(max_iter=epochs, random_state=0).fit(z.numpy(), wanted)
            fitted[name] = lambda rows: model.predict(rows.numpy())

        return fit

    race(fit_ours, {name: theirs(name, *how) for name, how in THEIRS.items()}, 2)
    benchmark.extra_info |= {
        "targets": TARGETS,
        "their_targets": {name: targets for name, (targets, _) in THEIRS.items()},
        "operations": floors.mlp_probe(BATCH, SIZE, HIDDEN, TARGETS, steps),
        "r2": {name: judged(predict, z_test, y_test) for name, predict in fitted.items()},
    }
