"""Pictures drawn by rule, with boxes and masks: material for pre-training, examples and tests. Nothing is a photograph."""

from honed.scenes.kinds import KEPT_BACK, PARTS, TRAINED
from honed.scenes.render import SceneObject, render_scene, render_single

__all__ = ["KEPT_BACK", "PARTS", "TRAINED", "SceneObject", "render_scene", "render_single"]
