"""The peer: SetFit on the same few rows with the same base, in its documented default setting.

Defaults of SetFit 1.2: one epoch over unique pairs of an oversampled set, batch 16, learning rate 2e-5 for the body,
logistic regression as the head. On a CPU its pairs of 64 examples a label take hours, so the pairs are capped by
``num_iterations=20``, the setting of its paper (Tunstall et al., 2022).

``--bf16`` lets it compute in bfloat16 as Honed does where that is faster; the system is then called "SetFit bf16".

    pip install setfit && python benchmarks/peers/setfit_few_shot.py [--bf16]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

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


def run(
    texts: list[str], truth: list[str], test: list[str], labels: list[str], seed: int, half: bool
) -> dict[str, object]:
    """SetFit fitted on the rows, scored on the test rows."""
    import torch
    from datasets import Dataset
    from setfit import SetFitModel, Trainer, TrainingArguments

    begin = time.monotonic()
    model = SetFitModel.from_pretrained(str(base_folder()), labels=sorted(set(truth)))
    rows = Dataset.from_dict({"text": texts, "label": truth})
    with tempfile.TemporaryDirectory() as scratch, torch.autocast("cpu", torch.bfloat16, enabled=half):
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
