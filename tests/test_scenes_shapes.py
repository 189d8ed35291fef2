"""Baked distances against closed forms, rays against spheres, derivatives against differences."""

import math

import pytest
import torch
from torch.testing import assert_close

from misalign.rendering import atlas, causal3dident, grids, mpi3d, vectors
from misalign.rendering.hues import rgb
from misalign.rendering.invertibility import (
    jacobian,
    nearest_pair,
    secants,
    smallest_singular_value,
)
from misalign.rendering.shapes import SHAPES, Primitive, field
from misalign.rendering.surface import interpolated
from misalign.rendering.trace import Bodies, cast
from misalign.rng import generator_for

CONTINUOUS = [column.name for column in causal3dident.COLUMNS if column.values is None]


def varied(n, seed=0):
    """Scenes of Causal3DIdent in float64, away from the ends of the angles."""
    generator = generator_for(seed, "varied")
    return {
        column.name: torch.randint(column.values, (n,), generator=generator)
        if column.values
        else torch.rand(n, generator=generator, dtype=torch.float64) * 0.8 + 0.1
        for column in causal3dident.COLUMNS
    }


# ---- shapes


def test_table_has_the_shapes_of_both_worlds():
    assert {*causal3dident.SHAPES, *mpi3d.SHAPES, *mpi3d.ROBOT} == set(SHAPES)


def test_capsule_and_sphere_have_their_distances():
    points = torch.tensor([[0.0, 0, 2], [3, 0, 0], [0, 0.5, 0]])
    capsule = Primitive("chain", ((-1.0, 0, 0, 0.5), (1.0, 0, 0, 0.5)))
    sphere = Primitive("ellipsoid", ((0.0, 0, 0, 1, 1, 1),))
    assert_close(capsule.distance(points), torch.tensor([1.5, 1.5, 0.0]))
    assert_close(sphere.distance(points), torch.tensor([1.0, 2.0, -0.5]))


def test_cut_takes_away_mirror_doubles_and_blend_only_adds():
    ball = Primitive("ellipsoid", ((0.0, 0, 0, 1, 1, 1),))
    hole = Primitive("ellipsoid", ((0.0, 0, 0, 0.5, 0.5, 0.5),), cut=True)
    inside = torch.tensor([[0.0, 0, 0], [0.7, 0, 0]])
    assert (field((ball, hole), inside) > 0).tolist() == [True, False]
    ears = Primitive("chain", ((0.0, 2, 0, 0.3),), mirror=True)
    sides = torch.tensor([[0.0, 2, 0], [0, -2, 0], [0, 1.5, 0]])
    assert (field((ball, ears), sides) < 0).tolist() == [True, True, False]
    points = torch.randn(200, 3, generator=generator_for(0, "points"))
    blended = Primitive("chain", ((1.0, 0, 0, 0.5),), blend=0.3)
    plain = Primitive("chain", ((1.0, 0, 0, 0.5),))
    gain = field((ball, plain), points) - field((ball, blended), points)
    assert (gain >= 0).all() and gain.max() > 0.01 and gain.max() <= 0.3 / 4 + 1e-6


def test_table_with_a_wrong_part_is_named(complains):
    with complains("cat", "parts with one of ellipsoid or chain", "cube"):
        Primitive.of("cat", {"cube": [1]})
    with complains("cat", "4 numbers a row of chain", "[[1, 2, 3]]"):
        Primitive.of("cat", {"chain": [[1, 2, 3]]})


# ---- grids


def test_baked_capsule_is_its_distance():
    grid = grids.from_primitives((Primitive("chain", ((-1.0, 0, 0, 0.5), (1.0, 0, 0, 0.5))),))
    points = grids.points_of(grid.centre, grid.half)
    true = Primitive("chain", ((-1.0, 0, 0, 0.5), (1.0, 0, 0, 0.5))).distance(points)
    assert (grid.values - true).abs().max() < 0.5 * grid.spacing.max()
    near = true.abs() < grid.spacing.max()
    assert (grid.values - true)[near].abs().max() < 0.2 * grid.spacing.max()


@pytest.mark.parametrize("name", ["cow", "coffee-cup"])
def test_baked_shapes_never_promise_more_than_the_distance(name):
    # sphere tracing would pass through a surface that is nearer than the grid says; edges may be
    # off by a cell
    grid = atlas.bake(name)
    points = grids.points_of(grid.centre, grid.half)
    crossings = []
    for axis in range(3):
        n = grids.SIDE - 1
        before, after = (grid.values.narrow(axis, start, n) for start in (0, 1))
        part = (before / (before - after))[..., None]
        start, end = (points.narrow(axis, first, n) for first in (0, 1))
        crossings.append((start + part * (end - start))[before * after < 0])
    some = torch.randperm(grids.SIDE**3, generator=generator_for(0, "points"))[:1500]
    true = torch.cdist(points.reshape(-1, 3)[some], torch.cat(crossings)).amin(1)
    assert (grid.values.abs().flatten()[some] - true).max() < grid.spacing.max()
    assert (grid.values[0] > 0).all() and (grid.values[-1] > 0).all()
    assert grid.reach == 1


def test_interpolation_is_grid_samples_and_its_slopes():
    packed = atlas.Atlas.of([atlas.bake("cow"), atlas.bake("horse")]).to(torch.float64)
    box = torch.rand(3, 50, generator=generator_for(0, "box"), dtype=torch.float64) * 1.9 - 0.95
    shape = torch.arange(50) % 2
    values, slopes = interpolated(packed.volume.view(-1, 1), shape, box.requires_grad_())
    for s in range(2):
        one = packed.volume[:, :, s * grids.SIDE : (s + 1) * grids.SIDE]
        at = box.T.flip(1)[None, None, None]
        expected = torch.nn.functional.grid_sample(one, at, align_corners=True).flatten()
        assert_close(values[shape == s, 0], expected[shape == s])
    (gradient,) = torch.autograd.grad(values.sum(), box)
    assert_close(slopes[..., 0], gradient)


def test_unknown_shapes_are_named(complains):
    with complains("shape", "a mesh's path", "'cat'"):
        atlas.bake("cat")


# ---- meshes


@pytest.fixture(scope="module")
def ball(tmp_path_factory):
    import trimesh

    mesh = trimesh.creation.icosphere(subdivisions=3, radius=3.0)
    mesh.apply_translation([1, 2, 3])
    folder = tmp_path_factory.mktemp("meshes")
    for suffix in ("ply", "obj", "stl"):
        mesh.export(folder / f"ball.{suffix}")
    mesh.update_faces([*range(len(mesh.faces) - 1)])
    mesh.export(folder / "open.ply")
    return folder


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl"])
def test_mesh_bakes_its_signed_distance(ball, suffix):
    grid = atlas.bake(ball / f"ball.{suffix}", fit=False)
    points = grids.points_of(grid.centre, grid.half)
    outward = points - torch.tensor([1.0, 2, 3])
    error = grid.values - (outward.norm(dim=-1) - 3)
    assert error.abs().max() < 2 * grid.spacing.max()
    near = error.abs() + grid.values.abs() < grid.spacing.max()
    facing = (grid.normals * torch.nn.functional.normalize(outward, dim=-1)).sum(-1)
    assert facing[near].min() > 0.97


def test_mesh_takes_a_shapes_place(ball):
    shapes = (str(ball / "ball.ply"), *causal3dident.SHAPES[1:])
    factors = {k: v[:1] for k, v in varied(1).items()}
    factors["shape"] = torch.tensor([0])
    drawn = causal3dident.render(factors, size=32, shapes=shapes)
    assert not torch.equal(drawn, causal3dident.render(factors, size=32))
    turned = {**factors, "alpha": torch.tensor([0.9], dtype=torch.float64)}
    # a ball looks alike from all sides, up to its facets
    other = causal3dident.render(turned, size=32, shapes=shapes)
    assert (drawn.int() - other.int()).abs().double().mean() < 2


def test_bad_meshes_are_named(ball, complains, monkeypatch):
    with complains("shape", "a watertight mesh", "open.ply"):
        atlas.bake(ball / "open.ply")
    with complains("shape", ".ply, .obj, .stl", "ball.gltf"):
        atlas.bake(ball / "ball.gltf")
    with complains("shape", "a file that is there", "none.ply"):
        atlas.bake(ball / "none.ply")
    from misalign.rendering import meshes

    monkeypatch.setattr(meshes, "find_spec", lambda name: None)
    with complains("shape", "pip install 'misalign[meshes]'", "ball.ply", ModuleNotFoundError):
        meshes.from_mesh(ball / "ball.ply")


# ---- rays


def test_rays_meet_spheres_where_they_are():
    sphere = grids.from_primitives((Primitive("ellipsoid", ((0.0, 0, 0, 1, 1, 1),)),))
    packed = atlas.Atlas.of([sphere])
    position = torch.tensor([[0.0, 1.5], [5, 6], [0, 0]])[:, None]  # two bodies of one scene
    bodies = Bodies(
        shape=torch.zeros(1, 2, dtype=torch.long),
        rotation=torch.eye(3)[:, :, None, None].expand(3, 3, 1, 2),
        position=position,
        scale=torch.tensor([[1.0, 2.0]]),
        colour=torch.zeros(3, 1, 2),
    )
    aim = torch.randn(3, 1, 500, generator=generator_for(0, "rays")) * 0.25
    aim[1] = 1.0
    direction = vectors.unit(aim)
    hits = cast(packed, bodies, torch.zeros(3, 1, 1), direction)
    for k, radius in ((0, 1.0), (1, 2.0)):
        along = vectors.dot(position[:, 0, k, None], direction[:, 0])
        inside = radius**2 - (position[:, 0, k].square().sum() - along**2)
        clear = inside.abs() > 0.05
        met = torch.zeros(500, dtype=torch.bool)
        met[hits.ray[hits.pair == k]] = True
        assert torch.equal(met[clear], (inside > 0)[clear])
        true = (along - inside.clamp(min=0).sqrt())[hits.ray[hits.pair == k]]
        assert (hits.distance[hits.pair == k] - true).median() < 0.01


def test_box_test_leaves_empty_rays_alone(monkeypatch):
    looked = []
    from misalign.rendering import trace

    lookup = trace._lookup
    monkeypatch.setattr(trace, "_lookup", lambda v, p: looked.append(len(p)) or lookup(v, p))
    factors = {k: v[:4] for k, v in varied(4).items()}
    causal3dident.render(factors, size=64)
    # all rays, camera's and shadows', through a volume of 64 cells would be over a million
    assert sum(looked) < 4 * 64 * 64 * 6


def test_rotations_turn_and_compose():
    angle = torch.tensor([math.pi / 2])
    x, z = torch.tensor([[1.0], [0], [0]]), torch.tensor([[0.0], [0], [1]])
    assert_close(vectors.rotate(vectors.about(2, angle), x), torch.tensor([[0.0], [1], [0]]))
    both = vectors.composed(vectors.about(2, angle), vectors.about(0, angle))
    assert_close(vectors.rotate(both, x), z)


def test_hues_are_pythons():
    import colorsys

    hue = torch.linspace(-0.5, 1, 31, dtype=torch.float64)
    expected = [colorsys.hsv_to_rgb(h % 1, 0.6, 0.8) for h in hue.tolist()]
    assert_close(rgb(hue, 0.6, 0.8), torch.tensor(expected, dtype=torch.float64))


# ---- derivatives and injectivity


def picture(factors):
    return causal3dident.picture(factors, size=32)


@pytest.fixture(scope="module")
def slopes():
    factors = varied(7)
    factors["shape"] = torch.arange(7)
    return factors, jacobian(picture, factors, CONTINUOUS)


def test_derivatives_are_central_differences(slopes):
    factors, by_name = slopes
    angles = ("alpha", "beta", "gamma")
    for i, name in enumerate(CONTINUOUS):
        ends = [picture({**factors, name: factors[name] + h}) for h in (1e-6, -1e-6)]
        expected = (ends[0] - ends[1]).flatten(1) / 2e-6
        moving = (expected != 0) | (by_name[..., i] != 0)
        error = (expected - by_name[..., i]).abs() / (1 + by_name[..., i].abs())
        assert error[~moving].max() == 0
        # silhouettes and edges of shadows move as well, and are few
        clear = 0.9 if name in angles else 0.995
        assert error[moving].quantile(0.5) < 1e-4, name
        assert error[moving].quantile(clear - 0.1 * (name in angles)) < 1e-2, name


def test_forward_and_reverse_derivatives_agree(slopes):
    factors, by_name = slopes
    leaves = {k: v.clone().requires_grad_(v.is_floating_point()) for k, v in factors.items()}
    drawn = picture(leaves)
    weight = torch.rand(drawn.shape, generator=generator_for(0, "weight"), dtype=torch.float64)
    backward = torch.autograd.grad((drawn * weight).sum(), [leaves[name] for name in CONTINUOUS])
    forward = (by_name * weight.flatten(1)[..., None]).sum(1)
    assert_close(forward, torch.stack(backward, -1))


def test_pictures_are_locally_injective(slopes):
    assert (smallest_singular_value(slopes[1]) > 1).all()


def test_wide_steps_tell_shapes_from_a_ball(slopes, tmp_path):
    trimesh = pytest.importorskip("trimesh", reason="pip install -e '.[meshes]'")
    path = tmp_path / "ball.ply"
    trimesh.creation.icosphere(4).export(path)

    def ball(factors):
        shapes = (path, *causal3dident.SHAPES[1:])
        return causal3dident.picture(factors, size=32, shapes=shapes)

    factors = slopes[0]
    ours = smallest_singular_value(secants(picture, factors, CONTINUOUS))
    round_ones = {**factors, "shape": torch.zeros_like(factors["shape"])}
    balls = smallest_singular_value(secants(ball, round_ones, CONTINUOUS))
    assert ours.min() > 2 * balls.max()


def test_secants_of_a_linear_map_are_its_matrix_and_stay_inside():
    matrix = torch.tensor([[3.0, 0], [0, 2], [0, 0]])
    factors = {"a": torch.tensor([0.0, 0.5, 0.9]), "b": torch.tensor([1.0, 0.2, 0.6])}

    def linear(values):
        assert all(((value >= 0) & (value <= 1)).all() for value in values.values())
        return torch.stack([values["a"], values["b"]], 1) @ matrix.T

    assert_close(secants(linear, factors, ["a", "b"], 0.5), matrix.expand(3, 3, 2))


def test_jacobian_and_singular_value_of_a_linear_map():
    matrix = torch.tensor([[3.0, 0], [0, 2], [0, 0]])
    factors = {"a": torch.rand(4), "b": torch.rand(4)}

    def linear(values):
        return torch.stack([values["a"], values["b"]], 1) @ matrix.T

    by_name = jacobian(linear, factors, ["a", "b"])
    assert_close(by_name, matrix.expand(4, 3, 2))
    assert_close(smallest_singular_value(by_name), torch.full((4,), 2.0, dtype=torch.float64))


def test_jacobian_asks_for_floating_factors(complains):
    with complains("names", "floating factors", "'shape'"):
        jacobian(picture, varied(1), ["shape"])


def test_nearest_pairs():
    far = torch.tensor([[0.0, 0], [0.3, 0.4], [1, 1]])
    least, which = nearest_pair(far)
    assert which.tolist() == [1, 0, 1]
    assert_close(least[0], torch.tensor(math.sqrt(0.125), dtype=torch.float64), rtol=1e-6, atol=0)
    same = torch.full((2, 3, 4, 4), 255, dtype=torch.uint8)
    assert nearest_pair(same)[0].tolist() == [0, 0]


@pytest.mark.parametrize("world", [mpi3d, causal3dident])
def test_no_two_pictures_are_alike(world):
    generator = generator_for(0, "pairs")
    factors = {
        c.name: torch.randint(c.values, (200,), generator=generator)
        if c.values
        else torch.rand(200, generator=generator)
        for c in world.COLUMNS
    }
    assert nearest_pair(world.render(factors, size=32))[0].min() > 0.01
