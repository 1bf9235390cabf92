"""When lists are published, what they say of their sources, what two publishers at once do, and the command line."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from subprocess import CompletedProcess

import pytest
from tests.support import command_line
from tests.support.clearance_facts import CASES, EVALUATIONS, Case, Evaluation, Store, at, day

from zhengku import clock
from zhengku.clearance import list_versions
from zhengku.clearance.publish import DailyClearance
from zhengku.errors import StoreError


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without any case."""
    made = Store(database_url)
    yield made
    made.close()


def read(store: Store, *moments: str) -> None:
    """Say when the sources were read, cases first."""
    for source, moment in zip((CASES, EVALUATIONS), moments, strict=True):
        store.batch(source, at(moment))


def names(published: list[list_versions.ListVersion]) -> list[tuple[int, str]]:
    return [(each.day.day, each.kind) for each in published]


def test_due_lists_are_published_once_and_oldest_first(store):
    found = store.clearance.publish_due(at("03-09 16:30"), only_if_fresh=False)
    assert names(found) == [
        *((of_day, kind) for of_day in range(2, 9) for kind in ("working", "final")),
        (9, "working"),
    ]
    assert store.clearance.publish_due(at("03-09 16:50"), only_if_fresh=False) == []
    assert names(store.clearance.publish_due(at("03-10 00:00"), only_if_fresh=False)) == [(9, "final")]


@pytest.mark.slow
def test_fresh_lists_wait_until_every_source_was_read_after_the_cutoff(store):
    store.clearance.publish_due(at("03-02 00:00"), only_if_fresh=False)
    read(store, "03-02 16:30", "03-02 16:29:59")
    now = at("03-02 16:40")
    assert store.clearance.publish_due(now, only_if_fresh=True) == []
    store.batch(EVALUATIONS, at("03-02 16:35"), status="held")
    assert store.clearance.publish_due(now, only_if_fresh=True) == []
    # Of an interval that ended before, nothing later is known.
    store.batch(EVALUATIONS, at("03-02 16:36"), window_end=at("03-01 12:00"))
    assert store.clearance.publish_due(now, only_if_fresh=True) == []
    store.batch(EVALUATIONS, at("03-02 16:37"))
    [published] = store.clearance.publish_due(now, only_if_fresh=True)
    assert (published.kind, published.stale) == ("working", ())
    assert store.clearance.publish_due(now, only_if_fresh=False) == []


def test_list_names_the_sources_that_were_not_read_since_its_cutoff(store):
    store.batch(CASES, at("03-02 15:00"))
    published = store.clearance.publish(day("03-02"), "working", at("03-02 16:50"))
    assert [(source.name, source.read_at) for source in published.stale] == [
        (CASES, at("03-02 15:00")),
        (EVALUATIONS, None),
    ]
    assert all(source.title for source in published.stale)
    assert list_versions.newest_version(store.connection) == published
    # A later version tells how it was when that was published.
    read(store, "03-02 17:00", "03-02 17:00")
    store.load(Case("A", at("03-02 10:00")))
    again = store.clearance.publish(day("03-02"), "working", at("03-02 18:00"))
    assert (again.version, again.stale) == (2, ())


def test_two_publishers_at_once_publish_one_version(store):
    store.load(*(Case(str(n), at("03-02 10:00")) for n in range(50)))

    def publish(_: int) -> list_versions.ListVersion:
        clearance = DailyClearance(store.settings, store.catalog, store.config)
        return clearance.publish(day("03-02"), "working", at("03-02 16:50"))

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(publish, range(4)))
    assert len(set(found)) == 1
    assert store.query("select count(*) from clearance.list") == [(1,)]
    assert store.query("select count(*), count(distinct record_key) from clearance.entry") == [(50, 50)]


def test_publishing_that_fails_leaves_nothing_behind(store):
    store.load(Case("A", at("03-02 10:00")))
    store.query(
        "create function clearance.fail() returns trigger language plpgsql as $$begin raise 'no'; end$$;"
        "create trigger fail before update on clearance.list for each row execute function clearance.fail()"
    )
    with pytest.raises(StoreError):
        store.clearance.publish(day("03-02"), "working", at("03-02 16:50"))
    kept = store.query(
        "select (select count(*) from clearance.list), (select count(*) from clearance.entry),"
        " (select count(*) from clearance.service), (select count(*) from clearance.applied_batch)"
    )
    assert kept == [(0, 0, 0, 0)]
    store.query("drop trigger fail on clearance.list")
    assert store.clearance.publish(day("03-02"), "working", at("03-02 16:50")).counts.unrated == 1


def test_batches_loaded_in_any_order_are_each_taken_in_once(store):
    store.load(Case("A", at("03-02 10:00")), Evaluation("1", "B", at("03-02 11:00")))
    with store.connection.transaction():
        assert store.clearance.refresh(store.connection) == 1
    with store.connection.transaction():
        assert store.clearance.refresh(store.connection) == 0
    # The evaluation names another service from now on: both are looked at.
    store.load(Case("B", at("03-02 10:00")))
    store.load(Evaluation("1", "A", at("03-02 11:00")))
    with store.connection.transaction():
        assert store.clearance.refresh(store.connection) == 2
    kept = dict(store.query("select record_key, rated_at from clearance.service"))
    assert kept == {"A|1": at("03-02 11:00"), "B|1": None}


def zhengku(store: Store, *arguments: str) -> CompletedProcess[str]:
    return command_line.zhengku(store.settings.environment, "clearance", *arguments)


def printed(result: CompletedProcess[str]) -> object:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_command_line_publishes_shows_and_checks(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00"), district="gedian"))
    store.load(Evaluation("1", "A", at("03-02 17:00")))
    [published] = printed(zhengku(store, "publish", "--day", "2026-03-02", "--kind", "working", "--yes", "--json"))
    assert (published["version"], published["counts"]["unrated"], published["day"]) == (1, 2, "2026-03-02")
    shown = printed(zhengku(store, "list", "--json", "--district", "echeng"))
    [row] = shown["rows"]
    assert (row["record_key"], row["phone"], row["deadline"]) == ("A|1", "138****1234", "2026-03-09")
    table = zhengku(store, "list", "--day", "2026-03-02")
    assert table.returncode == 0
    assert "葛店开发区" in table.stdout
    assert "13800001234" not in table.stdout
    groups = printed(zhengku(store, "rates", "--refresh", "--from", "2026-03-02", "--to", "2026-03-02", "--json"))
    assert groups[0]["rates"][4] == {
        **groups[0]["rates"][4],
        "name_zh": "日清率",
        "numerator": 1,
        "denominator": 2,
        "shown": "50.00%",
    }
    assert printed(zhengku(store, "verify", "--json")) == []
    printed(zhengku(store, "publish", "--day", "2026-03-02", "--kind", "final", "--yes", "--json"))
    printed(zhengku(store, "publish", "--day", "2026-03-03", "--kind", "working", "--yes", "--json"))
    assert printed(zhengku(store, "left", "--json")) == []
    assert printed(zhengku(store, "verify", "--json")) == []
    store.load(Evaluation("2", "B", at("03-02 12:00")))
    wrong = zhengku(store, "verify")
    assert wrong.returncode == 1
    assert "B|1" in wrong.stdout


@pytest.mark.parametrize(
    ("passed", "answer", "is_published"), [(7, None, True), (8, "n", False), (8, "y", True), (2000, "n", False)]
)
def test_a_list_older_than_a_week_is_published_after_a_question(store, monkeypatch, passed, answer, is_published):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    on = (clock.today() - timedelta(days=passed)).isoformat()
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n" if answer else ""))
    result = zhengku(store, "publish", "--day", on, "--kind", "final")
    assert (result.returncode == 0) is is_published
    assert ("Publish it?" in result.stderr) is (answer is not None)
    assert store.query("select count(*) from clearance.list") == [(int(is_published),)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list",), "not published"),
        (("list", "--day", "2026-13-01"), "Expected a day"),
        (("list", "--kind", "final"), "--day"),
        (("list", "--day", "2026-03-02", "--district", "nowhere"), "not published"),
        (("publish", "--day", "2026-03-02"), "--kind"),
        (("publish", "--day", "2199-03-02", "--kind", "final"), "cut-off"),
        (("publish", "--day", "1999-01-01", "--kind", "final"), "expected a day from"),
        (("publish", "--day", "1999-01-01", "--kind", "final", "--yes"), "expected a day from"),
        (("publish", "--day", "0001-01-01", "--kind", "working", "--yes"), "Expected a day as"),
        (("publish", "--day", "9999-12-31", "--kind", "final", "--yes"), "Expected a day as"),
        (("publish", "--day", "2018-12-28", "--kind", "final"), "expected a day from"),
        (("publish", "--day", "2019-06-03", "--kind", "final"), "--yes"),
        (("rates", "--from", "2026-03-02", "--to", "2026-03-01"), "Exchange"),
        (("verify",), "not published"),
    ],
)
def test_command_line_says_what_is_wrong_on_one_line(store, arguments, words):
    result = zhengku(store, *arguments)
    assert result.returncode == 1
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("zhengku: ")
    assert words in line
