"""A decoder that writes a text for each row, as the contract asks for a network."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from honed.errors import BundleError, ZooError
from honed.files import read_json, write_json
from honed.generation.at_hand import continued
from honed.generation.settings import Completion, Request, Settings
from honed.networks.decoders.any_decoder import AnyDecoder
from honed.networks.decoders.layout import Layout
from honed.networks.decoders.loading import Loaded, load_decoder, save_decoder
from honed.networks.decoders.rows import NOTHING
from honed.networks.decoders.vocabulary import Vocabulary
from honed.tasks.contract import Array, Batch, Encoded, Input, Recipe
from honed.tasks.text_generation.recipe import writer_recipe
from honed.tasks.text_generation.written import pack, width_of

if TYPE_CHECKING:
    from honed.generation.text_engine import TextEngine

FACTS = "honed_writer.json"
SAMPLE = "A text of ordinary words, some longer than others, tells how many bytes a token stands for on average."
RATE, SHARE = 1e-3, 0.75
"""Highest learning rate for a million parameters; share of the context that a written text may take."""
MOST_TOLD = 1200
"""Characters of a text that are shown."""
SPARE = 1.5
"""Tokens that may be written, in tokens of the longest text that was learnt from."""


class Writer(nn.Module):
    """Rows in, texts packed as numbers out; see :mod:`honed.tasks.text_generation.written`.

    Parameters
    ----------
    decoder : AnyDecoder
        Of our own or of transformers.
    vocabulary : Vocabulary
    layout : Layout
    most_bytes, most_tokens : int
        Room for a written text; how many tokens it may have.
    """

    def __init__(
        self, decoder: AnyDecoder, vocabulary: Vocabulary, layout: Layout, *, most_bytes: int, most_tokens: int
    ) -> None:
        super().__init__()
        self.backbone: Any = decoder
        self.vocabulary, self.layout = vocabulary, layout
        self.most_bytes, self.most_tokens = most_bytes, most_tokens

    @classmethod
    def from_base(cls, folder: Path, layout: Layout, *, most_bytes: int, most_tokens: int = 0) -> Writer:
        """The decoder of a folder in hub format.

        Raises
        ------
        ZooError [Z045]
            A context too short for the texts; or as :func:`load_decoder`.
        """
        loaded = load_decoder(folder)
        vocabulary = loaded.vocabulary
        own = replace(layout, chat=vocabulary.chat is not None)
        rate = len(SAMPLE.encode()) / max(1, len(vocabulary.encode(SAMPLE, special=False)))
        most = most_tokens or min(int(SPARE * most_bytes / max(1.0, rate)) + 1, most_bytes + 1)
        room = int(SHARE * loaded.context)
        if most > room and most_bytes / max(1.0, rate) > room:
            seen = f"The base reads {loaded.context} tokens at a time; the texts to be written have up to {most_bytes / rate:.0f}."
            raise ZooError("Z045", seen, "Take a base that reads more, or shorten the texts.")
        return cls(loaded.network, vocabulary, own, most_bytes=most_bytes, most_tokens=min(most, room))

    @property
    def engines(self) -> tuple[str, ...]:
        """What can compute it: it writes token by token, which files for other runtimes do not say."""
        own = self.loaded().shape is not None
        return ("torch-fp32", "onnx-fp32", "onnx-int8", "vllm") if own else ("torch-fp32", "vllm")

    @property
    def natural_rate(self) -> float:
        """Highest learning rate of the top layer: 1e-3 for a million numbers, falling with the root of their count."""
        return RATE * float(np.sqrt(1e6 / self.backbone.shape.n_parameters))

    @property
    def natural_head_rate(self) -> float:
        """The same for the layer that says the next token."""
        return self.natural_rate

    @property
    def n_outputs(self) -> int:
        """Numbers for each row."""
        return width_of(self.most_bytes)

    @property
    def head(self) -> Any:
        """The layer that says the next token."""
        return self.backbone.head

    @property
    def context(self) -> int:
        """Tokens read and written at most."""
        return int(self.backbone.shape.context)

    def encode(
        self, inputs: Sequence[Input], shots: Sequence[Sequence[tuple[Input, str]]] | None = None
    ) -> list[Encoded]:
        """Prompts as tokens; one too long for the context loses its beginning.

        ``shots`` are, for each row, rows with their texts that are shown before it, as many of the last as fit into half of
        the context.
        """
        room = self.context - self.most_tokens
        found = []
        for k, row in enumerate(inputs):
            tokens = self._prompt(row, list(shots[k]) if shots else []) or self.vocabulary.encode("")
            found.append({"tokens": tokens[-room:], "length": min(len(tokens), room) + self.most_tokens // 2})
        return found

    def _prompt(self, row: Input, shots: list[tuple[Input, str]]) -> list[int]:
        own = tuple(row) if isinstance(row, tuple | list) else (row,)
        while True:
            tokens = self.layout.prompt(self.vocabulary, own, shots)
            if not shots or len(tokens) <= self.context // 2:
                return tokens
            shots = shots[1:]

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """``tokens`` (n, longest), padded on the right, and ``lengths`` (n,)."""
        longest = max(len(row["tokens"]) for row in encoded)
        tokens = torch.zeros((len(encoded), longest), dtype=torch.long)
        for k, row in enumerate(encoded):
            tokens[k, : len(row["tokens"])] = torch.tensor(row["tokens"])
        return {"tokens": tokens, "lengths": torch.tensor([len(row["tokens"]) for row in encoded])}

    def collate_varied(
        self, encoded: Sequence[Encoded], targets: Array, rng: np.random.Generator
    ) -> tuple[Batch, Array]:
        """The same for training: prompts with their texts, end to end in one row, and the tokens that are to be learnt."""
        pairs = zip(encoded, targets, strict=True)
        texts = [(row["tokens"], self.closed(text)[: self.context - len(row["tokens"])]) for row, text in pairs]
        batch = self.batch_of(texts)
        wanted = batch.pop("wanted")
        learnt = wanted != NOTHING
        return {**batch, "learnt": learnt}, wanted[learnt].numpy()

    def batch_of(self, texts: Sequence[tuple[list[int], list[int]]]) -> Batch:
        """Texts (asked, written) as training reads them, with ``wanted``, what is to be learnt."""
        found: Batch = self.backbone.batch_of(texts)
        return found

    def told(self, encoded: Encoded, target: Any) -> str:
        """A row as it is learnt from, in words, taken from the very batch that training would get."""
        room = self.context - len(encoded["tokens"])
        batch = self.batch_of([(encoded["tokens"], self.closed(target)[:room])])
        tokens, wanted = batch["tokens"][0], batch["wanted"][0]
        learnt = wanted[wanted != NOTHING]
        read = tokens[: len(tokens) - len(learnt)]
        parts = [
            f"A row as it is learnt from. Read only, {len(read)} tokens:", self._words(read),
            f"Learnt, {len(learnt)} tokens:", self._words(learnt),
        ]  # fmt: skip
        if getattr(target, "rejected", None) is not None:
            other = torch.tensor(self.closed(target.rejected)[:room])
            parts += [f"Preferred less, {len(other)} tokens:", self._words(other)]
        return "\n".join(parts)

    def _words(self, tokens: torch.Tensor) -> str:
        text = self.vocabulary.decode(tokens.tolist(), special=True)
        shown = text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD // 2]} ... {text[-MOST_TOLD // 2 :]}"
        return "\n".join(f"  | {line}" for line in shown.split("\n"))

    def loaded(self, folder: Path = Path("bundle")) -> Loaded:
        """The decoder as generators and judges of texts take it; ``folder`` is where it is from."""
        return Loaded(self.backbone, self.vocabulary, folder)

    def closed(self, text: str) -> list[int]:
        """Tokens of a text with the end after it."""
        ends = list(self.vocabulary.ends[:1])
        return self.vocabulary.encode(str(text), special=False) + ends

    def forward(self, batch: Batch) -> torch.Tensor:
        """Texts as packed rows (n, width); in training the logits (m, tokens) of the tokens that are to be learnt."""
        if "learnt" in batch:
            return self.backbone.logits_of(batch)  # type: ignore[no-any-return]
        rows = zip(batch["tokens"], batch["lengths"].tolist(), strict=True)
        return torch.from_numpy(self._written([row[:n].tolist() for row, n in rows]))

    def outputs_of(self, encoded: Sequence[Encoded], advance: Callable[[int], None] | None = None) -> Array:
        """Texts as packed rows (n, width), in the order given: each prompt takes the place of a text that has ended."""
        return self._written([row["tokens"] for row in encoded], advance)

    def _written(self, prompts: list[list[int]], advance: Callable[[int], None] | None = None) -> Array:
        wanted = Settings(max_tokens=self.most_tokens, logprobs=0)
        return self._packed(continued(self.loaded(), prompts, wanted, advance=advance))

    def written_by(
        self, writing: TextEngine, encoded: Sequence[Encoded], advance: Callable[[int], None] | None = None
    ) -> Array:
        """The same by an engine for texts, in company with whatever else it writes."""
        wanted = Settings(max_tokens=self.most_tokens, logprobs=0)
        found = []
        for stream in [writing.submit(Request(row["tokens"], wanted)) for row in encoded]:
            found.append(stream.result())
            if advance is not None:
                advance(1)
        return self._packed(found)

    def _packed(self, found: Sequence[Completion]) -> Array:
        texts = [self.vocabulary.decode(one.ids) for one in found]
        return pack(texts, self.n_outputs, [one.sure for one in found], [one.finish == "stop" for one in found])

    def features(self, batch: Batch) -> torch.Tensor:
        """The mean of what the last layer reads for the tokens of a prompt, (n, width) float32."""
        state = self.backbone.read(batch["tokens"]).float()
        there = torch.arange(state.shape[1], device=state.device) < batch["lengths"][:, None]
        found: torch.Tensor = (state * there[..., None]).sum(dim=1) / batch["lengths"][:, None]
        return found

    @torch.inference_mode()
    def worth(self, encoded: Sequence[Encoded], targets: Array) -> float:
        """Minus the mean loss of the tokens of the texts that are wanted: what is judged while it trains, for writing takes long."""
        self.eval()
        total, n, device = 0.0, 0, next(self.parameters()).device
        for start in range(0, len(encoded), 32):
            part = slice(start, start + 32)
            batch, wanted = self.collate_varied(encoded[part], targets[part], np.random.default_rng(0))
            logits = self({name: value.to(device) for name, value in batch.items()})
            losses = nn.functional.cross_entropy(
                logits.float(), torch.as_tensor(wanted, device=device), reduction="sum"
            )
            total, n = total + float(losses), n + len(wanted)
        self.train()
        return -total / max(1, n)

    def __deepcopy__(self, memory: dict[int, Any]) -> Writer:
        """A copy with weights of its own and the same tokenizer."""
        decoder = copy.deepcopy(self.backbone, memory)
        return Writer(
            decoder, self.vocabulary, self.layout, most_bytes=self.most_bytes, most_tokens=self.most_tokens
        ).train(self.training)

    def recipe(self) -> Recipe:
        """How it writes without Honed."""
        vocabulary = self.vocabulary
        return writer_recipe(
            self.layout, begin=vocabulary.begin, ends=vocabulary.ends, context=self.context, most_tokens=self.most_tokens,
            width=self.n_outputs,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """A folder in hub format, and how rows become prompts."""
        save_decoder(self.backbone, self.vocabulary, folder)
        facts = {"layout": self.layout.as_dict(), "most_bytes": self.most_bytes, "most_tokens": self.most_tokens}
        write_json(folder / FACTS, facts)


def load_writer(folder: Path) -> Writer:
    """Read back what :meth:`Writer.save` wrote."""
    try:
        facts = read_json(folder / FACTS)
        loaded = load_decoder(folder)
    except (OSError, ZooError) as error:
        raise BundleError(
            "B020", f"The decoder in {folder} cannot be read: {error}", "Take an undamaged copy of the bundle."
        ) from error
    layout = Layout.from_dict(facts["layout"])
    sizes = {"most_bytes": int(facts["most_bytes"]), "most_tokens": int(facts["most_tokens"])}
    return Writer(loaded.network, loaded.vocabulary, layout, **sizes).eval()
