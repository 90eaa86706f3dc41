"""How a picture classifier is used without Honed: a few lines that open, resize and cut pictures."""

from __future__ import annotations

from honed.networks.pictures.preprocessing import PicturePreprocessing
from honed.tasks.contract import Recipe

_ENCODE = """
def encode(rows):
    found = []
    for row in rows:  # a path, the bytes of a file, or a data URI
        source = row[0]
        if isinstance(source, str) and source.startswith("data:"):
            source = base64.b64decode(source.partition(",")[2])
        source = io.BytesIO(source) if isinstance(source, bytes) else source
        picture = ImageOps.exif_transpose(Image.open(source)).convert("RGB")
        factor = {short} / min(picture.size)
        wide, high = max({size}, round(picture.width * factor)), max({size}, round(picture.height * factor))
        if picture.size != ({size}, {size}) or {short} != {size}:
            picture = picture.resize((wide, high), Image.Resampling.{filter})
            left, top = (wide - {size}) // 2, (high - {size}) // 2
            picture = picture.crop((left, top, left + {size}, top + {size}))
        found.append(np.asarray(picture)[..., ::{step}].transpose(2, 0, 1))
    return {{"pixels": np.stack(found)}}
"""


def picture_recipe(preprocessing: PicturePreprocessing) -> Recipe:
    """The recipe of a network that reads pictures."""
    size = preprocessing.size
    code = _ENCODE.format(
        size=size, short=size / preprocessing.crop_share, filter=preprocessing.interpolation.upper(),
        step=-1 if preprocessing.bgr else 1,
    )  # fmt: skip
    return Recipe(
        lambda folder: None,
        ("import base64", "import io", "from PIL import Image, ImageOps"),
        code.strip(),
        ("pillow",),
    )
