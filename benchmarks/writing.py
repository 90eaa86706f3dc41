"""Texts for rows, as ``predict`` writes them, against transformers' ``generate`` in batches: the same tokens, seconds of a processor.

    python benchmarks/writing.py [--rows 256] [--new 40] [--rounds 3] [--kinds llama opt gpt_neox]

Random weights and rows of 2 to 15 words; one token in 37 ends a text, so that texts end at different times. The peer has the rows sorted
by length, padded on the left, 32 at a time. Both use one thread and take turns. OPT and GPT-NeoX are computed by transformers on both
sides.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from common import record

from honed.networks.decoders.layout import Layout
from honed.networks.engine import NetworkPredictor
from honed.tasks.text_generation.writer import Writer
from honed.tasks.text_generation.written import texts_of
from honed.testing import tiny_decoders

COMMON = {"num_attention_heads": 4, "max_position_embeddings": 512}
SIZES: dict[str, dict[str, Any]] = {
    "llama": {
        **COMMON,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 8,
        "num_key_value_heads": 2,
    },
    "opt": {**COMMON, "hidden_size": 256, "ffn_dim": 1024, "num_hidden_layers": 6, "word_embed_proj_dim": 256},
    "gpt_neox": {**COMMON, "hidden_size": 256, "intermediate_size": 1024, "num_hidden_layers": 6},
}
WORDS = [
    "my",
    "printer",
    "router",
    "is",
    "broken",
    "again",
    "please",
    "help",
    "the",
    "laptop",
    "screen",
    "does",
    "not",
    "start",
]
AT_ONCE = 32


def main() -> None:
    """One row for each kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--new", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kinds", nargs="+", default=list(SIZES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    rows = [(" ".join(rng.choice(WORDS, rng.integers(2, 16))),) for _ in range(options.rows)]
    for kind in options.kinds:
        measure(kind, rows, options.new, options.rounds)


def measure(kind: str, rows: list[tuple[str, ...]], n_new: int, rounds: int) -> None:
    """Both sides in turns."""
    from transformers import AutoModelForCausalLM

    tiny_decoders.SIZES[kind] = SIZES[kind]
    with tempfile.TemporaryDirectory() as scratch:
        folder = tiny_decoders.tiny_decoder(kind, Path(scratch) / kind)
        writer = Writer.from_base(folder, Layout(("ticket",)), most_bytes=400, most_tokens=n_new).eval()
        model = AutoModelForCausalLM.from_pretrained(folder).eval()
    writer.vocabulary.ends = tuple(range(0, 320, 37))
    model.generation_config.eos_token_id = list(writer.vocabulary.ends)
    predictor = NetworkPredictor(writer)

    def ours() -> list[str]:
        return texts_of(predictor.outputs(rows))

    def theirs() -> list[str]:
        return generated(model, writer, rows, n_new)

    same = sum(one == other for one, other in zip(ours(), theirs(), strict=True))
    pairs = [(seconds(theirs), seconds(ours)) for _ in range(rounds)]
    record(
        "writing",
        {
            "kind": kind, "parameters": writer.backbone.shape.n_parameters, "rows": len(rows), "new_tokens": n_new,
            "equal_texts": f"{same}/{len(rows)}", "honed_cpu_s": round(median(our for _, our in pairs), 2),
            "transformers_cpu_s": round(median(their for their, _ in pairs), 2),
            "times_median": round(median(their / our for their, our in pairs), 2),
            "times_least": round(min(their / our for their, our in pairs), 2), "rounds": rounds,
            "load": round(os.getloadavg()[0], 1),
        },
    )  # fmt: skip


def generated(model: Any, writer: Writer, rows: list[tuple[str, ...]], n_new: int) -> list[str]:
    """Texts by transformers alone."""
    prompts = [row["tokens"] for row in writer.encode(rows)]
    order = sorted(range(len(prompts)), key=lambda k: -len(prompts[k]))
    found = [""] * len(prompts)
    for start in range(0, len(order), AT_ONCE):
        part = order[start : start + AT_ONCE]
        longest = max(len(prompts[k]) for k in part)
        ids, there = torch.zeros((2, len(part), longest), dtype=torch.long)
        for row, k in enumerate(part):
            ids[row, longest - len(prompts[k]) :] = torch.tensor(prompts[k])
            there[row, longest - len(prompts[k]) :] = 1
        with torch.inference_mode():
            new = model.generate(ids, attention_mask=there, max_new_tokens=n_new, do_sample=False, pad_token_id=0)[
                :, longest:
            ]
        for k, tokens in zip(part, new.tolist(), strict=True):
            end = next((place for place, token in enumerate(tokens) if token in writer.vocabulary.ends), len(tokens))
            found[k] = writer.vocabulary.decode(tokens[:end])
    return found


def seconds(work: Callable[[], Any]) -> float:
    """Seconds of a processor."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


if __name__ == "__main__":
    main()
