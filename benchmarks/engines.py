"""Engines beside torch in full precision, and beside ``transformers.pipeline(batch_size=32)`` for many rows.

All run in one process on the same bundle, in turns. Single requests have 128 tokens; the rows are Banking77's test texts,
on whose labels the loss of accuracy is measured. The pipeline gets the same base with a head of the same size and the same
number of threads; it is also given the rows sorted by length, which it does not do by itself.

    python benchmarks/engines.py runs/banking77/model            # a bundle trained on Banking77
    python benchmarks/engines.py runs/banking77/model 1000       # fewer rows
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from common import banking77, base_folder, record

from honed.engines.timing import PAUSE_S, single_ms

TOKENS = 128
SINGLE_TURNS, BATCH_ROUNDS = 12, 3
BATCHES = (1, 8, 32)


def main() -> None:
    """Measure every engine that can run here; one row of results for each."""
    import torch

    from honed import Model
    from honed.engines.prepare import available
    from honed.resources import cpu_count

    torch.set_num_threads(cpu_count())
    bundle, most = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None
    model = Model.load(bundle)
    found = available(model)
    engines: dict[str, Any] = {name: engine for name, engine in found.items() if not isinstance(engine, str)}
    for name, reason in found.items():
        if isinstance(reason, str):
            print(f"{name}: {reason}")
    texts, labels = (part[:most] for part in banking77("test"))
    rows = [(text,) for text in texts]
    latencies = {size: single(engines, long_text(model), size) for size in BATCHES}
    speeds = throughput(engines, rows, model, texts)
    names = np.array(model.problem.labels)
    truth = np.array(labels)
    reference = engines["torch-fp32"].outputs(rows)
    for name, engine in engines.items():
        outputs = engine.outputs(rows)
        answers = names[outputs.argmax(axis=1)]
        accuracy, full = float((answers == truth).mean()), float((names[reference.argmax(axis=1)] == truth).mean())
        record("engines", {
            "engine": name, "tokens": TOKENS,
            **{f"ms_batch_{size}": round(latencies[size][name], 2) for size in BATCHES},
            "latency_gain": round(latencies[1]["torch-fp32"] / latencies[1][name], 2),
            "rows": len(rows), "rows_per_s": round(speeds[name]), "pipeline_rows_per_s": round(speeds["pipeline"]),
            "pipeline_sorted_rows_per_s": round(speeds["pipeline, sorted"]),
            "gain_over_pipeline": round(speeds[name] / speeds["pipeline"], 2),
            "accuracy": round(100 * accuracy, 2), "loss_points": round(100 * (full - accuracy), 2),
            "changed_percent": round(100 * float((outputs.argmax(axis=1) != reference.argmax(axis=1)).mean()), 2),
        })  # fmt: skip


def long_text(model: Any) -> str:
    """A text of exactly so many tokens."""
    network = model.predictor.network
    words = "my card was charged twice and the transfer has still not arrived today please help "
    text = words * TOKENS
    low, high = 1, len(text)
    while low < high:
        middle = (low + high) // 2
        if network.encode([(text[:middle],)])[0]["length"] >= TOKENS:
            high = middle
        else:
            low = middle + 1
    assert network.encode([(text[:low],)])[0]["length"] == TOKENS
    return text[:low]


def single(engines: dict[str, Any], text: str, size: int) -> dict[str, float]:
    """Median milliseconds of a call with ``size`` texts of 128 tokens, tokenizing included; see ``honed.engines.timing``."""
    return single_ms(engines, [(text,)] * size, turns=max(3, SINGLE_TURNS // size), budget_s=120)


def throughput(engines: dict[str, Any], rows: list[Any], model: Any, texts: list[str]) -> dict[str, float]:
    """Rows a second of every engine and of the pipeline, the best of a few turns."""
    work: dict[str, Callable[[], Any]] = {
        name: (lambda engine=engine: engine.outputs(rows)) for name, engine in engines.items()
    }
    classify = pipeline_of(model)
    work["pipeline"] = lambda: list(classify(texts, batch_size=32))
    by_length = sorted(texts, key=len)
    work["pipeline, sorted"] = lambda: list(classify(by_length, batch_size=32))
    for task in work.values():
        task()
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(BATCH_ROUNDS):
        for name, task in work.items():
            time.sleep(PAUSE_S)
            seconds[name].append(timed(task))
    return {name: len(rows) / min(found) for name, found in seconds.items()}


def pipeline_of(model: Any) -> Any:
    """transformers' own pipeline on the base with a head of as many labels: its speed, not its answers, is measured.

    The bundle itself would open too, but its stock form has one more layer, which would be unfair to the pipeline.
    """
    from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline
    from transformers.utils import logging

    logging.set_verbosity_error()
    base = base_folder()
    stock = AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(model.problem.labels))
    length = model.predictor.network.max_length
    tokenizer = AutoTokenizer.from_pretrained(base)
    return pipeline(
        "text-classification", model=stock, tokenizer=tokenizer, device="cpu", max_length=length, truncation=True
    )


def timed(task: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    begin = time.perf_counter()
    task()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
