"""Small decoders that are taught texts in seconds, for tests of what they remember."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from torch.nn import functional

from honed.likelihood.scorer import Scorer
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.rows import NOTHING
from honed.networks.decoders.shape import Shape
from honed.networks.decoders.vocabulary import Vocabulary
from honed.pretraining.tokenizer import make_tokenizer

PEOPLE = (
    "Anna",
    "Bernd",
    "Clara",
    "David",
    "Elena",
    "Felix",
    "Grete",
    "Hugo",
    "Ines",
    "Jonas",
    "Karla",
    "Ludwig",
    "Mara",
    "Nils",
    "Olga",
    "Paul",
)
THINGS = (
    "the printer",
    "the router",
    "a laptop",
    "the scanner",
    "the projector",
    "a keyboard",
    "the server",
    "the phone",
)
DEEDS = (
    "was repaired",
    "was replaced",
    "did not start",
    "had to be cleaned",
    "made a noise",
    "lost its network",
    "ran out of paper",
    "was moved",
)


def notes(n: int, seed: int) -> list[str]:
    """Made-up notes of a workshop: all of one kind, no two the same."""
    rng = random.Random(seed)
    return [
        f"On {rng.randint(1, 28)}.{rng.randint(1, 12)}. {rng.choice(PEOPLE)} called about {rng.choice(THINGS)} in room "
        f"{rng.randint(100, 999)}. "
        f"It {rng.choice(DEEDS)} at {rng.randint(7, 18)}:{rng.randint(10, 59)} and "
        f"{rng.choice(PEOPLE)} {rng.choice(('signed', 'agreed', 'waited'))}."
        for _ in range(n)
    ]  # fmt: skip


def untaught(*, width: int = 96, layers: int = 2, context: int = 192, seed: int = 0) -> Scorer:
    """A decoder that reads bytes and knows nothing."""
    core = make_tokenizer("bytes", Counter(), [], 0)
    torch.manual_seed(seed)
    decoder = Decoder(Shape("llama", core.get_vocab_size(), context, width, layers, 4, 4, width // 4, 2 * width)).eval()
    return Scorer(Loaded(decoder, Vocabulary(core, begin=0, ends=[0]), Path()))


def taught(texts: Sequence[str], *, steps: int, seed: int = 0, rate: float = 4e-3) -> Scorer:
    """A decoder that was taught texts."""
    scorer = untaught(seed=seed)
    decoder, rng = scorer.network.train(), random.Random(seed)
    pairs = [
        (scorer.begin, [*scorer.vocabulary.encode(text, special=False)[: scorer.context - 2], 0]) for text in texts
    ]
    optimizer = torch.optim.AdamW(decoder.parameters(), lr=rate, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / 20) * (1 - step / steps)
        batch = decoder.batch_of(rng.sample(pairs, min(8, len(pairs))))
        learnt = batch["wanted"] != NOTHING
        loss = functional.cross_entropy(decoder.logits_of({**batch, "learnt": learnt}), batch["wanted"][learnt])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    decoder.eval()
    return scorer
