"""Many clients that read their answers as they are written, some of whom leave: every stream whole, and as it is alone.

    python benchmarks/serving_text.py [--clients 32] [--seconds 60] [--model FILE]

``honed serve`` writes with the stories260K checkpoint (``HONED_DATA/weights/llama2c_stories260K``). Each client asks with a
prompt and a length of its own choice, greedily, and compares the stream with what the generator gives in this process for
that prompt alone. One in ten goes away in the middle. In the end no text may be running or waiting. One row goes to
``results/serving_text.csv``. Clients and server share the machine's cores, so the tokens a second are a lower bound.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from common import data_folder, record
from processes import free_port, honed_command, started

from honed.generation.generator import Generator
from honed.generation.settings import Settings
from honed.networks.decoders.loading import load_decoder
from honed.zoo.resolve import resolve

OPENINGS = (
    "Once upon a time", "The dog", "Lily and Tom", "One day a big red", "In the garden", "Mom said", "There was a little",
    "The sun", "A bird", "Ben wanted to", "It was cold and", "She found a", "The cat ran", "Sam had a toy", "He looked at", "They",
)  # fmt: skip
LENGTHS = (40, 120, 250)
LEAVING = 0.1


@dataclass
class Seen:
    """What the clients saw."""

    whole: int = 0
    wrong: int = 0
    broken: int = 0
    left: int = 0
    tokens: int = 0
    first_s: list[float] = field(default_factory=list)


async def ask(port: int, prompt: str, most: int, leave_after: int | None, seen: Seen) -> str | None:
    """One stream; its text, or None for a client that left."""
    body = json.dumps({"model": "stories260K", "prompt": prompt, "max_tokens": most, "temperature": 0, "stream": True})
    begin = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    writer.write(f"{head}Connection: close\r\n\r\n{body}".encode())
    text, n, ended = "", 0, False
    try:
        async for line in reader:
            if not line.startswith(b"data: "):
                continue
            if line.startswith(b"data: [DONE]"):
                ended = True
                break
            told = json.loads(line[6:])
            if "error" in told:
                raise ConnectionError(told["error"]["message"])
            more = told["choices"][0]["text"]
            if more:
                n += 1
                if n == 1:
                    seen.first_s.append(time.perf_counter() - begin)
                text += more
            if leave_after is not None and n >= leave_after:
                return None
    finally:
        writer.close()
    seen.tokens += n
    if not ended:
        raise ConnectionError("the stream ended without its end")
    return text


async def client(port: int, wanted: dict[tuple[str, int], str], until: float, seed: int, seen: Seen) -> None:
    """Asks again and again until the time is up."""
    rng = random.Random(seed)
    while time.monotonic() < until:
        prompt, most = rng.choice(list(wanted))
        leave_after = rng.randrange(1, 30) if rng.random() < LEAVING else None
        try:
            text = await ask(port, prompt, most, leave_after, seen)
        except (ConnectionError, OSError) as error:
            seen.broken += 1
            print(f"broken: {error}", flush=True)
            continue
        if text is None:
            seen.left += 1
        elif text == wanted[prompt, most]:
            seen.whole += 1
        else:
            seen.wrong += 1


def figures(port: int) -> dict[str, float]:
    """What /metrics says of texts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    names = ("honed_texts_running", "honed_texts_waiting", "honed_texts_cancelled_total", "honed_tokens_written_total")
    return {name: float(line.split()[-1]) for name in names for line in lines if line.startswith(f"{name}{{")}


def emptied(port: int) -> float:
    """Seconds until no text runs or waits; fails after ten."""
    begin = time.monotonic()
    while sum(list(figures(port).values())[:2]):
        assert time.monotonic() - begin < 10, "slots are still held"
        time.sleep(0.01)
    return time.monotonic() - begin


async def all_clients(port: int, wanted: dict[tuple[str, int], str], n: int, seconds: float, seen: Seen) -> None:
    """All at once."""
    until = time.monotonic() + seconds
    await asyncio.gather(*(client(port, wanted, until, seed, seen) for seed in range(n)))


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--model", type=Path, default=None)
    options = parser.parse_args()
    model = options.model or data_folder() / "weights/llama2c_stories260K/stories260K.bin"
    generator = Generator(load_decoder(resolve(model, kind="decoder").folder), slots=1)
    pairs = [(prompt, most) for prompt in OPENINGS for most in LENGTHS]
    wanted = {pair: generator.generate([pair[0]], Settings(max_tokens=pair[1]))[0].text for pair in pairs}
    port, seen = free_port(), Seen()
    with started(honed_command(model, port, "--slots", str(options.clients)), port, "/readyz"):
        asyncio.run(all_clients(port, wanted, 4, 3.0, Seen()))  # warm
        emptied(port)
        before, begin = figures(port), time.monotonic()
        asyncio.run(all_clients(port, wanted, options.clients, options.seconds, seen))
        took = time.monotonic() - begin
        free_s, after = emptied(port), figures(port)
    written = after["honed_tokens_written_total"] - before["honed_tokens_written_total"]
    record("serving_text", {
        "model": model.stem, "clients": options.clients, "seconds": round(took, 1), "streams_whole_and_equal": seen.whole,
        "streams_different": seen.wrong, "streams_broken": seen.broken, "clients_left": seen.left,
        "texts_cancelled": int(after["honed_texts_cancelled_total"] - before["honed_texts_cancelled_total"]),
        "slots_held_at_the_end": int(after["honed_texts_running"] + after["honed_texts_waiting"]),
        "slots_free_after_s": round(free_s, 3), "tokens_per_s": round(written / took),
        "first_token_ms_p50": round(1000 * float(np.percentile(seen.first_s, 50)), 1),
        "first_token_ms_p95": round(1000 * float(np.percentile(seen.first_s, 95)), 1),
        "load": round(os.getloadavg()[0], 1),
    })  # fmt: skip
    assert not seen.wrong and not seen.broken, "a stream was not what the prompt gives alone"


if __name__ == "__main__":
    main()
