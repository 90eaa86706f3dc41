"""Monitoring: rows until planted drift is seen, false alarms on clean streams, a million logged rows, cost of logging.

    python benchmarks/monitor.py detect [--sets ag_news banking77 sst2 sensor cifar10] [--seeds 5]
    python benchmarks/monitor.py clean [--seeds 40]
    python benchmarks/monitor.py million
    python benchmarks/monitor.py logging

A model is made by the default command on training rows. The population are rows it never saw; reference and windows are drawn from
it with replacement, so that in a clean stream nothing changes by construction. Drift begins after 10 clean windows of 500
rows. Beside it stands the peer that most tutorials show: a chi-square test of the predicted labels and a Kolmogorov-Smirnov
test of the confidences, each window at the 5 % level, on the same rows.
"""

from __future__ import annotations

import argparse
import tarfile
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import ag_news, banking77, data_folder, record, sst2

WINDOW, CLEAN_WINDOWS, MOST_WINDOWS = 500, 10, 40
NEW_WORDS = ("quantum", "hologram", "blockchain", "metaverse")


def options() -> argparse.Namespace:
    """Which part to run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=["detect", "clean", "million", "logging"])
    parser.add_argument("--sets", nargs="+", default=["ag_news", "banking77", "sst2", "sensor", "cifar10"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--windows", type=int, default=200)
    return parser.parse_args()


def main() -> None:
    """The part that was asked for."""
    chosen = options()
    if chosen.part in ("detect", "clean"):
        for name in chosen.sets:
            with tempfile.TemporaryDirectory() as scratch:
                world = World(name, Path(scratch))
                detect(world, chosen.seeds) if chosen.part == "detect" else clean(world, chosen.seeds, chosen.windows)
    else:
        {"million": million, "logging": logging}[chosen.part]()


def rows_of(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Training rows and population of a set; "sensor" are 64 numbers a row, as of a small picture's features."""
    if name == "sensor":
        return sensor_rows(2000, 0), sensor_rows(8000, 1)
    if name == "cifar10":
        return picture_rows("train", 2000), picture_rows("test", 6000)
    read = {"ag_news": ag_news, "banking77": banking77, "sst2": sst2}[name]
    if name == "ag_news":  # both halves from one file, for the two files write their texts in different ways
        texts, labels = read("test")
        order = np.random.default_rng(0).permutation(len(texts))
        rows = [{"text": texts[i], "label": labels[i]} for i in order]
        return rows[:2600], rows[2600:]
    pairs = [list(zip(*read(part), strict=True)) for part in ("train", "test")]
    return tuple([{"text": text, "label": label} for text, label in part] for part in pairs)  # type: ignore[return-value]


def picture_rows(part: str, n: int) -> list[dict[str, Any]]:
    """Pictures of CIFAR-10 as lossy JPEG, drawn by lot, as bytes with their class."""
    archive = (
        data_folder() / "image_classification/cifar10_jpg" / ("test.tar.gz" if part == "test" else "train_50k.tar.gz")
    )
    with tarfile.open(archive) as opened:
        members = sorted((one for one in opened.getmembers() if one.name.endswith(".jpg")), key=lambda one: one.name)
        chosen = set(np.random.default_rng(4).permutation(len(members))[:n].tolist())
        rows = [(one.name, opened.extractfile(one).read()) for i, one in enumerate(members) if i in chosen]  # type: ignore[union-attr]
    return [{"image": content, "label": name.split("/")[-2]} for name, content in rows]


def sensor_rows(n: int, seed: int) -> list[dict[str, Any]]:
    """Made-up features of pictures: 64 numbers around the centre of one of four classes."""
    centres = np.random.default_rng(99).normal(size=(4, 64)) * 0.35
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 4, n)
    values = centres[classes] + rng.normal(size=(n, 64))
    return [
        {**{f"f{i:02d}": float(v) for i, v in enumerate(row)}, "label": f"class {k}"}
        for row, k in zip(values, classes.tolist(), strict=True)
    ]


class World:
    """A model made by the default command, and everything it says about a population, with and without changes."""

    def __init__(self, name: str, scratch: Path) -> None:
        import honed
        from honed.monitoring.reference import watch

        self.name = name
        train, self.population = rows_of(name)
        named: dict[str, Any] = {"task": "toy"} if name == "sensor" else {"text": ["text"]}
        if name == "cifar10":
            named = {"base": data_folder() / "weights/resnet_cifar10/resnet20-12fca82f.th"}
        result = honed.finetune(
            train, target="label", out=scratch, settings={"training.stop_after": "probe", "data.test": 0.2}, **named
        )
        self.model, self.watched = result.model, watch(result.folder / "model")
        self.truths = np.array([row["label"] for row in self.population])
        self.plain = self.answered(self.population)

    def answered(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Inputs, traits, vectors and answers of rows."""
        from honed.bundle.reference import project
        from honed.checks.traits import traits_of
        from honed.monitoring.store import to_json

        inputs = self.model.inputs(rows)
        together = getattr(self.model.predictor, "outputs_and_vectors", None)
        outputs, vectors = together(inputs) if together else (self.model.outputs(inputs), None)
        answers = self.model.task.decode(outputs, self.model.problem, self.model.decision)
        return {
            "inputs": inputs,
            "outputs": outputs,
            "vectors": vectors,
            "small": None if vectors is None else project(vectors),
            "traits": traits_of(
                [self.model.task.medium.measured(row) for row in inputs], self.watched.reference.layout
            ),
            "labels": np.array([to_json(label) for label in answers.labels]),
            "confidence": np.asarray(answers.confidence, dtype=float),
            "unsure": np.asarray(answers.unsure),
        }

    def reference(self, rng: np.random.Generator, n: int = 1500) -> tuple[Any, Any]:
        """The bundle with a reference of ``n`` rows drawn from the population, and which rows they are."""
        from pyarrow import parquet

        from honed.bundle.reference import HeldOut, reference_table
        from honed.monitoring.reference import read_reference

        rows, facts = rng.integers(0, len(self.population), n), self.plain
        targets = np.array([self.model.problem.labels.index(label) for label in self.truths[rows]])
        held = HeldOut(facts["outputs"][rows], targets, None if facts["vectors"] is None else facts["vectors"][rows])
        table = reference_table(self.model, [facts["inputs"][row] for row in rows], held)
        with tempfile.TemporaryDirectory() as folder:
            parquet.write_table(table, Path(folder) / "reference.parquet")
            names = self.model.task.medium.measured_columns(self.model.problem.inputs)
            read = read_reference(Path(folder) / "reference.parquet", self.model.problem, names)
        return replace(self.watched, reference=read), rows

    def monitored(self, watched: Any, parts: list[tuple[dict[str, Any], Any, Any]], *, labelled: bool) -> Any:
        """Monitoring of parts (facts, rows, truths), one after another."""
        from honed.monitoring.analyse import WindowSize, analyse
        from honed.monitoring.store import to_json
        from honed.monitoring.truth import Truth
        from honed.monitoring.windows import Batch

        batches, labels, truths, at = [], [], [], 0
        for facts, rows, truth in parts:
            small = None if facts["small"] is None else facts["small"][rows]
            times = np.arange(at, at + len(rows), dtype=np.int64)
            at += len(rows)
            told = facts["labels"][rows].tolist()
            batches.append(
                Batch(times, facts["traits"][rows], told, facts["confidence"][rows], facts["unsure"][rows], small)
            )
            labels += told
            truths += [to_json(one) for one in truth]
        times = np.arange(at if labelled else 0, dtype=np.int64)
        arrived = Truth(times, labels if labelled else [], truths if labelled else [], times)
        return analyse(watched, iter(batches), arrived, size=WindowSize(WINDOW), source=self.name)


def changes(world: World) -> dict[str, dict[str, Any]]:
    """Planted drifts: how rows change, which rows are drawn, what the truth becomes."""
    rng = np.random.default_rng(5)
    labels = sorted(set(world.truths.tolist()))
    turned = dict(zip(labels, labels[1:] + labels[:1], strict=True))
    favoured = labels[: max(1, len(labels) // 4)]
    weights = np.where(np.isin(world.truths, favoured), 3.0, 1.0)
    found: dict[str, dict[str, Any]] = {
        "label shift": {"weights": weights / weights.sum()},
        "concept change": {"truth": turned},
    }
    if world.name == "sensor":
        found["sensor change"] = {
            "rows": [{k: v + 0.25 if k != "label" else v for k, v in row.items()} for row in world.population]
        }
        return found

    if world.name == "cifar10":
        for edit in world.model.task.medium.edits():
            if edit.name in ("dark", "blur", "noise", "jpeg"):
                rows = [{**row, "image": edit.apply(row["image"], rng)} for row in world.population]
                found[f"sensor change: {edit.title}"] = {"rows": rows}
        return found

    def each(change: Any) -> list[dict[str, Any]]:
        return [{**row, "text": change(row["text"])} for row in world.population]

    found["vocabulary"] = {"rows": each(lambda t: f"{t} {rng.choice(NEW_WORDS)}" if rng.random() < 0.3 else t)}
    found["length"] = {"rows": each(lambda t: f"{t} {t}" if rng.random() < 0.3 else t)}
    found["encoding"] = {"rows": each(lambda t: t.replace("e", "\u00c3\u00a9", 1) if rng.random() < 0.05 else t)}
    return found


def detect(world: World, seeds: int) -> None:
    """Rows from the beginning of a drift until the first alert, and which checks fired."""
    for drift, how in changes(world).items():
        facts = world.answered(how["rows"]) if "rows" in how else world.plain
        found, fired, early = [], [], 0
        for seed in range(seeds):
            rng = np.random.default_rng(1000 + seed)
            watched, _ = world.reference(rng)
            n = len(world.population)
            before = rng.integers(0, n, CLEAN_WINDOWS * WINDOW)
            after = rng.choice(n, MOST_WINDOWS * WINDOW, p=how.get("weights"))
            truth = world.truths[after]
            truth = [how["truth"][one] for one in truth] if "truth" in how else truth.tolist()
            parts = [(world.plain, before, world.truths[before].tolist()), (facts, after, truth)]
            result = world.monitored(watched, parts, labelled=True)
            firsts = {alert.name: when(alert) for alert in result.alerts}
            early += sum(rows <= 0 for rows in firsts.values())
            late = {name: rows for name, rows in firsts.items() if rows > 0}
            found.append(min(late.values()) if late else MOST_WINDOWS * WINDOW + 1)
            fired.append(min(late, key=late.__getitem__) if late else "nothing")
            blind = world.monitored(watched, parts, labelled=False)
        record("monitor", {
            "part": "detect", "set": world.name, "what": drift, "seeds": seeds, "window": WINDOW,
            "rows_median": int(np.median(found)), "rows_most": max(found), "first_check": max(set(fired), key=fired.count),
            "false_alarms_before": early, "without_labels": "seen" if any(when(a) > 0 for a in blind.alerts) else "not seen",
            "seconds": "", "peak_mib": "", "peer": "", "note": f"drift after {CLEAN_WINDOWS} clean windows; 100 labels a block",
        })  # fmt: skip


def when(alert: Any) -> int:
    """Rows after the drift began until a check fired: windows of rows, or blocks of 100 labels."""
    step = 100 if alert.family == "performance" else WINDOW
    return int(alert.first * step - CLEAN_WINDOWS * WINDOW)


def clean(world: World, seeds: int, n_windows: int) -> None:
    """How many of the clean streams ever alarm; beside the peer on the same rows."""
    ours = peer = 0
    begin = time.monotonic()
    for seed in range(seeds):
        rng = np.random.default_rng(9000 + seed)
        watched, reference = world.reference(rng)
        rows = rng.integers(0, len(world.population), n_windows * WINDOW)
        result = world.monitored(watched, [(world.plain, rows, world.truths[rows].tolist())], labelled=True)
        ours += result.state == "alert"
        peer += naive(world, reference, rows)
    record("monitor", {
        "part": "clean", "set": world.name, "what": f"{n_windows} clean windows", "seeds": seeds, "window": WINDOW,
        "rows_median": "", "rows_most": "", "first_check": "", "false_alarms_before": ours, "without_labels": "",
        "seconds": round(time.monotonic() - begin, 1), "peak_mib": "", "peer": f"{peer} of {seeds} streams alarm",
        "note": "streams that ever alarm, over all windows, checks and labels; the peer tests each window at 5 %",
    })  # fmt: skip


def naive(world: World, reference: Any, rows: Any) -> bool:
    """The peer: chi-square of labels and Kolmogorov-Smirnov of confidences, each window at 5 %, nothing corrected."""
    from scipy import stats

    kinds, codes = np.unique(world.plain["labels"], return_inverse=True)
    confidence = world.plain["confidence"]
    then = np.bincount(codes[reference], minlength=len(kinds))
    for start in range(0, len(rows), WINDOW):
        part = rows[start : start + WINDOW]
        now = np.bincount(codes[part], minlength=len(kinds))
        some = (now + then) > 0
        if stats.chi2_contingency(np.vstack([now[some], then[some]])).pvalue < 0.05:
            return True
        if stats.ks_2samp(confidence[part], confidence[reference], method="asymp").pvalue < 0.05:
            return True
    return False


def million(n: int = 1_000_000) -> None:
    """A million rows logged and analysed; seconds and peak memory of the analysis in a process of its own."""
    import subprocess
    import sys

    with tempfile.TemporaryDirectory() as scratch:
        bundle, path = make_log(Path(scratch), n)
        code = (
            "import re, sys, time; import honed; begin = time.monotonic()\n"
            "r = honed.monitor(sys.argv[1], log=sys.argv[2])\n"
            "print(r.n_rows, len(r.windows), r.state, r.n_labelled, time.monotonic() - begin, end=' ')\n"
            "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, str(bundle), str(path)], capture_output=True, text=True, check=True
        )
        rows, windows, state, labelled, seconds, mib = done.stdout.split()
        record("monitor", {
            "part": "million", "set": "ag_news", "what": f"{int(rows):,} logged rows", "seeds": 1, "window": 1000,
            "rows_median": "", "rows_most": "", "first_check": "", "false_alarms_before": int(state == "alert"),
            "without_labels": "", "seconds": round(float(seconds), 1), "peak_mib": round(float(mib)), "peer": "",
            "note": f"{windows} windows, {labelled} labels, file of {path.stat().st_size / 2**20:.0f} MiB",
        })  # fmt: skip


def make_log(scratch: Path, n: int) -> tuple[Path, Path]:
    """A bundle and a log of ``n`` answered rows of AG News, a hundredth of them labelled."""
    from honed.monitoring import PredictionLog
    from honed.tasks.contract import Predictions

    world = World("ag_news", scratch)
    rng, facts = np.random.default_rng(3), world.plain
    answers = world.model.task.decode(facts["outputs"], world.model.problem, world.model.decision)
    log = PredictionLog(scratch / "log.sqlite", queue_rows=200_000, queue_mib=512)
    begin = time.monotonic()
    for start in range(0, n, 100):
        rows = rng.integers(0, len(facts["inputs"]), 100)
        part = Predictions(answers.encoded[rows], [answers.labels[i] for i in rows], answers.probabilities[rows],
                           answers.confidence[rows], answers.unsure[rows])  # fmt: skip
        vectors = None if facts["vectors"] is None else facts["vectors"][rows]
        log.record(world.watched.name, world.watched.version, [facts["inputs"][i] for i in rows], part,
                   request_id=f"r{start}", vectors=vectors)  # fmt: skip
        if start % 50_000 == 0:
            log.flush(600)
        if start % 10_000 == 0:
            for line in range(100):
                log.label(f"r{start}", line, str(world.truths[rows[line]]))
    log.flush(600)
    log.close(60)
    print(f"{n:,} rows logged in {time.monotonic() - begin:.0f} s", log.health(), flush=True)
    assert world.watched.folder is not None
    return world.watched.folder, scratch / "log.sqlite"


def logging() -> None:
    """Time that recording takes from the caller, and rows a second that the writer keeps up with."""
    from honed.monitoring import PredictionLog
    from honed.tasks.contract import Predictions

    texts, _ = ag_news("test")
    with tempfile.TemporaryDirectory() as scratch:
        for durable in (False, True):
            log = PredictionLog(Path(scratch) / f"{durable}.sqlite", durable=durable)
            times, begin = [], time.monotonic()
            for number in range(10_000):
                shares = np.array([[0.7, 0.2, 0.1]], dtype=np.float32)
                one = Predictions(np.zeros(1, dtype=int), ["a"], shares, np.array([0.7]), np.zeros(1, dtype=bool))
                start = time.perf_counter()
                log.record("m", "v", [(texts[number % len(texts)],)], one, request_id=f"r{number}")
                times.append(time.perf_counter() - start)
            log.flush(60)
            rate = 10_000 / (time.monotonic() - begin)
            log.close()
            record("monitor", {
                "part": "logging", "set": "ag_news", "what": "durable" if durable else "plain", "seeds": 1, "window": "",
                "rows_median": "", "rows_most": "", "first_check": "", "false_alarms_before": "", "without_labels": "",
                "seconds": round(float(np.median(times)), 7), "peak_mib": "", "peer": "",
                "note": f"seconds in the caller (median; p99 {1e6 * np.percentile(times, 99):.0f} us); writer {rate:,.0f} rows/s",
            })  # fmt: skip


if __name__ == "__main__":
    main()
