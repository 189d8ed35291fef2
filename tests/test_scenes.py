"""Pictures of the two image worlds: the same pixels in any batch, factors that can be seen."""

import pytest
import torch

from benchmarks.memory import peak_allocated
from misalign.rendering import causal3dident, mpi3d
from misalign.reporting.images import sheet
from misalign.rng import generator_for

WORLDS = {"mpi3d": mpi3d, "causal3dident": causal3dident}


def scenes(world, n=10, seed=0):
    """Uniform factors."""
    generator = generator_for(seed, "scenes")
    return {
        column.name: torch.randint(column.values, (n,), generator=generator)
        if column.values
        else torch.rand(n, generator=generator)
        for column in world.COLUMNS
    }


def one(world, **factors):
    """A single scene: everything in the middle but what is named."""
    middle = {
        column.name: torch.tensor([(column.values - 1) // 2])
        if column.values
        else torch.tensor([0.5])
        for column in world.COLUMNS
    }
    return {**middle, **{name: torch.tensor([value]) for name, value in factors.items()}}


def middle_of(changed):
    """Centre (x, y) of a mask's pixels, y downwards, in parts of the side."""
    rows, columns = changed.nonzero().double().mean(0) / len(changed)
    return float(columns), float(rows)


def difference(a, b):
    return (a.int() - b.int()).abs().amax(1)[0]


@pytest.mark.parametrize("name", WORLDS)
def test_pixels_do_not_depend_on_the_batch(name):
    world = WORLDS[name]
    factors = scenes(world)
    together = world.render(factors, size=40)
    assert together.dtype == torch.uint8
    assert together.shape == (10, 3, 40, 40)
    alone = [
        world.render({k: v[i : i + 1] for k, v in factors.items()}, size=40) for i in range(10)
    ]
    assert torch.equal(together, torch.cat(alone))
    assert torch.equal(together, world.render({k: v[:, None] for k, v in factors.items()}, size=40))


@pytest.mark.parametrize("name", WORLDS)
def test_render_is_the_rounded_picture(name):
    world = WORLDS[name]
    factors = scenes(world, 3)
    picture = world.picture(factors, size=24)
    assert (picture >= 0).all() and (picture <= 1).all()
    assert torch.equal((picture * 255).round().byte(), world.render(factors, size=24))


@pytest.mark.parametrize("name", WORLDS)
def test_memory_is_bounded_by_the_chunk(name, monkeypatch):
    world = WORLDS[name]
    monkeypatch.setattr(world, "ROWS", 2)

    few = scenes(world, 2)
    world.render(few, size=16)  # what is loaded or baked on first use

    def peak(n):
        factors = {k: v.repeat(n // 2) for k, v in few.items()}
        return peak_allocated(lambda: world.render(factors, size=16))

    # the pictures themselves, once in parts and once joined, and the columns
    assert peak(12) - peak(2) < 2.5 * 12 * 3 * 16 * 16


@pytest.mark.parametrize("name", WORLDS)
def test_supersampling_averages_finer_pixels(name):
    world = WORLDS[name]
    factors = scenes(world, 2)
    fine = world.picture(factors, size=32)
    coarse = world.picture(factors, size=16, supersample=2)
    torch.testing.assert_close(coarse, torch.nn.functional.avg_pool2d(fine, 2))


@pytest.mark.parametrize("name", WORLDS)
def test_no_scene_gives_no_picture(name):
    world = WORLDS[name]
    assert world.render(scenes(world, 0), size=8).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("name", WORLDS)
def test_every_factor_can_be_seen(name):
    world = WORLDS[name]
    base = world.render(one(world), size=32)
    for column in world.COLUMNS:
        values = range(column.values) if column.values else (0.2, 0.8)
        seen = [world.render(one(world, **{column.name: value}), size=32) for value in values]
        different = sum(not torch.equal(base, other) for other in seen)
        assert different >= len(seen) - 1, column.name


@pytest.mark.parametrize("name", WORLDS)
def test_bad_factors_are_named(name, complains):
    world = WORLDS[name]
    good = scenes(world, 3)
    shape = torch.tensor([0, 1, 99])
    with complains("shape", f"integers from 0 to {len(world.SHAPES) - 1}", "99"):
        world.render({**good, "shape": shape})
    with complains("shape", "integers", "float32"):
        world.render({**good, "shape": shape.float()})
    last = world.COLUMNS[-1].name
    with complains(last, "shape (3,) or (3, 1)", "(2,)"):
        world.render({**good, last: good[last][:2]})
    with complains("factors", "shape", "none of shape"):
        world.render({k: v for k, v in good.items() if k != "shape"})
    with complains("size", "a whole number of at least 1", "0"):
        world.render(good, size=0)
    with complains("shapes", f"{len(world.SHAPES)} names or paths", "1"):
        world.render(good, shapes=("teapot",))


def test_numbers_outside_the_unit_interval_are_named(complains):
    factors = scenes(causal3dident, 2)
    with complains("alpha", "numbers from 0 to 1", "1.5"):
        causal3dident.render({**factors, "alpha": torch.tensor([0.5, 1.5])})
    with complains("alpha", "numbers from 0 to 1", "nan"):
        causal3dident.render({**factors, "alpha": torch.tensor([0.5, torch.nan])})


# ---- MPI3D


def test_object_moves_with_the_arm_and_stays_in_view():
    def place(**factors):
        red, green = (mpi3d.render(one(mpi3d, color=color, **factors), size=64) for color in (3, 1))
        changed = difference(red, green) > 30
        border = torch.ones_like(changed)
        border[1:-1, 1:-1] = False
        assert changed.sum() > 30
        assert not (changed & border).any(), factors
        return middle_of(changed)

    for cam in range(3):
        x = [place(cam=cam, size=1, hori=hori)[0] for hori in (0, 13, 26, 39)]
        y = [place(cam=cam, size=1, vert=vert)[1] for vert in (0, 13, 26, 39)]
        assert all(right - left > 0.08 for left, right in zip(x, x[1:], strict=False))
        assert all(low - high > 0.05 for low, high in zip(y, y[1:], strict=False))


def test_back_colours_a_strip_and_size_the_number_of_pixels():
    purple, green = (mpi3d.render(one(mpi3d, back=back), size=64) for back in (0, 1))
    strip = difference(purple, green) > 20
    assert strip.any(1).sum() < 40 and strip.any(0).all()

    def pixels(size):
        red, green = (mpi3d.render(one(mpi3d, size=size, color=c), size=64) for c in (3, 1))
        return (difference(red, green) > 30).sum()

    assert pixels(1) > 1.6 * pixels(0)


# ---- Causal3DIdent


def test_positions_are_left_to_right_and_top_to_bottom():
    def place(**factors):
        a, b = (
            causal3dident.render(one(causal3dident, color=color, **factors), size=64)
            for color in (0.1, 0.6)
        )
        return middle_of(difference(a, b) > 20)

    for other in range(3):
        x = [place(x_pos=value, y_pos=other)[0] for value in range(3)]
        y = [place(y_pos=value, x_pos=other)[1] for value in range(3)]
        assert x[0] < 0.4 < x[1] < 0.6 < x[2]
        assert y[0] + 0.1 < y[1] < y[2] - 0.1


def test_light_goes_from_northwest_to_southeast():
    first, last = (
        causal3dident.picture(one(causal3dident, s_pos=value), size=64).mean(1)[0]
        for value in (0.0, 1.0)
    )
    x_first, y_first = middle_of(first > last + 0.05)
    x_last, y_last = middle_of(last > first + 0.05)
    assert x_first < 0.5 < x_last
    assert y_first < y_last


def test_ground_and_light_take_their_hue_or_the_authors():
    hue = torch.tensor([2 / 3])
    factors = {**one(causal3dident), "b_color": hue, "s_color": hue}
    blue = causal3dident.picture(factors, size=16)[0].mean((1, 2))
    assert blue.argmax() == 2
    # (2/3 - 1/2) / 2 = 1/12: orange
    orange = causal3dident.picture(factors, size=16, authors_hues=True)[0].mean((1, 2))
    assert orange.argmax() == 0 and orange.argmin() == 2


# ---- sheets


def test_sheet_lays_pictures_out_row_by_row():
    pictures = torch.arange(5, dtype=torch.uint8)[:, None, None, None].expand(5, 3, 4, 6)
    page = sheet(pictures, 3, gap=1)
    assert page.shape == (9, 20, 3)
    assert page[::5, ::7, 0].tolist() == [[0, 1, 2], [3, 4, 255]]
    assert (page[4] == 255).all() and (page[:, 6] == 255).all()
