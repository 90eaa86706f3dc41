"""How a decoder writes without Honed: a few lines with transformers, on the folder that was saved."""

from __future__ import annotations

import json
from pathlib import Path

from honed.networks.decoders.layout import BREAK, Layout
from honed.tasks.recipe import Recipe

_WRITE = """
from transformers import AutoModelForCausalLM

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
names, instruction, begin, ends = {names}, {instruction}, {begin}, {ends}

{prompt}
def written(row):
    tokens = prompt(row)[-{room}:]
    with torch.inference_mode():
        found = model.generate(
            torch.tensor([tokens]), max_new_tokens={most}, do_sample=False, eos_token_id=ends or None, pad_token_id=0,
            output_logits=True, return_dict_in_generate=True)
    new = found.sequences[0, len(tokens):].tolist()
    sure = [torch.log_softmax(logits[0].float(), -1)[token].item() for logits, token in zip(found.logits, new)]
    ended = bool(new) and new[-1] in ends
    return tokenizer.decode(new, skip_special_tokens=True), sum(sure) / max(1, len(sure)), ended

def outputs(rows):
    # bytes, certainty, whether it came to its end, and the text itself: the same numbers as in Honed
    packed = np.zeros((len(rows), {width}), dtype=np.float32)
    for line, row in zip(packed, rows):
        text, sure, ended = written(row)
        raw = text.encode()
        kept = raw[:{width} - 3].decode("utf-8", "ignore").encode()
        line[:3] = len(kept), sure, ended and len(kept) == len(raw)
        line[3:3 + len(kept)] = np.frombuffer(kept, dtype=np.uint8)
    return packed
"""
_ASKED = """
def asked(row):
    return row[0] if len(names) == 1 else {break_}.join(f"{{name}}: {{value}}" for name, value in zip(names, row))
"""
_PLAIN = """
def prompt(row):
    text = {break_}.join(([instruction] if instruction else []) + [asked(row)]) + {break_}
    return begin + tokenizer.encode(text, add_special_tokens=False)
"""
_CHAT = """
def prompt(row):
    said = [{{"role": "user", "content": asked(row)}}]
    before = [{{"role": "system", "content": instruction}}] if instruction else []
    return list(tokenizer.apply_chat_template(before + said, add_generation_prompt=True, return_dict=False))
"""
ANSWERS = """
def answers(rows):
    found = []
    for row in outputs(rows):
        found.append({"prediction": row[3:3 + int(row[0])].astype(np.uint8).tobytes().decode("utf-8", "replace")})
    return found
"""


def writer_recipe(
    layout: Layout, *, begin: int | None, ends: tuple[int, ...], context: int, most_tokens: int, width: int
) -> Recipe:
    """The recipe of a network that writes; rows that are chats themselves are told only by Honed ("" then)."""
    if layout.messages:
        return Recipe(_nothing, (), "")
    asked = _ASKED.format(break_=json.dumps(BREAK))
    prompt = asked + (_CHAT if layout.chat else _PLAIN).format(break_=json.dumps(BREAK))
    source = _WRITE.format(
        names=list(layout.names), instruction=json.dumps(layout.instruction), prompt=prompt.strip() + "\n",
        begin=[] if begin is None else [begin], ends=list(ends), room=context - most_tokens, most=most_tokens, width=width,
    )  # fmt: skip
    return Recipe(_nothing, (), "", ("transformers", "torch"), source.strip())


def _nothing(folder: Path) -> None:
    """Whatever is read lies beside the weights already."""
