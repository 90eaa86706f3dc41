"""Our decoder computes what the architectures of transformers compute, and is saved as one of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from honed.networks.decoders.decoder import Decoder
from honed.networks.decoders.hub_names import from_hub, to_hub
from honed.networks.decoders.shape import config_of, gpt2, shape_of

SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0,
}  # fmt: skip
CASES: list[tuple[str, dict[str, Any]]] = [
    ("gpt2", {"vocab_size": 50, "n_positions": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}),
    ("gpt2", {"vocab_size": 50, "n_positions": 64, "n_embd": 32, "n_layer": 1, "n_head": 2, "n_inner": 40}),
    ("llama", SMALL),
    ("llama", {**SMALL, "tie_word_embeddings": True, "num_key_value_heads": 4, "rms_norm_eps": 1e-3}),
    ("llama", {**SMALL, "rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}),
    ("mistral", {**SMALL, "sliding_window": 5}),
    ("qwen2", SMALL),
    ("qwen3", {**SMALL, "head_dim": 16}),
]


def theirs(kind: str, fields: dict[str, Any]) -> Any:
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **fields)).eval()
    for parameter in model.parameters():  # biases and norms are no longer zeros and ones
        parameter.data += 0.05 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_logits_are_those_of_transformers(kind: str, fields: dict[str, Any]) -> None:
    model = theirs(kind, fields)
    shape = shape_of(model.config.to_dict())
    assert shape is not None and shape.kind == kind
    own = Decoder(shape).eval()
    own.load_state_dict(from_hub(shape, model.state_dict()))
    tokens = torch.randint(0, 50, (3, 20))
    with torch.inference_mode():
        torch.testing.assert_close(own(tokens), model(tokens).logits, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(own(tokens, last=True)[:, 0], own(tokens)[:, -1], atol=1e-5, rtol=1e-5)
    assert shape.n_parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("kind", "fields"), CASES)
def test_it_is_saved_as_one_of_theirs(kind: str, fields: dict[str, Any]) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = shape_of(AutoConfig.for_model(kind, **fields).to_dict())
    assert shape is not None
    own = Decoder(shape).eval()
    config = config_of(shape)
    assert shape_of(config) == shape
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config)).eval()
    missing, strange = model.load_state_dict(to_hub(shape, own.state_dict()), strict=False)
    assert not strange and set(missing) <= ({"lm_head.weight"} if shape.tied else set())
    tokens = torch.randint(0, 50, (2, 12))
    with torch.inference_mode():
        torch.testing.assert_close(own(tokens), model(tokens).logits, atol=1e-5, rtol=1e-5)


def test_what_it_would_compute_otherwise_it_does_not_know() -> None:
    llama = {"model_type": "llama", **SMALL}
    assert shape_of(llama) is not None
    for strange in (
        {"rope_parameters": {"rope_type": "llama3", "factor": 8.0}}, {"hidden_act": "gelu"}, {"attention_bias": True}, {"mlp_bias": True},
        {"model_type": "gpt_neox"}, {"hidden_size": None},
    ):  # fmt: skip
        assert shape_of({**llama, **strange}) is None
    assert shape_of({"model_type": "gpt2", "activation_function": "relu"}) is None


def test_places_and_mask_keep_packed_texts_apart() -> None:
    torch.manual_seed(1)
    own = Decoder(gpt2(30, 16, 16, 2, 2)).eval()
    one, two = torch.randint(0, 30, (1, 5)), torch.randint(0, 30, (1, 6))
    text = torch.tensor([[0] * 5 + [1] * 6])
    mask = (text[:, None, :, None] == text[:, None, None]) & torch.ones(11, 11, dtype=torch.bool).tril()
    places = torch.cat([torch.arange(5), torch.arange(6)])[None]
    with torch.inference_mode():
        packed = own(torch.cat([one, two], dim=1), places, mask=mask)
        torch.testing.assert_close(packed, torch.cat([own(one), own(two)], dim=1), atol=1e-5, rtol=1e-5)
