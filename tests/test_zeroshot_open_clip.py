"""open_clip's own models, untrained and trained here, and the command that scores them."""

import json
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from misalign.cli import main
from misalign.rng import generator_for
from misalign.zeroshot.evaluate import evaluate
from misalign.zeroshot.folder import read_folder
from misalign.zeroshot.models import RANDOM, load

pytestmark = pytest.mark.usefixtures("torchvision_fits")

COLORS = {"blue": (20, 20, 230), "green": (20, 200, 20), "red": (230, 20, 20)}
NAME = "misalign-tiny"
TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}


@pytest.fixture(scope="module")
def open_clip(tmp_path_factory, torchvision_fits):
    """The package, with a model small enough for a test."""
    package = pytest.importorskip("open_clip")
    path = tmp_path_factory.mktemp("configs") / f"{NAME}.json"
    path.write_text(json.dumps(TINY))
    package.add_model_config(path)
    return package


def square(color, rng):
    """A square of a colour somewhere on a grey ground, with noise."""
    pixels = np.full((32, 32, 3), rng.integers(60, 190), float)
    x, y = rng.integers(0, 20, 2)
    pixels[y : y + 12, x : x + 12] = color
    noisy = pixels + rng.normal(0, 8, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("pictures")
    for name, color in COLORS.items():
        (folder / "common" / "Color" / name).mkdir(parents=True)
        for i in range(20):
            square(color, rng).save(folder / "common" / "Color" / name / f"{i:02d}.png")
    return folder


def tiny(weights=None, seed=0, **options):
    return load(NAME, weights, generator=generator_for(seed, "weights"), **options)


@pytest.fixture(scope="module")
def trained(open_clip):
    """A model that has seen other pictures of the colours for a few steps."""
    ours = tiny()
    model = ours.model.train().requires_grad_(True)
    rng, loss = np.random.default_rng(0), open_clip.ClipLoss()
    optimizer = torch.optim.Adam(model.parameters(), 5e-4)
    tokens = ours.tokenizer([f"a photo of a {name}." for name in COLORS])
    for _ in range(80):
        pictures = [ours.preprocess(square(color, rng)) for color in COLORS.values()]
        optimizer.zero_grad()
        loss(*model(torch.stack(pictures), tokens)).backward()
        optimizer.step()
    model.eval().requires_grad_(False)
    return ours


def test_an_untrained_model_scores_near_chance(open_clip, folder):
    scores = [
        evaluate(read_folder(folder), tiny(seed=seed)).groups["corrected"].item()
        for seed in range(8)
    ]
    assert abs(np.mean(scores)) < 0.15


def test_a_trained_model_beats_chance_by_far(trained, folder):
    found = evaluate(read_folder(folder), trained).groups.iloc[0]
    assert found["images"] == 60
    assert found["corrected"] > 0.8


def test_concepts_are_the_normalised_mean_of_their_prompts(open_clip):
    prompts = ("a photo of a {}.", "{}", "some {} thing")
    ours = tiny(prompts=prompts)
    found = ours.concepts(["red", "green"])
    for vector, name in zip(found, ["red", "green"], strict=True):
        tokens = open_clip.get_tokenizer(NAME)([prompt.format(name) for prompt in prompts])
        each = ours.model.encode_text(tokens)
        mean = (each / each.norm(dim=1, keepdim=True)).mean(0)
        torch.testing.assert_close(vector, mean / mean.norm())


def test_pictures_are_unit_vectors_in_evaluation_mode_without_gradients(open_clip):
    ours = tiny()
    assert not ours.model.training
    found = ours.pictures(torch.rand(3, 3, 32, 32, generator=generator_for(0, "pictures")))
    assert found.shape == (3, 32) and not found.requires_grad
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))


def test_amp_computes_in_less_precision(open_clip):
    x = torch.rand(3, 3, 32, 32, generator=generator_for(0, "pictures"))
    exact, rough = (tiny(amp=amp).pictures(x) for amp in (False, True))
    assert rough.dtype == torch.float32
    assert 0 < (exact - rough).abs().max() < 0.02


def test_random_weights_come_from_the_generator_and_leave_torch_s_own_alone(open_clip):
    state = torch.random.get_rng_state()
    one, same, other = (tiny(seed=seed).model.state_dict() for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["visual.proj"], other["visual.proj"])
    assert tiny().weights == RANDOM


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_weights_of_a_file_are_loaded(trained, folder, tmp_path, suffix):
    path = tmp_path / f"trained.{suffix}"
    if suffix == "pt":
        torch.save({"state_dict": trained.model.state_dict()}, path)
    else:
        from safetensors.torch import save_file

        save_file(trained.model.state_dict(), path)
    ours = tiny(str(path), seed=3)
    assert ours.weights.startswith(f"trained.{suffix}, sha256 ")
    for name, value in trained.model.state_dict().items():
        assert torch.equal(ours.model.state_dict()[name], value)


class Harm:
    def __reduce__(self):
        return sys.exit, (3,)


def test_nothing_is_unpickled(open_clip, tmp_path, complains):
    with (tmp_path / "harm.pt").open("wb") as file:
        pickle.dump(Harm(), file, protocol=2)
    torch.save({"state_dict": Harm()}, tmp_path / "harm.pth")
    np.save(tmp_path / "harm.npy", np.array([Harm()]), allow_pickle=True)
    for name in ("harm.pt", "harm.pth", "harm.npy"):
        with complains("model", f"with weights {tmp_path / name}", ""):
            tiny(str(tmp_path / name))


def test_a_refused_file_is_named_without_torch_s_advice_to_unpickle_it(open_clip, folder, tmp_path):
    torch.save({"state_dict": Harm()}, tmp_path / "harm.pt")
    (tmp_path / "text.pt").write_text("no weights")
    expected = "a safetensors file or a state dict of tensors alone"
    for path in sorted(tmp_path.iterdir()):
        outcome = invoke(folder, tmp_path / "out", "--pretrained", path)
        (line,) = outcome.output.strip().splitlines()
        assert outcome.exit_code == 1
        assert line.startswith(f"Error: model: expected {NAME} with weights {path} ({expected}), ")
        assert line.endswith("got other contents")


def test_damaged_and_foreign_weights_are_one_line(open_clip, tmp_path, complains):
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "noise.safetensors").write_bytes(bytes(range(200)))
    torch.save({"state_dict": {"visual.proj": torch.zeros(2, 2)}}, tmp_path / "other.pt")
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    torch.save({}, tmp_path / "nothing.pt")
    for path in sorted(tmp_path.iterdir()):
        with complains("model", f"{NAME} with weights {path}", ""):
            tiny(str(path))


def test_unknown_models_and_weights_list_the_known(open_clip, complains):
    generator = generator_for(0, "weights")
    with complains("model", "ViT-B-32", "ViT-B32"):
        load("ViT-B32", generator=generator)
    with complains("pretrained", "laion400m_e32", "laion"):
        load("ViT-B-32", "laion", generator=generator)
    with complains("pretrained", "none with local-dir:here", "laion"):
        load("local-dir:here", "laion", generator=generator)
    with complains("model", "local-dir:nowhere", "not found"):
        load("local-dir:nowhere", generator=generator)


def test_weights_of_a_tag_get_their_activations(open_clip, monkeypatch):
    asked = {}

    def create(name, **options):
        asked.update(options)
        raise OSError("stop here\nand not there")

    monkeypatch.setattr(open_clip, "create_model_and_transforms", create)
    for tag, quick in (("laion400m_e32", True), ("laion2b_s34b_b79k", False)):
        with pytest.raises(ValueError, match="got stop here$"):
            load("ViT-B-32", tag, generator=generator_for(0, "weights"))
        assert asked["force_quick_gelu"] is quick
        assert asked["weights_only"] is True and asked["require_pretrained"] is True


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}", "{0}", "{.real}", "{:>9}", "{!r}", "{"])
def test_a_prompt_without_one_place_for_the_concept_is_one_line(prompt, complains):
    with complains("prompt", "one {} for the concept", repr(prompt)):
        load(NAME, generator=generator_for(0, "weights"), prompts=[prompt])


@pytest.fixture
def fails(monkeypatch):
    """Make the import of open_clip raise an error."""

    def fail(error):
        class Missing:
            def find_spec(self, name, *_):
                if name == "open_clip":
                    raise error

        monkeypatch.delitem(sys.modules, "open_clip", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])

    return fail


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_without_open_clip_one_line_says_what_to_install(fails, complains, error):
    fails(error("No module named 'open_clip'\nmore"))
    with complains("open_clip", "pip install 'misalign[clip]'", "No module named", ImportError):
        tiny()


NMS = RuntimeError("operator torchvision::nms does not exist\nmore")
HALF = AttributeError("partially initialized module 'torchvision' has no attribute 'extension'")


@pytest.mark.parametrize("error", [NMS, HALF])
@pytest.mark.parametrize(
    ("torch_s", "source"),
    [
        ("2.13.0+cpu", " --index-url https://download.pytorch.org/whl/cpu"),
        ("2.13.0+cu130", " --index-url https://download.pytorch.org/whl/cu130"),
        ("2.13.0", ""),
    ],
)
def test_a_torchvision_for_another_torch_is_named_with_what_installs_one_that_fits(
    fails, folder, tmp_path, monkeypatch, error, torch_s, source
):
    fails(error)
    monkeypatch.setattr(torch, "__version__", torch_s)
    monkeypatch.setattr("misalign.zeroshot.models.version", {"torchvision": "0.27.1"}.get)
    outcome = invoke(folder, tmp_path / "out")
    (line,) = outcome.output.strip().splitlines()
    assert outcome.exit_code == 1 and not (tmp_path / "out").exists()
    assert f"torchvision: expected one that fits torch {torch_s} (" in line
    assert f" && pip install torch==2.13.0 torchvision{source}), got torchvision 0.27.1" in line
    assert str(error).partition("\n")[0] in line


def invoke(folder, out, *args):
    call = ["zeroshot", str(folder), "--model", NAME, "--out", str(out), *map(str, args)]
    return CliRunner().invoke(main, call)


def test_the_command_prints_groups_and_writes_tables(open_clip, trained, folder, tmp_path):
    torch.save(trained.model.state_dict(), tmp_path / "trained.pt")
    prompts = ("--prompt", "a photo of a {}.", "--prompt", "{}")
    options = ("--pretrained", tmp_path / "trained.pt", *prompts, "--workers", 1)
    outcome = invoke(folder, tmp_path / "out", *options)
    assert outcome.exit_code == 0, outcome.output
    assert "RANDOM" not in outcome.output
    groups = pd.read_csv(tmp_path / "out" / "groups.csv")
    (row,) = [line.split() for line in outcome.stdout.splitlines() if "Color" in line]
    scores = groups[["macro_f1", "chance", "corrected"]].iloc[0]
    assert row == ["common", "Color", "60", "0", *(f"{score:.3f}" for score in scores)]
    assert "60 pictures scored, 0 unreadable" in outcome.stdout
    assert (tmp_path / "out" / "confusion" / "Color.png").exists()
    run = json.loads((tmp_path / "out" / "run.json").read_text())
    averaging = "a concept is the mean of its texts' unit vectors, scaled to length 1"
    assert f"prompts: a photo of a {{}}.; {{}} ({averaging})" in outcome.stdout
    assert run["averaging"] == averaging
    assert run["prompts"] == ["a photo of a {}.", "{}"] and "open_clip_torch" in run["versions"]


def test_the_command_names_unreadable_pictures_writes_scores_and_exits_1(
    open_clip, folder, tmp_path
):
    pictures = tmp_path / "pictures" / "common" / "Color"
    pictures.parent.mkdir(parents=True)
    pictures.symlink_to(folder / "common" / "Color")
    broken = tmp_path / "pictures" / "common" / "Shade"
    for name in COLORS:
        (broken / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), COLORS[name]).save(broken / name / "0.png")
    (broken / "red" / "1.png").write_bytes(b"")
    outcome = invoke(tmp_path / "pictures", tmp_path / "out")
    assert outcome.exit_code == 1
    assert "unreadable: common/Shade/red/1.png: " in outcome.stderr
    assert "RANDOM WEIGHTS" in outcome.stderr and RANDOM in outcome.stdout
    assert "63 pictures scored, 1 unreadable" in outcome.stdout
    assert len(pd.read_csv(tmp_path / "out" / "concepts.csv")) == 6
    assert pd.read_csv(tmp_path / "out" / "unreadable.csv")["path"].tolist() == [
        "common/Shade/red/1.png"
    ]


def test_the_command_refuses_in_one_line_and_writes_nothing(open_clip, folder, tmp_path):
    out = tmp_path / "out"
    for args, words in (
        (("--group", "Colour"), "group: expected one of Color, got Colour"),
        (("--prompt", "a photo"), "prompt: expected one {} for the concept"),
        (("--pretrained", "laion"), "pretrained: expected one of a file, got laion"),
    ):
        outcome = invoke(folder, out, *args)
        assert outcome.exit_code == 1
        (line,) = outcome.output.strip().splitlines()
        assert words in line
    assert not out.exists()
    assert invoke(folder, out, "--device", "nowhere").exit_code == 2
    outcome = invoke(folder, folder)
    assert outcome.exit_code == 1 and "out: expected a new or an empty folder" in outcome.output


def test_the_command_names_hidden_folders_on_stderr(open_clip, folder, tmp_path):
    pictures = tmp_path / "pictures" / "common"
    pictures.mkdir(parents=True)
    (pictures / "Color").symlink_to(folder / "common" / "Color")
    (pictures / "..name").mkdir()
    outcome = invoke(tmp_path / "pictures", tmp_path / "out")
    assert outcome.exit_code == 0
    assert "common/..name: begins with a dot, left out" in outcome.stderr.splitlines()


def test_help_says_how_prompts_are_averaged_and_that_published_numbers_use_several():
    text = " ".join(CliRunner().invoke(main, ["zeroshot", "--help"]).output.split())
    assert "the mean of its texts' unit vectors, scaled to length 1" in text
    assert '"a photo of a {}." alone; published numbers use ensembles of prompts' in text


def test_a_place_below_a_file_is_one_line(open_clip, folder, tmp_path):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    for pictures, out, words in (
        (folder, below, "out: expected a folder to write to, got"),
        (below, tmp_path / "out", "FOLDER: expected a folder of"),
    ):
        outcome = invoke(pictures, out)
        (line,) = outcome.output.strip().splitlines()
        assert outcome.exit_code == 1
        assert line.startswith(f"Error: {words}") and str(below) in line


def test_sensitive_groups_are_refused_unless_asked_for(open_clip, folder, tmp_path):
    pictures = tmp_path / "pictures" / "sensitive" / "Trait"
    pictures.parent.mkdir(parents=True)
    pictures.symlink_to(folder / "common" / "Color")
    outcome = invoke(tmp_path / "pictures", tmp_path / "out")
    assert outcome.exit_code == 1 and "does harm" in outcome.output
    assert not (tmp_path / "out").exists()
    assert invoke(tmp_path / "pictures", tmp_path / "out", "--sensitive").exit_code == 0
