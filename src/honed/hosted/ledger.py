"""What was spent: tokens as the address counts them, times the prices that the user gives, with a limit."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from honed.errors import ConfigError, GenerationError

LETTERS_A_TOKEN = 3


@dataclass
class Ledger:
    """Tokens and costs of a run; safe from several threads.

    Parameters
    ----------
    price_in, price_out : float
        Of a million tokens.
    max_cost : float
        0 for no limit.
    """

    price_in: float = 0.0
    price_out: float = 0.0
    max_cost: float = 0.0
    n_asked: int = 0
    n_kept: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    _under_way: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Check that a limit has prices to go by. Raises ConfigError [C003]."""
        if self.max_cost and not (self.price_in or self.price_out):
            seen = f"remote.max_cost is {self.max_cost:g}, but there are no prices."
            raise ConfigError(
                "C003", seen, "Add --set remote.price_in=... --set remote.price_out=..., per million tokens."
            )

    @property
    def cost(self) -> float:
        """Spent so far, in the currency of the prices."""
        return self._price(self.tokens_in, self.tokens_out)

    def begin(self, letters: int, max_tokens: int) -> float:
        """Reserve what a request may cost; gives the reservation.

        Raises
        ------
        GenerationError [G038]
            It could go beyond the limit.
        """
        most = self._price(letters // LETTERS_A_TOKEN, max_tokens)
        with self._lock:
            if self.max_cost and self.cost + self._under_way + most > self.max_cost:
                seen = f"The limit of {self.max_cost:g} would be passed: {self.cost:.4f} are spent after {self.n_asked:,} requests."
                raise GenerationError(
                    "G038", seen, "Raise --max-cost; what was answered is kept and not paid for again."
                )
            self._under_way += most
        return most

    def end(self, reserved: float, tokens_in: int, tokens_out: int) -> None:
        """Put what was used in the place of what was reserved."""
        with self._lock:
            self._under_way -= reserved
            self.n_asked += bool(tokens_in or tokens_out)
            self.tokens_in += tokens_in
            self.tokens_out += tokens_out

    def kept(self) -> None:
        """An answer was there from an earlier run."""
        with self._lock:
            self.n_kept += 1

    def told(self) -> str:
        """One sentence."""
        cost = f", cost {self.cost:.4f}" if self.price_in or self.price_out else "; no prices were given"
        kept = f", {self.n_kept:,} answers kept from earlier" if self.n_kept else ""
        return f"{self.n_asked:,} requests{kept}: {self.tokens_in:,} tokens read, {self.tokens_out:,} written{cost}."

    def _price(self, tokens_in: float, tokens_out: float) -> float:
        return (self.price_in * tokens_in + self.price_out * tokens_out) / 1e6
