"""Scenes by Blender: what is refused without it, triangles, and pictures like the library's."""

import re
import subprocess
import sys
from importlib import util

import pytest
import torch
from click.testing import CliRunner

from misalign.cli import main
from misalign.rendering import causal3dident
from misalign.rendering.blender import blender, polygons
from misalign.rendering.shapes import Primitive
from misalign.worlds.causal3dident import latents
from misalign.worlds.export import export

needs_bpy = pytest.mark.skipif(util.find_spec("bpy") is None, reason="bpy is not installed")
needs_skimage = pytest.mark.skipif(util.find_spec("skimage") is None, reason="no scikit-image")


@pytest.mark.parametrize(("package", "named"), [("bpy", "bpy"), ("skimage", "scikit-image")])
def test_what_is_missing_is_named_before_anything_is_written(monkeypatch, tmp_path, package, named):
    # as if the other one were there
    for module in (blender, polygons):
        monkeypatch.setattr(module, "find_spec", lambda name: name != package)
    out = tmp_path / "out"
    words = ["render", "causal3dident", "--n", "2", "--out", str(out), "--renderer", "blender"]
    outcome = CliRunner().invoke(main, words)
    assert outcome.exit_code == 1 and not out.exists()
    (said,) = outcome.output.strip().splitlines()
    assert said.startswith(f"Error: renderer: expected the package {named} ")
    # numpy stays as it is: bpy asks for an older one, and does without
    assert re.search(rf"pip install (--no-deps )?{named}", said)
    with pytest.raises(ModuleNotFoundError, match=named):
        blender.render(latents(1, 0), size=4)


def test_blender_refuses_another_device(tmp_path):
    words = ["--renderer", "blender", "--device", "meta", "--out", str(tmp_path / "out")]
    outcome = CliRunner().invoke(main, ["render", "causal3dident", *words])
    assert outcome.exit_code == 2 and "it uses the CPU" in outcome.output
    assert not list(tmp_path.iterdir())


def test_an_unknown_renderer_is_refused(tmp_path):
    with pytest.raises(ValueError, match="renderer: expected torch or blender, got 'povray'"):
        export(tmp_path / "out", 1, renderer="povray")
    assert not list(tmp_path.iterdir())


def test_a_folder_goes_on_with_its_own_renderer(monkeypatch, tmp_path):
    def render(factors, *, size):
        return torch.zeros(len(factors["shape"]), 3, size, size, dtype=torch.uint8)

    monkeypatch.setattr(blender, "expect_installed", lambda: None)
    for module in (blender, causal3dident):
        monkeypatch.setattr(module, "render", render)
    for first, then in (("blender", "torch"), ("torch", "blender")):
        export(tmp_path / first, 2, size=4, renderer=first)
        export(tmp_path / first, 2, size=4, renderer=first)
        with pytest.raises(ValueError, match="expected an empty folder or one made of"):
            export(tmp_path / first, 2, size=4, renderer=then)


SAYS = """
import ctypes, sys
import misalign.rendering.blender.stage
from misalign.rendering.blender.blender import silent

assert "bpy" not in sys.modules
libc = ctypes.CDLL(None)
libc.puts(b"c before")
with silent():
    print("python")
    print("error", file=sys.stderr)
    libc.puts(b"c")
print("python after")
libc.puts(b"c after")
"""


def test_importing_loads_no_bpy_and_silence_covers_python_and_c_and_ends():
    # a pipe, which both keep their lines back for
    done = subprocess.run([sys.executable, "-c", SAYS], capture_output=True, text=True, check=True)
    assert sorted(done.stdout.splitlines()) == ["c after", "c before", "python after"]
    assert not done.stderr


@needs_skimage
def test_a_spheres_triangles_lie_on_it_and_face_outward():
    centre, radius = torch.tensor([0.2, -0.1, 0.4]), 0.7
    sphere = [Primitive("ellipsoid", ((*centre.tolist(), radius, radius, radius),))]
    half = torch.tensor([1.0, 1.1, 0.9])
    vertices, faces = polygons.zero_level(sphere, centre + 0.05, half, side=24)
    vertices = torch.from_numpy(vertices) - centre
    cell = 2 * half.max() / 23
    assert ((vertices.norm(dim=1) - radius).abs() < cell / 2).all()
    a, b, c = vertices[torch.from_numpy(faces).long()].unbind(1)
    # the divergence theorem: a wrong orientation would make it negative
    volume = (a * torch.linalg.cross(b, c)).sum() / 6
    assert volume == pytest.approx(4 / 3 * torch.pi * radius**3, rel=0.02)


@needs_skimage
def test_triangles_are_where_rays_meet_the_shape():
    from misalign.rendering.atlas import bake
    from misalign.rendering.surface import interpolated

    vertices, _ = polygons.polygons("teapot")
    grid = bake("teapot")
    at = torch.from_numpy(vertices).float().T / grid.half[:, None]
    level, _ = interpolated(grid.values.reshape(-1, 1), torch.zeros(at.shape[1]).long(), at)
    # the grid is coarse where the lid meets the rim
    assert level.abs().mean() < grid.spacing.min() / 10
    assert level.abs().max() < grid.spacing.max()


@pytest.fixture(scope="module")
def pair():
    """One scene by either renderer, with the object's hue far from the ground's."""
    numbers = {"s_pos": 0.3, "color": 0.0, "s_color": 0.55, "b_color": 0.55}
    numbers |= {"alpha": 0.7, "beta": 0.4, "gamma": 0.2}
    factors = {name: torch.tensor([value]) for name, value in numbers.items()}
    factors |= {name: torch.tensor([i]) for name, i in (("shape", 0), ("x_pos", 2), ("y_pos", 0))}
    return factors, causal3dident.render(factors, size=32)[0], blender.render(factors, size=32)[0]


def middle(picture):
    red, _, blue = picture.float()
    rows, columns = (red > blue).nonzero().float().unbind(1)
    return torch.stack([rows.mean(), columns.mean(), torch.tensor(float(len(rows))).sqrt()])


@needs_bpy
@needs_skimage
def test_blender_puts_the_object_where_the_library_does(pair):
    _, ours, theirs = pair
    assert theirs.shape == ours.shape and theirs.dtype == ours.dtype
    assert middle(ours)[2] > 5  # there is something to compare
    assert (middle(ours) - middle(theirs)).abs().max() < 1


@needs_bpy
@needs_skimage
def test_blender_lights_and_paints_the_ground_as_the_library_does(pair):
    _, ours, theirs = (picture if i == 0 else picture.float() for i, picture in enumerate(pair))
    ground = torch.ones(32, 32, dtype=torch.bool)
    for picture in (ours, theirs):
        ground &= picture[0] < picture[2]
    gap = (ours - theirs).abs()[:, ground]
    assert gap.median() < 4 and gap.mean() < 8


@needs_bpy
@needs_skimage
def test_blender_gives_the_same_bytes_whatever_the_batch(pair, capfd):
    factors, _, alone = pair
    other = {name: column.new_tensor([0]) for name, column in factors.items()}
    both = {name: torch.cat([other[name], factors[name]]) for name in factors}
    assert torch.equal(blender.render(both, size=32)[1], alone)
    assert capfd.readouterr() == ("", "")
