"""Few-shot by likelihood: which examples are shown, in what number, and whether scores are calibrated.

    python benchmarks/few_shot_choices.py --write episodes.txt
    honed pretrain episodes.txt --time-limit 5m --name base --set shape.context=256 --set tokenizer.kind=bpe \
        --set tokenizer.size=400 --set shape.width=96 --set shape.layers=2 --set shape.heads=4
    python benchmarks/few_shot_choices.py --base runs/base/model

The data are made up: in every episode other words mean other teams, so that only the examples can tell. A small decoder learns to look
them up, more or less; what is compared is how much of that each way of asking brings out. Episodes measured are none of those
learnt from. Not a benchmark against a peer: it is what the defaults were chosen by.
"""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import record, with_intervals

KEYS = [
    "printer", "router", "laptop", "mouse", "screen", "badge", "invoice", "salary", "holiday", "parking",
    "canteen", "heating", "window", "door", "lift", "phone", "server", "backup", "password", "mailbox",
    "camera", "scanner", "projector", "desk", "chair", "lamp", "coffee", "contract", "visa", "travel",
    "parcel", "forklift", "gate", "alarm", "fan", "pump", "valve", "belt", "robot", "drill",
]  # fmt: skip
LABELS = [
    "network", "accounts", "printing", "security", "kitchen", "building", "payroll", "legal", "transport", "workshop", "first floor",
    "cash desk",
]  # fmt: skip
OPENINGS = ["please help with the", "trouble with the", "a question about the"]
LEARNT, SEED = 12_000, 1
WAYS: list[dict[str, Any]] = [
    {}, {"calibrate": False}, {"choice": "random"}, {"choice": "random", "calibrate": False}, {"choice": "first"},
    {"choice": "first", "calibrate": False}, {"shots": 0}, {"shots": 1}, {"shots": 4}, {"shots": 8},
]  # fmt: skip


def row(rng: random.Random, key: str) -> str:
    """A ticket about something."""
    return f"{rng.choice(OPENINGS)} {key}"


def episode(
    rng: random.Random, n: int = 0, n_labels: int = 0, n_keys: int = 0
) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Which words mean which team, and tickets with their teams."""
    n_labels = n_labels or rng.randint(2, 5)
    n_keys = n_keys or rng.randint(n_labels, 10)
    labels, keys = rng.sample(LABELS, n_labels), rng.sample(KEYS, n_keys)
    meaning = {key: labels[k % n_labels] for k, key in enumerate(keys)}
    n = n or rng.randint(8, 20)
    return meaning, [(row(rng, key), meaning[key]) for key in rng.choices(keys, k=n)]


def write(path: Path) -> None:
    """The text that the decoder learns from."""
    rng = random.Random(SEED)
    with path.open("w", encoding="utf-8") as stream:
        for _ in range(LEARNT):
            meaning, rows = episode(rng)
            told = f"Answer with one of: {', '.join(sorted(set(meaning.values())))}.\n\n"
            head = "" if rng.random() < 0.5 else told
            stream.write(head + "\n\n".join(f"text: {text}\nteam: {team}" for text, team in rows) + "\n<|endoftext|>\n")


def measure(base: Any, settings: dict[str, Any], n_episodes: int, n_rows: int) -> dict[str, object]:
    """Share of right answers over new episodes with four teams, eight words and 24 examples each."""
    from honed.metrics.intervals import wilson
    from honed.shots.examples import read_examples
    from honed.shots.few_shot import FewShot
    from honed.shots.settings import FewShotConfig

    right, shown, begin = 0, 0.0, time.process_time()
    for seed in range(n_episodes):
        rng = random.Random(1000 + seed)
        meaning, rows = episode(rng, n=24, n_labels=4, n_keys=8)
        asked = rng.choices(list(meaning), k=n_rows)
        config = FewShotConfig(judge_examples=False, **settings)
        examples = read_examples([{"text": text, "team": team} for text, team in rows], ["text"], config, target="team")
        answers = FewShot(base, examples, config).answer([(row(rng, key),) for key in asked])
        right += sum(value == meaning[key] for value, key in zip(answers.values, asked, strict=True))
        shown += float(np.mean(answers.n_shots)) / n_episodes
    seconds, n = time.process_time() - begin, n_episodes * n_rows
    facts = {"shots": "all that fit", "choice": "alike", "calibrate": True, **settings}
    return {**facts, **with_intervals(accuracy=wilson(right, n)), "rows": n, "shown": round(shown, 1),
            "cpu_ms_a_row": round(1000 * seconds / n, 1)}  # fmt: skip


def main() -> None:
    """Write the text, or measure every way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", type=Path)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--rows", type=int, default=40)
    chosen = parser.parse_args()
    if chosen.write:
        write(chosen.write)
        return
    from honed.shots.local import local_base

    base = local_base(chosen.base)
    for settings in WAYS:
        record("few_shot_choices", measure(base, settings, chosen.episodes, chosen.rows))


if __name__ == "__main__":
    main()
