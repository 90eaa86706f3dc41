"""Pictures drawn by rule, with boxes and masks: material for pre-training, examples and tests. Nothing is a photograph."""

from honed.scenes.conveyor import FAULTS, render_conveyor, render_part
from honed.scenes.kinds import KEPT_BACK, PARTS, TRAINED
from honed.scenes.render import SceneObject, render_scene, render_single
from honed.scenes.sets import write_conveyor_set, write_part_folders

__all__ = [
    "FAULTS", "KEPT_BACK", "PARTS", "TRAINED", "SceneObject", "render_conveyor", "render_part", "render_scene",
    "render_single", "write_conveyor_set", "write_part_folders",
]  # fmt: skip
