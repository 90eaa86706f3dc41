"""Figures for Prometheus, in one process, in a registry of the server's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from honed.serving.log import PredictionLog
from honed.serving.shelf import Served, Shelf

SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)

PACES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    """What was asked and answered, and the state of every worker at the moment of looking."""

    def __init__(self, shelf: Shelf, log: PredictionLog) -> None:
        self._shelf, self._log = shelf, log
        self._registry = CollectorRegistry()
        self.requests = Counter("honed_requests", "Requests answered.", ["route", "status"], registry=self._registry)
        self.seconds = Histogram(
            "honed_request_seconds", "Time from request to answer.", ["route"], buckets=SECONDS, registry=self._registry
        )
        self.batch_rows = Histogram(
            "honed_batch_rows", "Rows computed at once.", ["model"], buckets=BATCHES, registry=self._registry
        )
        self.batch_seconds = Histogram(
            "honed_batch_seconds", "Time of one batch.", ["model"], buckets=SECONDS, registry=self._registry
        )
        self.first_token = Histogram(
            "honed_first_token_seconds", "Time from request to the first token of a text.", ["model"], buckets=SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self.pace = Histogram(
            "honed_text_tokens_per_second", "Tokens a second of one text, after its first.", ["model"], buckets=PACES,
            registry=self._registry,
        )  # fmt: skip
        self._registry.register(self)  # type: ignore[arg-type]

    def watch(self, served: Served) -> None:
        """Count the batches of a version."""
        rows, seconds = self.batch_rows.labels(served.name), self.batch_seconds.labels(served.name)

        def on_batch(n: int, took: float) -> None:
            rows.observe(n)
            seconds.observe(took)

        served.lane.counts.on_batch = on_batch
        if served.lane.writes is not None:
            tally = served.lane.desk.tally
            tally.on_first = self.first_token.labels(served.name).observe
            tally.on_end = self.pace.labels(served.name).observe

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """States and counts that the lanes, the shadows and the log keep themselves."""
        keys = ["model", "version"]
        ready = GaugeMetricFamily("honed_model_ready", "1: the worker answers.", labels=keys)
        waiting = GaugeMetricFamily("honed_queue_rows", "Rows that wait.", labels=keys)
        rows = CounterMetricFamily("honed_rows", "Rows answered.", labels=keys)
        restarts = CounterMetricFamily("honed_worker_restarts", "Workers replaced.", labels=keys)
        for served in self._shelf.all:
            names = [served.name, served.version]
            ready.add_metric(names, float(served.lane.ready))
            waiting.add_metric(names, served.lane.waiting_rows)
            rows.add_metric(names, served.lane.counts.rows)
            restarts.add_metric(names, served.lane.counts.restarts)
        yield from (ready, waiting, rows, restarts, *self._texts(), self._shadows(), *self._log_figures())

    def _texts(self) -> list[Metric]:
        """What the models that write are writing, and have written."""
        keys = ["model", "version"]
        running = GaugeMetricFamily("honed_texts_running", "Texts being written.", labels=keys)
        waiting = GaugeMetricFamily("honed_texts_waiting", "Texts that wait for a slot.", labels=keys)
        texts = CounterMetricFamily("honed_texts", "Texts written.", labels=keys)
        cancelled = CounterMetricFamily("honed_texts_cancelled", "Texts that nobody waited for any more.", labels=keys)
        tokens = CounterMetricFamily("honed_tokens_written", "Tokens written.", labels=keys)
        read = CounterMetricFamily("honed_tokens_read", "Tokens of prompts.", labels=keys)
        for served in self._shelf.all:
            desk = served.lane.desk
            if served.lane.writes is not None:
                told = (desk.running, desk.waiting, desk.tally.texts, desk.tally.cancelled, desk.tally.tokens)
                families: tuple[Any, ...] = (running, waiting, texts, cancelled, tokens)
                for family, n in zip(families, told, strict=True):
                    family.add_metric([served.name, served.version], n)
                read.add_metric([served.name, served.version], desk.tally.prompt_tokens)
        return [running, waiting, texts, cancelled, tokens, read]

    def _shadows(self) -> Metric:
        found = CounterMetricFamily(
            "honed_shadow_rows", "Rows a shadow answered.", labels=["model", "version", "outcome"]
        )
        for name, shadow in self._shelf.shadows.items():
            outcomes = {"agreed": shadow.agreed, "differed": shadow.rows - shadow.agreed, "dropped": shadow.dropped}
            for outcome, n in {**outcomes, "failed": shadow.failed}.items():
                found.add_metric([name, shadow.served.version, outcome], n)
        return found

    def _log_figures(self) -> list[Metric]:
        health: dict[str, Any] = self._log.health()
        well = GaugeMetricFamily("honed_log_ok", "1: answers are kept as asked.", value=float(health["ok"]))
        written = CounterMetricFamily("honed_log_rows_written", "Rows kept.", value=health["written"])
        dropped = CounterMetricFamily("honed_log_rows_dropped", "Rows not kept.", value=health["dropped"])
        return [well, written, dropped]
