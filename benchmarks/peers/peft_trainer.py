"""The peer: peft's adapters with transformers' Trainer, on the same tokens, in a process of its own.

Fair and tuned: batches of similar length padded to their longest row, the fused optimizer, no dropout, no checkpoints, no logging;
the number format is the fastest of three on this machine (``--format``: float32, bf16 by autocast, weights held in bf16).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

TARGETS = {
    ("gpt2", "attention"): ["c_attn"],
    ("gpt2", "all"): ["c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"],
    ("llama", "attention"): ["q_proj", "k_proj", "v_proj"],
    ("llama", "all"): ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
}


def padded(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """One batch, padded at the right to its longest row; nothing is learnt of padding."""
    longest = max(len(row["input_ids"]) for row in rows)
    fill = {"input_ids": 0, "labels": -100, "attention_mask": 0}
    return {
        name: torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])
        for name, value in fill.items()
    }


def train(job: dict[str, Any], begun: Any) -> dict[str, float]:
    """Train as the job says and write the merged model; ``begun()`` is called right before the first step."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments, set_seed

    set_seed(job["seed"])
    held = torch.bfloat16 if job["format"] == "bf16 weights" else torch.float32
    model = AutoModelForCausalLM.from_pretrained(job["base"], dtype=held)
    targets = TARGETS[model.config.model_type, job["targets"]]
    config = LoraConfig(r=job["rank"], lora_alpha=2 * job["rank"], lora_dropout=0.0, target_modules=targets,
                        fan_in_fan_out=model.config.model_type == "gpt2", task_type="CAUSAL_LM")  # fmt: skip
    model = get_peft_model(model, config)
    data = [
        {"input_ids": asked + written, "labels": [-100] * len(asked) + written, "attention_mask": [1] * len(asked + written)}
        for asked, written in job["pairs"]
    ]  # fmt: skip
    arguments = TrainingArguments(
        output_dir=job["out"], learning_rate=job["rate"], num_train_epochs=job["epochs"], per_device_train_batch_size=job["batch"],
        warmup_steps=0.06, weight_decay=0.01, adam_beta2=0.98, adam_epsilon=1e-6, bf16=job["format"] != "fp32", use_cpu=True,
        train_sampling_strategy="group_by_length", optim="adamw_torch_fused", report_to=[], save_strategy="no",
        logging_strategy="no", disable_tqdm=True, seed=job["seed"], remove_unused_columns=False,
    )  # fmt: skip
    trainer = Trainer(model, arguments, train_dataset=data, data_collator=padded)
    begun()
    clock, processor = time.perf_counter(), time.process_time()
    trainer.train()
    spent = {"processor_s": time.process_time() - processor, "wall_s": time.perf_counter() - clock}
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    merged = model.merge_and_unload().float()
    merged.save_pretrained(job["out"])
    AutoTokenizer.from_pretrained(job["base"]).save_pretrained(job["out"])
    return {**spent, "trained": trained, "steps": trainer.state.global_step}


if __name__ == "__main__":
    from lora import measured

    measured(train, json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
