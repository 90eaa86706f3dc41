"""Pre-training on tinyshakespeare, characters, against nanoGPT's small CPU setting: speed and held-out loss.

``speed``: tokens a second of both in one process, in turns, with the same layers, width, context and rows.
``quality``: nanoGPT's script as published (2,000 steps), Honed with the same setting and steps, and Honed's own choice in as
many seconds as nanoGPT took (PEER_SECONDS, where
``time`` runs without ``peer``). Nothing was tuned on this text: rates were chosen on wikitext-2's validation file.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import data_folder, record
from peers import nanogpt

import honed
from honed.networks.decoders.shape import Shape
from honed.pretraining.engine import Learner
from honed.pretraining.optimizer import make_optimizers
from honed.pretraining.shards import BOUNDARY
from honed.pretraining.size import shape_of_size

SAME = {"shape.width": 128, "shape.layers": 4, "shape.heads": 4, "shape.context": 64, "training.rows": 12}
CHUNK = 20


def text() -> Path:
    """The file of tinyshakespeare."""
    return data_folder() / "language_modeling/tinyshakespeare/input.txt"


def own_step(shape: Shape, data: np.ndarray, kind: str, precision: str, compiled: bool) -> Callable[[], None]:
    """One optimizer step of ours on random rows."""
    learner = Learner(shape, precision, "cpu", 0, compiled)
    exact = torch.bfloat16 if precision == "bf16" else torch.float32
    optimizers = make_optimizers(
        learner.network, kind=kind, learning_rate=3e-3, matrix_rate=0.02, weight_decay=0.1, dtype=exact
    )

    def step() -> None:
        starts = torch.randint(len(data) - 65, (nanogpt.ROWS,)).tolist()
        rows = torch.stack([torch.from_numpy(data[i : i + 65].astype(np.int64)) for i in starts])
        learner.forget()
        learner.learn(rows, nanogpt.ROWS)
        torch.nn.utils.clip_grad_norm_(learner.network.parameters(), 1.0)
        optimizers.step()

    return step


def speed(rounds: int, compiled: bool) -> None:
    """Tokens a second, in turns; medians over the rounds, by processor time and by the clock."""
    letters = text().read_text(encoding="utf-8")
    known = sorted(set(letters))
    data = np.array([known.index(letter) for letter in letters[:200_000]], np.uint16)
    shapes = {kind: shape_of_size(kind, len(known) + 257, 64, 128, 4, 4) for kind in ("llama", "gpt2")}
    steps = {"nanoGPT": nanogpt.Peer(len(known), data, False).step}
    for precision in ("fp32", "bf16"):
        steps[f"Honed, AdamW, {precision}"] = own_step(shapes["llama"], data, "adamw", precision, False)
        steps[f"Honed, muon, {precision}"] = own_step(shapes["llama"], data, "muon", precision, False)
    steps["Honed as GPT-2, AdamW, bf16"] = own_step(shapes["gpt2"], data, "adamw", "bf16", False)
    if compiled:
        steps["nanoGPT, compiled"] = nanogpt.Peer(len(known), data, True).step
        steps["Honed, AdamW, bf16, compiled"] = own_step(shapes["llama"], data, "adamw", "bf16", True)
        steps["Honed, muon, bf16, compiled"] = own_step(shapes["llama"], data, "muon", "bf16", True)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            processor, clock = time.process_time(), time.perf_counter()
            for _ in range(CHUNK if turn else 3):
                step()
            if turn:
                found[name].append((time.process_time() - processor, time.perf_counter() - clock))
    tokens = CHUNK * nanogpt.ROWS * 64
    peers = [name for name in found if name.startswith("nanoGPT")]
    for name, times in found.items():
        ratios = [min(found[peer][i][0] for peer in peers) / times[i][0] for i in range(rounds)]
        record("pretrain", {
            "what": "speed", "system": name, "threads": torch.get_num_threads(), "steps": CHUNK * rounds,
            "tokens_per_processor_s": round(tokens / statistics.median(t[0] for t in times)),
            "tokens_per_s": round(tokens / statistics.median(t[1] for t in times)),
            "times_the_peer": round(statistics.median(ratios), 2), "loss": "", "own_estimate": "", "wall_s": "", "processor_s": "",
            "parameters": "", "load": round(os.getloadavg()[0], 1),
        })  # fmt: skip


def documents(rounds: int) -> None:
    """What keeping documents apart costs: the same rows with and without a document that begins in each, in turns."""
    for rows, context in ((12, 64), (8, 256)):
        learner = Learner(shape_of_size("llama", 323, context, 128, 4, 4), "bf16", "cpu", 0)
        plain = torch.randint(1, 323, (rows, context + 1))
        apart = plain.clone()
        apart[:, context // 2] = BOUNDARY
        times: dict[str, list[float]] = {"one document": [], "two documents a row": []}
        for turn in range(rounds + 1):
            for name, given in zip(times, (plain, apart), strict=True):
                begin = time.process_time()
                for _ in range(CHUNK // 4):
                    learner.learn(given, rows)
                times[name] += [time.process_time() - begin] if turn else []
        whole = statistics.median(times["one document"])
        cost = statistics.median(b / a for a, b in zip(*times.values(), strict=True))
        told(f"documents apart, {rows} x {context}: {cost:.3f} times", 0.0, 0.0, whole, steps=rounds * CHUNK // 4)


def told(system: str, loss: float, wall: float, processor: float, **more: object) -> None:
    """One row about quality."""
    record("pretrain", {
        "what": "quality", "system": system, "threads": torch.get_num_threads(), "steps": more.get("steps", nanogpt.STEPS),
        "tokens_per_processor_s": "", "tokens_per_s": more.get("tokens_per_s", ""), "times_the_peer": "", "loss": round(loss, 4),
        "own_estimate": more.get("estimate", ""), "wall_s": round(wall, 1), "processor_s": round(processor, 1),
        "parameters": more.get("parameters", ""), "load": round(os.getloadavg()[0], 1),
    })  # fmt: skip


def ours(system: str, scratch: Path, **given: object) -> None:
    """One pre-training of ours, and its whole held-out loss."""
    clock, processor = time.monotonic(), time.process_time()
    result = honed.pretrain(text(), tokenizer="characters", out=scratch / "runs", **given)  # type: ignore[arg-type]
    report = result.report
    told(
        system, report.loss, time.monotonic() - clock, time.process_time() - processor, steps=report.steps,
        tokens_per_s=round(report.tokens_per_s), parameters=report.parameters,
    )  # fmt: skip


def quality(parts: list[str]) -> None:
    """Held-out loss after 2,000 steps of the same setting, and in the same time."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        seconds = float(os.environ.get("PEER_SECONDS", 0))
        if "peer" in parts:
            found = nanogpt.train(scratch, text(), False)
            seconds = seconds or float(found["wall_s"])
            told(
                "nanoGPT", nanogpt.whole_loss(found["model"], found["validation"]), found["wall_s"], found["processor_s"],
                estimate=found["estimate"],
            )  # fmt: skip
        if "same" in parts:
            for kind in ("adamw", "muon"):
                given = {**SAME, "training.steps": nanogpt.STEPS, "training.optimizer": kind}
                ours(f"Honed, the same setting, {kind}", scratch, settings=given)
        if "time" in parts:
            ours("Honed, its own choice in the same time", scratch, time_limit=seconds)


def main() -> None:
    """Read the flags and run."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument(
        "parts", nargs="*", default=["speed", "peer", "same", "time"], help="speed, documents, peer, same, time"
    )
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--compiled", action="store_true", help="both compiled as well (two minutes more)")
    given = flags.parse_args()
    if "speed" in given.parts:
        speed(given.rounds, given.compiled)
    if "documents" in given.parts:
        documents(given.rounds)
    quality(given.parts)


if __name__ == "__main__":
    main()
