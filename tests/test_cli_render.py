"""`misalign render`: the published layout, completed after a kill, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from pictured import paint
from PIL import Image

from misalign.cli import main
from misalign.images.folder import read_picture
from misalign.images.layout import COLUMNS, HUES, captions_paths
from misalign.rendering import causal3dident as scenes
from misalign.worlds import causal3dident
from misalign.worlds.export import SETTINGS, export

N = 12


@pytest.fixture(autouse=True, scope="module")
def painted():
    """A renderer that takes no time; the number of pictures of each of its calls."""
    calls = []

    def render(factors, *, size):
        calls.append(len(factors["shape"]))
        return paint({name: factors[name] for name in HUES}, size=size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "render", render)
        yield calls


def invoke(folder, *words):
    sizes = ("--n", N, "--size", 4, "--batch", 5)
    words = ("render", "causal3dident", "--out", folder, *sizes, *words)
    return CliRunner().invoke(main, list(map(str, words)))


def contents(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("render") / "whole"
    outcome = invoke(folder)
    assert outcome.exit_code == 0, outcome.output
    return folder


@pytest.fixture
def whole(finished, tmp_path):
    """A folder that the command has written, to read or to spoil."""
    return shutil.copytree(finished, tmp_path / "whole")


def refused(outcome, *words):
    (line,) = outcome.output.strip().splitlines()
    assert outcome.exit_code == 1
    for word in words:
        assert word in line


def test_pictures_are_those_of_the_table_of_factors(whole):
    table = pd.read_csv(whole / "latents_image.csv")
    latents = causal3dident.latents(N, 0)
    for name, values in latents.items():
        written = torch.tensor(table[COLUMNS[name]].tolist(), dtype=values.dtype)
        assert torch.equal(written, values)
    assert (table["object_zpos"] == 0).all()
    names = sorted(file.name for file in (whole / "images").iterdir())
    assert names == [f"{i:02d}.png" for i in range(N)]
    hues = {name: latents[name] for name in HUES}
    for name, picture in zip(names, paint(hues), strict=True):
        assert np.array_equal(read_picture(whole / "images" / name), picture.movedim(0, -1))


def test_all_fourteen_settings_are_there_and_nothing_else(whole):
    expected = {whole / "latents_image.csv", whole / "render.json"}
    for bias in ("selection", "perturbation"):
        for number in range(1, 8):
            expected |= {whole / name for name in captions_paths(bias, number)}
    expected |= {whole / "images" / f"{i:02d}.png" for i in range(N)}
    assert {file for file in whole.rglob("*") if file.is_file()} == expected


@pytest.mark.parametrize(("bias", "number"), SETTINGS)
def test_captions_say_what_their_table_says(whole, bias, number):
    text, latents = (whole / name for name in captions_paths(bias, number))
    table, lines = pd.read_csv(latents), text.read_text().split("\n")
    told = causal3dident.setting(bias, number)
    captioner = causal3dident.composed(told).captioner
    assert len(table) == len(lines) == N
    images = pd.read_csv(whole / "latents_image.csv")
    for i, factor in enumerate(causal3dident.SEMANTIC, 1):
        name, column = factor.name, COLUMNS[factor.name]
        if i not in told.selected:
            assert column not in table and f"{HUES.get(name, name)}_index" not in table
        elif name in HUES:
            words = np.array(captioner.wordings[name].words)
            place = table[f"{HUES[name]}_index"].to_numpy()
            assert (words[place] == table[f"{HUES[name]}_name"]).all()
            assert all(word in line for word, line in zip(words[place], lines, strict=True))
            hue = torch.tensor(images[column].to_numpy(), dtype=torch.float32)
            same = (captioner.word_of(name, hue).numpy() == place).all()
            assert same == (i not in told.perturbed)
        else:
            assert (table[column] == images[column]).all() == (i not in told.perturbed)
    shapes = captioner.wordings["shape"].words
    assert all(
        shapes[shape] in line for shape, line in zip(table["object_shape"], lines, strict=True)
    )


def test_what_is_written_can_be_read_as_a_world(whole):
    written = causal3dident.written(whole, "perturbation", 3)
    world = causal3dident.world(causal3dident.folder(whole), written)
    batch = world.sample(8, generator=torch.Generator().manual_seed(0))
    assert batch.image.shape == (8, 3, 4, 4)
    shapes = ("teapot", "hare", "dragon", "cow", "armadillo", "horse", "head")
    lines = written.vocabulary.decode(batch.text)
    for line, shape in zip(lines, batch.factors["shape"].flatten().tolist(), strict=True):
        assert shapes[shape] in line.split()


@pytest.mark.parametrize("kept", [0, 1, 7])
def test_a_killed_run_is_completed_without_redoing_pictures(whole, tmp_path, painted, kept):
    folder, stop = tmp_path / "killed", []
    painted.clear()

    class Killed(BaseException):
        pass

    def save(picture, *args, **kwargs):
        if len(stop) == kept:
            raise Killed
        stop.append(1)
        return original(picture, *args, **kwargs)

    original = Image.Image.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image.Image, "save", save)
        with pytest.raises(Killed):
            export(folder, N, size=4, batch=5)
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / ".07.4711.png").write_bytes(b"half a picture")
    before = {path: file for path, file in contents(folder).items() if "/." not in path}
    times = {path: (folder / path).stat().st_mtime_ns for path in before}
    painted.clear()
    assert invoke(folder).exit_code == 0
    assert sum(painted) == N - kept
    assert contents(folder) == contents(whole)
    assert all((folder / path).stat().st_mtime_ns == then for path, then in times.items())


def test_a_finished_folder_is_left_as_it_is(whole, painted):
    before = {file: file.stat().st_mtime_ns for file in whole.rglob("*") if file.is_file()}
    painted.clear()
    assert invoke(whole).exit_code == 0
    assert not painted
    assert {file: file.stat().st_mtime_ns for file in before} == before


def test_batches_have_no_influence(whole, tmp_path):
    assert invoke(tmp_path / "other", "--batch", 3).exit_code == 0
    assert contents(tmp_path / "other") == contents(whole)


def test_seeds_differ_in_factors_and_captions(whole, tmp_path):
    other = tmp_path / "other"
    assert invoke(other, "--seed", 1).exit_code == 0
    for name in ("latents_image.csv", *captions_paths("selection", 1)):
        assert (other / name).read_bytes() != (whole / name).read_bytes()


def test_a_folder_of_fewer_pictures_keeps_them_and_gets_the_rest(whole, painted):
    before, texts = contents(whole), [captions_paths(*which)[0] for which in SETTINGS]
    images = pd.read_csv(whole / "latents_image.csv")
    painted.clear()
    outcome = invoke(whole, "--n", 105)
    assert outcome.exit_code == 0, outcome.output
    assert sum(painted) == 105 - N
    for i in range(N):
        assert (whole / "images" / f"{i:03d}.png").read_bytes() == before[f"images/{i:02d}.png"]
    for name in texts:
        lines = (whole / name).read_text().split("\n")
        assert len(lines) == 105 and lines[:N] == before[name].decode().split("\n")
    for name in (path for path in before if path.endswith(".csv")):
        assert (whole / name).read_bytes().startswith(before[name])
        assert len(pd.read_csv(whole / name)) == 105
    pictures = causal3dident.folder(whole)
    assert len(pictures) == len(list((whole / "images").iterdir())) == 105
    hues = {name: pictures.factors[name] for name in HUES}
    assert torch.equal(pictures.images(torch.arange(105)), paint(hues, size=4))
    added = pd.read_csv(whole / "latents_image.csv")[N:]
    assert not added["object_alpharot"].isin(images["object_alpharot"]).any()
    causal3dident.world(pictures, causal3dident.written(whole, "perturbation", 3))


def test_a_folder_can_be_raised_twice_and_its_note_repeats_it(whole, tmp_path):
    for n in (15, 20):
        assert invoke(whole, "--n", n).exit_code == 0
    note = json.loads((whole / "render.json").read_text())
    assert note["n"] == 20 and note["parts"] == [N, 3, 5]
    again = tmp_path / "again"
    for n in (N, 15, 20, 20):
        assert invoke(again, "--n", n).exit_code == 0
    assert contents(again) == contents(whole)
    refused(invoke(whole, "--n", 15), "n 15", "n 20")


@pytest.mark.parametrize("kept", [0, 4, 20, 21, 25])
def test_a_raise_that_was_killed_is_completed(finished, tmp_path, kept):
    one, other = (shutil.copytree(finished, tmp_path / name) for name in ("one", "other"))
    assert invoke(one, "--n", 101).exit_code == 0

    class Killed(BaseException):
        pass

    def replace(path, target):
        replaced.append(1)
        if len(replaced) > kept:
            raise Killed
        return original(path, target)

    replaced, original = [], Path.replace
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", replace)
        with pytest.raises(Killed):
            export(other, 101, size=4, batch=5)
    assert invoke(other, "--n", 101).exit_code == 0
    assert contents(other) == contents(one)


@pytest.mark.parametrize("below", ["file/x", "file/x/y"])
def test_a_place_below_a_file_is_one_line(tmp_path, below):
    (tmp_path / "file").write_text("")
    outcome = invoke(tmp_path / below)
    refused(outcome, "out: expected a folder to write to, got", f"{below}/images", "Not a dir")


@pytest.mark.parametrize("part", ["images", "text"])
def test_a_file_in_place_of_a_folder_within_is_one_line(whole, part):
    shutil.rmtree(whole / part)
    (whole / part).write_text("")
    refused(invoke(whole), "out: expected a folder to write to, got", f"whole/{part} ")


@pytest.mark.parametrize(("option", "value"), [("n", 11), ("seed", 1), ("size", 8)])
def test_a_folder_of_something_else_is_refused(whole, option, value):
    before = contents(whole)
    there = json.loads((whole / "render.json").read_text())
    outcome = invoke(whole, f"--{option}", value)
    refused(outcome, f"{option} {value}", f"got one made of world causal3dident, n {N}")
    assert f"{option} {there[option]}" in outcome.output.partition("got")[2]
    assert contents(whole) == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    refused(invoke(tmp_path), "expected an empty folder, or one with render.json", "thesis.tex")
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unreadable_note_is_refused(whole):
    (whole / "render.json").write_text("{")
    refused(invoke(whole), "got one made of something unreadable")


def test_a_file_in_the_folders_place_is_refused_by_click(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    assert invoke(path).exit_code == 2


def test_another_world_or_device_is_refused(tmp_path):
    outcome = CliRunner().invoke(main, ["render", "mars", "--out", str(tmp_path)])
    assert outcome.exit_code == 2 and "causal3dident" in outcome.output
    outcome = invoke(tmp_path, "--device", "nowhere")
    assert outcome.exit_code == 2 and "--device: expected one of this machine" in outcome.output
