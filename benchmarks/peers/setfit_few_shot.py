"""The peer: SetFit on the same few rows with the same base, in its documented default setting.

Defaults of SetFit 1.2: one epoch over unique pairs of an oversampled set, batch 16, learning rate 2e-5 for the body,
logistic regression as the head. On a CPU its pairs of 64 examples a label take hours, so the pairs are capped by
``num_iterations=20``, the setting of its paper (Tunstall et al., 2022).

``--bf16`` lets its encoder compute in bfloat16 as Honed does where that is faster, all else in float32; the system is then
called "SetFit bf16". (With its loss in bfloat16 too it learns badly: 57 % where it has 81 %.)

    pip install setfit && python benchmarks/peers/setfit_few_shot.py [--bf16]
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import base_folder, few_shot_rows, record
from few_shot import SETS, options


def main() -> None:
    """Every set, number of examples and draw."""
    half = "--bf16" in sys.argv
    if half:
        sys.argv.remove("--bf16")
    chosen = options()
    for name in chosen.sets:
        texts, labels = SETS[name]("train")
        test_texts, test_labels = SETS[name]("test")
        for shots in chosen.shots:
            for seed in chosen.draws:
                rows = few_shot_rows(labels, shots, seed)
                part = [texts[row] for row in rows], [labels[row] for row in rows]
                found = run(*part, test_texts, test_labels, seed, half)
                record("few_shot", {"set": name, "shots": shots, "seed": seed, **found})


def in_bf16(forward: Callable[..., Any]) -> Callable[..., Any]:
    """The same, its products computed in bfloat16."""
    import torch

    def computed(*given: Any, **named: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            found = forward(*given, **named)
        found.last_hidden_state = found.last_hidden_state.float()
        return found

    return computed


def run(
    texts: list[str], truth: list[str], test: list[str], labels: list[str], seed: int, half: bool
) -> dict[str, object]:
    """SetFit fitted on the rows, scored on the test rows."""
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    begin = time.monotonic()
    model = SetFitModel.from_pretrained(str(base_folder()), labels=sorted(set(truth)))
    rows = Dataset.from_dict({"text": texts, "label": truth})
    if half:
        encoder = model.model_body[0].auto_model
        encoder.forward = in_bf16(encoder.forward)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, batch_size=16, num_epochs=1, num_iterations=20, seed=seed, report_to="none",
            show_progress_bar=False, save_strategy="no",
        )  # fmt: skip
        Trainer(model=model, args=arguments, train_dataset=rows).train()
    seconds = time.monotonic() - begin
    accuracy = float(np.mean(np.array([str(label) for label in model.predict(test)]) == np.array(labels)))
    return {
        "system": "SetFit bf16" if half else "SetFit",
        "accuracy": round(accuracy, 4),
        "seconds": round(seconds, 1),
        "best_rung": "",
        "held_out": "",
    }


if __name__ == "__main__":
    main()
