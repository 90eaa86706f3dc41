"""nanoGPT as it is, from the clone that NANOGPT names: its model for timing, its own training script for quality."""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

SETTING = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64, "dropout": 0.0}
ROWS, STEPS = 12, 2000
PUBLISHED = (
    "train.py", "config/train_shakespeare_char.py", "--device=cpu", "--eval_iters=20", "--log_interval=1", "--block_size=64",
    "--batch_size=12", "--n_layer=4", "--n_head=4", "--n_embd=128", "--max_iters=2000", "--lr_decay_iters=2000", "--dropout=0.0",
)  # fmt: skip
"""The command of its README for a CPU."""


def clone() -> Path:
    """The folder of nanoGPT; ends the program with a sentence where it is absent."""
    folder = Path(os.environ.get("NANOGPT", ""))
    if not (folder / "train.py").is_file():
        sys.exit("Set NANOGPT to a clone of karpathy/nanoGPT.")
    return folder


class Peer:
    """Its model and optimizer in this process, stepped as its script steps them (without evaluation and printing)."""

    def __init__(self, n_tokens: int, data: np.ndarray[Any, Any], compiled: bool) -> None:
        sys.path.insert(0, str(clone()))
        from model import GPT, GPTConfig  # type: ignore[import-not-found]

        torch.manual_seed(1337)
        self.model = GPT(GPTConfig(vocab_size=n_tokens, bias=False, **SETTING))
        self.optimizer = self.model.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
        self.data, self.called = data, torch.compile(self.model) if compiled else self.model

    def step(self) -> None:
        """One optimizer step on random rows."""
        starts = torch.randint(len(self.data) - 64, (ROWS,)).tolist()
        read = torch.stack([torch.from_numpy(self.data[i : i + 64].astype(np.int64)) for i in starts])
        wanted = torch.stack([torch.from_numpy(self.data[i + 1 : i + 65].astype(np.int64)) for i in starts])
        _, loss = self.called(read, wanted)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def train(scratch: Path, text: Path, compiled: bool) -> dict[str, Any]:
    """Run its script as published, in a copy, one thread for each of OMP_NUM_THREADS; returns seconds, its estimate, and its model."""
    place = scratch / "nanogpt"
    shutil.copytree(clone(), place, ignore=shutil.ignore_patterns(".git", "assets", "*.ipynb"))
    shutil.copy(text, place / "data/shakespeare_char/input.txt")
    subprocess.run([sys.executable, "prepare.py"], cwd=place / "data/shakespeare_char", check=True, capture_output=True)
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = [sys.executable, *PUBLISHED, f"--compile={compiled}"]
    done = subprocess.run(command, cwd=place, check=True, capture_output=True, text=True)
    seconds, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    estimates = [float(found) for found in re.findall(r"val loss ([\d.]+)", done.stdout)]
    return {
        "wall_s": seconds, "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "estimate": min(estimates), "model": place / "out-shakespeare-char/ckpt.pt",
        "validation": np.fromfile(place / "data/shakespeare_char/val.bin", np.uint16),
    }  # fmt: skip


def whole_loss(path: Path, tokens: np.ndarray[Any, Any]) -> float:
    """Mean loss of the checkpoint over all validation tokens, in rows of 64 that do not overlap, as ours is measured."""
    sys.path.insert(0, str(clone()))
    from model import GPT, GPTConfig

    kept = torch.load(path, weights_only=True)
    model = GPT(GPTConfig(**kept["model_args"])).eval()
    model.load_state_dict(kept["model"])
    ids = torch.from_numpy(tokens.astype(np.int64))
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(ids) - 1, 64 * 64):
            piece = ids[start : start + 64 * 64 + 1]
            n = (len(piece) - 1) // 64 * 64
            parts = [piece[: n + 1]] if n else []
            parts += [piece[n:]] if len(piece) - 1 > n else []
            for part in parts:
                width = min(64, len(part) - 1)
                _, loss = model(part[:-1].view(-1, width), part[1:].reshape(-1, width))
                total += float(loss) * (len(part) - 1)
    return total / (len(ids) - 1)
