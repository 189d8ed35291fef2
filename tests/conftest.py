"""What several test files share: small worlds, and one form for the check of an error."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from misalign import paths
from misalign.bias import Bias
from misalign.rng import generator_for
from misalign.studies import images
from misalign.worlds import mixing
from misalign.worlds.mixing import Mixing
from misalign.worlds.numerical import NumericalWorld, wishart

# of half a minute and more: first, so that no worker is left with one of them at the end
LONG = (
    "test_sweep",
    "test_cluster",
    "test_mutations",
    "test_proof_steps",
    "test_scenes",
    "test_scenes_shapes",
    "test_scenes_concepts",
    "test_zeroshot_open_clip",
    "test_published_encoders",
    "test_wheel",
    "test_template",
    "test_picture_studies",
    "test_study_concepts",
    "test_training",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; pytest-xdist deals files out in this order."""
    rank = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(LONG)))


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Sums in one order, whatever the machine: several tests compare bits."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def torchvision_fits() -> Iterator[None]:
    """Let torchvision be imported where its compiled half is for another build of torch.

    PyPI has one build, for CUDA; a CPU torch cannot load it. All that the import then lacks are two
    operators whose shapes it registers: they are declared here, and nobody calls them.
    """
    found = find_spec("torchvision")
    library = None
    if found:
        try:
            torch.ops.load_library(str(Path(found.origin).with_name("_C.so")))
        except OSError:
            library = torch.library.Library("torchvision", "DEF")
            for name in ("nms", "qnms"):
                library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    yield  # a library that nobody holds takes its operators with it


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pictures of a file's tests stay out of the project's data folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "DATA", tmp_path_factory.mktemp("data"))
        images.pool.cache_clear()
        yield
        images.pool.cache_clear()


@pytest.fixture
def complains() -> Callable[..., AbstractContextManager[None]]:
    """Context that passes if its block raises one line: "NAME: expected EXPECTED, got GOT"."""

    @contextmanager
    def check(
        name: str, expected: str, got: str, error: type[Exception] = ValueError
    ) -> Iterator[None]:
        with pytest.raises(error) as caught:
            yield
        message = str(caught.value)
        assert "\n" not in message
        start, _, came = message.partition(", got ")
        assert start.startswith(f"{name}: expected "), message
        assert expected in start, message
        assert got in came, message

    return check


@pytest.fixture(scope="session")
def drawn() -> Callable[..., NumericalWorld]:
    """Worlds of the paper's kind by (bias, setting), their layers the best of fewer draws."""

    @cache
    def world(
        bias: str = "selection",
        setting: int = 3,
        latents: str = "independent",
        seed: int = 0,
        layers: int = 1,
    ) -> NumericalWorld:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(mixing, "DRAWS", 1000)
            return NumericalWorld.draw(
                Bias.numerical(bias, setting), latents=latents, layers=layers, seed=seed
            )

    return world


@pytest.fixture(scope="session")
def unmixed() -> Callable[..., NumericalWorld]:
    """Worlds whose observations are the latents themselves, made by hand, of any bias."""

    def world(bias: Bias, latents: str = "independent", specific: int = 2) -> NumericalWorld:
        names = ("sigma_s", "sigma_eps", "sigma_m_x", "sigma_m_t")
        sizes = (bias.n, bias.n, specific, specific)
        sigma = {
            name: wishart(d, generator=generator_for(0, name))
            for name, d in zip(names, sizes, strict=True)
        }
        if latents == "independent":
            sigma["sigma_s"] = torch.eye(bias.n, dtype=torch.float64)
        widths = (bias.n + specific, len(bias.selected) + specific)
        g_x, g_t = (Mixing((torch.eye(width),)) for width in widths)
        return NumericalWorld(bias=bias, **sigma, g_x=g_x, g_t=g_t)

    return world
