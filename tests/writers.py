"""Models that write, made for tests without any training: bases with a long context, and bundles of tables and chats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from honed.data.table import Roles
from honed.files import read_json, write_json
from honed.model import Model
from honed.networks.engine import NetworkPredictor
from honed.tasks.contract import Decision, Problem
from honed.tasks.registry import get_task
from honed.testing.tiny_decoders import tiny_decoder
from honed.zoo.resolve import resolve

END = 1
"""The token that ends a text of these bases."""
CONTEXT = 16_384
TEMPLATE = "{% for one in messages %}[{{ one.role }}] {{ one.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"


def base_of(folder: Path, *, chat: bool = False, seed: int = 0, context: int = CONTEXT) -> Path:
    """A tiny decoder that reads long texts, with a chat template if wanted."""
    tiny_decoder("llama", folder, seed=seed)
    write_json(folder / "config.json", {**read_json(folder / "config.json"), "max_position_embeddings": context})
    if chat:
        (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder


def bundle_of(folder: Path, base: Path, names: tuple[str, ...] = ("ticket",), **extra: Any) -> Path:
    """A bundle that answers rows as the untrained base does."""
    task = get_task("text-generation")
    problem = Problem(
        task.name,
        "text",
        names,
        "reply",
        (),
        "chrf",
        {"most_bytes": 400, "instruction": "", "messages": False, **extra},
    )
    network = task.build(resolve(base, kind="decoder"), problem, task.config(max_new_tokens=24), 0)
    roles = Roles(target="reply", text=names)
    model = Model(task, problem, NetworkPredictor(network.eval()), Decision(), {}, roles, name=folder.name)
    model.save(folder)
    return folder
