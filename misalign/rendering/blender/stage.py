"""Scenes set up in Blender; needs the extra `blender`, but imports bpy only to set a stage."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from misalign.rendering.scene import GLOSS, Scene
from misalign.rendering.vectors import cross, unit

if TYPE_CHECKING:
    from bpy.types import BlendData, Light, Material, Mesh, NodeSocket, Object, World
    from bpy.types import Scene as BlenderScene
    from mathutils import Matrix

# by a shape's number: vertices, and which three make a triangle
Triangles = Mapping[int, tuple[np.ndarray, np.ndarray]]
BOUNCES = 2  # of light from surface to surface
GROUND = 60.0  # half of the ground's side
LAMP = 0.06  # radius of the spotlight's bulb: how soft shadows are
# The exponent 32 of the highlight's cosine is Beckmann's width^2 = 2 / (32 + 2), and Cycles'
# roughness is the root of the width.
ROUGHNESS = (2 / 34) ** 0.25
# A facet's density is 1 / (pi width^2) where it is highest, of which a quarter comes back.
SHEEN = GLOSS * 4 * (2 / 34)
# Watts of a bulb that lights a white surface, at distance 1 and straight on, to white.
WATTS = 4 * math.pi**2


class Stage(NamedTuple):
    """What Blender keeps of scenes that differ in their factors alone."""

    scene: Scene  # the n scenes
    blender: BlenderScene  # what Blender renders
    body: Object
    lamp: Object
    meshes: dict[int, Mesh]  # by a shape's number
    paints: tuple[NodeSocket, ...]  # where the colours of body, ground and lamp go

    def shoot(self, i: int, file: Path) -> None:
        """Render scene number i to a file of suffix .png."""
        import bpy

        bodies, light = self.scene.bodies, self.scene.light
        self.body.data = self.meshes[int(bodies.shape[i, 0])]
        turn = bodies.rotation[:, :, i, 0] * bodies.scale[i, 0]
        self.body.matrix_world = _matrix(turn, bodies.position[:, i, 0])
        self.lamp.matrix_world = _looking(light.position[:, i], light.target[:, i])
        colours = bodies.colour[:, i, 0], self.scene.backdrop.ground[:, i], light.colour[:, i]
        for paint, colour in zip(self.paints, colours, strict=True):
            paint.default_value = (*colour.tolist(), 1.0)
        self.blender.render.filepath = str(file)
        bpy.ops.render.render(write_still=True, scene=self.blender.name)


@contextmanager
def stage(scene: Scene, meshes: Triangles, size: int, samples: int) -> Iterator[Stage]:
    """Set a stage of one camera and a body a scene beside what Blender holds, and clear it away."""
    from bpy import data

    kinds = ("objects", "meshes", "materials", "lights", "cameras", "worlds", "images", "scenes")
    before = {kind: set(getattr(data, kind)) for kind in kinds}
    try:
        yield _set(data, scene, meshes, size, samples)
    finally:
        after = [thing for kind in kinds for thing in set(getattr(data, kind)) - before[kind]]
        data.batch_remove(after)


def _set(data: BlendData, scene: Scene, meshes: Triangles, size: int, samples: int) -> Stage:
    blender = data.scenes.new("misalign")
    _adjust(blender, size, samples)
    blender.world = _sky(data, *scene.light.ambient)
    body_material, body_paint = _material(data, SHEEN)
    ground_material, ground_paint = _material(data, 0.0)
    bulb, bulb_paint = _bulb(data, scene)
    shapes = {i: _mesh(data, *mesh, body_material) for i, mesh in meshes.items()}
    corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32) * GROUND
    ground = _mesh(data, corners, np.array([[0, 1, 2, 3]]), ground_material)
    camera = data.cameras.new("misalign")
    camera.angle = 2 * math.atan(scene.camera.view)
    things = {"body": next(iter(shapes.values())), "ground": ground, "lamp": bulb, "eye": camera}
    placed = {name: data.objects.new(name, thing) for name, thing in things.items()}
    for thing in placed.values():
        blender.collection.objects.link(thing)
    blender.camera = placed["eye"]
    placed["eye"].matrix_world = _looking(scene.camera.eye[:, 0], scene.camera.target[:, 0])
    paints = body_paint, ground_paint, bulb_paint
    return Stage(scene, blender, placed["body"], placed["lamp"], shapes, paints)


def _adjust(blender: BlenderScene, size: int, samples: int) -> None:
    blender.render.engine = "CYCLES"
    blender.render.resolution_x = blender.render.resolution_y = size
    blender.render.use_persistent_data = True
    blender.render.dither_intensity = 0
    blender.render.image_settings.file_format = "PNG"
    blender.render.image_settings.color_mode = "RGB"
    # numbers go to bytes as they are, like those of the other renderer
    blender.view_settings.view_transform = "Raw"
    cycles = blender.cycles
    cycles.device = "CPU"
    cycles.seed = 0
    cycles.samples = samples
    cycles.use_adaptive_sampling = False
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.pixel_filter_type = "BOX"
    cycles.max_bounces = BOUNCES


def _sky(data: BlendData, base: float, top: float) -> World:
    """Light from all sides of which a surface of normal n gets base + top * n_z, if unhidden."""
    world = data.worlds.new("misalign")
    nodes, links = world.node_tree.nodes, world.node_tree.links
    toward = nodes.new("ShaderNodeTexCoord")
    parts = nodes.new("ShaderNodeSeparateXYZ")
    level = nodes.new("ShaderNodeMath")
    level.operation = "MULTIPLY_ADD"
    links.new(toward.outputs["Generated"], parts.inputs[0])
    links.new(parts.outputs["Z"], level.inputs[0])
    # the mean of d_z over a hemisphere, weighted by the cosine, is 2 / 3 of n_z
    level.inputs[1].default_value = 1.5 * top
    level.inputs[2].default_value = base
    sky = nodes["Background"]
    sky.inputs["Color"].default_value = (1, 1, 1, 1)
    links.new(level.outputs[0], sky.inputs["Strength"])
    return world


def _material(data: BlendData, sheen: float) -> tuple[Material, NodeSocket]:
    """A matt material, under a highlight if `sheen` is not 0, and where its colour goes."""
    material = data.materials.new("misalign")
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.remove(nodes["Principled BSDF"])
    matt = nodes.new("ShaderNodeBsdfDiffuse")
    surface = nodes["Material Output"].inputs["Surface"]
    links.new(matt.outputs[0], surface)
    if sheen:
        gloss, both = nodes.new("ShaderNodeBsdfGlossy"), nodes.new("ShaderNodeAddShader")
        gloss.distribution = "BECKMANN"
        gloss.inputs["Color"].default_value = (sheen, sheen, sheen, 1)
        gloss.inputs["Roughness"].default_value = ROUGHNESS
        links.new(matt.outputs[0], both.inputs[0])
        links.new(gloss.outputs[0], both.inputs[1])
        links.new(both.outputs[0], surface)
    return material, matt.inputs["Color"]


def _bulb(data: BlendData, scene: Scene) -> tuple[Light, NodeSocket]:
    """A spotlight as strong at all distances, and where its colour goes."""
    full, none = scene.light.full, scene.light.none
    bulb = data.lights.new("misalign", "SPOT")
    bulb.energy, bulb.shadow_soft_size = WATTS, LAMP
    bulb.spot_size, bulb.spot_blend = 2 * math.acos(none), (full - none) / (1 - none)
    bulb.use_nodes = True
    nodes, links = bulb.node_tree.nodes, bulb.node_tree.links
    falloff, emission = nodes.new("ShaderNodeLightFalloff"), nodes["Emission"]
    falloff.inputs["Strength"].default_value = 1.0
    links.new(falloff.outputs["Constant"], emission.inputs["Strength"])
    return bulb, emission.inputs["Color"]


def _mesh(data: BlendData, vertices: np.ndarray, faces: np.ndarray, paint: Material) -> Mesh:
    mesh = data.meshes.new("misalign")
    mesh.from_pydata(vertices, [], faces)
    mesh.shade_smooth()
    mesh.materials.append(paint)
    return mesh


def _looking(position: Tensor, target: Tensor) -> Matrix:
    # cameras and lamps look along -z, with y up
    back = unit(position - target)
    right = unit(cross(position.new_tensor([0.0, 0.0, 1.0]), back))
    return _matrix(torch.stack([right, cross(back, right), back], 1), position)


def _matrix(turn: Tensor, position: Tensor) -> Matrix:
    from mathutils import Matrix  # comes with bpy; nested lists would be taken for columns

    rows = torch.cat([turn, position[:, None]], 1).tolist()
    return Matrix([*rows, [0.0, 0.0, 0.0, 1.0]])
