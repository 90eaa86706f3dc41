"""The peer: transformers' Trainer on Banking77 with the same base, test accuracy and wall time after every epoch.

Fair and tuned: bf16, dynamic padding, batches of similar length, batch 32, warm-up and linear decay; the learning rate
was chosen on a tenth of the training rows (``--validate``), not on the test.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from common import banking77, base_folder, record


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=3e-4)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--fp32", action="store_true")
    parser.add_argument(
        "--validate", action="store_true", help="score on a tenth of the training rows instead of the test"
    )
    options = parser.parse_args()
    run(options)


def run(options: argparse.Namespace) -> None:
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainerCallback,
        TrainingArguments,
        set_seed,
    )

    set_seed(0)
    texts, labels = banking77("train")
    test_texts, test_labels = banking77("test")
    if options.validate:
        rows = np.random.default_rng(0).permutation(len(texts))
        held, kept = rows[: len(rows) // 10], rows[len(rows) // 10 :]
        test_texts, test_labels = [texts[i] for i in held], [labels[i] for i in held]
        texts, labels = [texts[i] for i in kept], [labels[i] for i in kept]
    names = sorted(set(labels))
    begin = time.monotonic()
    tokenizer = AutoTokenizer.from_pretrained(base_folder())
    model = AutoModelForSequenceClassification.from_pretrained(base_folder(), num_labels=len(names))

    def encoded(rows: list[str], truth: list[str]) -> list[dict[str, Any]]:
        ids = tokenizer(rows, truncation=True, max_length=256)["input_ids"]
        return [{"input_ids": row, "labels": names.index(label)} for row, label in zip(ids, truth, strict=True)]

    train, test = encoded(texts, labels), encoded(test_texts, test_labels)
    paused = [0.0]

    class Score(TrainerCallback):
        """Test accuracy after every epoch; the time it takes is not counted."""

        def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            stop = time.monotonic()
            right = 0
            model.eval()
            order = sorted(range(len(test)), key=lambda i: len(test[i]["input_ids"]))
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                for start in range(0, len(order), 128):
                    batch = DataCollatorWithPadding(tokenizer)([test[i] for i in order[start : start + 128]])
                    truth = batch.pop("labels")
                    right += int((model(**batch).logits.argmax(-1) == truth).sum())
            model.train()
            seconds = stop - begin - paused[0]
            paused[0] += time.monotonic() - stop
            row = {
                "system": "transformers Trainer",
                "lr": options.lr,
                "batch": options.batch,
                "of_epochs": options.epochs,
            }
            where = "validation" if options.validate else "test"
            number = "fp32" if options.fp32 else "bf16"
            record("banking77_trainer", {**row, "precision": number, "epoch": round(state.epoch or 0), "on": where,
                   "accuracy": round(right / len(test), 4), "seconds": round(seconds, 1)})  # fmt: skip

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(), learning_rate=options.lr, num_train_epochs=options.epochs,
        per_device_train_batch_size=options.batch, warmup_steps=0.06, weight_decay=0.01, bf16=not options.fp32, use_cpu=True,
        train_sampling_strategy="group_by_length", report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, seed=0,
        remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(
        model, arguments, train_dataset=train, data_collator=DataCollatorWithPadding(tokenizer), callbacks=[Score()]
    )
    trainer.train()


if __name__ == "__main__":
    main()
