"""``honed serve`` and ``honed key``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("key")(key)


def serve(
    bundles: Annotated[list[str], typer.Argument(help="Packaged models (runs/NAME/model) or decoders (folder, GGUF).", show_default=False)],
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 is reached from elsewhere.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8000,
    engine: Annotated[str, typer.Option(help="What computes: a name of `honed engines`, or auto for the fastest.")] = "torch-fp32",
    keys: Annotated[Path | None, typer.Option(help="File of API keys; make one with: honed key NAME.")] = None,
    require_signature: Annotated[Path | None, typer.Option(help="Public key that must have signed every model.")] = None,
    allow_unfit: Annotated[str, typer.Option(help='Reason to serve a model whose verdict is "do not ship".')] = "",
    shadow: Annotated[list[str] | None, typer.Option(help="NAME=BUNDLE: gets the same rows; answers are compared, not given.")] = None,
    log: Annotated[str | None, typer.Option(help="Keep the answers here for honed monitor: file or postgresql:// address.")] = None,
    log_text: Annotated[str, typer.Option(help="How texts are kept: masked, none or raw.")] = "masked",
    allow_folder: Annotated[list[Path] | None, typer.Option(help="Further folder that /admin may load models from.")] = None,
    max_rows: Annotated[int, typer.Option(help="Most rows in one request.")] = 1_000,
    batch_rows: Annotated[int, typer.Option(help="Most rows computed at once.")] = 64,
    queue_rows: Annotated[int, typer.Option(help="Most rows that wait; more are answered with 429.")] = 4_096,
    body_mib: Annotated[float, typer.Option(help="Largest body of a request, in MiB.")] = 8.0,
    body_s: Annotated[float, typer.Option(help="Longest time for a body to arrive, in seconds.")] = 10.0,
    request_s: Annotated[float, typer.Option(help="Longest time for an answer, in seconds.")] = 30.0,
    slots: Annotated[int, typer.Option(help="Texts that a model writes at a time.", min=1)] = 16,
    queue_texts: Annotated[int, typer.Option(help="Most texts that wait for their turn; more are answered with 429.", min=0)] = 256,
    write_s: Annotated[float, typer.Option(help="Longest time for a written text, in seconds.")] = 300.0,
    weights: Annotated[str, typer.Option(help="How texts are computed: float32, bfloat16, int8, int4 or auto.")] = "float32",
) -> None:  # fmt: skip
    """Serve packaged models over HTTP, with a page to try them. Nothing leaves this machine."""
    from honed.serving.settings import Limits
    from honed.verbs.serve import serve as run

    limits = Limits(
        body_mib=body_mib, body_s=body_s, rows=max_rows, batch_rows=batch_rows, queue_rows=queue_rows, request_s=request_s, slots=slots,
        queue_texts=queue_texts, write_s=write_s,
    )  # fmt: skip
    run(
        list(bundles), host=host, port=port, engine=engine, weights=weights, keys=keys, require_signature=require_signature,
        allow_unfit=allow_unfit, shadow=_pairs(shadow or []), log=log, log_text=log_text,
        allow_folders=allow_folder or [], limits=limits, started=lambda url: _tell(bundles[0], url, keys is not None),
    )  # fmt: skip


def _pairs(flags: list[str]) -> dict[str, str]:
    from honed.errors import ConfigError

    found = {}
    for flag in flags:
        name, mark, path = flag.partition("=")
        if not mark or not name or not path:
            raise ConfigError("C012", f'"--shadow {flag}" has another form.', "Write --shadow NAME=BUNDLE.")
        found[name] = path
    return found


def _tell(bundle: str, url: str, keys: bool) -> None:
    import shlex

    from honed.bundle.plain import is_plain_decoder

    head = " -H 'Authorization: Bearer KEY'" if keys else ""
    path, sent = _text_example(Path(bundle)) if is_plain_decoder(Path(bundle)) else _row_example(Path(bundle))
    print(f"Page: {url}/   API: {url}/docs   Ready: {url}/readyz")
    print(f"Try: curl {url}{shlex.quote(path)}{head} -H {sent}", flush=True)


def _text_example(base: Path) -> tuple[str, str]:
    """The address to ask a decoder at, and what to send."""
    import json
    import shlex

    from honed.serving.bases import manifest_of

    given = {"model": manifest_of(base).name, "prompt": "Once upon a time", "max_tokens": 40}
    return "/v1/completions", f"'Content-Type: application/json' -d {shlex.quote(json.dumps(given))}"


def _row_example(bundle: Path) -> tuple[str, str]:
    """The address to ask a fine-tuned model at, and what to send."""
    import json
    import shlex

    from honed.bundle.manifest import read_manifest
    from honed.serving.attached import file_fields

    manifest = read_manifest(bundle)
    example = (manifest.schemas["input"].get("examples") or [{}])[0]
    sent = f"'Content-Type: application/json' -d {shlex.quote(json.dumps(example, ensure_ascii=False))}"
    if file_fields(manifest.schemas["input"]):
        sent = "'Content-Type: image/jpeg' --data-binary @picture.jpg"
    return f"/models/{manifest.name}/predict", sent


def key(
    name: Annotated[str, typer.Argument(help="Whose key it is: a person or a program, one word.", show_default=False)],
    role: Annotated[str, typer.Option(help="predict, or admin (may also reload models).")] = "predict",
    keys: Annotated[Path, typer.Option(help="File of keys to add it to.")] = Path("keys.txt"),
) -> None:
    """Make an API key for honed serve. It is shown once; the file keeps only its hash."""
    from honed.serving.keys import new_key

    print(new_key(keys, name, role))
