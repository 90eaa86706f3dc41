"""Pictures as they really come: opened as RGB pixels, or looked at by their headers alone."""

from honed.data.pictures.facts import PictureFacts, picture_facts, read_facts
from honed.data.pictures.looked_at import content_digest, trouble_of
from honed.data.pictures.opening import MOST_PIXELS, Source, open_image, open_picture
from honed.data.pictures.sources import in_threads, named

__all__ = [
    "MOST_PIXELS", "PictureFacts", "Source", "content_digest", "in_threads", "named", "open_image", "open_picture",
    "picture_facts", "read_facts", "trouble_of",
]  # fmt: skip
