"""Generating with stories260K against transformers' generate, in one run: equal tokens, tokens a second, time to the first token.

    HONED_DATA=... python benchmarks/generation.py [--rounds 7] [--new 200]

Both sides continue the same prompts greedily with one thread; they take turns, and each round gives one pair. The machine may
be busy, so seconds of the processor are counted beside seconds by the clock. The peer has inference mode and a cache, static
or growing, whichever was faster in a trial. Where a C compiler is there, llama2.c's run.c (LLAMA2C names its folder) is a
second witness for the tokens.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from common import data_folder, record

from honed.generation.generator import Generator
from honed.generation.settings import Request, Settings
from honed.networks.decoders.loading import Loaded, load_decoder
from honed.zoo.resolve import resolve

PROMPTS = (
    "Once upon a time", "Lily and Tom", "One day, a boy", "The little dog", "In the park", "A big red ball", "Her mom said",
    "There was a cat", "The sun was", "Tim had a toy", "Sam liked to", "On the farm", "It was a cold day", "Ben and Mia", "The old tree",
    "A bird sang",
)  # fmt: skip
Work = Callable[[], Any]


def main() -> None:
    """Run all parts and append one row for each batch size."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--new", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = data_folder() / "weights/llama2c_stories260K/stories260K.bin"
    loaded = load_decoder(resolve(path, kind="decoder").folder)
    witness = by_llama2c(path, options.new)
    own = Generator(loaded, threads=1).generate([""], Settings(max_tokens=options.new, ignore_end=True))[0].text
    print(
        "llama2.c:",
        "not there" if witness is None else "equal" if own.startswith(witness) else f"differs\n{witness}\n{own}",
    )
    for batch in (1, 16):
        measure(loaded, batch, options.new, options.rounds, "" if witness is None else str(own.startswith(witness)))


def measure(loaded: Loaded, batch: int, n_new: int, rounds: int, witness: str) -> None:
    """One row: equal tokens, both sides' speeds, and time to the first token."""
    prompts = equally_long(loaded, batch)
    theirs, cache = peer(loaded, prompts, n_new)
    generator = Generator(loaded, slots=batch, threads=1, kept_mib=0)
    settings = Settings(max_tokens=n_new, ignore_end=True)

    def ours() -> list[list[int]]:
        return [one.ids for one in generator.generate(prompts, settings)]

    same = sum(one == other for one, other in zip(ours(), theirs(), strict=True))
    pairs = [(timed(theirs), timed(ours)) for _ in range(rounds)]
    by_processor = [their[0] / our[0] for their, our in pairs]
    by_clock = [their[1] / our[1] for their, our in pairs]
    total = batch * n_new
    record(
        "generation",
        {
            "model": "stories260K", "batch": batch, "new_tokens": n_new, "engine": generator.reader.name,
            "equal_to_transformers": f"{same}/{batch}",
            "equal_to_llama2c": witness, "peer_cache": cache,
            "honed_tokens_per_cpu_s": round(total / median(our[0] for _, our in pairs)),
            "transformers_tokens_per_cpu_s": round(total / median(their[0] for their, _ in pairs)),
            "honed_tokens_per_s": round(total / median(our[1] for _, our in pairs)),
            "transformers_tokens_per_s": round(total / median(their[1] for their, _ in pairs)),
            "times_by_cpu_median": round(median(by_processor), 2), "times_by_cpu_least": round(min(by_processor), 2),
            "times_by_clock_median": round(median(by_clock), 2),
            "first_token_ms_p50": round(1000 * first_token(generator, prompts, settings), 3),
            "first_token_ms_p50_mixed_lengths": round(1000 * first_token(generator, PROMPTS[:batch], settings), 3),
            "rounds": rounds, "load": round(os.getloadavg()[0], 1),
        },
    )  # fmt: skip


def equally_long(loaded: Loaded, batch: int) -> list[list[int]]:
    """Prompts cut to the same number of tokens, so that the peer need not pad."""
    return [loaded.vocabulary.encode(prompt)[:5] for prompt in PROMPTS[:batch]]


def peer(loaded: Loaded, prompts: Sequence[Sequence[int]], n_new: int) -> tuple[Callable[[], list[list[int]]], str]:
    """transformers' generate with the faster of its caches."""
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    model = AutoModelForCausalLM.from_pretrained(loaded.folder).eval()
    model.generation_config.eos_token_id = None
    ids = torch.tensor(prompts)
    kinds: dict[str, dict[str, Any]] = {
        "growing": {},
        "static": {"cache_implementation": "static", "disable_compile": True},
    }

    def work(kind: str) -> list[list[int]]:
        with torch.inference_mode():
            found = model.generate(
                ids, max_new_tokens=n_new, do_sample=False, use_cache=True, pad_token_id=0, **kinds[kind]
            )
        return [row[ids.shape[1] :] for row in found.tolist()]

    trial = {kind: min(timed(lambda kind=kind: work(kind))[0] for _ in range(2)) for kind in kinds}  # type: ignore[misc]
    best = min(trial, key=trial.__getitem__)
    return lambda: work(best), best


def timed(work: Work) -> tuple[float, float]:
    """Seconds of the processor and by the clock."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - processor, time.perf_counter() - clock


def first_token(generator: Generator, prompts: Sequence[Any], settings: Settings, times: int = 15) -> float:
    """Median seconds by the clock from sending all prompts at once to the first token of each."""
    found = []
    for _ in range(times):
        streams = [generator.submit(Request(prompt, settings)) for prompt in prompts]
        while not all(stream._row.tokens for stream in streams):
            generator.step()
        for stream in streams:
            stream.cancel()
            found.append(stream.result().first_s)
    return median(found)


def by_llama2c(path: Path, n_new: int) -> str | None:
    """The text that llama2.c writes after nothing, or None where it cannot be built."""
    source = Path(os.environ.get("LLAMA2C", "/tmp/peers/llama2.c")) / "run.c"
    if not source.is_file():
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "run"
        try:
            subprocess.run(["gcc", "-O3", "-o", str(program), str(source), "-lm"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            return None
        command = [str(program), str(path), "-z", str(path.parent / "tok512.bin"), "-t", "0.0", "-n", str(n_new)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout[:-1]


if __name__ == "__main__":
    sys.exit(main())
