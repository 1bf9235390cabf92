"""Metrics of the work by OpenTelemetry, off unless `ZHENGKU_METRICS=otlp`: rows, durations, calls of pages.

Without the switch nothing of OpenTelemetry is imported, and recording costs a comparison. docs/metrics.md lists all
metrics with units and labels. A metric never fails or holds up the work: what cannot be sent is told once and left.

The processes of steps are short, so each sends what it added (delta temporality) when its step has ended. The server
of the pages lives long, and sends its totals (cumulative), with the number of its process, once a minute.
"""

import logging
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from zhengku import __version__
from zhengku.errors import ConfigurationError
from zhengku.ledger import OUTCOMES, Batch

log = logging.getLogger(__name__)

SWITCH: Final = "ZHENGKU_METRICS"

Kind = Literal["counter", "histogram", "gauge"]
Labels = Mapping[str, str | int]


@dataclass(frozen=True)
class Metric:
    """A metric: its OpenTelemetry name, unit (UCUM) and labels; `bounds` are the upper bounds of a histogram."""

    kind: Kind
    name: str
    unit: str
    description: str
    labels: tuple[str, ...]
    bounds: tuple[float, ...] = ()


ROWS: Final = Metric(
    "counter",
    "zhengku.rows",
    "{row}",
    "Rows read by stage (outcome fetched), and by outcome when a step has closed their batch.",
    ("department", "feed", "step", "outcome"),
)
COLLECTED: Final = Metric(
    "counter", "zhengku.collected", "By", "Bytes of deliveries that were landed.", ("department", "feed")
)
STEP_DURATION: Final = Metric(
    "histogram",
    "zhengku.step.duration",
    "s",
    "Duration of a step on one batch (collect: on one delivery), without waiting for its lock.",
    ("department", "feed", "step", "result"),
    (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 7200),
)
PAGE_DURATION: Final = Metric(
    "histogram",
    "zhengku.page.duration",
    "s",
    "Duration of the call of a page until its answer began.",
    ("pages", "route", "method", "status", "role"),
    (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)
WORK_METRICS: Final = (ROWS, COLLECTED, STEP_DURATION, PAGE_DURATION)
"""What is counted while working; `zhengku.operations.standing` has the figures that are read from the store."""

_SWITCH_VALUES: Final = ("", "none", "otlp")

# Shorter than the exporter's own ten seconds: a step waits for it.
_SEND_SECONDS: Final = 3.0

_PAUSE_SECONDS: Final = 300.0


class Recorder:
    """Records metrics and sends them to the collector. `totals`: of a process that lives long, once a minute.

    After a failure it does not try again for `pause_seconds`. What is added meanwhile is sent with the next success.
    """

    def __init__(self, environment: Mapping[str, str], *, totals: bool, pause_seconds: float) -> None:
        """Read and check the standard variables `OTEL_…`; raises `ConfigurationError`."""
        timeout = _check(environment)
        try:
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
            from opentelemetry.sdk.metrics import MeterProvider
            from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
            from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
        except ImportError as error:
            raise ConfigurationError(
                f"{SWITCH}=otlp: expected the packages of the extra `metrics`, got none of {error.name}. Install "
                f"zhengku[metrics], or remove {SWITCH}."
            ) from error
        self._exporter = _once_told(OTLPMetricExporter)(timeout=timeout, preferred_temporality=_temporality(totals))
        self._exporter.pause_seconds = pause_seconds
        attributes: dict[str, str | int | bool | float] = {SERVICE_VERSION: __version__}
        if not environment.get("OTEL_SERVICE_NAME"):
            attributes[SERVICE_NAME] = "zhengku"
        if totals:
            attributes[SERVICE_INSTANCE_ID] = f"{os.uname().nodename}:{os.getpid()}"
        resource = Resource.create(attributes)

        def new_provider() -> MeterProvider:
            reader = PeriodicExportingMetricReader(
                self._exporter,
                export_interval_millis=None if totals else math.inf,
                export_timeout_millis=timeout * 1000,
            )
            return MeterProvider([reader], resource=resource, shutdown_on_exit=totals)

        self._totals = totals
        self._new_provider = new_provider
        self._provider = new_provider()
        self._instruments: dict[str, Any] = {}

    def record(self, metric: Metric, amount: float, labels: Labels) -> None:
        """Add an amount to a counter, record it in a histogram, or set a gauge."""
        assert labels.keys() == {*metric.labels}, f"{metric.name}: expected {metric.labels}, got {[*labels]}"
        instrument = self._instruments.get(metric.name)
        if instrument is None:
            instrument = self._instruments[metric.name] = self._new_instrument(metric)
        if metric.kind == "counter":
            instrument.add(amount, labels)
        elif metric.kind == "histogram":
            instrument.record(amount, labels)
        else:
            instrument.set(amount, labels)

    def _new_instrument(self, metric: Metric) -> Any:
        meter = self._provider.get_meter("zhengku", __version__)
        if metric.kind == "counter":
            return meter.create_counter(metric.name, metric.unit, metric.description)
        if metric.kind == "histogram":
            return meter.create_histogram(
                metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=list(metric.bounds)
            )
        return meter.create_gauge(metric.name, metric.unit, metric.description)

    def send(self) -> bool:
        """Send what was recorded, unless sending failed a short time ago; return whether the collector has it."""
        if self._exporter.is_paused:
            return False
        self._provider.force_flush()
        if not self._totals:
            # What is added next began now: a collector leaves out a sum that began before one that it has, and
            # another process may send of the same feed meanwhile.
            self._provider = self._new_provider()
            self._instruments.clear()
        return self._exporter.failed_at is None

    def close(self) -> None:
        """Send what was recorded last, and end."""
        self._provider.shutdown()


_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def _check(environment: Mapping[str, str]) -> float:
    """Return the seconds that one sending may take; raises `ConfigurationError` for what the exporter cannot use."""
    for name in _ENDPOINTS:
        address = environment.get(name, "")
        parts = urlsplit(address)
        if address and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ConfigurationError(
                f"{name}: expected http://host:4318 or https://host:4318, got {_shown(address)!r}. Correct it."
            )
    for name in ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if (protocol := environment.get(name, "")) not in ("", "http/protobuf"):
            raise ConfigurationError(f"{name}: expected http/protobuf, the only one spoken here, got {protocol!r}.")
    for name in ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"):
        if text := environment.get(name):
            try:
                seconds = float(text)
            except ValueError:
                seconds = math.nan
            if not 0 < seconds <= 60:
                raise ConfigurationError(f"{name}: expected seconds, more than 0 and at most 60, got {text!r}.")
            return seconds
    return _SEND_SECONDS


def _temporality(totals: bool) -> dict[type, Any]:
    from opentelemetry.sdk.metrics import Counter, Histogram
    from opentelemetry.sdk.metrics.export import AggregationTemporality

    kind = AggregationTemporality.CUMULATIVE if totals else AggregationTemporality.DELTA
    return {Counter: kind, Histogram: kind}


class _Reason(logging.Filter):
    """Keeps what the exporter logs, in place of the log: it tells every try anew."""

    text = ""

    def filter(self, record: logging.LogRecord) -> bool:
        self.text = record.getMessage() if not self.text else self.text
        return False


@cache
def _once_told(exporter: type[Any]) -> type[Any]:
    """Return the exporter's class with a pause after a failure, and a warning for the first of several."""
    exporters_log = logging.getLogger(exporter.__module__)

    class OnceTold(exporter):  # type: ignore[misc]
        failed_at: float | None = None
        pause_seconds = 0.0

        @property
        def is_paused(self) -> bool:
            return self.failed_at is not None and time.monotonic() - self.failed_at < self.pause_seconds

        def export(self, metrics_data: Any, timeout_millis: float | None = None, **options: Any) -> Any:
            reason = _Reason()
            exporters_log.addFilter(reason)
            try:
                result = super().export(metrics_data, timeout_millis=timeout_millis, **options)
            finally:
                exporters_log.removeFilter(reason)
            if result.name == "SUCCESS":
                self.failed_at = None
                return result
            if self.failed_at is None:
                address = next(filter(None, map(os.environ.get, _ENDPOINTS)), "http://localhost:4318")
                log.warning(
                    "Metrics: expected the collector at %s to take them, got: %s The work goes on without. Check that "
                    "the collector runs and that %s names it.",
                    _shown(address),
                    reason.text or "no answer.",
                    _ENDPOINTS[1],
                )
            self.failed_at = time.monotonic()
            return result

    return OnceTold


def _shown(address: str) -> str:
    """Return an address without a login."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def recorder(*, totals: bool = False, pause_seconds: float = _PAUSE_SECONDS) -> Recorder | None:
    """Return a new recorder for the environment of this process; None when metrics are switched off.

    Raises `ConfigurationError` when the switch or a variable of OpenTelemetry has a value that cannot be used.
    """
    switch = os.environ.get(SWITCH, "")
    if switch not in _SWITCH_VALUES:
        raise ConfigurationError(f"{SWITCH}: expected otlp, or none for no metrics, got {switch!r}.")
    if switch != "otlp" or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    return Recorder(os.environ, totals=totals, pause_seconds=pause_seconds)


@cache
def _shared(totals: bool) -> Recorder | None:
    """Return the recorder of this process; None also when a setting is wrong, which is told and fails nothing."""
    try:
        return recorder(totals=totals)
    except ConfigurationError as error:
        log.warning("No metrics are sent: %s", error)
        return None


# A task is forked from a process that may have sent metrics itself.
os.register_at_fork(after_in_child=_shared.cache_clear)


class Measured:
    """One step on one batch: `start` is called when it begins, `ended` with the batch as the step leaves it."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._feed: dict[str, str] = {}
        self._started = 0.0
        self._batch: Batch | None = None

    def start(self, department: str, feed: str) -> None:
        """Begin to measure: what was waited for before is no part of the step."""
        self._feed = {"department": department, "feed": feed}
        self._started = time.monotonic()

    def ended(self, batch: Batch) -> Batch:
        """Take note of what the step has done, and return the batch; a step that fails does not get here."""
        self._batch = batch
        return batch

    def record(self, metrics: Recorder) -> None:
        """Record the step, if it was started: duration, and the rows by outcome of a batch that it closed."""
        if not self._feed:
            return
        labels = {**self._feed, "step": self._step}
        batch = self._batch
        result = "failed" if batch is None else batch.status
        metrics.record(STEP_DURATION, time.monotonic() - self._started, {**labels, "result": result})
        if batch is None:
            return
        if self._step == "collect" and batch.landing_path is not None:
            metrics.record(COLLECTED, batch.source_bytes, self._feed)
        read = ("fetched",) if self._step in ("collect", "stage") else ()
        for outcome in (*read, *(OUTCOMES if batch.finished else ())):
            if rows := batch.counts()[outcome]:
                metrics.record(ROWS, rows, {**labels, "outcome": outcome})


@contextmanager
def measured_step(step: str) -> Iterator[Measured]:
    """Measure a step on a batch; enter it before the batch is locked, so that what was measured is also committed."""
    measured = Measured(step)
    try:
        yield measured
    finally:
        if (metrics := _shared(totals=False)) is not None:
            measured.record(metrics)
            metrics.send()


def page_call(seconds: float, *, pages: str, route: str, method: str, status: int, role: str) -> None:
    """Record the call of a page; `route` is the pattern of its address, never the address."""
    if (metrics := _shared(totals=True)) is not None:
        labels: Labels = {"pages": pages, "route": route, "method": method, "status": status, "role": role}
        metrics.record(PAGE_DURATION, seconds, labels)
