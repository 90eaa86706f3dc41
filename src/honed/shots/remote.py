"""A model behind an OpenAI-compatible address, asked with examples: only where the user allows it, personal data masked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from honed.checks.personal_data import NAMES
from honed.errors import GenerationError
from honed.hosted.address import Address, address_of
from honed.hosted.client import Client
from honed.hosted.kept import Kept
from honed.hosted.ledger import LETTERS_A_TOKEN, Ledger
from honed.hosted.masking import Masker, walked
from honed.networks.decoders.layout import Layout
from honed.shots.base import Asked, Shot, Wish, Written
from honed.shots.examples import Row
from honed.shots.settings import RemoteConfig
from honed.tasks.answers import Array
from honed.zoo.legacy import cache_folder

MOST_LETTERS = 24_000
"""Letters of a prompt at most: examples beyond them are not shown."""
SPARE_TOKENS = 32


@dataclass(frozen=True)
class Masked:
    """Messages as they are sent, and what puts the values back."""

    messages: list[dict[str, str]]
    masker: Masker


class RemoteBase:
    """See :class:`~honed.shots.base.Base`. It tells no likelihoods, so labels are asked for as a field of an object.

    Parameters
    ----------
    address : Address
    client : Client
    ledger : Ledger
    kept : Kept
    at_once : int
        Requests under way at the same time.
    """

    scores, chat = False, True

    def __init__(self, address: Address, client: Client, ledger: Ledger, kept: Kept, at_once: int = 4) -> None:
        self.address, self.ledger = address, ledger
        self.name = f"{address.model} at {address.host}"
        self.at_once = 8 * at_once
        self._client, self._kept, self._workers = client, kept, at_once
        self._limit, self._forms = "max_tokens", True

    # --- prompts --------------------------------------------------------------------------------------------------
    def asked(self, layout: Layout, row: Row, shots: Sequence[Shot], room: int) -> Asked:
        """Masked messages, with as many examples as a prompt may have letters."""
        kept, left = [], MOST_LETTERS - sum(map(len, row)) - len(layout.instruction)
        for shot in shots:
            left -= sum(map(len, shot[0])) + len(shot[1])
            if left < 0:
                break
            kept.append(shot)
        return self._asked(layout, row, tuple(kept[::-1]))

    def again(self, layout: Layout, asked: Asked, row: Row) -> Asked:
        """The same examples with another row."""
        return self._asked(layout, row, asked.shots)

    def _asked(self, layout: Layout, row: Row, shots: tuple[Shot, ...]) -> Asked:
        masker = Masker()
        for one in (*(shot[0] for shot in shots), row):
            for name, value in zip(layout.names, one, strict=True):
                masker.avoid(value)
                if NAMES.search(name):
                    masker.know(value, name)
        return Asked(row, shots, Masked(layout.said(row, shots), masker))

    def length(self, text: str) -> int:
        """Tokens of a text, about."""
        return len(text) // LETTERS_A_TOKEN + 1

    def shown(self, asked: Asked) -> str:
        """What would leave this machine."""
        return "\n\n".join(f"{one['role']}: {one['content']}" for one in self._masked(asked))

    def _masked(self, asked: Asked) -> list[dict[str, str]]:
        mask = asked.prompt.masker.mask
        return [{"role": one["role"], "content": mask(one["content"])} for one in asked.prompt.messages]

    # --- answers --------------------------------------------------------------------------------------------------
    def chances(self, layout: Layout, asked: Sequence[Asked], answers: Sequence[str]) -> Array:
        """An address tells no likelihoods of given answers."""
        raise NotImplementedError

    def write(self, asked: Sequence[Asked], wish: Wish) -> list[Written]:
        """Answers, a few requests at a time; the first error ends it, and what was answered is kept."""
        if not asked:
            return []
        with ThreadPoolExecutor(self._workers) as pool:
            under_way = [pool.submit(self._answer, one, wish) for one in asked]
            try:
                return [one.result() for one in under_way]
            except BaseException:
                for one in under_way:
                    one.cancel()
                raise

    def _answer(self, asked: Asked, wish: Wish) -> Written:
        masker = asked.prompt.masker
        body: dict[str, Any] = {"model": self.address.model, "messages": self._masked(asked), "temperature": 0}
        if wish.stop:
            body["stop"] = list(wish.stop)
        if wish.schema is not None:
            schema = walked(wish.schema, masker.mask)
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": schema, "strict": True},
            }
        found = self._found(body, wish.max_tokens + SPARE_TOKENS)
        text = masker.restore(found["text"], within_json=wish.schema is not None)
        return Written(text, found["finish"] != "length")

    def _found(self, body: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """The answer kept from earlier, or a new one."""
        name = json.dumps([self.address.url, max_tokens, body], sort_keys=True, ensure_ascii=False)
        known = self._kept.find(name)
        if known is not None:
            self.ledger.kept()
            return dict(known)
        reserved = self.ledger.begin(len(json.dumps(body)), max_tokens)
        tokens = 0, 0
        try:
            given = self._sent(body, max_tokens)
            usage = given.get("usage") or {}
            tokens = (
                int(usage.get("prompt_tokens") or len(json.dumps(body)) // LETTERS_A_TOKEN),
                int(usage.get("completion_tokens") or 1),
            )
            found = self._text(given)
        finally:
            self.ledger.end(reserved, *tokens)
        self._kept.keep(name, found)
        return found

    def _sent(self, body: dict[str, Any], max_tokens: int) -> dict[str, Any]:
        """Send it as this address wants it: some call the limit otherwise, some know no forms of answers."""
        whole = {**body, self._limit: max_tokens}
        if not self._forms:
            whole.pop("response_format", None)
        try:
            return self._client.post("chat/completions", whole)
        except GenerationError as error:
            told = str(error.details.get("told", ""))
            if error.code != "G037":
                raise
            if "max_completion_tokens" in told and self._limit == "max_tokens":
                self._limit = "max_completion_tokens"
            elif "response_format" in told and self._forms and "response_format" in body:
                self._forms = False
            else:
                raise
            return self._sent(body, max_tokens)

    def _text(self, given: dict[str, Any]) -> dict[str, Any]:
        try:
            choice = given["choices"][0]
            return {
                "text": str(choice["message"].get("content") or ""),
                "finish": str(choice.get("finish_reason") or "stop"),
            }
        except (KeyError, IndexError, TypeError, AttributeError):
            seen = f"{self.address.host} answered without a message."
            raise GenerationError("G037", seen, "Check that it speaks the chat protocol of OpenAI.") from None

    # --- what is told ---------------------------------------------------------------------------------------------
    def told(self, few: Any, row: Row, console: Any) -> None:
        """What leaves this machine, shown for one row before anything is sent."""
        asked = few.asked([row])[0]
        text = self.shown(asked)
        console.print(f"Rows go to {self.name}. For the first row this is sent:", style="bold", markup=False)
        console.print(text, style="dim", markup=False, soft_wrap=True)
        console.print(what_is_masked(asked.prompt.masker), markup=False, soft_wrap=True)

    def spent(self) -> str:
        """Requests, tokens and costs."""
        return self.ledger.told()


def what_is_masked(masker: Masker) -> str:
    """What was masked in a prompt, and what cannot be found."""
    told = ", ".join(f"{kind} ({n})" for kind, n in masker.kinds.items()) or "nothing was found in it"
    return f"Masked here: {told}. Names of people and places in running text are not found."


class _Forbidden:
    """In the place of a client where nothing may be sent."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def post(self, path: str, body: Any) -> dict[str, Any]:
        """Refuse, and show what would have been sent. Raises GenerationError [G031]."""
        shown = "\n\n".join(f"{one['role']}: {one['content']}" for one in body["messages"])
        seen = f"Nothing was sent to {self._address.host}. For one row this would leave this machine:\n\n{shown}\n\n"
        raise GenerationError("G031", seen, "Add --allow-remote where it may.")


def remote_base(name: str, config: RemoteConfig, *, allowed: bool, dry: bool = False) -> RemoteBase:
    """A model at an address; where it is not allowed, the first question says what would be sent.

    Raises
    ------
    GenerationError [G032, G033], ConfigError [C003]
    """
    address = address_of(name)
    ledger = Ledger(config.price_in, config.price_out, config.max_cost)
    kept = Kept(cache_folder() / "hosted")
    if dry or not allowed:
        client: Any = _Forbidden(address)
    else:
        client = Client(address, address.key(config.key), timeout_s=config.timeout_s, tries=config.tries)
    return RemoteBase(address, client, ledger, kept, config.at_once)
