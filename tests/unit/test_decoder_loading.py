"""Decoders from hub folders, GGUF and llama2.c: the same logits and the same tokens, or a refusal that says why."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from honed.errors import ZooError
from honed.networks.decoders.chat import ChatTemplate
from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.hub_names import to_hub
from honed.networks.decoders.loading import Loaded, load_decoder, save_decoder
from honed.networks.decoders.shape import KINDS, Shape, gpt2
from honed.networks.decoders.vocabulary import vocabulary_in
from honed.testing.tiny_decoders import tiny_decoder, tiny_tokenizer
from honed.testing.tiny_models import SENTENCES
from honed.zoo.decoder_files import converted_decoder
from honed.zoo.gguf.blocks import BLOCKS, unpacked
from honed.zoo.gguf.header import read_head
from honed.zoo.resolve import resolve
from honed.zoo.sentencepiece_tokens import scored_tokenizer
from tests.decoder_files import read_as_llama2c, scored_pieces, side_by_side, write_gguf, write_llama2c

TEXT = "the printer in room twelve is out of paper: 12 €, naïve 🙂\n\tend"


def logits_of_transformers(folder: Path, tokens: torch.Tensor) -> Any:
    from transformers import AutoModelForCausalLM

    with torch.inference_mode():
        return AutoModelForCausalLM.from_pretrained(folder).eval()(tokens).logits


def logits_of(loaded: Loaded, tokens: torch.Tensor) -> Any:
    with torch.inference_mode():
        return loaded.network(tokens)


@pytest.mark.parametrize("kind", [*KINDS, "gpt_neox", "opt", "gpt_neo", "phi"])
def test_a_folder_in_hub_format(kind: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    base = resolve(tiny_decoder(kind, tmp_path / "base", shard="40KB"), kind="decoder")
    assert len(list(base.folder.glob("*.safetensors"))) > 1 and base.max_length == 128 and base.architecture == kind
    loaded = load_decoder(base.folder)
    assert (loaded.shape is not None) == (kind in KINDS) and loaded.context == 128
    tokens = torch.randint(2, 300, (2, 30))
    torch.testing.assert_close(
        logits_of(loaded, tokens), logits_of_transformers(base.folder, tokens), atol=1e-4, rtol=1e-4
    )
    assert loaded.vocabulary.encode(TEXT) == AutoTokenizer.from_pretrained(base.folder)(TEXT).input_ids
    assert loaded.vocabulary.decode(loaded.vocabulary.encode(TEXT)) == TEXT
    assert loaded.vocabulary.begin == 0 and loaded.vocabulary.ends == (1,)
    assert loaded.vocabulary.pieces is not None
    assert b"".join(loaded.vocabulary.pieces[one] for one in loaded.vocabulary.encode(TEXT)).decode() == TEXT


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    loaded = load_decoder(tiny_decoder("qwen3", tmp_path / "base"))
    save_decoder(loaded.network, loaded.vocabulary, tmp_path / "saved")
    again = load_decoder(tmp_path / "saved")
    assert again.shape == loaded.shape and again.vocabulary.ends == loaded.vocabulary.ends
    for name, value in loaded.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])


def test_nothing_is_initialised_anew(tmp_path: Path) -> None:
    folder = tiny_decoder("llama", tmp_path / "base")
    weights = load_file(folder / "model.safetensors")
    name = "model.layers.1.mlp.down_proj.weight"
    wrong = {
        "missing": {key: value for key, value in weights.items() if key != name},
        "strange": {**weights, "model.layers.7.mlp.down_proj.weight": weights[name].clone()},
        "shape": {**weights, name: weights[name][:-1].clone()},
    }
    for found in wrong.values():
        save_file(found, folder / "model.safetensors")
        with pytest.raises(ZooError, match="Z016"):
            load_decoder(folder)
    neox = tiny_decoder("gpt_neox", tmp_path / "neox")
    weights = load_file(neox / "model.safetensors")
    save_file({key: value for key, value in weights.items() if "layers.1.mlp" not in key}, neox / "model.safetensors")
    with pytest.raises(ZooError, match="Z016"):
        load_decoder(neox)


def test_what_is_no_decoder_is_refused(tmp_path: Path, tiny_base: Path) -> None:
    with pytest.raises(ZooError, match="Z014"):
        resolve(tiny_base, kind="decoder")
    with pytest.raises(ZooError, match="Z025"):
        resolve(kind="decoder")
    folder = tiny_decoder("llama", tmp_path / "base")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "own.Model"}}))
    with pytest.raises(ZooError, match="own code"):
        load_decoder(folder)


def test_pickled_weights_pass_the_gate_or_not(tmp_path: Path) -> None:
    folder = tiny_decoder("gpt2", tmp_path / "base")
    tokens = torch.randint(2, 300, (1, 9))
    wanted = logits_of(load_decoder(folder), tokens)
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    torch.testing.assert_close(logits_of(load_decoder(folder), tokens), wanted)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    with pytest.raises(ZooError, match="Z03"):
        load_decoder(folder)


def random_decoder(shape: Shape) -> tuple[Decoder, dict[str, np.ndarray]]:
    torch.manual_seed(3)
    network = Decoder(shape).eval()
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return network, {name: value.numpy() for name, value in to_hub(shape, network.state_dict()).items()}


@pytest.mark.parametrize("tied", [True, False])
def test_a_checkpoint_of_llama2c(tied: bool, tmp_path: Path) -> None:
    pieces, scores = scored_pieces()
    shape = Shape("llama", len(pieces), 32, 32, 2, 4, 2, 8, 48, tied=tied)
    network, weights = random_decoder(shape)
    path = write_llama2c(tmp_path, shape, weights, pieces, scores)
    base = resolve(path, kind="decoder")
    loaded = load_decoder(base.folder)
    assert base.id == "small" and loaded.shape == shape and loaded.vocabulary.ends == (1, 2)
    tokens = torch.randint(0, len(pieces), (2, 20))
    torch.testing.assert_close(logits_of(loaded, tokens), logits_of(Loaded(network, None, path), tokens))  # type: ignore[arg-type]
    rng = random.Random(0)
    texts = ["", " ", "the printer", TEXT] + ["".join(rng.choices("theprint or aé🙂\n", k=30)) for _ in range(200)]
    for text in texts:
        assert loaded.vocabulary.encode(text) == read_as_llama2c(text, pieces, scores), text
        assert loaded.vocabulary.decode(loaded.vocabulary.encode(text)) == text
    whole = path.read_bytes()
    for damaged in (whole[:-4], whole[:20], whole + b"0000", b"\xff" * 28 + whole[28:]):
        (tmp_path / "damaged.bin").write_bytes(damaged)
        with pytest.raises(ZooError, match="Z032"):
            resolve(tmp_path / "damaged.bin", kind="decoder")
    (tmp_path / f"tok{len(pieces)}.bin").write_bytes((tmp_path / f"tok{len(pieces)}.bin").read_bytes()[:-3])
    path.write_bytes(whole[:28] + bytes(4) + whole[32:])
    with pytest.raises(ZooError, match="Z031"):
        resolve(path, kind="decoder")


LLAMA_FACTS = {
    "general.architecture": "llama", "llama.context_length": 64, "llama.embedding_length": 64, "llama.block_count": 2,
    "llama.feed_forward_length": 96, "llama.attention.head_count": 4, "llama.attention.head_count_kv": 2,
    "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.rope.freq_base": 500.0, "llama.rope.dimension_count": 16,
}  # fmt: skip


def scored_facts() -> dict[str, Any]:
    pieces, scores = scored_pieces()
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(pieces) - 259)
    return {
        "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.token_type": kinds, "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}",
    }  # fmt: skip


def llama_weights(shape: Shape) -> tuple[Decoder, dict[str, np.ndarray]]:
    network, weights = random_decoder(shape)
    names = {
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "mlp.up_proj": "ffn_up",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate",
        "mlp.down_proj": "ffn_down", "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    }  # fmt: skip
    found = {}
    for name, value in weights.items():
        new = name.replace("model.layers.", "blk.")
        for theirs, own in names.items():
            new = new.replace(theirs, own)
        if shape.kind == "llama" and "attn_q" in new:
            value = side_by_side(value, shape.n_heads)
        if shape.kind == "llama" and "attn_k" in new:
            value = side_by_side(value, shape.n_key_heads)
        found[new] = value
    return network, found


@pytest.mark.parametrize(("kind", "packing"), [("llama", "F32"), ("llama", "Q8_0"), ("qwen2", "F16")])
def test_gguf_of_the_llama_family(kind: str, packing: str, tmp_path: Path) -> None:
    facts = {name.replace("llama", kind): value for name, value in LLAMA_FACTS.items()}
    facts |= {"general.architecture": kind, **scored_facts()}
    n_tokens = len(facts["tokenizer.ggml.tokens"])
    shape = Shape(
        kind, n_tokens, 64, 64, 2, 4, 2, 16, 96, theta=500.0, attention_bias=kind == "qwen2", tied=kind == "llama"
    )
    network, weights = llama_weights(shape)
    base = resolve(write_gguf(tmp_path / "small.gguf", facts, weights, packing), kind="decoder")
    loaded = load_decoder(base.folder)
    assert loaded.shape == shape
    tokens = torch.randint(0, n_tokens, (2, 20))
    wanted, found = logits_of(Loaded(network, None, tmp_path), tokens), logits_of(loaded, tokens)  # type: ignore[arg-type]
    bound = {"F32": 1e-5, "F16": 2e-2, "Q8_0": 0.5}[packing] * float(wanted.std())
    assert float((wanted - found).abs().max()) < bound
    pieces, scores = scored_pieces()
    assert loaded.vocabulary.encode(TEXT) == read_as_llama2c(TEXT, pieces, scores)
    assert loaded.vocabulary.chat is not None
    assert loaded.vocabulary.chat.render([{"role": "user", "content": "Hi"}]) == "<user>Hi"
    torch.testing.assert_close(logits_of_transformers(base.folder, tokens), found, atol=1e-4, rtol=1e-4)


def test_gguf_of_gpt2(tmp_path: Path) -> None:
    core = tiny_tokenizer()
    told = json.loads(core.to_str())["model"]
    pieces = sorted(core.get_vocab(), key=core.get_vocab().__getitem__)
    shape = gpt2(len(pieces), 64, 32, 2, 4)
    network, weights = random_decoder(shape)
    names = {
        "transformer.h.": "blk.", "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
        "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down", "transformer.wte": "token_embd", "transformer.wpe": "position_embd",
        "transformer.ln_f": "output_norm",
    }  # fmt: skip
    found = {}
    for name, value in weights.items():
        new = name
        for theirs, own in names.items():
            new = new.replace(theirs, own)
        found[new] = value.T if new.startswith("blk.") and value.ndim == 2 else value
    facts = {
        "general.architecture": "gpt2", "gpt2.context_length": 64, "gpt2.embedding_length": 32, "gpt2.block_count": 2,
        "gpt2.feed_forward_length": 128, "gpt2.attention.head_count": 4, "gpt2.attention.layer_norm_epsilon": 1e-5,
        "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.tokens": pieces, "tokenizer.ggml.merges": [" ".join(one) for one in told["merges"]],
        "tokenizer.ggml.token_type": [3, 3] + [1] * (len(pieces) - 2), "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1,
    }  # fmt: skip
    path = write_gguf(tmp_path / "small.gguf", facts, found)
    loaded = load_decoder(converted_decoder(path))
    assert loaded.shape == shape and loaded.vocabulary.encode(TEXT) == core.encode(TEXT).ids
    assert loaded.vocabulary.decode(loaded.vocabulary.encode(TEXT)) == TEXT
    tokens = torch.randint(0, len(pieces), (2, 20))
    torch.testing.assert_close(logits_of(loaded, tokens), logits_of(Loaded(network, None, path), tokens))  # type: ignore[arg-type]
    for change, code in (
        ({"tokenizer.ggml.pre": "unheard-of"}, "Z043"), ({"tokenizer.ggml.model": "bert"}, "Z043"),
        ({"general.architecture": "mamba"}, "Z042"),
        ({"gpt2.embedding_length": 0}, "Z040"), ({"tokenizer.ggml.tokens": pieces[:-1] + pieces[:1]}, "Z040"),
    ):  # fmt: skip
        with pytest.raises(ZooError, match=code):
            converted_decoder(write_gguf(tmp_path / "wrong.gguf", {**facts, **change}, found))


def test_a_damaged_gguf_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    facts = {**LLAMA_FACTS, **scored_facts()}
    _, weights = llama_weights(
        Shape("llama", len(facts["tokenizer.ggml.tokens"]), 64, 64, 2, 4, 2, 16, 96, theta=500.0)
    )
    whole = write_gguf(tmp_path / "whole.gguf", facts, weights).read_bytes()
    assert len(read_head(tmp_path / "whole.gguf").places) == len(weights)
    path = tmp_path / "damaged.gguf"
    for length in range(0, len(whole) - 1, 997):
        path.write_bytes(whole[:length])
        with pytest.raises(ZooError, match="Z040"):
            read_head(path)
    rng = random.Random(1)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole[:12000])
        for _ in range(3):
            damaged[rng.randrange(4, 2000)] = rng.choice((0, 1, 127, 255))
        path.write_bytes(bytes(damaged) + whole[12000:])
        try:
            read_head(path)
        except ZooError as error:
            assert error.code in ("Z040", "Z041")
            refused += 1
    assert refused > 50
    for place, size in ((8, 8), (16, 8)):
        path.write_bytes(whole[:place] + b"\xff" * size + whole[place + size :])
        with pytest.raises(ZooError, match="Z040"):
            read_head(path)


def test_ids_are_those_of_sentencepiece(tmp_path: Path) -> None:
    spm = pytest.importorskip("sentencepiece", reason="needs the package sentencepiece")
    (tmp_path / "text.txt").write_text(
        "\n".join([*SENTENCES, "naïve café über die straße 12 34"] * 50), encoding="utf-8"
    )
    spm.SentencePieceTrainer.train(
        input=str(tmp_path / "text.txt"), model_prefix=str(tmp_path / "small"), vocab_size=400, model_type="bpe", byte_fallback=True,
        character_coverage=1.0, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    theirs = spm.SentencePieceProcessor(model_file=str(tmp_path / "small.model"))
    pieces = [theirs.id_to_piece(place) for place in range(400)]
    scores = [theirs.get_score(place) for place in range(400)]
    core = scored_tokenizer(pieces, scores, special=[0, 1, 2], unknown=0, begin=1)
    rng = random.Random(0)
    for _ in range(300):
        text = "".join(rng.choices("the printer room out of paper naïé🙂ü \n\t12", k=rng.randrange(1, 40)))
        assert core.encode(text).ids == [1, *theirs.encode(text)], text
        assert core.decode(theirs.encode(text)) == theirs.decode(theirs.encode(text)), text


def scalar_q4_k(block: bytes) -> list[float]:
    scale, least = np.frombuffer(block[:4], "<f2").astype(np.float32)
    q, found = block[4:16], []
    for part in range(8):
        if part < 4:
            one, two = q[part] & 63, q[part + 4] & 63
        else:
            one = (q[part + 4] & 15) | ((q[part - 4] >> 6) << 4)
            two = (q[part + 4] >> 4) | ((q[part] >> 6) << 4)
        for place in range(32):
            byte = block[16 + 32 * (part // 2) + place]
            found.append(
                float(
                    scale * np.float32(one) * np.float32(byte >> 4 if part % 2 else byte & 15) - least * np.float32(two)
                )
            )
    return found


def scalar_q6_k(block: bytes) -> list[float]:
    scale, found = np.frombuffer(block[208:], "<f2").astype(np.float32)[0], [0.0] * 256
    for half in range(2):
        for place in range(32):
            high = block[128 + 32 * half + place]
            for part in range(4):
                low = block[64 * half + place + 32 * (part % 2)]
                number = ((low >> 4 if part > 1 else low & 15) | (((high >> (2 * part)) & 3) << 4)) - 32
                step = np.frombuffer(block[192:208], np.int8)[8 * half + 2 * part + place // 16]
                found[128 * half + 32 * part + place] = float(scale * np.float32(step) * np.float32(number))
    return found


def test_blocks_are_unpacked_as_one_reads_them_byte_by_byte() -> None:
    rng = np.random.default_rng(0)
    scalar = {
        2: lambda b: [float(np.frombuffer(b[:2], "<f2")[0]) * ((b[2 + i] & 15 if i < 16 else b[2 + i - 16] >> 4) - 8) for i in range(32)],
        8: lambda b: [float(np.frombuffer(b[:2], "<f2")[0]) * float(one) for one in np.frombuffer(b[2:], np.int8)],
        12: scalar_q4_k, 14: scalar_q6_k,
    }  # fmt: skip
    for kind, by_hand in scalar.items():
        blocks = random_blocks(rng, kind)
        wanted = [number for block in blocks for number in by_hand(block.tobytes())]
        np.testing.assert_allclose(unpacked(kind, blocks.reshape(-1)), wanted, rtol=1e-5, atol=1e-6)


def random_blocks(rng: np.random.Generator, kind: int, n: int = 5) -> np.ndarray:
    """Blocks of random bytes whose scales are ordinary numbers."""
    blocks = rng.integers(0, 256, (n, BLOCKS[kind].n_bytes), dtype=np.uint8)
    if BLOCKS[kind].numbers > 1:
        places = {14: [208]}.get(kind, [0, 2] if kind in (3, 7, 12, 13) else [0])
        for place in places:
            blocks[:, place : place + 2] = rng.normal(size=(n, 1)).astype("<f2").view(np.uint8)
    return blocks


@pytest.mark.parametrize("kind", [kind for kind in BLOCKS if BLOCKS[kind].numbers > 1])
def test_blocks_are_unpacked_as_the_makers_do(kind: int) -> None:
    gguf = pytest.importorskip("gguf", reason="needs the package gguf")
    blocks = random_blocks(np.random.default_rng(kind), kind)
    wanted = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType(kind)).reshape(-1)
    np.testing.assert_allclose(unpacked(kind, blocks.reshape(-1)), wanted, rtol=1e-6, atol=1e-7)


def test_a_chat_template_is_kept_in_its_sandbox(tmp_path: Path) -> None:
    folder = tiny_decoder("llama", tmp_path / "base")
    shown = "{{ bos_token }}{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    shown += "{% if add_generation_prompt %}[assistant]{% endif %}"
    (folder / "chat_template.jinja").write_text(shown)
    vocabulary = vocabulary_in(folder)
    messages = [{"role": "user", "content": "hi"}]
    assert vocabulary.decode(vocabulary.chat_prompt(messages)) == "[user] hi\n[assistant]"
    assert vocabulary.chat_prompt(messages).count(0) == 1
    for hostile in (
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.mro()[1].__subclasses__() }}",
        "{{ raise_exception('no system') }}",
    ):
        with pytest.raises(ZooError, match="Z044"):
            ChatTemplate(hostile, {}).render(messages)
    with pytest.raises(ZooError, match="Z044"):
        ChatTemplate("{% for %}", {})
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ZooError, match="no chat template"):
        vocabulary_in(folder).chat_prompt(messages)


@pytest.mark.needs_data
def test_stories_of_llama2c_begin_as_its_makers_say() -> None:
    path = Path(os.environ.get("HONED_DATA", "")) / "weights/llama2c_stories260K/stories260K.bin"
    if not path.is_file():
        pytest.skip("stories260K is not there")
    from transformers import AutoModelForCausalLM

    loaded = load_decoder(resolve(path, kind="decoder").folder)
    ids = [1]
    with torch.inference_mode():
        for _ in range(60):
            ids.append(int(loaded.network(torch.tensor([ids]), last=True)[0, -1].argmax()))
        model = AutoModelForCausalLM.from_pretrained(loaded.folder).eval()
        assert model.generate(torch.tensor([[1]]), max_new_tokens=60, do_sample=False)[0].tolist() == ids
    assert loaded.vocabulary.decode(ids).startswith("Once upon a time, there was a little girl named Lily.")


def test_a_decoder_of_our_own_opens_without_transformers_and_torchs_compiler(tmp_path: Path) -> None:
    tiny_decoder("llama", tmp_path)
    code = """
import sys
from pathlib import Path
from honed.serving.worker import opened_base
opened_base(Path(sys.argv[1]), "auto")
print([name for name in ("transformers", "torch._dynamo", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
