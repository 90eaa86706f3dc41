"""Low-rank fine-tuning of a decoder with random weights: ours against peft with transformers' Trainer, in turns.

Both read the same tokens (generated prompts of varied length with the text that is to be written), with the same rank, targets,
examples in a step, rates and epochs, each in a process of its own. Told are real tokens a second (padding does not count) by the clock
and by seconds of a processor, the peak memory of the process, and the loss of held-out texts computed by transformers
from the merged folder each of them wrote.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent
SHAPES = {"small": (384, 8, 6, 8192), "middle": (512, 8, 8, 16384), "large": (768, 12, 12, 50257)}
"""Width, blocks, heads, vocabulary: about 17, 34 and 124 million parameters as GPT-2."""
CONTEXT = 512


def made_rows(n: int, seed: int) -> list[tuple[str, str]]:
    """Logs of parts, a few lines to dozens, and the report that is to be written of each."""
    words = _words()
    rng = np.random.default_rng(seed)
    chances = 1.0 / np.arange(1, len(words) + 1) ** 0.8
    chances /= chances.sum()
    rows = []
    for _ in range(n):
        count = int(min(24, 2 + rng.geometric(0.16)))
        lines, worn = [], []
        for _ in range(count):
            part, place, state = rng.choice(words, p=chances), rng.choice(words, p=chances), int(rng.integers(3))
            lines.append(f"{part} in {place}: {('fine', 'worn', 'replaced')[state]}, {rng.integers(10, 99)} hours")
            worn += [f"{part} in {place}"] if state == 1 else []
        report = f"{len(worn)} of {count} parts are worn"
        rows.append(("\n".join(lines), report + (": " + ", ".join(worn[:4]) if worn else "") + "."))
    return rows


def _words() -> list[str]:
    rng = np.random.default_rng(5)
    sounds = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il")]
    return sorted({"".join(rng.choice(sounds, rng.integers(2, 5))) for _ in range(9000)})


def write_base(folder: Path, kind: str, size: str, seed: int = 0) -> None:
    """A decoder with random weights in hub format, with a byte-level tokenizer of generated text."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    width, layers, heads, n_tokens = SHAPES[size]
    core = Tokenizer(models.BPE())
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=n_tokens, special_tokens=["<s>", "</s>"], show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())  # fmt: skip
    core.train_from_iterator([f"{a}\n{b}" for a, b in made_rows(3000, 99)], trainer)
    sizes: dict[str, Any] = {"n_positions": CONTEXT, "n_embd": width, "n_layer": layers, "n_head": heads, "resid_pdrop": 0.0,
                             "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # fmt: skip
    if kind == "llama":
        sizes = {"hidden_size": width, "intermediate_size": 8 * width // 3 // 32 * 32, "num_hidden_layers": layers,
                 "num_attention_heads": heads, "num_key_value_heads": heads, "max_position_embeddings": CONTEXT,
                 "tie_word_embeddings": True}  # fmt: skip
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, vocab_size=n_tokens, bos_token_id=0, eos_token_id=1, **sizes)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_object=core, bos_token="<s>", eos_token="</s>").save_pretrained(folder)


def ours(job: dict[str, Any], begun: Callable[[], None]) -> dict[str, float]:
    """The same training by what ``honed finetune`` does with ``training.adapter=lora``."""
    import torch

    from honed.networks.decoders.layout import Layout
    from honed.networks.learning import learning
    from honed.networks.lora import merge, wrap
    from honed.tasks.contract import Problem
    from honed.tasks.registry import get_task
    from honed.tasks.text_generation.writer import Writer
    from honed.training.loop import Plan, train

    torch.manual_seed(job["seed"])
    writer = Writer.from_base(Path(job["base"]), Layout(("log",)), most_bytes=200)
    wrap(writer, rank=job["rank"], alpha=2 * job["rank"], everywhere=job["targets"] == "all")
    encoded = [{"tokens": asked, "length": len(asked) + len(written)} for asked, written in job["pairs"]]
    texts = np.empty(len(encoded), dtype=object)
    texts[:] = [writer.vocabulary.decode(written) for _, written in job["pairs"]]
    plan = Plan(job["epochs"], job["batch"], job["rate"], layer_decay=1.0, precision=job["format"], seed=job["seed"])
    task = get_task("text-generation")
    problem = Problem(task.name, "text", ("log",), "report", (), "chrf", {})
    begun()
    clock, processor = time.perf_counter(), time.process_time()
    with learning(writer, encoded):
        trace = train(writer, encoded, texts, task, problem, None, plan)
    spent = {"processor_s": time.process_time() - processor, "wall_s": time.perf_counter() - clock}
    trained = sum(p.numel() for p in writer.parameters() if p.requires_grad)
    merge(writer)
    writer.save(Path(job["out"]))
    return {**spent, "trained": trained, "steps": len(trace.losses)}


def measured(train: Callable[..., dict[str, float]], job: dict[str, Any]) -> None:
    """Train and leave what it cost beside the model: seconds, peak memory, and memory when training began."""
    found: dict[str, float] = {}
    facts = train(job, lambda: found.update(before_mib=resident_mib()))
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    Path(job["facts"]).write_text(json.dumps({**found, **facts}), encoding="utf-8")


def resident_mib() -> float:
    """Memory this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def loss_of(folder: Path, pairs: list[tuple[list[int], list[int]]]) -> float:
    """Mean loss of the tokens of held-out texts, in float32 by transformers."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    total = count = 0.0
    with torch.inference_mode():
        for asked, written in pairs:
            logits = model(torch.tensor([asked + written])).logits[0, len(asked) - 1 : -1]
            total += float(torch.nn.functional.cross_entropy(logits, torch.tensor(written), reduction="sum"))
            count += len(written)
    return total / count


def one_run(system: str, job: dict[str, Any], scratch: Path) -> dict[str, float]:
    """A system in a process of its own, and the held-out loss of what it wrote."""
    out = scratch / "out"
    out.mkdir(exist_ok=True)
    task = {
        **job,
        "out": str(out),
        "facts": str(scratch / "facts.json"),
        "pairs": job["train"],
        "format": job["formats"][system],
    }
    path = scratch / "job.json"
    path.write_text(json.dumps(task), encoding="utf-8")
    script = ROOT / "lora.py" if system == "honed" else ROOT / "peers" / "peft_trainer.py"
    subprocess.run([sys.executable, "-W", "ignore", str(script), str(path)], check=True, cwd=ROOT)
    found: dict[str, float] = json.loads((scratch / "facts.json").read_text(encoding="utf-8"))
    return {**found, "loss": loss_of(out, job["held"])}


def compare(given: argparse.Namespace) -> None:
    """Rounds of both in turns."""
    from common import record

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_base(scratch / "base", given.kind, given.size)
        job = made_job(given, scratch / "base")
        tokens = given.epochs * sum(len(asked) + len(written) for asked, written in job["train"])
        untrained = loss_of(scratch / "base", job["held"])
        found: dict[str, list[dict[str, float]]] = {"peft": [], "honed": []}
        for turn in range(given.rounds):
            for system in list(found)[:: 1 if turn % 2 else -1]:
                if given.only in ("", system):
                    found[system].append(one_run(system, job, scratch))
                    print(system, {k: round(v, 3) for k, v in found[system][-1].items()}, flush=True)
        for system, runs in found.items():
            if runs:
                record("lora", told(system, runs, found["peft"], tokens, untrained, given, job))


def told(
    system: str, runs: list[dict[str, float]], peers: list[dict[str, float]], tokens: int, untrained: float,
    given: argparse.Namespace, job: dict[str, Any],
) -> dict[str, object]:  # fmt: skip
    """One row of the results."""

    def middle(name: str) -> float:
        return statistics.median(run[name] for run in runs)

    ratios = [b["processor_s"] / a["processor_s"] for a, b in zip(runs, peers, strict=False)]
    clock = [b["wall_s"] / a["wall_s"] for a, b in zip(runs, peers, strict=False)]
    return {
        "system": system, "base": f"{given.kind} {given.size}", "targets": given.targets, "rank": given.rank,
        "format": job["formats"][system],
        "examples": given.examples, "epochs": given.epochs, "batch": given.batch, "tokens": tokens, "rounds": len(runs),
        "trained_parameters": int(middle("trained")), "steps": int(middle("steps")),
        "tokens_per_processor_s": round(tokens / middle("processor_s")), "tokens_per_s": round(tokens / middle("wall_s")),
        "times_the_peer_processor": round(statistics.median(ratios), 2) if ratios else "",
        "times_the_peer_clock": round(statistics.median(clock), 2) if clock else "",
        "peak_mib": round(middle("peak_mib")), "before_training_mib": round(middle("before_mib")),
        "held_out_loss": round(middle("loss"), 4), "untrained_loss": round(untrained, 4),
        "threads": os.environ.get("OMP_NUM_THREADS", ""), "load": round(os.getloadavg()[0], 1),
    }  # fmt: skip


def made_job(given: argparse.Namespace, base: Path) -> dict[str, Any]:
    """What both are given, in tokens."""
    from honed.networks.decoders.layout import Layout
    from honed.networks.decoders.vocabulary import vocabulary_in

    vocabulary, layout = vocabulary_in(base), Layout(("log",))

    def pairs(n: int, seed: int) -> list[tuple[list[int], list[int]]]:
        rows = [
            (layout.prompt(vocabulary, (asked,)), [*vocabulary.encode(written, special=False), 1])
            for asked, written in made_rows(n, seed)
        ]
        return [(asked[-(CONTEXT - len(written)) :], written) for asked, written in rows]

    return {
        "base": str(base), "train": pairs(given.examples, 1), "held": pairs(100, 2), "rank": given.rank, "targets": given.targets,
        "epochs": given.epochs, "batch": given.batch, "rate": given.rate, "seed": 0,
        "formats": {"honed": given.format, "peft": given.peer_format},
    }  # fmt: skip


def main() -> None:
    """Read the flags and run."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("job", nargs="?", help="internal: the job of one run of ours")
    flags.add_argument("--kind", default="gpt2", choices=["gpt2", "llama"])
    flags.add_argument("--size", default="small", choices=list(SHAPES))
    flags.add_argument("--targets", default="attention", choices=["attention", "all"])
    flags.add_argument("--rank", type=int, default=16)
    flags.add_argument("--examples", type=int, default=320)
    flags.add_argument("--epochs", type=int, default=2)
    flags.add_argument("--batch", type=int, default=16)
    flags.add_argument("--rate", type=float, default=2e-3)
    flags.add_argument("--rounds", type=int, default=3)
    flags.add_argument("--format", default="bf16", choices=["fp32", "bf16"])
    flags.add_argument("--peer-format", default="bf16", choices=["fp32", "bf16", "bf16 weights"])
    flags.add_argument("--only", default="", choices=["", "honed", "peft"])
    given = flags.parse_args()
    if given.job:
        measured(ours, json.loads(Path(given.job).read_text(encoding="utf-8")))
    else:
        compare(given)


if __name__ == "__main__":
    main()
