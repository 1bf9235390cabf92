"""Metrics: what a collector receives of steps, pages and the installation as it stands; a dead one changes nothing."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient
from tests.support.installation import Installation, license_row
from tests.support.otlp_sink import Labels, Sink, otlp_sink
from tests.support.review_pages import ROOT, served
from tests.support.temporary_database import as_account
from typer.testing import CliRunner

from zhengku import clock, ledger, metrics
from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import load_clearance
from zhengku.cli.main import app
from zhengku.database import store_connection
from zhengku.errors import ConfigurationError
from zhengku.operations.standing import STANDING_METRICS, standing
from zhengku.settings import project_home

CATALOG = project_home() / "include" / "catalog"
FEED = {"department": "market_supervision", "feed": "business_license"}


@pytest.fixture
def forgotten() -> Iterator[None]:
    """Recorders of this process are made anew for the test, and after it."""
    metrics._shared.cache_clear()
    yield
    if (served_pages := metrics._shared(totals=True)) is not None:
        served_pages.close()
    metrics._shared.cache_clear()


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    with otlp_sink() as sink:
        monkeypatch.setenv("ZHENGKU_METRICS", "otlp")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.address)
        yield sink


def labels(**values: str | int) -> Labels:
    return frozenset(values.items())


def test_rows_of_a_run_are_those_of_the_ledger(installation: Installation, sink: Sink, forgotten: None) -> None:
    installation.deliver_rows("1.csv", *(license_row(number) for number in range(20)), minutes_ago=90)
    first = installation.run_one()
    changed = [license_row(number, 法人代表="李某某") for number in range(10, 15)]
    wrong = [license_row(number, 统一社会信用代码="91420700X") for number in range(90, 92)]
    installation.deliver_rows("2.csv", *changed, *wrong, license_row(30))
    second = installation.run_one()

    assert first.status == second.status == "loaded"
    counted = {outcome: first.counts()[outcome] + second.counts()[outcome] for outcome in ledger.OUTCOMES}
    assert counted == {**dict.fromkeys(ledger.OUTCOMES, 0), "inserted": 21, "updated": 5, "quarantined": 2}
    rows = sink.delta["zhengku.rows"]
    assert rows == {
        **{labels(**FEED, step="load", outcome=outcome): n for outcome, n in counted.items() if n},
        labels(**FEED, step="stage", outcome="fetched"): sum(counted.values()),
    }
    results = {"collect": "landed", "stage": "staged", "validate": "validated", "load": "loaded"}
    assert sink.delta["zhengku.step.duration"] == {
        labels(**FEED, step=step, result=result): 2 for step, result in results.items()
    }
    assert sink.delta["zhengku.collected"] == {labels(**FEED): first.source_bytes + second.source_bytes}
    assert not sink.last
    assert {resource["service.name"] for resource in sink.resources} == {"zhengku"}
    # Nothing of a row, a file or a run.
    for value in ("虚构", "李某某", "91420700X", "1.csv", first.run_id, second.run_id):
        assert value not in sink.text


def test_repeated_held_and_failed_steps_are_told_apart(
    installation: Installation, sink: Sink, forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [license_row(number) for number in range(20)]
    installation.deliver_rows("1.csv", *rows, minutes_ago=90)
    installation.run()
    installation.deliver_rows("again.csv", *rows)
    repeated = installation.run_one()
    assert repeated.repeats_batch_id is not None
    assert sink.delta["zhengku.rows"][labels(**FEED, step="collect", outcome="unchanged")] == repeated.unchanged == 20

    def fail(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr("zhengku.pipeline.pipeline.load", fail)
    installation.deliver_rows("2.csv", license_row(50))
    with pytest.raises(OSError, match="no"):
        installation.run()
    assert sink.delta["zhengku.step.duration"][labels(**FEED, step="load", result="failed")] == 1


def test_call_of_a_page_is_counted_by_route_status_and_role(
    installation: Installation, sink: Sink, forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")
    client = TestClient(served(installation.settings))
    assert client.get(f"{ROOT}/batches", headers={"who": "zhang"}).status_code == 200
    assert client.get(f"{ROOT}/batches", headers={"who": "root"}).status_code == 200
    assert client.get(f"{ROOT}/batches", headers={"who": "wang"}).status_code == 403
    assert client.get(f"{ROOT}/problem?problem=4711", headers={"who": "zhang"}).status_code == 404
    assert client.get(f"{ROOT}/{'certificate-of-a-person'}", headers={"who": "zhang"}).status_code == 404
    expected = {
        labels(pages="review", route="/batches", method="GET", status=200, role="data_section"): 1,
        labels(pages="review", route="/batches", method="GET", status=200, role="Admin"): 1,
        labels(pages="review", route="/batches", method="GET", status=403, role="section"): 1,
        labels(pages="review", route="/problem", method="GET", status=404, role="data_section"): 1,
        labels(pages="review", route="unknown", method="GET", status=404, role="none"): 1,
    }
    until = time.monotonic() + 10
    while sink.last["zhengku.page.duration"] != expected and time.monotonic() < until:
        time.sleep(0.05)
    assert sink.last["zhengku.page.duration"] == expected
    assert all(resource["service.instance.id"] for resource in sink.resources)
    assert "certificate-of-a-person" not in sink.text


@pytest.fixture(params=["refuses", "silent", "answers 503"])
def dead(request: pytest.FixtureRequest, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A collector that cannot be reached, one that never answers, and one that is overloaded."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if request.param == "silent":
            silent.listen()
        sink.status = 503
        if request.param != "answers 503":
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
        yield request.param


def test_dead_collector_neither_fails_nor_holds_up_a_run_and_is_told_once(
    installation: Installation,
    dead: str,
    forgotten: None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation.deliver_rows("1.csv", *(license_row(number) for number in range(20)))
    waited = 0.0
    send = metrics.Recorder.send

    def send_and_measure(recorder: metrics.Recorder) -> bool:
        nonlocal waited
        started = time.monotonic()
        try:
            return send(recorder)
        finally:
            waited += time.monotonic() - started

    monkeypatch.setattr(metrics.Recorder, "send", send_and_measure)
    with caplog.at_level(logging.WARNING):
        batch = installation.run_one()
    assert batch.status == "loaded"
    # Four steps, of which one waits: the time of one sending, and some for a machine that does more than this.
    assert 0 < waited < 2.5
    told = [record for record in caplog.records if "etrics" in record.getMessage()]
    assert [record.name for record in told] == ["zhengku.metrics"]
    assert "expected the collector at http://127.0.0.1:" in told[0].getMessage()


def test_what_a_pause_kept_is_sent_afterwards(
    installation: Installation, sink: Sink, forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = metrics.recorder(pause_seconds=60)
    assert recorder is not None
    sink.status = 400
    recorder.record(metrics.COLLECTED, 1, FEED)
    assert not recorder.send()
    sink.status = 200
    recorder.record(metrics.COLLECTED, 2, FEED)
    assert not recorder.send()
    assert sink.requests == 1
    recorder._exporter.pause_seconds = 0
    recorder.record(metrics.COLLECTED, 4, FEED)
    assert recorder.send()
    assert sink.delta["zhengku.collected"] == {labels(**FEED): 6}


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("ZHENGKU_METRICS", "yes", "ZHENGKU_METRICS: expected otlp, or none for no metrics, got 'yes'"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318", "expected http://host:4318 or https://host:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://me:secret@there", "got 'ftp://there'"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL: expected http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000", "OTEL_EXPORTER_OTLP_TIMEOUT: expected seconds"),
    ],
)
def test_wrong_setting_is_told_and_fails_no_step(
    sink: Sink,
    forgotten: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
    value: str,
    told: str,
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=told.replace("(", r"\(")) as error:
        metrics.recorder()
    assert "secret" not in str(error.value)
    with metrics.measured_step("load") as measured:
        measured.start("housing", "deed")
    with metrics.measured_step("load") as measured:
        measured.start("housing", "deed")
    assert [told in record.getMessage() for record in caplog.records] == [True]
    assert sink.requests == 0
    monkeypatch.delenv(variable)


def test_without_the_switch_nothing_of_opentelemetry_is_imported() -> None:
    script = """
import sys
from zhengku import metrics
from zhengku.pipeline.pipeline import Pipeline
from zhengku.pages.applications import create_review_app
with metrics.measured_step("load") as measured:
    measured.start("housing", "deed")
metrics.page_call(1.0, pages="review", route="/", method="GET", status=200, role="none")
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "ZHENGKU_ME"))}
    answer = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout == "[]\n"
    assert answer.stderr == ""


ReadFigures = Callable[..., dict[str, dict[Labels, float]]]


@pytest.fixture
def figures(installation: Installation) -> ReadFigures:
    """Read the figures, as the account that may only read figures does."""

    def read(**later: float) -> dict[str, dict[Labels, float]]:
        settings = installation.settings
        url = as_account(settings.database_url, "zhengku_reports")
        found: dict[str, dict[Labels, float]] = {}
        with store_connection(url) as connection:
            now = clock.now() + timedelta(**later)
            for each in standing(connection, load_catalog(CATALOG), load_clearance(CATALOG), now):
                assert each.labels.keys() == {*each.metric.labels}
                found.setdefault(each.metric.name, {})[frozenset(each.labels.items())] = each.value
        return found

    return read


def test_figures_of_the_installation_as_it_stands(installation: Installation, figures: ReadFigures) -> None:
    empty = figures()
    feeds = sum(len(each.feeds) for each in load_catalog(CATALOG).departments.values())
    assert sum(empty["zhengku.feeds.never_loaded"].values()) == feeds
    assert empty["zhengku.batches.waiting"][labels(department="market_supervision", status="held")] == 0
    assert "zhengku.feed.age" not in empty

    wrong = license_row(90, 统一社会信用代码="91420700X")
    installation.deliver_rows("1.csv", *(license_row(number) for number in range(20)), wrong)
    installation.run()
    installation.deliver_rows("2.csv", license_row(70))
    [landed] = installation.pipeline.collect(*FEED.values(), "second")
    installation.query("analyze")
    found = figures(hours=2)
    assert 7200 <= found["zhengku.feed.age"][labels(**FEED)] < 7300
    assert sum(found["zhengku.feeds.never_loaded"].values()) == feeds - 1
    assert landed.status == "landed"
    assert found["zhengku.batches.waiting"][labels(department="market_supervision", status="landed")] == 1
    assert 7200 <= found["zhengku.batches.age"][labels(department="market_supervision", status="landed")] < 7300
    assert found["zhengku.problems.unsolved"][labels(department="market_supervision", status="open")] == 1
    assert found["zhengku.requests.waiting"] == {frozenset(): 0}
    assert found["zhengku.store.rows"][labels(dataset="certificate")] == 20


def test_list_that_is_late_is_told_with_its_lateness(figures: ReadFigures) -> None:
    clearance = load_clearance(CATALOG)
    now = clock.now()
    due = [(day, kind) for day, kind in clearance.due(now) if clearance.latest(day, kind) < now]
    found = figures()
    for kind in ("working", "final"):
        assert found["zhengku.lists.missing"][labels(kind=kind)] == sum(each == kind for _, each in due)
        newest = max(day for day, each in clearance.due(now) if each == kind)
        expected = max(0.0, (now - clearance.latest(newest, kind)).total_seconds())
        assert found["zhengku.list.lateness"][labels(kind=kind)] == pytest.approx(expected, abs=60)


def test_command_sends_the_figures_or_says_why_not(
    installation: Installation, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = installation.settings
    for name, value in settings.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ZHENGKU_CATALOG_DIR", str(CATALOG))
    monkeypatch.setenv("ZHENGKU_DATABASE_URL", as_account(settings.database_url, "zhengku_reports"))
    installation.deliver_rows("1.csv", license_row(1))
    installation.run()
    installation.query("analyze")
    installation.pipeline.collect(*FEED.values(), "second", again=True)
    sent = CliRunner().invoke(app, ["metrics", "observe"])
    assert sent.exit_code == 0, sent.output
    assert sink.last.keys() == {metric.name for metric in STANDING_METRICS}
    shown = CliRunner().invoke(app, ["metrics", "show"])
    assert "zhengku.feed.age" in shown.output
    sink.status = 500
    assert CliRunner().invoke(app, ["metrics", "observe"]).exit_code == 1
    monkeypatch.setenv("ZHENGKU_METRICS", "none")
    refused = CliRunner().invoke(app, ["metrics", "observe"])
    assert isinstance(refused.exception, ConfigurationError)
