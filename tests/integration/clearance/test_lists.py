"""The lists of daily clearance: who stands on them, in which state, and what corrections and late lists do."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, time, timedelta

import pytest
from openpyxl import load_workbook
from tests.support.clearance_facts import Case, Evaluation, Store, at, day

from zhengku.clearance import list_rows, list_versions, rates
from zhengku.clearance.delivery import write_part
from zhengku.clearance.list_rows import ListRow
from zhengku.clearance.list_versions import ListVersion
from zhengku.clearance.verification import discrepancies
from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import ConfigurationError


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without any case."""
    made = Store(database_url)
    yield made
    made.close()


def publish(store: Store, on: str, kind: str, now: str | None = None) -> ListVersion:
    now_at = at(now) if now else store.config.latest(day(on), kind)
    return store.clearance.publish(day(on), kind, now_at)


def rows(store: Store, published: ListVersion, **filters: object) -> list[ListRow]:
    with store.connection.transaction():
        return list(list_rows.listed_rows(store.connection, store.catalog, published, **filters))


def short(store: Store, published: ListVersion) -> dict[str, tuple[str, str]]:
    """Case number → section and state."""
    return {row.case_number: (row.section, row.state) for row in rows(store, published)}


def test_case_finished_at_the_cutoff_is_on_the_list_and_one_finished_later_is_not(store):
    store.load(Case("A", at("03-02 16:30")), Case("B", at("03-02 16:30:01")))
    published = publish(store, "03-02", "working")
    assert short(store, published) == {"A": ("unrated", "new")}
    assert (published.version, published.counts.unrated, published.counts.new) == (1, 1, 1)
    assert set(short(store, publish(store, "03-02", "final"))) == {"A", "B"}


def test_midnight_belongs_to_the_day_that_it_begins(store):
    midnight = at("03-03 00:00")
    store.load(
        Case("finished before", at("03-02 23:59:59")),
        Case("finished at midnight", midnight),
        Case("rated at midnight", at("03-02 10:00")),
        Case("rated before", at("03-02 10:00")),
        Evaluation("1", "rated at midnight", midnight),
        Evaluation("2", "rated before", at("03-02 23:59:59")),
        Case("default at midnight", at("03-02 10:00")),
        Evaluation("3", "default at midnight", midnight, is_default="yes"),
    )
    monday = publish(store, "03-02", "final")
    assert short(store, monday) == dict.fromkeys(
        ("finished before", "rated at midnight", "default at midnight"), ("unrated", "new")
    )
    assert discrepancies(store.connection, monday) == []
    tuesday = publish(store, "03-03", "working")
    assert short(store, tuesday) == {
        "finished before": ("unrated", "carried_over"),
        "finished at midnight": ("unrated", "new"),
        "default at midnight": ("default_rated", "carried_over"),
    }
    assert tuesday.counts.cleared == 1
    assert discrepancies(store.connection, tuesday) == []
    # Nothing of it corrects Monday's.
    publish(store, "03-03", "final")
    assert len(list_versions.versions_of_day(store.connection, day("03-02"))) == 1
    # The rates have it of the same day.
    store.clearance.refresh_rates(at("03-04 08:00"))
    finished = {
        on: {
            rate.name_zh: rate.denominator
            for rate in rates.group_rates(store.connection, store.catalog, on, on)[0].rates
        }
        for on in (day("03-02"), day("03-03"))
    }
    assert [rates["主动评价率"] for rates in finished.values()] == [4, 1]


def test_services_that_are_not_evaluable_are_not_listed(store):
    finished = at("03-02 10:00")
    store.load(
        Case("accepted", None, case_state="accepted"),
        Case("withdrawn", finished, case_state="withdrawn"),
        Case("terminated", finished, case_state="terminated"),
        Case("internal", finished, is_internal="yes"),
        Case("removed", finished, removal="deleted"),
        Case("undated", None),
        Case("nobody says", finished, is_internal=None),
    )
    assert set(short(store, publish(store, "03-02", "working"))) == {"nobody says"}


def test_only_an_own_effective_evaluation_made_by_the_cutoff_takes_a_row_off(store):
    finished = at("03-02 10:00")
    store.load(*(Case(name, finished) for name in ("own", "late", "void", "default", "void default", "removed", "two")))
    store.load(Case("two", finished, service_number="2"))
    store.load(
        Evaluation("1", "own", at("03-02 16:30")),
        Evaluation("2", "late", at("03-02 16:30:01")),
        Evaluation("3", "void", at("03-02 11:00"), is_effective="no"),
        Evaluation("4", "default", at("03-02 11:00"), is_default="yes"),
        Evaluation("5", "void default", at("03-02 11:00"), is_default="yes", is_effective="no"),
        Evaluation("6", "removed", at("03-02 11:00"), removal="deleted"),
        Evaluation("7", "two", at("03-02 11:00"), service_number="2"),
        Evaluation("8", "nobody knows", at("03-02 11:00")),
    )
    published = publish(store, "03-02", "working")
    assert short(store, published) == {
        "late": ("unrated", "new"),
        "void": ("unrated", "new"),
        "default": ("default_rated", "new"),
        "void default": ("unrated", "new"),
        "removed": ("unrated", "new"),
        "two": ("unrated", "new"),
    }
    assert (published.counts.unrated, published.counts.default_rated) == (5, 1)
    [default] = rows(store, published, section="default_rated")
    assert default.default_at == at("03-02 11:00")
    assert discrepancies(store.connection, published) == []


def test_evaluation_that_came_before_its_case_counts(store):
    store.load(Evaluation("1", "A", at("03-02 11:00")))
    publish(store, "03-02", "working")
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")))
    assert set(short(store, publish(store, "03-02", "final"))) == {"B"}


def test_row_of_the_working_list_is_new_on_the_final_list_and_carried_over_the_next_day(store):
    store.load(Case("A", at("03-02 10:00")))
    assert short(store, publish(store, "03-02", "working"))["A"][1] == "new"
    assert short(store, publish(store, "03-02", "final"))["A"][1] == "new"
    store.load(Case("B", at("03-03 10:00")))
    tuesday = publish(store, "03-03", "working")
    assert short(store, tuesday) == {"A": ("unrated", "carried_over"), "B": ("unrated", "new")}
    assert (tuesday.counts.new, tuesday.counts.carried_over, tuesday.counts.unrated) == (1, 1, 2)
    final = publish(store, "03-03", "final")
    assert (final.counts.new, final.counts.carried_over, final.counts.unrated) == (1, 1, 2)
    # A million such rows cost nothing a night.
    assert store.query("select count(*) from clearance.entry") == [(2,)]


def test_row_leaves_when_it_is_rated_and_is_counted_as_cleared(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")))
    monday = publish(store, "03-02", "final")
    store.load(Evaluation("1", "A", at("03-03 09:00")))
    tuesday = publish(store, "03-03", "working")
    assert set(short(store, tuesday)) == {"B"}
    assert (tuesday.counts.cleared, tuesday.counts.withdrawn, tuesday.counts.archived) == (1, 0, 0)
    assert publish(store, "03-03", "final").counts.cleared == 1
    # Monday's list is what it was, and has no second version: nobody had rated it by then.
    assert set(short(store, monday)) == {"A", "B"}
    assert [found.version for found in list_versions.versions_of_day(store.connection, day("03-02"))] == [1]
    [cleared] = list_rows.cleared_services(store.connection, monday)
    assert (cleared.record_key, cleared.rated_at) == ("A|1", at("03-03 09:00"))


def test_reason_of_each_row_that_left_stays_as_it_was_told(store, tmp_path):
    store.load(
        Case("rated", at("03-02 10:00")),
        Case("withdrawn", at("03-02 10:00"), district="gedian"),
        Case("stays", at("03-02 10:00")),
    )
    publish(store, "03-02", "final")
    rating = Evaluation("1", "rated", at("03-03 09:00"))
    store.load(rating, replace(store.cases["withdrawn|1"], case_state="withdrawn"))
    tuesday = publish(store, "03-03", "working")
    told = {"rated|1": "cleared", "withdrawn|1": "withdrawn"}
    assert {row.record_key: row.reason for row in list_rows.left_services(store.connection, tuesday)} == told
    assert [row.record_key for row in list_rows.left_services(store.connection, tuesday, ["gedian"])] == ["withdrawn|1"]
    store.load(replace(rating, is_effective="no"))
    publish(store, "03-03", "final")
    assert {row.record_key: row.reason for row in list_rows.left_services(store.connection, tuesday)} == told
    with store.connection.transaction():
        write_part(store.connection, store.catalog, tuesday, None, tmp_path / "list.xlsx")
    [header, *lines] = load_workbook(tmp_path / "list.xlsx")["销号与移出"].iter_rows(values_only=True)
    places = [header.index(name) for name in ("原因", "上一日", "区划", "办件编号")]
    assert {tuple(line[place] for place in places) for line in lines} == {
        ("已评销号", "未评办件", "鄂城区", "rated"),
        ("撤销", "未评办件", "葛店开发区", "withdrawn"),
    }
    assert list_rows.left_services(store.connection, publish(store, "03-01", "working", "03-05 08:00")) == []


def test_evaluation_that_arrives_late_corrects_the_final_lists_after_it_was_made(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 11:00")))
    first = publish(store, "03-02", "final")
    publish(store, "03-03", "final")
    store.load(Evaluation("1", "A", at("03-03 12:00")))
    published = publish(store, "03-04", "final")
    assert set(short(store, published)) == {"B"}
    [_, corrected] = list_versions.versions_of_day(store.connection, day("03-03"))
    assert (corrected.version, corrected.counts.unrated, corrected.counts.cleared) == (2, 1, 1)
    assert set(short(store, corrected)) == {"B"}
    [change] = list_rows.changed_services(store.connection, corrected)
    assert (change.change, change.record_key, change.section) == ("removed", "A|1", "unrated")
    assert set(short(store, list_versions.published_version(store.connection, day("03-03"), "final", 1))) == {"A", "B"}
    # It was unrated on Monday.
    assert [found.version for found in list_versions.versions_of_day(store.connection, day("03-02"))] == [1]
    assert list_rows.changed_services(store.connection, first) == []


def test_versions_after_a_restore_go_on_beyond_those_that_may_have_been_given(store):
    store.connection.execute("insert into ledger.number_floor values ('list', '2026-03-03 final', 10)")
    store.connection.commit()
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 11:00")))
    assert publish(store, "03-02", "final").version == 1
    first = publish(store, "03-03", "final")
    assert first.version == 11
    assert list_rows.changed_services(store.connection, first) == []
    store.load(Evaluation("1", "A", at("03-03 12:00")))
    publish(store, "03-04", "final")
    [_, corrected] = list_versions.versions_of_day(store.connection, day("03-03"))
    assert corrected.version == 12
    [change] = list_rows.changed_services(store.connection, corrected)
    assert (change.change, change.record_key) == ("removed", "A|1")


def test_evaluation_ruled_invalid_puts_the_row_back_also_on_the_final_lists_between(store):
    store.load(Case("A", at("03-02 10:00")))
    publish(store, "03-02", "final")
    rating = Evaluation("1", "A", at("03-03 12:00"))
    store.load(rating)
    assert short(store, publish(store, "03-03", "final")) == {}
    store.load(replace(rating, is_effective="no"))
    assert short(store, publish(store, "03-04", "final")) == {"A": ("unrated", "reopened")}
    [_, corrected] = list_versions.versions_of_day(store.connection, day("03-03"))
    [change] = list_rows.changed_services(store.connection, corrected)
    assert (change.change, change.record_key) == ("added", "A|1")
    assert short(store, corrected) == {"A": ("unrated", "carried_over")}


def test_row_that_comes_back_after_final_lists_without_it_is_reopened(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")))
    publish(store, "03-02", "final")
    rating = Evaluation("1", "A", at("03-03 12:00"))
    store.load(rating)
    publish(store, "03-03", "final")
    # Its final lists are too old to be corrected.
    publish(store, "03-20", "final")
    store.load(replace(rating, is_effective="no"), Case("A", at("03-21 10:00")))
    published = publish(store, "03-21", "working")
    assert short(store, published) == {"A": ("unrated", "reopened"), "B": ("unrated", "carried_over")}
    assert (published.counts.reopened, published.counts.carried_over) == (1, 1)
    assert short(store, publish(store, "03-21", "final"))["A"] == ("unrated", "reopened")
    assert short(store, publish(store, "03-22", "final"))["A"] == ("unrated", "carried_over")


def test_row_that_a_correction_alone_had_shown_is_reopened(store):
    publish(store, "03-02", "final")
    publish(store, "03-03", "final")
    rating = Evaluation("1", "A", at("03-03 09:00"))
    store.load(Case("A", at("03-02 10:00")), rating)
    # Monday's final list gets it with its second version; rated since, it is on no other.
    publish(store, "03-04", "final")
    assert set(short(store, list_versions.published_version(store.connection, day("03-02"), "final", 2))) == {"A"}
    assert len(list_versions.versions_of_day(store.connection, day("03-03"))) == 1
    publish(store, "03-05", "final")
    store.load(replace(rating, is_effective="no"))
    friday = publish(store, "03-06", "final")
    assert short(store, friday) == {"A": ("unrated", "reopened")}
    assert (friday.counts.new, friday.counts.reopened) == (0, 1)
    # So it is on the list of Thursday that is corrected with it; before Wednesday's nothing had shown it.
    corrected = [list_versions.published_version(store.connection, day(on), "final", 2) for on in ("03-04", "03-05")]
    assert [short(store, version)["A"][1] for version in corrected] == ["new", "reopened"]


def test_row_that_a_late_list_alone_had_shown_is_reopened(store):
    rating = Evaluation("1", "A", at("03-02 18:00"))
    store.load(Case("A", at("03-02 10:00")), rating)
    publish(store, "03-03", "final")
    assert set(short(store, publish(store, "03-02", "working", "03-04 08:00"))) == {"A"}
    store.load(replace(rating, is_effective="no"))
    assert short(store, publish(store, "03-04", "working")) == {"A": ("unrated", "reopened")}


def test_a_late_list_counts_for_a_day_before_the_trunk(store):
    rating = Evaluation("1", "A", at("03-02 18:00"))
    store.load(Case("A", at("03-02 10:00")), rating)
    publish(store, "03-05", "final")
    publish(store, "03-02", "working", "03-06 08:00")
    store.load(replace(rating, is_effective="no"))
    assert short(store, publish(store, "03-03", "working", "03-06 09:00")) == {"A": ("unrated", "reopened")}


def test_default_rating_moves_a_row_to_its_section_and_an_own_one_takes_it_off(store):
    store.load(Case("A", at("03-02 10:00")))
    publish(store, "03-02", "final")
    store.load(Evaluation("1", "A", at("03-09 10:00"), is_default="yes"))
    published = publish(store, "03-09", "working")
    assert short(store, published) == {"A": ("default_rated", "carried_over")}
    assert (published.counts.unrated, published.counts.default_rated) == (0, 1)
    store.load(Evaluation("2", "A", at("03-09 17:00")))
    assert short(store, publish(store, "03-09", "final")) == {}


def test_default_rating_that_arrives_late_changes_the_section_of_final_lists(store):
    store.load(Case("A", at("03-02 10:00")))
    publish(store, "03-02", "final")
    store.load(Evaluation("1", "A", at("03-02 20:00"), is_default="yes"))
    publish(store, "03-03", "final")
    [_, corrected] = list_versions.versions_of_day(store.connection, day("03-02"))
    [change] = list_rows.changed_services(store.connection, corrected)
    assert (change.change, change.section) == ("changed", "default_rated")
    assert (corrected.counts.unrated, corrected.counts.default_rated, corrected.counts.new) == (0, 1, 1)
    assert short(store, corrected) == {"A": ("default_rated", "new")}


def test_final_list_gets_one_correction_a_night_with_the_next_final_list(store):
    store.load(*(Case(name, at("03-02 10:00")) for name in "ABC"))
    publish(store, "03-02", "final")
    store.load(Evaluation("1", "A", at("03-02 12:00")))
    # What changed by day shows on the working list, and waits for the night.
    assert set(short(store, publish(store, "03-03", "working"))) == {"B", "C"}
    assert len(list_versions.versions_of_day(store.connection, day("03-02"))) == 1
    store.load(Evaluation("2", "B", at("03-02 13:00")))
    assert set(short(store, publish(store, "03-03", "final"))) == {"C"}
    [_, corrected] = list_versions.versions_of_day(store.connection, day("03-02"))
    assert [change.record_key for change in list_rows.changed_services(store.connection, corrected)] == ["A|1", "B|1"]
    # Also where no final list comes that night, or the next comes late.
    store.load(Evaluation("3", "C", at("03-02 14:00")))
    publish(store, "03-04", "working")
    publish(store, "03-05", "working")
    publish(store, "03-04", "final", "03-06 08:00")
    newest = list_versions.published_version(store.connection, day("03-02"), "final")
    assert (newest.version, short(store, newest)) == (3, {})


def test_difference_from_an_earlier_version_is_what_came_of_all_between(store):
    cases = [Case(name, at("03-02 10:00")) for name in ("gone", "back", "moved", "moved back", "stays")]
    store.load(*cases)
    first = publish(store, "03-02", "final")
    rating = {name: Evaluation(name, name, at("03-02 12:00")) for name in ("gone", "back", "late", "short")}
    default = {
        name: Evaluation(f"d {name}", name, at("03-02 13:00"), is_default="yes") for name in ("moved", "moved back")
    }
    nights = [
        [rating["back"], default["moved"], default["moved back"], Case("short", at("03-02 11:00"))],
        [
            rating["gone"],
            replace(rating["back"], is_effective="no"),
            replace(default["moved back"], is_effective="no"),
            rating["short"],
            Case("late", at("03-02 11:00")),
        ],
    ]
    for number, facts in enumerate(nights):
        store.load(*facts)
        publish(store, f"03-0{3 + number}", "final")
    [_, second, third] = list_versions.versions_of_day(store.connection, day("03-02"))

    def told(version, since=None):
        changes = list_rows.changed_services(store.connection, version, since=since)
        return {change.case_number: (change.change, change.section) for change in changes}

    assert told(second) == {
        "back": ("removed", "unrated"),
        "moved": ("changed", "default_rated"),
        "moved back": ("changed", "default_rated"),
        "short": ("added", "unrated"),
    }
    assert (
        told(third)
        == told(third, 2)
        == {
            "gone": ("removed", "unrated"),
            "back": ("added", "unrated"),
            "moved back": ("changed", "unrated"),
            "short": ("removed", "unrated"),
            "late": ("added", "unrated"),
        }
    )
    assert told(third, 1) == {
        "gone": ("removed", "unrated"),
        "moved": ("changed", "default_rated"),
        "late": ("added", "unrated"),
    }
    before, after = short(store, first), short(store, third)
    assert {name for name in after.keys() - before.keys()} == {"late"}
    assert {name for name in before.keys() - after.keys()} == {"gone"}


def test_who_opens_a_version_is_told_of_the_last_one_that_he_had_opened(store):
    store.load(*(Case(name, at("03-02 10:00")) for name in "ABC"))
    first = publish(store, "03-02", "final")
    for number, name in enumerate("AB"):
        store.load(Evaluation(name, name, at("03-02 12:00")))
        publish(store, f"03-0{3 + number}", "final")
    [_, second, third] = list_versions.versions_of_day(store.connection, day("03-02"))
    assert list_versions.record_opening(store.connection, third, "wang") is None
    assert list_versions.record_opening(store.connection, first, "li") is None
    assert [list_versions.record_opening(store.connection, third, "li").version for _ in range(2)] == [1, 1]
    assert list_versions.record_opening(store.connection, second, "li").version == 1
    assert list_versions.record_opening(store.connection, third, "li").version == 2
    # Another list is another thing.
    assert list_versions.record_opening(store.connection, publish(store, "03-05", "final"), "li") is None


def test_corrections_go_back_the_configured_days_and_not_further(store):
    for on in ("03-01", "03-02", "03-03"):
        publish(store, on, "final")
    store.load(Case("A", at("03-01 10:00")))
    publish(store, "03-09", "final")
    numbers = {on: len(list_versions.versions_of_day(store.connection, day(on))) for on in ("03-01", "03-02", "03-03")}
    assert numbers == {"03-01": 1, "03-02": 2, "03-03": 2}
    states = {
        on: short(store, list_versions.published_version(store.connection, day(on), "final")).get("A")
        for on in ("03-02", "03-03")
    }
    assert states == {"03-02": ("unrated", "new"), "03-03": ("unrated", "new")}


def test_service_withdrawn_later_is_taken_off_final_lists_and_counted_where_they_are_too_old(store):
    case = Case("A", at("03-02 10:00"))
    store.load(case, Case("B", at("03-02 10:00")))
    publish(store, "03-02", "final")
    store.load(replace(case, case_state="withdrawn"))
    published = publish(store, "03-20", "working")
    assert set(short(store, published)) == {"B"}
    assert (published.counts.withdrawn, published.counts.cleared) == (1, 0)
    assert len(list_versions.versions_of_day(store.connection, day("03-02"))) == 1


def test_unrated_service_is_archived_when_it_is_older_than_the_limit_and_stays_so(store):
    # 60 working days after 2 January 2026 (worked), with the spring festival between, is 3 April.
    calendar = store.clearance.calendar(day("04-01"))
    finished = day("01-05")
    last = calendar.add_working_days(finished, 60)
    after = calendar.add_working_days(finished, 61)
    case = Case("A", at("01-05 10:00"))
    store.load(case, Case("B", at("03-30 10:00")))
    [row, _] = rows(store, store.clearance.publish(last, "final", store.config.latest(last, "final")))
    assert (row.case_number, row.age_working_days) == ("A", 60)
    published = store.clearance.publish(after, "working", store.config.latest(after, "working"))
    assert set(short(store, published)) == {"B"}
    assert (published.counts.archived, published.counts.archived_total, published.counts.cleared) == (1, 1, 0)
    # Whatever becomes of it.
    store.load(replace(case, finished_at=at("04-09 10:00")))
    published = publish(store, "04-10", "final")
    assert set(short(store, published)) == {"B"}
    assert (published.counts.archived_total, published.counts.archived) == (1, 1)
    store.load(Evaluation("1", "A", at("04-11 10:00")))
    assert publish(store, "04-11", "final").counts.archived_total == 1


def test_who_is_archived_soon_is_a_list(store):
    calendar = store.clearance.calendar(day("04-01"))
    last = calendar.add_working_days(day("01-05"), 60)
    on = {number: calendar.add_working_days(day("01-05"), number) for number in range(8)}
    store.load(
        *(Case(str(number), datetime.combine(of_day, time(10), CITY_TIME_ZONE)) for number, of_day in on.items())
    )
    published = store.clearance.publish(last, "final", store.config.latest(last, "final"))
    soon = {within: [row.case_number for row in rows(store, published, archived_within=within)] for within in (0, 1, 5)}
    assert soon == {0: [], 1: ["0"], 5: ["0", "1", "2", "3", "4"]}
    assert {within: list_rows.count_rows(store.connection, published, archived_within=within) for within in soon} == {
        within: len(found) for within, found in soon.items()
    }
    # So it comes about.
    store.clearance.publish(
        calendar.add_working_days(last, 5), "final", store.config.latest(calendar.add_working_days(last, 5), "final")
    )
    assert {key for (key,) in store.query("select record_key from clearance.archived")} == {
        f"{number}|1" for number in soon[5]
    }


def test_who_leaves_by_age_is_archived_on_a_working_list_published_after_the_final_one(store):
    calendar = store.clearance.calendar(day("04-01"))
    last, after = (calendar.add_working_days(day("01-05"), count) for count in (60, 61))
    store.load(Case("A", at("01-05 10:00")), Case("B", at("01-05 11:00")), Case("C", at("01-05 12:00")))
    store.clearance.publish(last, "final", store.config.latest(last, "final"))
    cutoff = store.config.cutoff(after, "working")
    store.load(Evaluation("1", "B", cutoff + timedelta(hours=2)), replace(store.cases["C|1"], case_state="withdrawn"))
    final = store.clearance.publish(after, "final", store.config.latest(after, "final"))
    assert (final.counts.archived, final.counts.cleared, final.counts.withdrawn) == (1, 1, 1)
    late = store.clearance.publish(after, "working", store.config.latest(after, "final"))
    assert (late.counts.archived, late.counts.cleared, late.counts.withdrawn) == (2, 0, 1)
    assert (final.counts.archived_total, late.counts.archived_total) == (1, 2)


def test_who_leaves_by_age_is_archived_where_a_rating_of_that_day_is_ruled_invalid(store):
    calendar = store.clearance.calendar(day("04-01"))
    last, after = (calendar.add_working_days(day("01-05"), count) for count in (60, 61))
    store.load(Case("A", at("01-05 10:00")), Case("B", at("03-30 10:00")))
    store.clearance.publish(last, "final", store.config.latest(last, "final"))
    rating = Evaluation("1", "A", store.config.cutoff(after, "working") - timedelta(hours=2))
    store.load(rating)
    first = store.clearance.publish(after, "final", store.config.latest(after, "final"))
    assert (first.counts.cleared, first.counts.archived) == (1, 0)
    # Something else gives that list a second version.
    store.load(replace(rating, is_effective="no"), replace(store.cases["B|1"], case_state="withdrawn"))
    publish(store, "04-30", "working")
    second = store.clearance.publish(after, "final", at("04-30 18:00"))
    assert (second.version, second.counts.cleared, second.counts.withdrawn, second.counts.archived) == (2, 0, 1, 1)


def test_first_list_archives_what_is_too_old_and_never_shows_it(store):
    store.load(Case("old", at("01-05 10:00")), Case("new", at("06-30 10:00")))
    published = publish(store, "06-30", "final")
    assert set(short(store, published)) == {"new"}
    assert (published.counts.archived, published.counts.archived_total) == (0, 1)


def test_old_service_that_arrives_late_is_archived_and_corrects_nothing(store):
    publish(store, "06-29", "final")
    store.load(Case("old", at("01-05 10:00")))
    published = publish(store, "06-30", "final")
    assert (short(store, published), published.counts.archived_total) == ({}, 1)
    assert len(list_versions.versions_of_day(store.connection, day("06-29"))) == 1


def test_changed_content_is_shown_from_then_on_and_old_lists_keep_theirs(store):
    case = Case("A", at("03-02 10:00"))
    store.load(case)
    monday = publish(store, "03-02", "final")
    store.load(replace(case, handler="王某", applicant="赵某某"))
    tuesday = publish(store, "03-03", "final")
    store.load(replace(case, handler="孙某", applicant="钱某某"))
    publish(store, "03-04", "final")
    assert [(row.handler, row.applicant) for row in rows(store, monday)] == [("李某", "张**")]
    assert [(row.handler, row.applicant, row.state) for row in rows(store, tuesday)] == [
        ("王某", "赵**", "carried_over")
    ]
    # Another handler is no correction.
    assert len(list_versions.versions_of_day(store.connection, day("03-02"))) == 1


def test_list_reads_the_same_whatever_happens_later(store):
    cases = [Case(f"{n:02d}", at(f"03-0{n % 5 + 1} 10:{n:02d}"), handler=f"{n % 3}号") for n in range(40)]
    store.load(*cases)
    store.load(*(Evaluation(str(n), f"{n:02d}", at("03-06 09:00"), is_default="yes") for n in range(0, 40, 4)))
    published = publish(store, "03-06", "working")
    before = rows(store, published)
    assert len(before) == 40
    store.load(*(replace(case, handler="别人", phone=None, district=None) for case in cases[:20]))
    store.load(*(replace(case, removal="deleted") for case in cases[10:15]))
    store.load(*(Evaluation(f"x{n}", f"{n:02d}", at("03-06 10:00")) for n in range(15, 30)))
    publish(store, "03-06", "final")
    publish(store, "03-09", "final")
    assert rows(store, published) == before
    assert list_versions.published_version(store.connection, day("03-06"), "working", 1) == published


def test_published_again_it_is_the_same_list(store):
    store.load(Case("A", at("03-02 10:00")))
    first = publish(store, "03-02", "working")
    assert publish(store, "03-02", "working", "03-02 18:00") == first
    final = publish(store, "03-02", "final")
    assert publish(store, "03-02", "final") == final
    assert store.query("select count(*) from clearance.list") == [(2,)]


@pytest.mark.parametrize("kind", ["working", "final"])
def test_published_again_after_its_facts_changed_it_has_another_version(store, kind):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")))
    publish(store, "03-02", kind)
    store.load(Evaluation("1", "A", at("03-02 12:00")))
    again = publish(store, "03-02", kind, "03-03 08:00")
    assert (again.version, set(short(store, again)), again.published_at) == (2, {"B"}, at("03-03 08:00"))
    assert publish(store, "03-02", kind, "03-03 09:00") == again
    # The next list knows too.
    assert set(short(store, publish(store, "03-03", "final"))) == {"B"}


def test_list_published_late_is_no_part_of_the_trunk(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-03 10:00")), Case("C", at("03-04 10:00")))
    store.load(Evaluation("1", "A", at("03-04 09:00")))
    publish(store, "03-02", "final")
    wednesday = publish(store, "03-04", "final")
    before = rows(store, wednesday)
    assert {row.case_number: row.state for row in before} == {"B": "new", "C": "new"}
    late = publish(store, "03-03", "final", "03-05 08:00")
    assert late.version == 1
    assert short(store, late) == {"A": ("unrated", "carried_over"), "B": ("unrated", "new")}
    assert (late.counts.new, late.counts.carried_over, late.counts.cleared) == (1, 1, 0)
    assert list_rows.changed_services(store.connection, late) == []
    assert rows(store, wednesday) == before
    late_working = publish(store, "03-03", "working", "03-05 09:00")
    assert short(store, late_working) == {"A": ("unrated", "carried_over"), "B": ("unrated", "new")}
    # The next list of the trunk goes on from Wednesday's, and corrections reach the late one as well.
    store.load(Evaluation("2", "B", at("03-03 12:00")))
    thursday = publish(store, "03-05", "final")
    assert short(store, thursday) == {"C": ("unrated", "carried_over")}
    [working, final, corrected] = list_versions.versions_of_day(store.connection, day("03-03"))
    assert [found.kind for found in (working, final, corrected)] == ["working", "final", "final"]
    assert set(short(store, corrected)) == {"A"}
    assert set(short(store, final)) == {"A", "B"}


def test_list_of_a_day_before_the_first_one(store):
    store.load(Case("A", at("03-02 10:00")))
    publish(store, "03-04", "final")
    late = publish(store, "03-03", "working", "03-05 08:00")
    assert short(store, late) == {"A": ("unrated", "new")}
    assert short(store, list_versions.published_version(store.connection, day("03-04"), "final")) == {
        "A": ("unrated", "new")
    }


def test_list_is_not_published_before_its_cutoff(store):
    with pytest.raises(ConfigurationError, match="16:30"):
        publish(store, "03-02", "working", "03-02 16:29")


def test_rows_stand_in_order_blanks_last_and_pages_fit_together(store):
    places = [
        ("echeng", "乙局", "大厅", "1号", "李某"),
        ("echeng", "乙局", "大厅", "1号", None),
        ("echeng", "乙局", None, None, None),
        ("gedian", "甲局", "大厅", "2号", "王某"),
        (None, "甲局", "大厅", "1号", "李某"),
    ]
    cases = [
        Case(
            f"{n:02d}",
            at(f"03-02 10:{(n * 7) % 20:02d}"),
            district=place[0],
            handling_department=place[1],
            hall=place[2],
            window=place[3],
            handler=place[4],
        )
        for n, place in enumerate(places * 6)
    ]
    store.load(*cases)
    published = publish(store, "03-02", "final")
    expected = sorted(
        cases,
        key=lambda case: (
            *(
                (value is None, value or "")
                for value in (case.district, case.handling_department, case.hall, case.window, case.handler)
            ),
            case.finished_at,
            case.key,
        ),
    )
    everything = rows(store, published)
    assert [row.record_key for row in everything] == [case.key for case in expected]
    paged = [row for offset in range(0, 30, 7) for row in rows(store, published, offset=offset, limit=7)]
    assert paged == everything
    for filters in (
        {"districts": ["echeng"]},
        {"districts": ["echeng", "gedian"], "handling_department": "甲局"},
        {"hall": ""},
        {"hall": "大厅", "state": "new", "section": "unrated"},
        {"state": "reopened"},
        {"districts": []},
    ):
        chosen = rows(store, published, **filters)
        assert len(chosen) == list_rows.count_rows(store.connection, published, **filters)
        assert chosen == [row for row in everything if row in chosen]
    assert {row.district for row in rows(store, published, districts=["echeng"])} == {"echeng"}
    assert len(rows(store, published, hall="")) == 6
    groups = list_rows.group_counts(store.connection, published)
    assert [(group.district, group.hall, group.unrated, group.new) for group in groups] == [
        ("echeng", "大厅", 12, 12),
        ("echeng", None, 6, 6),
        ("gedian", "大厅", 6, 6),
        (None, "大厅", 6, 6),
    ]
    assert len(list_rows.group_counts(store.connection, published, ["gedian"])) == 1


def test_row_shows_age_deadline_and_masked_people(store):
    # Monday 2 March 2026; five working days later is Monday the 9th.
    store.load(
        Case("A", at("03-02 10:00")),
        Case("B", at("03-02 11:00"), applicant="鄂州市虚构商贸有限公司", phone="0711-3351234", district=None),
    )
    publish(store, "03-02", "final")
    published = publish(store, "03-09", "final")
    [a, b] = rows(store, published)
    assert (a.age_working_days, a.deadline, a.overdue, a.district_name) == (5, day("03-09"), False, "鄂城区")
    assert (a.applicant, a.phone) == ("张**", "138****1234")
    assert (b.applicant, b.phone, b.district, b.district_name) == (
        "鄂州市虚构商贸有限公司",
        "071*****1234",
        None,
        "本市以外或未填区划",
    )
    assert rows(store, publish(store, "03-10", "final"))[0].overdue
    assert "13800001234" not in repr(rows(store, published))


def test_a_missing_final_list_between_makes_the_working_list_count_for_reopened(store):
    store.load(Case("A", at("03-02 10:00")))
    publish(store, "03-02", "working")
    # "Yesterday's" is a final list, and there is none: the row is on an earlier list and not on that.
    published = publish(store, "03-03", "working")
    assert short(store, published) == {"A": ("unrated", "reopened")}
    assert (published.counts.reopened, published.counts.unrated) == (1, 1)


def test_kept_state_built_anew_gives_the_same_lists(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")))
    monday = publish(store, "03-02", "final")
    before = rows(store, monday)
    store.query("truncate clearance.service, clearance.applied_batch")
    store.load(Evaluation("1", "A", at("03-03 09:00")))
    tuesday = publish(store, "03-03", "final")
    assert short(store, tuesday) == {"B": ("unrated", "carried_over")}
    assert tuesday.counts.cleared == 1
    assert rows(store, monday) == before
    assert list_versions.newest_version(store.connection) == tuesday
