"""A small server that speaks OpenAI's chat protocol with a real decoder behind it, and remembers what it was sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from honed.generation.generator import Generator
from honed.generation.settings import Settings
from honed.networks.decoders.loading import load_decoder

KEY = "a-key-that-is-secret"


class Hosted:
    """What was sent, what is answered first (statuses, one a request), and where."""

    def __init__(self, folder: Path) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[tuple[int, str]] = []
        self.url = ""
        self._generator = Generator(load_decoder(folder), slots=2)
        self._lock = threading.Lock()

    def sent(self) -> str:
        """Everything that reached the server, as one text."""
        return json.dumps([self.bodies, self.headers], ensure_ascii=False)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """What the decoder writes after the messages, of the form that is asked for."""
        prompt = "\n".join(f"{one['role']}: {one['content']}" for one in body["messages"])
        form = body.get("response_format")
        schema = form["json_schema"]["schema"] if form else None
        most = body.get("max_tokens") or body["max_completion_tokens"]
        with self._lock:
            generator = self._generator
            room = generator.reader.context - min(most, 60)
            ids = generator.vocabulary.encode(prompt)[-room:]
            settings = Settings(max_tokens=most, json_schema=schema, stop=body.get("stop", ()))
            (found,) = generator.generate([ids], settings)
        usage = {"prompt_tokens": len(ids), "completion_tokens": len(found.tokens)}
        return {
            "choices": [{"message": {"role": "assistant", "content": found.text}, "finish_reason": found.finish}],
            "usage": usage,
        }


@contextmanager
def hosted(folder: Path) -> Iterator[Hosted]:
    """The server, as long as the block runs; its model is called "giant"."""
    state = Hosted(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.bodies.append(body)
            state.headers.append(dict(self.headers))
            if self.headers.get("Authorization") != f"Bearer {KEY}":
                self._send(401, {"error": {"message": f"wrong key {self.headers.get('Authorization')}"}})
            elif state.refusals:
                status, told = state.refusals.pop(0)
                self._send(status, {"error": {"message": told}})
            elif self.path != "/v1/chat/completions" or body["model"] != "giant":
                self._send(404, {"error": {"message": "no such model"}})
            else:
                self._send(200, state.answer(body))

        def _send(self, status: int, found: dict[str, Any]) -> None:
            raw = json.dumps(found).encode()
            self.send_response(status)
            for name, value in (("Content-Length", str(len(raw))), ("Retry-After", "0"), ("Location", "/elsewhere")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}/v1#giant"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
