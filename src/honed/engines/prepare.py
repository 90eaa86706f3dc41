"""From a model to a predictor of one engine: files are made once, kept whole or not at all, and made anew when damaged."""

from __future__ import annotations

import atexit
import dataclasses
import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from honed.engines.host import cache_folder, digest_of
from honed.engines.kinds import DEFAULT, KINDS, OWN, Kind, kind_of, missing
from honed.engines.writing import SLOTS, writes, writing_predictor
from honed.errors import BundleError, GenerationError, HonedError, RunError
from honed.files import whole_folder
from honed.model import Model
from honed.tasks.contract import Input, Predictor

NETWORK_FILE = "model.onnx"


def is_network(predictor: Predictor) -> bool:
    """True for predictors that hold a torch network, which other engines can compute."""
    return predictor.kind == "network"


def engine_of(predictor: Predictor) -> str:
    """The name of the engine a predictor runs on."""
    return str(getattr(predictor, "engine", OWN))


def with_engine(model: Model, name: str, *, slots: int | None = None) -> Model:
    """The same model on another engine; ``slots`` says how many texts are written at a time, where it writes any.

    Raises
    ------
    BundleError [B030, B031, B032]
        No such engine, it cannot run here, or the network cannot be written for it.
    """
    return dataclasses.replace(model, predictor=predictor_for(model, name, slots=slots))


def predictor_for(model: Model, name: str, *, slots: int | None = None) -> Predictor:
    """A predictor of the model on the engine; see :func:`with_engine`."""
    if not is_network(model.predictor):
        if name in (OWN, DEFAULT):
            return model.predictor
        kind_of(name)
        seen = f'"{model.name}" is no neural network, so the engine "{name}" cannot run it.'
        raise BundleError("B031", seen, f'Leave --engine out: it runs on its own engine ("{OWN}"), which is fast.')
    kind, network = kind_of(name), model.predictor.network  # type: ignore[attr-defined]
    if not _computes(network, kind):
        others = ", ".join(one.name for one in KINDS.values() if _computes(network, one))
        seen = f'The engine "{name}" is not available: it does not compute this kind of network.'
        raise BundleError("B031", seen, f"Engines for this network: {others}.")
    reason = missing(kind)
    if reason:
        raise BundleError("B031", f'The engine "{name}" is not available: {reason}.', f"Use {DEFAULT}, or install it.")
    if writes(network) and name != DEFAULT:
        return _by_writing(model, network, kind, slots)
    return _by_torch(model, network, kind) if kind.runtime == "torch" else _from_file(model, network, kind)


def _computes(network: Any, kind: Kind) -> bool:
    only = getattr(network, "engines", None)
    return kind.name in only if only is not None else kind.runtime != "vllm"


def _by_writing(model: Model, network: Any, kind: Kind, slots: int | None) -> Predictor:
    try:
        return writing_predictor(model, network, kind, slots or SLOTS)
    except GenerationError as error:
        seen = f'The engine "{kind.name}" is not available: {error.seen}'
        raise BundleError("B031", seen, f"Use {DEFAULT}. {error.remedy}") from error


def _by_torch(model: Model, network: Any, kind: Kind) -> Predictor:
    """As it is for the engine that others are compared with; else with its layers joined, where there are any to join."""
    from honed.engines.joined import joined_predictor
    from honed.networks.engine import NetworkPredictor

    quick = None
    if kind.name != DEFAULT:
        quick = joined_predictor(network, sample_inputs(model)[:2], kind.name, kind.number_format)
    if quick is None and kind.exact and kind.name != DEFAULT:
        seen = f'The engine "{kind.name}" is not available: there are no convolutions to join in this network.'
        raise BundleError("B031", seen, f"Use {DEFAULT}, which computes the same.")
    return quick or NetworkPredictor(network, kind.number_format)


def sample_inputs(model: Model) -> list[Input]:
    """A few inputs made from the example of the model's input schema: enough to show shapes and to compare numbers."""
    (row,) = model.inputs([model.task.schemas(model.problem).input["examples"][0]])
    return model.task.medium.variants(row)


def _from_file(model: Model, network: Any, kind: Kind) -> Predictor:
    from honed.engines.predictor import EnginePredictor
    from honed.networks.devices import on_processor

    folder, lasting = home_of(network)
    for attempt in (1, 2):
        path = file_for(model, kind, folder)
        try:
            predictor = EnginePredictor(on_processor(network), kind.name, _runner(path, kind))
            break
        except Exception as error:  # a damaged file makes the runtimes raise errors of their own
            shutil.rmtree(path.parent, ignore_errors=True)
            if attempt == 2 or isinstance(error, HonedError):
                seen = f'The engine "{kind.name}" could not open its file ({type(error).__name__}).'
                raise BundleError("B031", seen, f"Use {DEFAULT}.") from error
    if not lasting:
        weakref.finalize(predictor, shutil.rmtree, folder, ignore_errors=True)
    return predictor


def _runner(path: Path, kind: Kind) -> Any:
    if kind.runtime == "openvino":
        from honed.engines.openvino_runtime import OpenvinoRunner

        return OpenvinoRunner(path, kind.number_format)
    from honed.engines.onnx_runtime import OnnxRunner

    return OnnxRunner(path)


def home_of(network: Any) -> tuple[Path, bool]:
    """The folder for the files of a network, and whether it lasts; without a writable cache a temporary one."""
    folder = cache_folder() / digest_of(network)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        temporary = Path(tempfile.mkdtemp(prefix="honed-engine-"))
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return temporary, False
    return folder, True


def file_for(model: Model, kind: Kind, folder: Path) -> Path:
    """The file an engine opens, made when it is not there yet; each lies in a folder of its own, whole or absent.

    Raises
    ------
    BundleError [B032]
        The network cannot be written as ONNX.
    """
    from honed.engines.int8 import compress_for_openvino, quantize_for_onnx

    plain = _kept(folder / "fp32", lambda path: _export(model, path))
    if kind.number_format != "int8":
        return plain
    make = quantize_for_onnx if kind.runtime == "onnx" else compress_for_openvino
    return _kept(folder / kind.name, lambda path: make(plain, path))


def _kept(place: Path, make: Callable[[Path], None]) -> Path:
    path = place / NETWORK_FILE
    if not path.is_file():
        with whole_folder(place) as temporary:
            make(temporary / NETWORK_FILE)
    return path


def _export(model: Model, path: Path) -> None:
    from honed.engines.to_onnx import export_network

    network = model.predictor.network  # type: ignore[attr-defined]
    export_network(network, sample_inputs(model), path, with_features=model.task.facts.linear_head)


def available(model: Model, names: Sequence[str] | None = None) -> dict[str, Predictor | str]:
    """For each engine its predictor, or the reason why it is not available."""
    from honed.engines.kinds import KINDS

    found: dict[str, Predictor | str] = {}
    for name in names if names is not None else (KINDS if is_network(model.predictor) else (OWN,)):
        try:
            found[name] = predictor_for(model, name)
        except (BundleError, RunError) as error:
            found[name] = error.seen
    return found
