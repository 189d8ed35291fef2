"""Galleries show pictures as they are, graphs every cause, captions what was done to them."""

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from misalign.reporting.captions import highlight_caption, table
from misalign.reporting.graphs import causal_graph
from misalign.reporting.images import diverging, image_grid, sheet
from misalign.rng import generator_for

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def pictures(n):
    return torch.randint(256, (n, 3, 20, 30), generator=generator_for(0, "page"), dtype=torch.uint8)


@pytest.mark.parametrize("rows", [(), ("hori.", "vert.")])
def test_gallery_shows_every_pixel_as_it_is(rows):
    drawn = pictures(6)
    figure = image_grid(drawn, 3, rows=rows)
    figure.canvas.draw()
    seen = torch.from_numpy(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    page = sheet(drawn, 3, gap=4)
    # at the right, where no label is
    assert torch.equal(seen[-page.shape[0] :, -page.shape[1] :], page)


def test_gallery_writes_all_labels():
    labels = {"rows": ("a", "b"), "titles": ("c", "d", "e"), "labels": tuple("fghijk")}
    axis = image_grid(pictures(6), 3, **labels).axes[0]
    assert "".join(text.get_text() for text in axis.texts) == "abcdefghijk"


def test_gallery_wants_a_label_for_each(complains):
    for name, expected in {"rows": "2", "titles": "3", "labels": "6"}.items():
        with complains(name, f"{expected} labels", "1"):
            image_grid(pictures(6), 3, **{name: ["alone"]})


def test_signs_have_colours_and_zero_is_white():
    values = torch.tensor([[[-1.0, 0.0, 1.0, 9.0]], [[-2.0, 0.0, 2.0, -1.0]]])
    drawn = diverging(values, torch.tensor([1.0, 2.0])).int()
    assert torch.equal(drawn[0, ..., :3], drawn[1, ..., :3])  # each by its own scale
    blue, white, red, beyond = drawn[0, :, 0].T
    assert blue[2] > blue[0] and red[0] > red[2] and white.min() > 240
    assert torch.equal(red, beyond)


def test_scale_must_be_positive(complains):
    with complains("scale", "numbers above 0", "0.0"):
        diverging(torch.zeros(1, 1, 1), 0.0)


def test_graph_has_a_node_for_each_variable_and_an_arrow_for_each_cause():
    _, axis = plt.subplots()
    places = {"a": (0, 1), "b": (1, 1), "c": (0, 0)}
    causal_graph(axis, places, {"c": ["a", "b"]}, discrete=["a"])
    nodes = {text.get_text(): text for text in axis.texts if text.get_text()}
    arrows = [text for text in axis.texts if not text.get_text()]
    assert set(nodes) == set(places)
    assert sorted(arrow.xyann for arrow in arrows) == [(0, 1), (1, 1)]
    assert {arrow.xy for arrow in arrows} == {(0, 0)}
    boxes = {name: text.get_bbox_patch().get_boxstyle() for name, text in nodes.items()}
    shapes = {name: type(box).__name__ for name, box in boxes.items()}
    assert shapes == {"a": "Square", "b": "Ellipse", "c": "Ellipse"}


def test_graph_wants_a_place_for_each(complains):
    with complains("places", "one for every variable", "none for b"):
        causal_graph(plt.gca(), {"a": (0, 0)}, {"a": ["b"]})


def test_marks_show_what_is_perturbed_and_what_is_omitted():
    caption = "A red hare at <top>."
    spans = {"color": (2, 5), "shape": (6, 10), "y_pos": (14, 19)}
    html = highlight_caption(
        caption, spans, ("color", "y_pos"), {"color": "blue", "y_pos": "<top>"}, ["left"]
    )
    before, _, rest = html.partition("<span")
    assert before == "A "
    assert ">red</span> hare at <span" in rest and "&lt;top&gt;</span>." in rest
    assert rest.count("dotted") == 1  # right by chance
    assert html.endswith(">left</s>]")


def test_captions_without_misalignment_are_left_alone():
    assert highlight_caption("A hare.", {"shape": (2, 6)}) == "A hare."


def test_table_has_a_row_for_each():
    html = table([("1", "one"), ("2", "<s>two</s>")])
    assert html.count("<tr>") == 3 and "<s>two</s>" in html
