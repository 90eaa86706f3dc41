"""Settings of answering by examples."""

from __future__ import annotations

from dataclasses import dataclass, field

from honed.config import setting
from honed.generation.kinds import ENGINES

KINDS = ("auto", "label", "fields", "text")
CHOICES = ("alike", "random", "first")


@dataclass
class RemoteConfig:
    """A model behind an OpenAI-compatible address."""

    key: str = setting("HONED_REMOTE_KEY", "environment variable that holds the key")
    timeout_s: float = setting(60.0, "seconds to wait for one answer", low=0.1, high=3600)
    tries: int = setting(5, "times a request is sent at most, with longer and longer waits", low=1, high=20)
    at_once: int = setting(4, "requests under way at the same time", low=1, high=64)
    price_in: float = setting(0.0, "price of a million tokens that are read", low=0)
    price_out: float = setting(0.0, "price of a million tokens that are written", low=0)
    max_cost: float = setting(0.0, "cost at which to stop, in the currency of the prices; 0 for no limit", low=0)


@dataclass
class FewShotConfig:
    """How examples are shown and answers are found."""

    kind: str = setting("auto", "what is answered: a label, fields of an object, or a text", among=KINDS)
    shots: int = setting(-1, "examples shown with each row; -1 for as many as fit, 16 at most", low=-1, high=1000)
    choice: str = setting("alike", "which examples are shown with a row", among=CHOICES)
    instruction: str = setting("", "said before everything; labels or fields are listed where nothing is given")
    text: list[str] = setting([], "columns the model reads; all but keys when left out")
    calibrate: bool = setting(True, "take off what the model says to a row without content (labels)")
    judge_examples: bool = setting(
        True,
        "answer up to 64 of the examples by the others, to fit how sure the model is (labels, from 20 examples on)",
    )
    max_tokens: int = setting(0, "tokens of an answer at most; 0 lets Honed choose from the examples", low=0, high=8192)
    stop: str = setting("", "text that ends an answer; what stands between examples when left out")
    engine: str = setting("auto", "what computes a decoder on this machine", among=ENGINES)
    weights: str = setting(
        "float32", "number format of the weights", among=("float32", "bfloat16", "int8", "int4", "auto")
    )
    seed: int = setting(0, "seed of examples drawn by lot", low=0, high=2**31 - 1)
    remote: RemoteConfig = field(default_factory=RemoteConfig)
