"""Sets of pictures in the layouts people have, as one table; what each lays down is found by looking, not by asking."""

from honed.data.picture_sets.columns import find_picture_column, resolve_pictures
from honed.data.picture_sets.read import read_picture_set

__all__ = ["find_picture_column", "read_picture_set", "resolve_pictures"]
