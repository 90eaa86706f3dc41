"""Pictures."""

from honed.media.medium import Medium


class Picture(Medium):
    name = "image"
