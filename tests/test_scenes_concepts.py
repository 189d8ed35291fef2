"""Picture-book scenes: every concept is where its name says, and pixels are of their own row."""

import math

import pytest
import torch
from torch.nn import functional
from torch.testing import assert_close

from misalign.rendering import concepts, flat
from misalign.rendering.concepts import NAMES, SPECIFIC
from misalign.rng import generator_for

SIDE = 24
VISIBLE = 8  # of 255: a difference of a pixel that is no matter of rounding
SHAPES = ("disc", "ring", "plank", "pillar")
ASKEW = math.radians(33)


def scenes(n=10, seed=0):
    """Factors at random."""
    generator = generator_for(seed, "scenes")
    found = {name: torch.randint(4, (n,), generator=generator) for name in NAMES}
    return found | {name: torch.rand(n, generator=generator) for name in SPECIFIC}


def one(**factors):
    """A single plain scene, its thing in place and upright, but for what is said."""
    plain = {name: torch.tensor([0]) for name in NAMES} | {"size": torch.tensor([1])}
    plain |= {name: torch.tensor([0.5]) for name in SPECIFIC} | {"light": torch.tensor([3])}
    return {**plain, **{name: torch.tensor([value]) for name, value in factors.items()}}


def drawn(side=SIDE, /, **factors):
    """Picture of a single scene, shape (3, side, side)."""
    return concepts.picture(one(**factors), size=side)[0]


def thing(**factors):
    """Pixels of the thing: all that its color changes, shape (64, 64)."""
    red, blue = (drawn(64, color=color, **factors) for color in (0, 2))
    return (red - blue).abs().amax(0) > VISIBLE / 255


def middle_of(mask):
    """Mean x to the right and y down of a mask's pixels, from -1 to 1."""
    y, x = (mask.nonzero().double().mean(0) * 2 + 1) / len(mask) - 1
    return x.item(), y.item()


def plane(n=2000):
    """Points of a square around a thing, shape (2, n)."""
    return torch.rand(2, n, generator=generator_for(0, "points"), dtype=torch.float64) * 4 - 2


# ---- shapes and patterns


@pytest.mark.parametrize(
    ("shape", "inside", "outside"),
    [
        (flat.discs, [(0, 0), (0.9, 0), (0, -0.9), (-0.7, 0.7)], [(1.1, 0), (0.75, 0.75)]),
        (flat.rings, [(0.74, 0), (0, -0.5), (-0.95, 0)], [(0, 0), (0.3, 0.3), (0, 1.1)]),
        (flat.planks, [(0, 0), (1.1, 0.4), (-1.1, -0.4)], [(1.2, 0), (0, 0.5), (1.2, 0.5)]),
        (flat.pillars, [(0, 0), (0.4, 1.1), (-0.4, -1.1)], [(0, 1.2), (0.5, 0), (0.5, 1.2)]),
    ],
)
def test_levels_are_negative_inside_and_positive_outside(shape, inside, outside):
    for points, sign in ((inside, -1), (outside, 1)):
        level = shape(*torch.tensor(points, dtype=torch.float64).mT)
        assert (level.sign() == sign).all(), level


@pytest.mark.parametrize("shape", flat.SHAPES)
def test_levels_are_distances_to_the_outline(shape):
    """In the maximum norm for bars, against a dense outline."""
    turn = torch.linspace(0, 2 * math.pi, 2001, dtype=torch.float64)
    circle = torch.stack([turn.cos(), turn.sin()], 1)
    edge = torch.linspace(-1, 1, 501, dtype=torch.float64)
    half = torch.tensor([1.15, 0.42] if shape is flat.planks else [0.42, 1.15])
    sides = [(edge, torch.full_like(edge, sign)) for sign in (-1, 1)]
    box = torch.cat([torch.stack(side, 1) for side in (*sides, *(s[::-1] for s in sides))])
    outlines = {flat.discs: circle, flat.rings: torch.cat([circle, 0.48 * circle])}
    outline = outlines.get(shape, box * half)
    points = plane()
    norm = 2 if shape in outlines else math.inf
    nearest = torch.cdist(points.mT.contiguous(), outline, p=norm).amin(1)
    assert_close(shape(*points).abs(), nearest, atol=5e-3, rtol=0)


@pytest.mark.parametrize("shape", flat.SHAPES)
def test_shapes_are_symmetric(shape):
    x, y = plane()
    assert_close(shape(-x, y), shape(x, y))
    assert_close(shape(x, -y), shape(x, y))


def test_discs_and_rings_look_alike_from_all_sides_and_bars_swap():
    x, y = plane()
    u, v = (
        math.cos(ASKEW) * x + math.sin(ASKEW) * y,
        math.cos(ASKEW) * y - math.sin(ASKEW) * x,
    )
    for shape in (flat.discs, flat.rings):
        assert_close(shape(u, v), shape(x, y))
    assert torch.equal(flat.pillars(x, y), flat.planks(y, x))
    assert not torch.allclose(flat.pillars(x, y), flat.planks(x, y))


@pytest.mark.parametrize(
    ("pattern", "low", "high"),
    [
        (flat.plain, 0, 0),
        (flat.striped, 0.47, 0.53),
        (flat.dotted, 0.15, 0.3),
        (flat.checked, 0.47, 0.53),
    ],
)
def test_patterns_are_shares_of_darkness_of_a_known_mean(pattern, low, high):
    dark = pattern(*plane(20_000))
    assert 0 <= dark.min() and dark.max() <= 1
    assert low <= dark.mean() <= high


def test_patterns_have_their_symmetries():
    x, y = plane()
    assert torch.equal(flat.striped(x, y), flat.striped(-3 * x, y))  # bars across
    assert_close(flat.striped(x, -y), 1 - flat.striped(x, y))
    assert_close(flat.dotted(y, -x), flat.dotted(x, y))
    assert_close(flat.checked(-x, y), 1 - flat.checked(x, y))
    assert_close(flat.checked(y, x), flat.checked(x, y))


def test_each_scene_gets_its_own_function():
    kind = torch.tensor([2, 0, 3, 3, 1])
    x, y = plane(5 * 7).view(2, 5, 7)
    found = flat.of_kind(flat.SHAPES, kind, x, y)
    for row, number in enumerate(kind.tolist()):
        assert torch.equal(found[row], flat.SHAPES[number](x[row], y[row]))


# ---- every concept can be seen


@pytest.mark.parametrize("name", NAMES)
def test_any_two_concepts_of_a_group_look_different_all_else_equal(name):
    base = scenes(48)
    seen = [concepts.render({**base, name: torch.full((48,), k)}, size=SIDE) for k in range(4)]
    for second in range(4):
        for first in range(second):
            apart = (seen[first].int() - seen[second].int()).abs().flatten(1).amax(1)
            assert apart.min() > VISIBLE, (first, second)


def test_what_captions_never_name_can_be_seen_too():
    base = scenes(48)
    moved = {}
    for name in SPECIFIC:
        seen = [
            concepts.render({**base, name: torch.full((48,), at)}, size=SIDE) for at in (0.2, 0.8)
        ]
        moved[name] = (seen[0].int() - seen[1].int()).abs().flatten(1).amax(1) > 0
    assert moved["across"].all() and moved["down"].all()
    # a disc looks alike from all sides, and only rain and snow drift
    assert moved["turn"][base["shape"] >= 2].all()
    assert torch.equal(moved["drift"], base["weather"] >= 2)


def test_linear_readers_tell_most_groups_from_pixels():
    """Ridge regression of pixels; a shape that is anywhere and of any size is not linear."""
    train, test = scenes(1600, seed=1), scenes(400, seed=2)
    x, x_test = (
        functional.pad(concepts.render(part, size=SIDE).double().flatten(1) / 255, (0, 1), value=1)
        for part in (train, test)
    )
    names = [name for name in NAMES if name != "shape"]
    y = torch.cat([functional.one_hot(train[name], 4).double() for name in names], 1)
    weights = torch.linalg.solve(x.mT @ x + 30 * torch.eye(x.shape[1]), x.mT @ y)
    guesses = (x_test @ weights).view(len(x_test), -1, 4).argmax(2)
    right = {name: (guesses[:, i] == test[name]).double().mean() for i, name in enumerate(names)}
    for name, share in right.items():
        assert share > 0.38, (name, share)  # chance is 0.25
    for name in ("count", "pattern", "weather", "background", "light"):
        assert right[name] > 0.7, (name, right[name])


# ---- and is what its name says


def test_things_are_left_right_at_the_top_and_at_the_bottom():
    places = [middle_of(thing(position=position)) for position in range(4)]
    for place, at in zip(places, ((-0.4, 0.1), (0.4, 0.1), (0.0, -0.3), (0.0, 0.5)), strict=True):
        assert place == pytest.approx(at, abs=0.03)


def test_things_off_their_place_are_off_as_far_as_it_says():
    x, y = middle_of(thing(across=1.0, down=0.0))
    assert (x, y) == pytest.approx((-0.4 + 0.1, 0.1 - 0.1), abs=0.03)


def test_things_grow_with_their_size():
    areas = [thing(size=size, position=2).sum().item() for size in range(4)]
    for small, large in zip(areas, areas[1:], strict=False):
        assert large > 1.5 * small


@pytest.mark.parametrize(("shape", "name"), list(enumerate(SHAPES)))
def test_things_have_the_outline_of_their_shape(shape, name):
    # a dark rim takes 0.1 of the radius all round
    mask = thing(shape=shape, size=3, position=2)
    height, width = (int(mask.any(side).sum()) for side in (1, 0))
    hole = not mask[22, 32]  # the middle of the thing: (0, -0.3)
    wide, narrow = (radius - flat.EDGE for radius in (1.15, 0.42))
    round_ = 1 - flat.EDGE
    across, down = {"plank": (wide, narrow), "pillar": (narrow, wide)}.get(name, (round_, round_))
    scale = concepts.RADII[3] * 64
    assert (width, height) == pytest.approx((scale * across, scale * down), abs=3)
    assert hole == (name == "ring")


def test_colors_paint_the_thing_and_nothing_else():
    red, green, blue, yellow = (drawn(64, color=color)[:, 35, 19] for color in range(4))
    assert [c.argmax().item() for c in (red, green, blue)] == [0, 1, 2]
    assert yellow[:2].min() > 3 * yellow[2]
    beyond = functional.max_pool2d(thing()[None].float(), 5, stride=1, padding=2)[0] == 0
    assert torch.equal(drawn(64, color=0)[:, beyond], drawn(64, color=2)[:, beyond])


@pytest.mark.parametrize("count", range(4))
def test_lanterns_are_as_many_as_the_count(count):
    x, y = concepts.ROW
    rows, columns = (round((1 + y) * 32 - 0.5), [round((1 + at) * 32 - 0.5) for at in x])
    lit = drawn(64, count=count)[:, rows, columns].amin(0) == 1
    assert lit.tolist() == [number <= count for number in range(4)]


def test_lights_differ_in_color_and_reach():
    sun, moon, candle, flood = (drawn(64, light=light) for light in range(4))
    corner, near = (slice(None), 62, 1), (slice(None), 40, 40)
    ground = torch.tensor(concepts.BACKDROPS[0])
    tints = [(picture[corner] / ground) for picture in (sun, moon, candle, flood)]
    assert tints[0][2] < tints[0][0]  # warm
    assert tints[1][2] > tints[1][0] and tints[1].max() < 0.8  # blue and dim
    assert_close(tints[3], torch.full((3,), 1.12))
    assert candle[corner].mean() < 0.5 * candle[near].mean()
    assert_close(flood[corner], flood[near])


def test_backdrops_and_patterns_cover_the_ground():
    for kind, paint in enumerate(concepts.BACKDROPS):
        lit = torch.tensor(paint) * 1.12
        assert_close(drawn(background=kind)[:, -1, -1], lit)
    for pattern, share in enumerate((0, 0.5, 0.2, 0.5)):
        ground = drawn(64, pattern=pattern, size=0)[:, 40:, 40:].mean((1, 2))
        darker = 1 - ground / (torch.tensor(concepts.BACKDROPS[0]) * 1.12)
        assert_close(darker, torch.full((3,), 0.3 * share), atol=0.06, rtol=0)


# ---- pixels


def test_pictures_are_of_their_own_row_alone(monkeypatch):
    factors = scenes(concepts.AT_ONCE + 6)
    together = concepts.render(factors, size=SIDE)
    assert together.dtype == torch.uint8
    assert together.shape == (len(factors["color"]), 3, SIDE, SIDE)
    alone = [
        concepts.render({k: v[i : i + 1] for k, v in factors.items()}, size=SIDE)
        for i in range(len(together))
    ]
    assert torch.equal(together, torch.cat(alone))
    order = torch.randperm(len(together), generator=generator_for(0, "order"))
    shuffled = concepts.render({k: v[order] for k, v in factors.items()}, size=SIDE)
    assert torch.equal(shuffled, together[order])
    monkeypatch.setattr(concepts, "AT_ONCE", 3)
    assert torch.equal(concepts.render(factors, size=SIDE), together)


def test_columns_of_one_are_flattened():
    factors = scenes(3)
    columns = {name: values[:, None] for name, values in factors.items()}
    assert torch.equal(concepts.render(columns, size=8), concepts.render(factors, size=8))


def test_bytes_are_the_rounded_numbers():
    factors = scenes(20)
    picture = concepts.picture(factors, size=SIDE)
    assert picture.is_floating_point() and picture.shape == (20, 3, SIDE, SIDE)
    assert (picture >= 0).all() and (picture <= 1).all()
    assert torch.equal((picture * 255).round().byte(), concepts.render(factors, size=SIDE))


def test_no_scene_gives_no_picture():
    assert concepts.render(scenes(0), size=8).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("draw", [concepts.picture, concepts.render])
def test_bad_scenes_are_named(draw, complains):
    good = scenes(3)
    with complains("weather", "integers from 0 to 3", "4"):
        draw({**good, "weather": torch.tensor([0, 1, 4])}, size=8)
    with complains("size", "integers", "float32"):
        draw({**good, "size": torch.zeros(3)}, size=8)
    with complains("drift", "numbers from 0 to 1", "1.5"):
        draw({**good, "drift": torch.tensor([0.0, 1.5, 1.0])}, size=8)
    with complains("turn", "floating numbers", "int64"):
        draw({**good, "turn": torch.tensor([0, 1, 1])}, size=8)
    with complains("material", "shape (3,) or (3, 1)", "(2,)"):
        draw({**good, "material": good["material"][:2]}, size=8)
    with complains("factors", "color, shape", "none of count"):
        draw({name: values for name, values in good.items() if name != "count"}, size=8)
    with complains("size", "a whole number of at least 1", "0"):
        draw(good, size=0)
