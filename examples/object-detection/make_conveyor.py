"""Draws the pictures of this example: machine parts on a conveyor, several kinds and sizes, touching, faulty, half out of sight.

    python examples/object-detection/make_conveyor.py FOLDER [pictures]

Writes the pictures with COCO annotations (boxes and outlines). Seeded; no photograph. Kinds and looks are ones that the
detector that comes with Honed never saw.
"""

from __future__ import annotations

import sys
from pathlib import Path

from honed.scenes import write_conveyor_set

PICTURES = 160


def main(folder: str, pictures: str = str(PICTURES)) -> None:
    """Draw the set and say where it lies."""
    annotations = write_conveyor_set(Path(folder), int(pictures))
    print(f"{pictures} pictures with {annotations}")


if __name__ == "__main__":
    main(*sys.argv[1:])
