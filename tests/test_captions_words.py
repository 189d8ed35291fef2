"""Content words, color names, the vocabulary and text files with captions."""

import matplotlib.colors
import pytest
import torch
from name_hues import name_hues

from misalign.captions.captioner import Captioner
from misalign.captions.lines import read_lines
from misalign.captions.vocabulary import Vocabulary, tokenize
from misalign.captions.wording import named_hues
from misalign.rng import generator_for

COLORS = {"color": "TABLEAU_COLORS", "s_color": "CSS4_COLORS", "b_color": "XKCD_COLORS"}


def wordings(**options):
    return Captioner.causal3dident(1, **options).wordings


# ---- words


def test_words_are_those_of_table_6():
    words = {factor: one.words for factor, one in Captioner.mpi3d(1).wordings.items()}
    assert words == {
        "color": ("yellow", "green", "olive", "red"),
        "shape": ("coffee-cup", "tennis-ball", "croissant", "beer-cup"),
        "size": ("small", "large"),
        "cam": ("top", "center", "bottom"),
        "back": ("purple", "sea-green", "salmon"),
    }


def test_words_are_those_of_table_9():
    found = wordings()
    assert found["shape"].words == tuple("teapot hare dragon cow armadillo horse head".split())
    assert found["x_pos"].words == ("left", "center", "right")
    assert found["y_pos"].words == ("top", "mid", "bottom")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_spotlight_direction_changes_at_every_fifth_which_itself_has_the_next(dtype):
    s_pos = wordings()["s_pos"]
    values = torch.tensor([0, 0.19, 0.2, 0.39, 0.4, 0.59, 0.6, 0.79, 0.8, 1], dtype=dtype)
    said = [s_pos.words[i] for i in s_pos.word_of(values).tolist()]
    five = ("northwest", "northeast", "center", "southwest", "southeast")
    assert said == [word for word in five for _ in range(2)]


@pytest.mark.parametrize("factor", COLORS)
def test_color_name_is_the_nearest_neighbor_of_the_pure_hue(factor):
    wording, palette = wordings()[factor], getattr(matplotlib.colors, COLORS[factor])
    hues = torch.rand(2000, generator=generator_for(0, "hues"), dtype=torch.float64)
    ones = torch.ones_like(hues)
    rgb = torch.tensor(matplotlib.colors.hsv_to_rgb(torch.stack([hues, ones, ones], 1).numpy()))
    colors = torch.tensor([matplotlib.colors.to_rgb(one) for one in palette.values()])
    squares = (rgb[:, None] - colors.double()).square().sum(2)
    index = wording.word_of(hues)
    said = [wording.words[i] for i in index.tolist()]
    for name, row in zip(said, squares, strict=True):
        own = [i for i, other in enumerate(palette) if other.split(":")[-1] == name]
        # two names of one color, or two colors at one distance: either is the nearest
        assert min(row[own]) <= row.min() + 1e-6


@pytest.mark.parametrize("palette", COLORS.values())
def test_hues_are_cut_where_two_names_are_equally_near(palette):
    names, cuts = named_hues(palette)
    colors = {name.split(":")[-1]: c for name, c in getattr(matplotlib.colors, palette).items()}
    assert list(cuts) == sorted(cuts)
    assert all(one != other for one, other in zip(names, names[1:], strict=False))
    for cut, one, other in zip(cuts, names, names[1:], strict=False):
        rgb = torch.tensor(matplotlib.colors.hsv_to_rgb([cut, 1, 1]))
        near, far = (
            float((rgb - torch.tensor(matplotlib.colors.to_rgb(colors[name]))).square().sum())
            for name in (one, other)
        )
        assert near == pytest.approx(far, abs=1e-6)


@pytest.mark.parametrize("palette", COLORS.values())
def test_hues_are_those_that_the_script_finds(palette):
    starts, names = zip(*name_hues(palette), strict=True)
    assert named_hues(palette) == (names, starts[1:]) and starts[0] == 0


def test_red_is_said_at_both_ends_of_the_hues():
    for factor in ("color", "s_color"):
        wording = wordings()[factor]
        ends = wording.word_of(torch.tensor([0.0, 0.99, 1.0]))
        assert wording.words[ends[0]] == "red"
        assert ends[0] == ends[2]


def test_of_two_names_for_one_color_captions_say_the_one_of_appendix_e2():
    words = wordings()["s_color"].words
    assert {"cyan", "magenta"} <= set(words)
    assert not {"aqua", "fuchsia"} & set(words)


def test_tableau_uses_eight_of_its_ten_colors():
    words = set(wordings()["color"].words)
    everything = {name.removeprefix("tab:") for name in matplotlib.colors.TABLEAU_COLORS}
    assert everything - words == {"brown", "gray"}


def _each_word(factor, **options):
    return {word for name in wordings(**options)[factor].words for word in name.split()}


@pytest.mark.parametrize(
    "pair", [("color", "s_color"), ("color", "b_color"), ("s_color", "b_color")]
)
def test_palettes_share_words_unless_they_shall_be_distinct(pair):
    one, other = (_each_word(factor) for factor in pair)
    assert one & other
    one, other = (_each_word(factor, distinct=True) for factor in pair)
    assert not one & other


def test_distinct_words_stay_single_tokens_so_captions_keep_their_length():
    plain, distinct = wordings(), wordings(distinct=True)
    for factor, mark in zip(COLORS, ("tab", "css4", "xkcd"), strict=True):
        for one, other in zip(plain[factor].words, distinct[factor].words, strict=True):
            assert tokenize(other) == [f"{mark}-{word}" for word in tokenize(one)]
        assert plain[factor].cuts == distinct[factor].cuts


def test_a_word_names_every_value_of_any_shape():
    wording = Captioner.mpi3d(1).wordings["cam"]
    values = torch.tensor([[0, 1], [2, 0]])
    assert torch.equal(wording.word_of(values), values)


# ---- vocabulary


def test_vocabulary_is_sorted_after_its_special_words_and_the_same_every_time():
    one, other = (Captioner.causal3dident().vocabulary for _ in range(2))
    assert one.words == other.words
    assert list(one.words[3:]) == sorted(set(one.words[3:]))
    assert (one.pad, one.end, one.unknown) == (0, 1, 2)
    assert len(one) == len(one.words)


def test_vocabulary_does_not_depend_on_the_order_of_words():
    assert Vocabulary(["b", "a", "b"]).words == Vocabulary(["a", "b"]).words


def test_case_is_kept():
    vocabulary = Captioner.mpi3d(2).vocabulary
    assert {"A", "a", "The"} <= set(vocabulary.words)


def test_an_unknown_word_gets_the_index_of_unknown():
    vocabulary = Captioner.causal3dident(1).vocabulary
    row = vocabulary.encode(["A zebra is visible."])[0]
    assert row.tolist() == [
        *vocabulary.indices(["A"]),
        vocabulary.unknown,
        *vocabulary.indices(["is", "visible", "."]),
        vocabulary.end,
    ]


def test_no_caption_can_contain_a_special_word():
    vocabulary = Captioner.mpi3d(1).vocabulary
    rows = vocabulary.encode(["{pad} {eos}"]).tolist()[0]
    assert rows == [vocabulary.unknown] * 6 + [vocabulary.end]


def test_two_sentences_are_one_caption():
    vocabulary = Vocabulary(tokenize("A cow. A hare."))
    assert len(vocabulary.encode(["A cow. A hare.", "A hare."])) == 2


def test_encoding_pads_after_the_end_and_brings_equal_captions_to_equal_rows():
    vocabulary = Vocabulary(["A", "cow", "."])
    dot, a, cow = 3, 4, 5
    expected = [[a, cow, dot, 1, 0], [dot, 1, 0, 0, 0], [a, cow, dot, 1, 0]]
    assert vocabulary.encode(["A cow.", ".", "A cow."], 5).tolist() == expected
    assert vocabulary.encode(["A cow.", "."]).shape == (2, 4)


def test_decoding_brings_back_what_was_encoded():
    captions = Captioner.causal3dident()
    values = {f: torch.rand(200, generator=generator_for(0, f)) for f in ("s_pos", *COLORS)}
    for factor in ("shape", "x_pos", "y_pos"):
        count = len(captions.wordings[factor].words)
        values[factor] = torch.randint(count, (200,), generator=generator_for(0, factor))
    tokens = captions.tokens(values, torch.arange(200) % 5)
    texts = captions.vocabulary.decode(tokens)
    assert torch.equal(captions.vocabulary.encode(texts, captions.length), tokens)
    assert texts[0].endswith(" .")


def test_a_length_that_is_too_short_says_what_is_needed(complains):
    with complains("length", "at least 4", "3"):
        Vocabulary(["A", "cow", "."]).encode(["A cow."], 3)


def test_nothing_to_encode_says_so(complains):
    with complains("captions", "at least one", "none"):
        Vocabulary([]).encode([])
    with complains("captions", "a list of strings", "one string"):
        Vocabulary([]).encode("A cow.")


def test_decoding_what_is_no_index_says_so(complains):
    with complains("tokens", "from 0 to 3", "[9]"):
        Vocabulary(["a"]).decode(torch.tensor([[9]]))
    with complains("tokens", "(n, length)", "(2,)"):
        Vocabulary(["a"]).decode(torch.tensor([3, 1]))


# ---- text files


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_a_line_is_a_caption(tmp_path, end, last):
    path = tmp_path / "text.txt"
    path.write_bytes(end.join(["A cow.", "A hare.", *([""] if last else [])]).encode())
    assert read_lines(path) == read_lines(str(path)) == ["A cow.", "A hare."]


@pytest.mark.parametrize("stray", ["\r", "\x85", "\x0b", "\x0c", "\x1c", "\u2028", "\u2029"])
def test_a_stray_line_end_within_a_caption_shifts_no_pair(tmp_path, stray):
    path = tmp_path / "text.txt"
    path.write_bytes(f"A {stray}cow.\nA hare.\nA dragon.\n".encode())
    lines = read_lines(path)
    assert lines == [f"A {stray}cow.", "A hare.", "A dragon."]
    tokens = Vocabulary(tokenize("A cow hare dragon .")).encode(lines)
    assert len(tokens) == 3


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbfA cow.\n")
    assert read_lines(path) == ["A cow."]


@pytest.mark.parametrize(
    ("data", "expected", "got"),
    [
        (b"A cow.\n\nA hare.\n", "one caption a line", "an empty line 2"),
        (b"A cow.\n \t\r\nA hare.\n", "one caption a line", "an empty line 2"),
        (b"A cow.\nA hare.\n\n", "one caption a line", "an empty line 3"),
        (b"", "one caption a line", "an empty file"),
        (b"A cow.\nA caf\xe9.\n", "UTF-8", "byte 0xe9 in line 2"),
        (b"A cow.\rA hare.\r", r"end with \n or \r\n", r"\r alone"),
    ],
)
def test_a_file_that_is_no_list_of_captions_is_refused(tmp_path, complains, data, expected, got):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    with complains(str(path), expected, got):
        read_lines(path)


def test_a_missing_file_is_named(tmp_path, complains):
    with complains("path", "a text file", "absent.txt", FileNotFoundError):
        read_lines(tmp_path / "absent.txt")
