"""The months since 2019, read beside the nightly runs: no hole, no double, and the watermark where it was."""

import json
import random
from datetime import date, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.command_line import zhengku

from simulator.business_licenses import credit_code
from zhengku.catalog import load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import store_connection
from zhengku.errors import BackfillIncomplete, ConfigurationError
from zhengku.operations.backfill import backfill_month, month_of, months_between, progress, table_of_progress, window_of
from zhengku.pipeline.pipeline import Pipeline
from zhengku.review.decisions import reject
from zhengku.review.night import NightReports

if TYPE_CHECKING:
    from tests.support.exchange_pipeline import ExchangePipeline

pytestmark = pytest.mark.slow_except(
    "test_rows_at_the_border_of_two_months_are_there_once",
    "test_older_month_undoes_nothing_of_a_newer_one",
    "test_months_and_windows",
)

DEPARTMENT = "market_supervision"
MARCH, APRIL, MAY = date(2024, 3, 1), date(2024, 4, 1), date(2024, 5, 1)


def backfill(exchange_pipeline: "ExchangePipeline", month: date, run_id: str = "back", *, again: bool = False):
    [done] = backfill_month(exchange_pipeline.installation.pipeline, DEPARTMENT, month, run_id, again=again)
    return done


def contents(exchange_pipeline: "ExchangePipeline") -> list[tuple[Any, ...]]:
    return exchange_pipeline.installation.query(
        "select record_key, holder, version_at, removal, removed_at from store.certificate order by record_key"
    )


def test_rows_at_the_border_of_two_months_are_there_once(exchange_pipeline):
    moments = [
        datetime(2024, 3, 31, 23, 59, 59),
        datetime(2024, 4, 1),
        datetime(2024, 4, 1, 0, 0, 1),
        datetime(2024, 4, 30, 23, 59, 59),
        datetime(2024, 5, 1),
    ]
    for number, moment in enumerate(moments):
        exchange_pipeline.write("I", number, moment)
    april = backfill(exchange_pipeline, APRIL)
    assert (april.state, april.batches, april.quarantined) == ("done", 1, 0)
    # The instant at which the next month begins is read for both.
    assert (april.fetched, april.written) == (4, 4)
    assert (backfill(exchange_pipeline, MARCH).written, backfill(exchange_pipeline, MAY).written) == (1, 0)
    assert len(contents(exchange_pipeline)) == 5
    assert exchange_pipeline.watermark() == []
    assert exchange_pipeline.installation.query("select count(*) from store.certificate_history") == [(0,)]


def test_older_month_undoes_nothing_of_a_newer_one(exchange_pipeline):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    exchange_pipeline.write("U", 1, datetime(2024, 4, 5), "鄂州市虚构改名有限公司")
    exchange_pipeline.write("I", 2, datetime(2024, 3, 6))
    exchange_pipeline.write("D", 2, datetime(2024, 4, 6))
    backfill(exchange_pipeline, APRIL)
    before = contents(exchange_pipeline)
    march = backfill(exchange_pipeline, MARCH)
    assert (march.fetched, march.written) == (2, 0)
    assert contents(exchange_pipeline) == before
    assert [row[3] for row in before] == [None, "deleted"]


@pytest.mark.parametrize("order", ["before", "after", "between"])
def test_nights_and_months_in_any_order_make_the_same_store(exchange_pipeline, order):
    rng = random.Random(order)
    alive: set[int] = set()
    truth: dict[str, str | None] = {}
    moments = sorted(datetime(2024, 3, 1) + timedelta(minutes=rng.randrange(3 * 30 * 24 * 60)) for _ in range(60))
    for number, moment in enumerate(moments):
        if alive and rng.random() < 0.5:
            which = rng.choice(sorted(alive))
            if rng.random() < 0.3:
                exchange_pipeline.write("D", which, moment)
                alive.discard(which)
                truth[credit_code(which)] = None
            else:
                exchange_pipeline.write("U", which, moment, f"鄂州市虚构改名{number}有限公司")
                truth[credit_code(which)] = f"鄂州市虚构改名{number}有限公司"
        else:
            exchange_pipeline.write("I", number, moment)
            alive.add(number)
            truth[credit_code(number)] = f"鄂州市虚构第{number}号商贸有限公司"
    steps: list[Any] = [MARCH, APRIL, MAY]
    rng.shuffle(steps)
    steps.insert({"before": 0, "after": 3, "between": 1}[order], "night")
    for step in steps:
        if step == "night":
            exchange_pipeline.run()
        else:
            backfill(exchange_pipeline, step)
    # What a deleted record was called depends on whether it was known before its delete came.
    assert {key: None if removal else holder for key, holder, _, removal, _ in contents(exchange_pipeline)} == truth
    newest = max(moments)
    assert [row[0] for row in exchange_pipeline.watermark()] == [f"{newest:%Y-%m-%d %H:%M}"]
    # A night after all of it finds nothing new.
    assert exchange_pipeline.run().written == 0


def test_month_that_is_done_is_not_read_again_unless_asked(exchange_pipeline):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    first = backfill(exchange_pipeline, MARCH)
    exchange_pipeline.write("I", 2, datetime(2024, 3, 6))
    assert backfill(exchange_pipeline, MARCH, "other") == first
    again = backfill(exchange_pipeline, MARCH, "third", again=True)
    assert (again.run_id, again.fetched, again.written) == ("third", 2, 1)
    # What was read before is recognised.
    [recognised] = exchange_pipeline.installation.query("select recognised from ledger.batch where run_id = 'third'")
    assert recognised == (1,)


@pytest.mark.parametrize(
    "step",
    [
        "zhengku.pipeline.pipeline.Pipeline.stage",
        "zhengku.pipeline.pipeline.load",
        "zhengku.operations.backfill.statement",
    ],
)
@pytest.mark.parametrize("run_id", ["back", "other"])
def test_month_that_was_killed_goes_on_without_hole_or_double(exchange_pipeline, monkeypatch, step, run_id):
    for number in range(5):
        exchange_pipeline.write("I", number, datetime(2024, 3, 5 + number))
    calls = {"stage": 1, "load": 1, "statement": 4}[step.rpartition(".")[2]]

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls -= 1
        if not calls:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        module, _, name = step.rpartition(".")
        holder = Pipeline if module.endswith("Pipeline") else import_module(module)
        real = getattr(holder, name)
        patch.setattr(step, killed)
        with pytest.raises(KeyboardInterrupt):
            backfill(exchange_pipeline, MARCH)
    with store_connection(exchange_pipeline.installation.settings.database_url) as connection:
        [left] = progress(connection)
    assert (left.state, left.finished_at) == ("running", None)
    done = backfill(exchange_pipeline, MARCH, run_id)
    assert done.state == "done"
    assert len(contents(exchange_pipeline)) == 5
    assert exchange_pipeline.installation.query("select max(version_no) from store.certificate") == [(1,)]
    assert exchange_pipeline.installation.query("select count(*) from ledger.batch where status <> 'loaded'") == [(0,)]


def test_night_does_not_take_up_what_a_backfill_left(exchange_pipeline, monkeypatch):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    with monkeypatch.context() as patch:
        patch.setattr("zhengku.pipeline.pipeline.Pipeline.stage", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            backfill(exchange_pipeline, MARCH)
    exchange_pipeline.write("I", 2, datetime(2024, 5, 5))
    night = exchange_pipeline.run()
    assert (night.origin, night.backfill_month, night.inserted) == ("delivery", None, 2)
    assert exchange_pipeline.installation.query("select origin, status from ledger.batch order by batch_id") == [
        ("backfill", "landed"),
        ("delivery", "loaded"),
    ]


def test_source_that_is_down_is_a_month_that_failed_and_then_goes_on(exchange_pipeline):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    exchange_pipeline.server.run("rename table license to moved")
    with pytest.raises(BackfillIncomplete, match="2024-03: 1 of 1 feeds are not done: business_license: failed"):
        backfill(exchange_pipeline, MARCH)
    with store_connection(exchange_pipeline.installation.settings.database_url) as connection:
        [failed] = progress(connection, DEPARTMENT)
    assert (failed.state, failed.fetched) == ("failed", 0)
    assert failed.detail
    exchange_pipeline.server.run("rename table moved to license")
    assert backfill(exchange_pipeline, MARCH).state == "done"


@pytest.mark.slow
def test_month_whose_batch_is_held_says_so_until_it_is_released(exchange_pipeline):
    for number in range(400):
        exchange_pipeline.write("I", number, datetime(2024, 3, 5), name=" " if number % 2 else "")
    with pytest.raises(BackfillIncomplete, match="held: batch 1 is held"):
        backfill(exchange_pipeline, MARCH)
    assert contents(exchange_pipeline) == []
    # Started again it is not read once more: one batch waits for one decision.
    with pytest.raises(BackfillIncomplete, match=r"held: batch 1 is held.*zhengku release"):
        backfill(exchange_pipeline, MARCH, "second", again=True)
    exchange_pipeline.installation.pipeline.release(1, "虚构甲", "核实无误")
    done = backfill(exchange_pipeline, MARCH, "third")
    assert (done.state, done.run_id, done.written) == ("done", "back", 200)
    assert len(contents(exchange_pipeline)) == 200
    assert exchange_pipeline.installation.query("select batch_id, status from ledger.batch") == [(1, "loaded")]


@pytest.mark.slow
def test_month_whose_held_batch_was_given_back_is_read_anew(exchange_pipeline):
    for number in range(400):
        exchange_pipeline.write("I", number, datetime(2024, 3, 5), name=" " if number % 2 else "")
    with pytest.raises(BackfillIncomplete, match="held: batch 1 is held"):
        backfill(exchange_pipeline, MARCH)
    reject(
        exchange_pipeline.installation.settings,
        exchange_pipeline.installation.pipeline.catalog,
        1,
        "虚构甲",
        "名称为空",
    )
    with pytest.raises(BackfillIncomplete, match="held: batch 2 is held"):
        backfill(exchange_pipeline, MARCH, "second")
    assert exchange_pipeline.installation.query("select status, run_id from ledger.batch order by batch_id") == [
        ("rejected", "back"),
        ("held", "second"),
    ]


def test_backfill_is_no_nights_delivery(exchange_pipeline):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    backfill(exchange_pipeline, MARCH)
    with store_connection(exchange_pipeline.installation.settings.database_url) as connection:
        night = NightReports(
            exchange_pipeline.installation.settings, exchange_pipeline.installation.pipeline.catalog
        ).figures(connection, datetime.now(tz=CITY_TIME_ZONE).date())
    assert night.total("fetched") == 0


def test_months_and_windows():
    now = datetime(2026, 11, 27, 3, tzinfo=CITY_TIME_ZONE)
    december = window_of(date(2019, 12, 1), now)
    assert (december.start, december.end) == (
        datetime(2019, 12, 1, tzinfo=CITY_TIME_ZONE),
        datetime(2020, 1, 1, tzinfo=CITY_TIME_ZONE),
    )
    # All that did not change since is with the first month.
    assert window_of(date(2019, 1, 1), now).start is None
    # The present month ends now.
    assert window_of(date(2026, 11, 1), now).end == now
    assert months_between(date(2019, 11, 1), date(2020, 2, 1)) == [
        date(2019, 11, 1),
        date(2019, 12, 1),
        date(2020, 1, 1),
        date(2020, 2, 1),
    ]
    assert month_of("2019-01") == date(2019, 1, 1)
    for wrong in ("2018-12", "2999-01", "2019-13", "2019", "", "2019-01-01"):
        with pytest.raises(ConfigurationError, match="Expected a month"):
            month_of(wrong)


def test_by_the_command_line_without_airflow(exchange_pipeline):
    exchange_pipeline.write("I", 1, datetime(2024, 3, 5))
    exchange_pipeline.write("I", 2, datetime(2024, 4, 5))
    environment = dict(exchange_pipeline.installation.settings.environment)
    months = ("--from", "2024-03", "--to", "2024-04")
    done = zhengku(environment, "backfill", "run", *months, "--here")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "2024-03  market_supervision  1 rows, 1 written",
        "2024-04  market_supervision  1 rows, 1 written",
    ]
    listed = json.loads(zhengku(environment, "batches", "--json").stdout)
    assert "2024-03-01" in {batch["backfill_month"] for batch in listed}
    shown = zhengku(environment, "backfill", "progress", "--from", "2024-02", "--to", "2024-05")
    assert "·✓✓·" in shown.stdout
    [line] = json.loads(
        zhengku(environment, "backfill", "progress", "--from", "2024-02", "--to", "2024-05", "--json").stdout
    )
    assert line["months"] == {"2024-02": None, "2024-03": "done", "2024-04": "done", "2024-05": None}
    for arguments, told in [
        (("--from", "2024-04", "--to", "2024-03"), "end before they begin"),
        ((*months, "--department", "nobody"), "nobody"),
    ]:
        refused = zhengku(environment, "backfill", "run", *arguments)
        assert refused.returncode == 1
        assert told in refused.stderr


def test_feeds_without_months_are_said_to_come_whole(installation):
    catalog = load_catalog(installation.settings.catalog_folder)
    [line] = table_of_progress(catalog, [], [MARCH])
    assert (line.feeds, line.months, line.whole) == (0, {MARCH: None}, ("营业执照登记簿",))
    with pytest.raises(ConfigurationError, match="no feed that can be read by month"):
        backfill_month(installation.pipeline, DEPARTMENT, MARCH, "back")
    shown = zhengku(dict(installation.settings.environment), "backfill", "progress").stdout
    assert "not by month, always complete: 营业执照登记簿" in shown
