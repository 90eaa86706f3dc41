"""A transformer encoder with a linear head: the network of text classification."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from honed.errors import BundleError
from honed.networks import tokens
from honed.networks.quiet import quiet
from honed.networks.recipe import encoder_recipe
from honed.networks.shapes import SHAPES
from honed.networks.stock import as_stock, from_stock
from honed.tasks.contract import Batch, Encoded, Input, Recipe
from honed.zoo.base import Base

EPSILON = 1e-12
HEAD_FILE = "head.safetensors"
PROBLEM_TYPES = {"regression": "regression", "multilabel": "multi_label_classification"}
_tokenizer_lock = threading.Lock()


class EncoderClassifier(torch.nn.Module):
    """Encoder, pooling and linear head.

    With "mean" pooling the features are the mean of the token vectors, normalised to mean 0 and variance 1; with
    "stock" they are what the architecture's own classification head feeds its last linear layer.

    Parameters
    ----------
    backbone : module
        The encoder ("mean"), or a stock classifier whose last linear layer was replaced by the identity ("stock").
    facts : dict
        What the configuration of a saved model says: num_labels, id2label, label2id, problem_type.
    """

    tokens_in_fp32 = 512
    """Tokens in one batch of float32 on a CPU: with 1024 a second of a processor reads no more, and the peak of memory is 50
    to 90 MiB higher, for freed blocks of many large sizes leave holes."""

    def __init__(
        self,
        backbone: Any,
        head: torch.nn.Linear,
        tokenizer: Any,
        *,
        pooling: str,
        max_length: int,
        facts: dict[str, Any],
        dropout: float = 0.1,
        head_path: str = "",
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.tokenizer = backbone, head, tokenizer
        self.pooling, self.max_length, self.facts, self.head_path = pooling, max_length, facts, head_path
        self.dropout = torch.nn.Dropout(dropout)

    @classmethod
    def from_base(
        cls,
        base: Base,
        *,
        n_outputs: int,
        kind: str,
        labels: Sequence[str],
        max_length: int,
        pooling: str | None = None,
        dropout: float = 0.1,
        seed: int = 0,
    ) -> EncoderClassifier:
        """A base with a fresh head of ``n_outputs``; pooling is "mean" where the architecture allows it."""
        pooling = pooling or ("mean" if base.architecture in SHAPES else "stock")
        facts = _facts(kind, labels, n_outputs)
        with quiet(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if pooling == "mean":
                backbone, head_path = _encoder(base.folder), ""
                head = torch.nn.Linear(_width(backbone.config), n_outputs)
            else:
                backbone, head, head_path = _stock(base.folder, facts, n_outputs)
            torch.nn.init.normal_(head.weight, std=0.02)
            torch.nn.init.zeros_(head.bias)
            tokenizer = load_tokenizer(base.folder)
        shared: dict[str, Any] = {"pooling": pooling, "max_length": max_length, "facts": facts}
        return cls(backbone.float(), head, tokenizer, **shared, dropout=dropout, head_path=head_path).eval()

    def encode(self, inputs: Sequence[Input]) -> list[Encoded]:
        """Texts or pairs into unpadded token ids."""
        with _tokenizer_lock:
            return tokens.tokenize(self.tokenizer, inputs, self.max_length)

    def collate(self, encoded: Sequence[Encoded]) -> Batch:
        """One batch, padded to its longest row."""
        batch: Batch = tokens.pad(encoded, self.tokenizer.pad_token_id or 0)
        return batch

    def features(self, batch: Batch) -> torch.Tensor:
        """What the head reads, (n, d) float32."""
        if self.pooling == "stock":
            stock: torch.Tensor = self.backbone(**batch).logits
            return stock.float()
        hidden = self.backbone(**batch).last_hidden_state.float()
        mask = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
        return torch.nn.functional.layer_norm(mean, mean.shape[-1:], eps=EPSILON)

    def forward(self, batch: Batch) -> torch.Tensor:
        """Outputs (n, outputs); the head always computes in float32."""
        features = self.dropout(self.features(batch))
        with torch.autocast(features.device.type, enabled=False):
            found: torch.Tensor = self.head(features)
        return found

    def save(self, folder: Path) -> None:
        """A folder that transformers' ``AutoModelForSequenceClassification`` opens, and that :func:`load_encoder` reads."""
        from safetensors.torch import save_file

        with quiet():
            self.stock().save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        head = {name: value.detach().cpu().contiguous().clone() for name, value in self.head.state_dict().items()}
        save_file(head, folder / HEAD_FILE)
        facts = {"pooling": self.pooling, "max_length": self.max_length, "head_path": self.head_path}
        (folder / "honed_encoder.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")

    def recipe(self) -> Recipe:
        """How the network is used without Honed; see :class:`honed.tasks.contract.Recipe`."""
        return encoder_recipe(self.tokenizer, self.max_length)

    def stock(self) -> Any:
        """The same network as a plain classifier of transformers, on the CPU."""
        import copy

        if self.pooling == "mean":
            return as_stock(copy.deepcopy(self.backbone).cpu(), self.head, self.facts)
        twin = copy.deepcopy(self.backbone).cpu()
        _set(twin, self.head_path, copy.deepcopy(self.head).cpu())
        return twin


def load_encoder(folder: Path) -> EncoderClassifier:
    """Read back what :meth:`EncoderClassifier.save` wrote; every weight must be there.

    Raises
    ------
    BundleError [B020]
        The weights do not match the configuration; nothing is ever silently initialised anew.
    """
    from transformers import AutoModelForSequenceClassification

    facts = json.loads((folder / "honed_encoder.json").read_text(encoding="utf-8"))
    with quiet():
        stock, told = AutoModelForSequenceClassification.from_pretrained(
            folder, output_loading_info=True, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        tokenizer = load_tokenizer(folder)
    wrong = [*told["missing_keys"], *told["unexpected_keys"], *told["mismatched_keys"]]
    if wrong:
        seen = f"The weights in {folder} do not match their configuration ({len(wrong)} tensors, such as {wrong[0]})."
        raise BundleError("B020", seen, "Take an undamaged copy of the bundle.")
    config = stock.config
    names = ("id2label", "label2id", "problem_type")
    kept = {name: getattr(config, name) for name in names if hasattr(config, name)}
    if facts["pooling"] == "mean":
        backbone, head = from_stock(stock, folder / HEAD_FILE)
    else:
        backbone, head = stock, _get(stock, facts["head_path"])
        _set(stock, facts["head_path"], torch.nn.Identity())
    shared = {"pooling": facts["pooling"], "max_length": facts["max_length"], "head_path": facts["head_path"]}
    return EncoderClassifier(backbone, head, tokenizer, facts=kept, **shared).eval()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a folder in hub format."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


def _facts(kind: str, labels: Sequence[str], n_outputs: int) -> dict[str, Any]:
    names = list(labels) or ["value"]
    assert len(names) == n_outputs
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
        "problem_type": PROBLEM_TYPES.get(kind, "single_label_classification"),
    }


def _encoder(folder: Path) -> Any:
    from transformers import AutoModel

    options = {"local_files_only": True, "use_safetensors": True, "dtype": torch.float32}
    try:
        return AutoModel.from_pretrained(folder, add_pooling_layer=False, **options)
    except TypeError:
        return AutoModel.from_pretrained(folder, **options)


def _width(config: Any) -> int:
    return int(getattr(config, "hidden_size", None) or config.dim)


def _stock(folder: Path, facts: dict[str, Any], n_outputs: int) -> tuple[Any, torch.nn.Linear, str]:
    """The architecture's own classifier, its last linear layer taken out, and where that was."""
    from transformers import AutoModelForSequenceClassification

    model, told = AutoModelForSequenceClassification.from_pretrained(
        folder, output_loading_info=True, local_files_only=True, use_safetensors=True, dtype=torch.float32,
        ignore_mismatched_sizes=True, **facts,
    )  # fmt: skip
    if model.config.pad_token_id is None:
        model.config.pad_token_id = 0
    linears = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    path = [name for name in linears if _get(model, name).out_features == n_outputs][-1]
    with torch.no_grad():
        for name in {key.rpartition(".")[0] for key in told["missing_keys"]} - {path}:
            _let_through(_get(model, name))
    head = _get(model, path)
    if head.bias is None:
        head.bias = torch.nn.Parameter(torch.zeros(n_outputs))
    _set(model, path, torch.nn.Identity())
    return model, head, path


def _let_through(module: Any) -> None:
    """A new square layer between encoder and head begins as the identity, so that frozen features say something."""
    if isinstance(module, torch.nn.Linear) and module.in_features == module.out_features:
        torch.nn.init.eye_(module.weight)
        if module.bias is not None:
            torch.nn.init.zeros_(module.bias)


def _get(module: Any, path: str) -> Any:
    return module.get_submodule(path)


def _set(module: Any, path: str, value: Any) -> None:
    owner, _, name = path.rpartition(".")
    setattr(module.get_submodule(owner), name, value)
