"""Captions that leave a factor out now and then, and pairs of given pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from pictured import paint

from misalign.captions.captioner import Captioner
from misalign.images.cached import CachedImages
from misalign.images.rendered import RenderedImages
from misalign.rng import generator_for
from misalign.worlds import causal3dident, mpi3d
from misalign.worlds.captions import TemplateCaptions
from misalign.worlds.images import ImageWorld
from misalign.worlds.random_omission import RandomOmission

NAMES = [factor.name for factor in mpi3d.SEMANTIC]
N = 6000


def omitting(chances, setting=4):
    return mpi3d.composed(
        replace(mpi3d.setting("selection", setting), omission_probability=chances)
    )


def written(captions, n=N):
    values = mpi3d.draw(n, generator=generator_for(0, "draw"))
    tokens, said, *_ = captions.caption(
        torch.arange(n), values, generator=generator_for(0, "captions")
    )
    return captions.vocabulary.decode(tokens), values, said


def test_each_value_is_left_out_as_often_as_its_chance_says():
    chances = (0.0, 0.3, 1.0)
    lines, values, _ = written(omitting(chances))
    # no other word of these sentences is one of the camera's
    silent = torch.tensor([not {"top", "center", "bottom"} & set(line.split()) for line in lines])
    for value, chance in enumerate(chances):
        hits = silent[values["cam"] == value]
        error = (chance * (1 - chance) / len(hits)) ** 0.5
        assert abs(hits.double().mean().item() - chance) <= 5 * error


def test_a_silent_caption_is_a_sentence_of_the_setting_without_the_factor():
    captions = omitting((1.0, 1.0, 1.0))
    lines, values, _ = written(captions, 50)
    shorter = TemplateCaptions(mpi3d.SEMANTIC, mpi3d.setting("selection", 3), captions.shorter)
    tokens, *_ = shorter.caption(torch.arange(50), values, generator=generator_for(0, "captions"))
    assert lines == shorter.vocabulary.decode(tokens)


def test_a_caption_that_omits_nothing_is_the_usual_one():
    captions = omitting((0.0, 0.0, 0.0))
    lines, values, _ = written(captions, 50)
    usual = mpi3d.composed(mpi3d.setting("selection", 4))
    tokens, *_ = usual.caption(torch.arange(50), values, generator=generator_for(0, "captions"))
    assert lines == usual.vocabulary.decode(tokens)


def test_every_word_has_one_index_and_padding_is_0():
    captions = omitting((0.5, 0.5, 0.5))
    values = mpi3d.draw(50, generator=generator_for(0, "draw"))
    tokens, *_ = captions.caption(torch.arange(50), values, generator=generator_for(0, "captions"))
    assert tokens.shape == (50, captions.length)
    ends = (tokens == captions.vocabulary.end).int().argmax(1)
    after = torch.arange(captions.length) > ends[:, None]
    assert (tokens[after] == captions.vocabulary.pad).all()


def test_bad_chances_are_one_line(complains):
    each = "a probability for each of 3 values of cam"
    with complains("omission_probability", each, "(0.5, 0.5)"):
        omitting((0.5, 0.5))
    with complains("omission_probability", "a number in [0, 1]", "1.5"):
        omitting((0.5, 0.5, 1.5))
    some = omitting(0.5)
    with complains("shorter", "names color, shape, size", "cam"):
        RandomOmission(mpi3d.SEMANTIC, some.bias, some.captioner, some.captioner)
    with complains("bias", "one that omits nothing by chance", "0.5"):
        TemplateCaptions(mpi3d.SEMANTIC, some.bias, some.captioner)


def test_one_chance_stands_for_that_of_every_value():
    one, other = written(omitting(0.4)), written(omitting((0.4, 0.4, 0.4)))
    assert one[0] == other[0]


def test_captioners_are_shared():
    bias = mpi3d.setting("perturbation", 2)
    assert omitting(0.5).shorter is omitting((0.1, 0.2, 0.3)).shorter
    assert mpi3d.composed(bias).captioner is mpi3d.composed(omitting(1.0, 5).bias).captioner


def test_the_slip_names_the_object_s_hue_for_the_background_s():
    bias = causal3dident.setting("perturbation", 1)
    captioner = Captioner.causal3dident()
    values = causal3dident.draw(200, generator=generator_for(0, "draw"))
    slipped = causal3dident.Slipped(causal3dident.SEMANTIC, bias, captioner)
    usual = TemplateCaptions(causal3dident.SEMANTIC, bias, captioner)
    wrong, right = (
        one.perturb(values, generator=generator_for(0, "perturb")) for one in (slipped, usual)
    )
    assert torch.equal(wrong.pop("b_color"), values["color"])
    assert torch.equal(right.pop("b_color"), values["b_color"])
    assert all(torch.equal(wrong[name], right[name]) for name in right)


# ---- pairs, and pictures kept in a file


def pool(n=20):
    return CachedImages(RenderedImages(paint, mpi3d.draw(n, generator=generator_for(0, "pool"))))


def test_pairs_are_of_the_pictures_asked_for_each_once():
    pictures, bias = pool(), mpi3d.setting("selection", 2)
    captions = TemplateCaptions(mpi3d.SEMANTIC, bias, Captioner.mpi3d(NAMES[:2]))
    world = ImageWorld(mpi3d.FACTORS, pictures, captions)
    rows = torch.tensor([7, 3, 11])
    batch = world.pairs(rows, generator=generator_for(0, "captions"))
    assert torch.equal(batch.factors["color"][:, 0], pictures.factors["color"][rows])
    torch.testing.assert_close(batch.image, pictures.images(rows).float() / 255)


def test_pictures_kept_in_a_file_are_not_rendered_again(tmp_path):
    first, path = pool(), tmp_path / "pictures" / "pool.npy"
    first.keep(path)

    def never(factors):
        raise AssertionError("rendered again")

    second = CachedImages(RenderedImages(never, first.factors))
    second.keep(path)
    rows = torch.arange(20)
    assert torch.equal(first.images(rows), second.images(rows))
    assert [file.name for file in path.parent.iterdir()] == ["pool.npy"]


def test_a_renderer_that_fails_leaves_no_file(tmp_path):
    def fails(factors):
        raise RuntimeError("no light")

    pictures = CachedImages(RenderedImages(fails, pool().factors))
    with pytest.raises(RuntimeError, match="no light"):
        pictures.keep(tmp_path / "pool.npy")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "got"),
    [
        (np.zeros((19, 3, 4, 4), np.uint8), "19 x 3 x 4 x 4"),
        (np.zeros((20, 3, 4, 4), np.float32), "float32"),
        (np.array([{"a": 1}], object), "allow_pickle"),
    ],
)
def test_a_file_of_something_else_is_one_line(tmp_path, complains, array, got):
    path = tmp_path / "pool.npy"
    np.save(path, array, allow_pickle=True)
    with complains(str(path), "(delete it)", got):
        pool().keep(path)


def test_a_file_cut_short_is_one_line(tmp_path, complains):
    path = tmp_path / "pool.npy"
    pool().keep(path)
    path.write_bytes(path.read_bytes()[:-50])
    with complains(str(path), "pictures (delete it)", ""):
        pool().keep(path)


def test_whether_a_caption_is_silent_depends_on_nothing_but_the_value():
    lines, values, _ = written(omitting((0.5, 0.5, 0.5)))
    silent = torch.tensor([not {"top", "center", "bottom"} & set(line.split()) for line in lines])
    for name in NAMES:
        for value in range(int(values[name].max()) + 1):
            hits = silent[values[name] == value].double()
            assert abs(hits.mean().item() - 0.5) <= 5 * 0.5 / len(hits) ** 0.5, (name, value)


def test_only_what_was_not_asked_for_before_is_rendered_for_the_file(tmp_path):
    calls = []

    def counted(factors):
        calls.append(len(factors["color"]))
        return paint(factors)

    factors, path = pool().factors, tmp_path / "pool.npy"
    pictures = CachedImages(RenderedImages(counted, factors))
    pictures.images(torch.tensor([3, 5]))
    pictures.keep(path)
    assert sum(calls) == 20
    assert np.array_equal(np.load(path), paint(factors).numpy())


def test_a_write_that_fails_leaves_no_file(tmp_path, monkeypatch):
    def full(file, array):
        file.write(b"half")
        raise OSError("no space left")

    pictures = pool()
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="no space left"):
        pictures.keep(tmp_path / "pool.npy")
    assert list(tmp_path.iterdir()) == []
