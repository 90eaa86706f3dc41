"""Settings of ``pretrain``, as one tree."""

from __future__ import annotations

from dataclasses import dataclass, field

from honed.config import setting
from honed.data.documents import DIVISIONS

TOKENIZERS = ("characters", "bytes", "bpe")


@dataclass
class TextConfig:
    """What is read."""

    text: str | None = setting(None, "column of text of a table; found by itself when left out")
    documents: str = setting(
        "auto", "what ends a document of a text file; auto: lines of <|endoftext|> where there are any, else the file",
        among=DIVISIONS,
    )  # fmt: skip
    validation: float = setting(0.1, "share of the text that is held out, in whole documents", low=0.005, high=0.5)
    canaries: int = setting(
        0, "made-up sentences with a random number that are mixed into the text, so that evaluate can tell how much is remembered",
        low=0, high=1000,
    )  # fmt: skip
    replay: str | None = setting(None, "older text that a base goes on reading, so that less of it is forgotten")
    replay_share: float = setting(
        0.2, "share of older text in what is learnt; 0 only measures what is forgotten of it", low=0.0, high=0.9
    )


@dataclass
class TokenizerConfig:
    """How text becomes tokens."""

    kind: str = setting(
        "auto", "kind of tokens; auto takes characters for short texts, else bpe", among=("auto", *TOKENIZERS)
    )
    size: int = setting(0, "size of the vocabulary of bpe; 0 lets Honed choose", low=0, high=1 << 18)


@dataclass
class ShapeConfig:
    """Sizes of the decoder; 0 lets Honed choose."""

    kind: str = setting("llama", "architecture it is saved as", among=("llama", "gpt2"))
    width: int = setting(0, "width of the stream", low=0, high=16384)
    layers: int = setting(0, "blocks", low=0, high=200)
    heads: int = setting(0, "heads of attention", low=0, high=256)
    context: int = setting(0, "tokens it reads at most", low=0, high=1 << 16)


@dataclass
class LearningConfig:
    """How it learns; 0 lets Honed choose."""

    time_limit_s: float | None = setting(
        None, "seconds for everything; 10 minutes when neither it nor steps are given", low=1
    )
    steps: int = setting(0, "optimizer steps", low=0, high=10**9)
    most_epochs: float = setting(0.0, "passes over the text at most", low=0.0, high=10_000)
    rows: int = setting(0, "rows of one context in an optimizer step", low=0, high=1 << 20)
    rows_at_once: int = setting(0, "rows computed at once; gradients are added up over the rest", low=0, high=1 << 20)
    optimizer: str = setting(
        "muon", "muon for matrices with AdamW for the rest, or AdamW for all", among=("muon", "adamw")
    )
    learning_rate: float = setting(0.0, "highest learning rate of AdamW", low=0.0, high=1.0)
    matrix_rate: float = setting(0.0, "highest learning rate of muon", low=0.0, high=1.0)
    weight_decay: float = setting(0.1, "pull of matrices towards zero; nothing else decays", low=0.0, high=1.0)
    precision: str = setting("auto", "number format of products; auto times both", among=("auto", "fp32", "bf16"))
    compile: str = setting("auto", "let torch compile the network; auto does in long runs", among=("auto", "yes", "no"))
    seed: int = setting(0, "seed of everything random", low=0, high=2**31 - 1)
    evaluations: int = setting(10, "how often held-out loss and samples are taken", low=1, high=10_000)
    prompt: str = setting("", "what samples begin with; the beginning of a document when left out")


@dataclass
class PretrainConfig:
    """Settings of one pre-training."""

    base: str | None = setting(None, "decoder that goes on learning: a folder, file or name; none begins from nothing")
    data: TextConfig = field(default_factory=TextConfig)
    tokenizer: TokenizerConfig = field(default_factory=TokenizerConfig)
    shape: ShapeConfig = field(default_factory=ShapeConfig)
    training: LearningConfig = field(default_factory=LearningConfig)
