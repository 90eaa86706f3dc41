"""A decoder on vLLM: its scheduler, memory and kernels compute; requests, texts and answers are as everywhere."""

from __future__ import annotations

import itertools
import json
import math
import weakref
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from honed.errors import GenerationError
from honed.generation.hub_folder import cache_bytes, hub_folder
from honed.generation.kinds import WEIGHTS, check_weights
from honed.generation.row import Row
from honed.generation.settings import Request, Settings
from honed.generation.stepped import Stepped
from honed.generation.vllm_library import HELD, import_vllm, quietly
from honed.networks.decoders.loading import Loaded
from honed.networks.decoders.unread import Unread

MOST_TOP = 100
"""Likeliest tokens that may be told beside each; as many as :class:`~honed.generation.settings.Settings` allows."""
HOTTEST = 2.0
"""Temperature beyond which vLLM refuses a request."""
MOST_SEED = 2**63


class VllmEngine(Stepped):
    """Continues texts, many at a time; see :class:`~honed.generation.text_engine.TextEngine`.

    vLLM opens the folder by itself, on the device it finds. Tokens become texts here, so that streams, stop texts, ends and wanted
    forms are those of every engine. Where it differs: seeds draw other texts than elsewhere; with a wanted form the probabilities
    are those among the tokens allowed; ``min_p`` is applied before ``top_k`` and ``top_p``; biases are cut at 100; ``look_up`` is
    not needed.

    Parameters
    ----------
    decoder : Loaded or Unread
        Its folder is read; its network is not, unless the folder is none in hub format.
    slots : int
        Texts at a time.
    context : int, optional
        Tokens of a text at most, prompt included; what the model reads by default.
    weights : str
        "float32", "bfloat16", or "auto" for what the folder says and the device likes.
    threads : int, optional
        Of the processor, where it computes on one.
    options : Any
        Further arguments of vLLM's engine, such as ``tensor_parallel_size=2`` or ``gpu_memory_utilization=0.5``.

    Raises
    ------
    GenerationError [G001, G006, G007, G008]
        Options that Honed sets itself; weights in a format that vLLM packs otherwise; vLLM is missing; it cannot compute this
        decoder on this machine.
    """

    name = "vllm"

    def __init__(
        self, decoder: Loaded | Unread, *, slots: int = 16, context: int | None = None, weights: str = "float32",
        threads: int | None = None, **options: Any,
    ) -> None:  # fmt: skip
        if weights != "auto" and self.name not in WEIGHTS[check_weights(weights)]:
            seen = f"vLLM does not pack weights in {weights} while it loads them."
            raise GenerationError(
                "G006", seen, "Use float32, bfloat16 or auto, or a folder whose weights are packed already."
            )
        self._vllm = import_vllm()
        self._temporary, folder = hub_folder(decoder)
        context = min(context or decoder.context, decoder.context)
        try:
            with quietly():
                self._engine = HELD.hold(_opened(self._vllm, folder, slots, context, weights, threads, options))
            self._ended = weakref.finalize(self, HELD.let_go, self._engine)
            n_tokens = int(self._engine.model_config.get_vocab_size())
            super().__init__(decoder.vocabulary, n_tokens, context)
            self._slots, self._numbers = slots, itertools.count()
            self._rows: dict[str, Row] = {}
            self._looks: dict[str, dict[int, float]] = {}
            self.generate(
                [[0]], Settings(max_tokens=2, logprobs=1, ignore_end=True)
            )  # what is compiled at first use is made now
        except GenerationError:
            raise
        except (Exception, SystemExit) as error:
            if hasattr(self, "_ended"):
                self._ended()
            seen = (
                f"vLLM cannot compute the decoder in {decoder.folder} here ({type(error).__name__}: {_short(error)})."
            )
            raise GenerationError("G008", seen, "Leave the engine to auto.") from error

    # --- Stepped ---------------------------------------------------------------------------------------------------
    def _held(self) -> Sequence[Row]:
        return list(self._rows.values())

    @property
    def n_running(self) -> int:
        """Texts that hold a slot."""
        return min(self._slots, len(self._rows))

    @property
    def n_waiting(self) -> int:
        """Requests that wait for a slot."""
        return len(self._waiting) + max(0, len(self._rows) - self._slots)

    def _row(self, request: Request) -> Row:
        row = super()._row(request)
        self._sampling(row)  # what vLLM refuses is told to who asks
        return row

    def _once(self) -> None:
        while self._waiting:
            self._begin(self._waiting.popleft())
        if self._rows:
            self._hear_all()
        self._let_go([number for number, row in self._rows.items() if row.finish is not None])

    def _release(self, row: Row) -> None:
        self._let_go([number for number, held in self._rows.items() if held is row])

    def _clear(self) -> None:
        with suppress(Exception):  # after a failure vLLM may not even do this
            self._let_go(list(self._rows))

    def close(self) -> None:
        """End all requests, and give memory back once no other engine of this process is in use."""
        super().close()
        self._ended()
        if self._temporary is not None:
            self._temporary.cleanup()

    def _begin(self, row: Row) -> None:
        """Hand a request to vLLM; one that it refuses ends with what it says."""
        if row.finish is not None:
            return
        number = str(next(self._numbers))
        try:
            with quietly():
                self._engine.add_request(number, {"prompt_token_ids": row.ids}, self._sampling(row))
        except Exception as error:
            row.fail(_refused(error))
            return
        self._rows[number] = row

    def _let_go(self, numbers: list[str]) -> None:
        for number in numbers:
            del self._rows[number]
        if numbers:
            self._engine.abort_request(numbers)

    def _hear_all(self) -> None:
        with quietly():
            found = self._engine.step()
        for output in found:
            row = self._rows.get(output.request_id)
            if row is not None:
                self._hear(row, output)
            elif output.finished and output.outputs[0].logprobs:
                self._looks[output.request_id] = {
                    token: one.logprob for token, one in output.outputs[0].logprobs[0].items()
                }

    def _hear(self, row: Row, output: Any) -> None:
        """Write what vLLM has chosen for one text, up to where the text ends."""
        row.reused = min(int(output.num_cached_tokens or 0), row.n_prompt)
        (new,) = output.outputs
        for place, token in enumerate(new.token_ids):
            told = _told(new.logprobs[place], token, row.settings.logprobs) if row.raw and new.logprobs else ()
            if row.take(token, *told):
                break
        if output.finished:
            del self._rows[output.request_id]
            if row.finish is None:
                _end(row, new.finish_reason)

    # --- likelihood ------------------------------------------------------------------------------------------------
    def logs_after(self, texts: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> list[dict[int, float]]:
        """For each text the natural logarithms of the probabilities of some tokens as the next one.

        Raises
        ------
        GenerationError [G002, G009]
            A text is too long; vLLM refuses it.
        """
        with self._lock:
            self._stepping = True
            try:
                return self._looked(texts, wanted)
            finally:
                self._looks.clear()
                self._stepping = False

    def _looked(self, texts: Sequence[Sequence[int]], wanted: Sequence[Sequence[int]]) -> list[dict[int, float]]:
        asked: list[tuple[int, str]] = []
        for place, (text, tokens) in enumerate(zip(texts, wanted, strict=True)):
            if len(text) >= self.context:
                seen = f"The text has {len(text):,} tokens; at most {self.context - 1:,} fit."
                raise GenerationError("G002", seen, "Shorten it.")
            for first in range(0, len(tokens), MOST_TOP):
                some = [int(one) for one in tokens[first : first + MOST_TOP]]
                number = str(next(self._numbers))
                try:
                    params = self._vllm.SamplingParams(
                        max_tokens=1, temperature=0.0, logprob_token_ids=some, detokenize=False
                    )
                    with quietly():
                        self._engine.add_request(number, {"prompt_token_ids": list(text)}, params)
                except Exception as error:
                    raise _refused(error) from error
                asked.append((place, number))
        waiting = {number for _, number in asked}
        while waiting:
            self._hear_all()
            waiting -= self._looks.keys()
        found: list[dict[int, float]] = [{} for _ in texts]
        for place, number in asked:
            found[place] |= self._looks[number]
        return found

    # --- requests --------------------------------------------------------------------------------------------------
    def _sampling(self, row: Row) -> Any:
        settings = row.settings
        if settings.temperature > HOTTEST:
            seen = f"temperature is {settings.temperature:g}; vLLM draws with {HOTTEST:g} at most."
            raise GenerationError("G001", seen, f"Give a number from 0 to {HOTTEST:g}.")
        asked = {
            name: getattr(settings, name)
            for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")
        }  # fmt: skip
        try:
            return self._vllm.SamplingParams(
                **asked, max_tokens=row.limit - row.n_prompt, seed=row.seed % MOST_SEED if settings.temperature else None,
                logprobs=settings.logprobs, logit_bias=dict(settings.logit_bias) or None, ignore_eos=True,
                stop_token_ids=[] if settings.ignore_end else [one for one in self.vocabulary.ends if one < self.n_tokens],
                structured_outputs=self._form(settings), detokenize=False,
                output_kind=self._vllm.sampling_params.RequestOutputKind.DELTA,
            )  # fmt: skip
        except Exception as error:
            raise _refused(error) from error

    def _form(self, settings: Settings) -> Any:
        if not settings.constrained:
            return None
        wanted = {"regex": settings.regex} if settings.regex else {"json": json.dumps(settings.json_schema)}
        return self._vllm.sampling_params.StructuredOutputsParams(**wanted)


def _opened(
    vllm: Any, folder: Path, slots: int, context: int, weights: str, threads: int | None, options: dict[str, Any]
) -> Any:
    own: dict[str, Any] = {
        "model": str(folder), "dtype": weights, "max_model_len": context, "max_num_seqs": slots, "load_format": "safetensors",
        "trust_remote_code": False, "generation_config": "vllm", "max_logprobs": MOST_TOP, "disable_log_stats": True,
        "structured_outputs_config": {"backend": "guidance", "disable_any_whitespace": True}, "use_tqdm_on_load": False,
    }  # fmt: skip
    taken = sorted(own.keys() & options)
    if taken:
        raise GenerationError("G001", f"Honed sets {', '.join(taken)} of vLLM itself.", "Leave it away.")
    if vllm.platforms.current_platform.is_cpu():
        import torch

        own |= {"enforce_eager": True, "kv_cache_memory_bytes": cache_bytes(folder, slots, context)}
        if threads:
            torch.set_num_threads(threads)
    return vllm.v1.engine.llm_engine.LLMEngine.from_engine_args(vllm.engine.arg_utils.EngineArgs(**own | options))


def _told(found: Any, token: int, n: int | None) -> tuple[float, tuple[tuple[int, float], ...]]:
    """Logarithm of the probability of a token, and of the ``n`` likeliest ones, without those that a form forbids."""
    known = ((one, value) for one, value in found.items() if value.rank is not None and math.isfinite(value.logprob))
    order = sorted(known, key=lambda one: one[1].rank)
    return float(found[token].logprob), tuple((int(one), float(value.logprob)) for one, value in order[: n or 0])


def _end(row: Row, reason: str | None) -> None:
    if reason == "length":
        row.end("length")
    elif reason in ("stop", "repetition"):
        row.end("stop")
    else:
        row.fail(GenerationError("G008", f"vLLM ended a text without a reason that is known ({reason}).", "Ask again."))


def _refused(error: Exception) -> GenerationError:
    return GenerationError(
        "G009", f"vLLM refuses the request: {_short(error)}.", "Ask for what it can do, or use another engine."
    )


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text if len(text) <= 300 else f"{text[:300]} ..."
