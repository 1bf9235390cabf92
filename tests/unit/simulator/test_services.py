"""The made-up cases and evaluations, and the truth about their lists: small examples by hand, and thirty days."""

import re
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import chinese_calendar
import pytest

from simulator.city import write_truth
from simulator.http_service import write_state
from simulator.model import HttpPlace, TablePlace
from simulator.service_sources import DIALECTS, SERVICE_SYSTEMS
from simulator.service_truth import (
    Counts,
    Facts,
    Publication,
    Publisher,
    Rating,
    Service,
    Terms,
    bad_reviews,
    cutoff,
    is_above_999,
    rate_counts,
    summed,
    suspicious_ratings,
)
from simulator.services import DOWN, Collection, ServiceCity, moments
from simulator.working_days import count_working_days, is_working_day, working_days_after, working_days_before
from zhengku.catalog import load_catalog
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.http.model import HttpApi
from zhengku.transports.window import Watermark
from zhengku.validate.suites import load_suites

HOME = Path(__file__).resolve().parents[3]


# Working days


def test_working_days_are_those_of_the_official_calendar() -> None:
    days = [date(2025, 1, 1) + timedelta(days=place) for place in range(730)]
    assert [day for day in days if is_working_day(day) != chinese_calendar.is_workday(day)] == []
    with pytest.raises(ValueError, match="2025 or 2026"):
        is_working_day(date(2027, 1, 1))


def test_working_days_are_counted_behind_one_day_and_up_to_another() -> None:
    # 2025-09-28 is a Sunday that is worked; 10-01 to 10-08 is the holiday; 10-11 a Saturday that is worked.
    assert count_working_days(date(2025, 9, 26), date(2025, 9, 27)) == 0
    assert count_working_days(date(2025, 9, 26), date(2025, 9, 28)) == 1
    assert count_working_days(date(2025, 9, 30), date(2025, 10, 9)) == 1
    assert count_working_days(date(2025, 10, 9), date(2025, 9, 30)) == 0
    assert working_days_after(date(2025, 9, 26), 5) == date(2025, 10, 10)
    assert working_days_after(date(2025, 10, 3), 0) == date(2025, 10, 3)
    assert working_days_before(date(2025, 10, 10), 5) == date(2025, 9, 26)


# The truth, by hand. Monday, 2025-09-22, to Friday are working days.

MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2025, 9, day) for day in range(22, 27))


def at(day: date, text: str) -> datetime:
    """Return a moment of a day; 24:00 is the end of it."""
    if text == "24:00":
        return datetime.combine(day + timedelta(days=1), datetime.min.time())
    return datetime.fromisoformat(f"{day} {text}")


def finished(key: str, moment: datetime, **known: object) -> Service:
    values: dict[str, object] = {"case_state": "finished", "district": "echeng", "handling_department": "局", **known}
    return Service(f"{key}|1", finished_at=moment, **values)  # type: ignore[arg-type]


def rated(number: str, key: str, moment: datetime, **known: object) -> Rating:
    values: dict[str, object] = {
        "level": "satisfied", "is_default": "no", "is_effective": "yes", "is_real_name": "yes", **known,
    }  # fmt: skip
    return Rating(number, f"{key}|1", moment, **values)  # type: ignore[arg-type]


def facts(*records: Service | Rating) -> Facts:
    return Facts(
        {record.record_key: record for record in records if isinstance(record, Service)},
        {record.record_key: record for record in records if isinstance(record, Rating)},
    )


def shown(publication: Publication) -> dict[str, tuple[str, str, date, int]]:
    return {
        row.record_key.split("|")[0]: (row.section, row.state, row.since_day, row.age_working_days)
        for row in publication.first.rows
    }


def keys(version: frozenset[str]) -> set[str]:
    return {key.split("|")[0] for key in version}


def test_who_is_unrated_at_a_cutoff() -> None:
    nine = at(MONDAY, "09:00")
    known = facts(
        finished("UNRATED", nine),
        finished("RATED", nine), rated("1", "RATED", at(MONDAY, "16:30")),
        finished("RATED LATER", nine), rated("2", "RATED LATER", at(MONDAY, "16:30:01")),
        finished("BY DEFAULT", nine), rated("3", "BY DEFAULT", nine, is_default="yes"),
        finished("RULED INVALID", nine), rated("4", "RULED INVALID", nine, is_effective="no"),
        finished("RATING REMOVED", nine), rated("5", "RATING REMOVED", nine, is_removed=True),
        finished("BOTH", nine), rated("6", "BOTH", nine, is_default="yes"), rated("7", "BOTH", nine),
        finished("DEFAULT INVALID", nine), rated("8", "DEFAULT INVALID", nine, is_default="yes", is_effective="no"),
        finished("INTERNAL", nine, is_internal="yes"), finished("NOT INTERNAL", nine, is_internal="no"),
        finished("WITHDRAWN", nine, case_state="withdrawn"), finished("REMOVED", nine, is_removed=True),
        finished("AT THE CUTOFF", at(MONDAY, "16:30")), finished("AFTER IT", at(MONDAY, "16:30:01")),
        Service("AT WORK|1", case_state="accepted"),
        Rating("9", "NO CASE|1", nine, "satisfied", "no", "yes", "yes"),
        Rating("10", "UNRATED|2", nine, "satisfied", "no", "yes", "yes"),
    )  # fmt: skip
    first = shown(Publisher().publish(MONDAY, "working", known))
    unrated, by_default = ("unrated", "new", MONDAY, 0), ("default_rated", "new", MONDAY, 0)
    assert first == {
        "UNRATED": unrated,
        "RATED LATER": unrated,
        "BY DEFAULT": by_default,
        "RULED INVALID": unrated,
        "RATING REMOVED": unrated,
        "DEFAULT INVALID": unrated,
        "NOT INTERNAL": unrated,
        "AT THE CUTOFF": unrated,
    }


def test_midnight_belongs_to_the_day_that_it_begins() -> None:
    known = facts(
        finished("BEFORE", at(MONDAY, "23:59:59")),
        finished("AT MIDNIGHT", at(MONDAY, "24:00")),
        finished("RATED BEFORE", at(MONDAY, "10:00")), rated("1", "RATED BEFORE", at(MONDAY, "23:59:59")),
        finished("RATED AT MIDNIGHT", at(MONDAY, "10:00")), rated("2", "RATED AT MIDNIGHT", at(MONDAY, "24:00")),
    )  # fmt: skip
    publisher = Publisher()
    [row, other] = publisher.publish(MONDAY, "final", known).first.rows
    assert [row.record_key, other.record_key] == ["RATED AT MIDNIGHT|1", "BEFORE|1"]
    assert shown(publisher.publish(TUESDAY, "working", known)) == {
        "AT MIDNIGHT": ("unrated", "new", TUESDAY, 0),
        "BEFORE": ("unrated", "carried_over", MONDAY, 1),
    }


def test_stays_from_list_to_list() -> None:
    publisher = Publisher()
    first = finished("A", at(MONDAY, "10:00"))
    second = finished("B", at(MONDAY, "17:00"))
    assert shown(publisher.publish(MONDAY, "working", facts(first))) == {"A": ("unrated", "new", MONDAY, 0)}
    # A row of the working list is still new on the final list of the day.
    assert shown(publisher.publish(MONDAY, "final", facts(first, second))) == {
        "A": ("unrated", "new", MONDAY, 0),
        "B": ("unrated", "new", MONDAY, 0),
    }
    default = rated("1", "A", at(TUESDAY, "02:00"), is_default="yes")
    assert shown(publisher.publish(TUESDAY, "working", facts(first, second, default))) == {
        "A": ("default_rated", "carried_over", MONDAY, 1),
        "B": ("unrated", "carried_over", MONDAY, 1),
    }
    own = rated("2", "A", at(TUESDAY, "17:00"))
    third = finished("C", at(TUESDAY, "18:00"))
    published = publisher.publish(TUESDAY, "final", facts(first, second, third, default, own))
    assert shown(published) == {
        "B": ("unrated", "carried_over", MONDAY, 1),
        "C": ("unrated", "new", TUESDAY, 0),
    }
    assert published.first.counts == Counts(
        unrated=2, default_rated=0, new=1, carried_over=1, reopened=0, cleared=1, withdrawn=0, archived=0,
        archived_total=0,
    )  # fmt: skip
    assert published.corrections == ()


def test_late_evaluation_corrects_the_final_list_and_no_working_list() -> None:
    publisher = Publisher()
    case, other = finished("A", at(MONDAY, "10:00")), finished("B", at(MONDAY, "11:00"))
    publisher.publish(MONDAY, "working", facts(case, other))
    publisher.publish(MONDAY, "final", facts(case, other))
    late = rated("1", "A", at(MONDAY, "22:00"))
    by_default = rated("2", "B", at(MONDAY, "23:00"), is_default="yes")
    by_day = publisher.publish(TUESDAY, "working", facts(case, other, late, by_default))
    assert by_day.corrections == ()
    # Yesterday's list, as the halls were shown it, had it.
    assert by_day.first.counts.cleared == 1
    published = publisher.publish(TUESDAY, "final", facts(case, other, late, by_default))
    [correction] = published.corrections
    assert (correction.day, correction.kind, correction.number) == (MONDAY, "final", 2)
    assert keys(correction.removed) == {"A"}
    assert keys(correction.changed) == {"B"}
    assert correction.added == frozenset()
    assert [(row.record_key, row.section, row.state) for row in correction.rows] == [("B|1", "default_rated", "new")]
    assert published.first.counts.cleared == 1
    assert published.first.counts.carried_over == 1
    assert len(publisher.versions[MONDAY, "working"]) == 1


def test_late_case_is_new_on_every_list_since_nobody_was_shown_it() -> None:
    publisher = Publisher()
    for day in (MONDAY, TUESDAY):
        publisher.publish(day, "working", facts())
        publisher.publish(day, "final", facts())
    late = finished("A", at(MONDAY, "10:00"))
    published = publisher.publish(WEDNESDAY, "final", facts(late))
    assert [
        (version.day, keys(version.added), version.rows[0].state, version.rows[0].since_day, version.counts.new)
        for version in published.corrections
    ] == [(MONDAY, {"A"}, "new", MONDAY, 1), (TUESDAY, {"A"}, "new", TUESDAY, 1)]
    assert shown(published) == {"A": ("unrated", "new", WEDNESDAY, 2)}
    assert shown(publisher.publish(THURSDAY, "working", facts(late))) == {
        "A": ("unrated", "carried_over", WEDNESDAY, 3)
    }


def test_ruled_invalid_a_case_comes_back_on_all_lists_that_are_corrected() -> None:
    publisher = Publisher()
    case, own = finished("A", at(MONDAY, "10:00")), rated("1", "A", at(TUESDAY, "10:00"))
    publisher.publish(MONDAY, "final", facts(case))
    assert shown(publisher.publish(TUESDAY, "final", facts(case, own))) == {}
    invalid = rated("1", "A", at(TUESDAY, "10:00"), is_effective="no")
    published = publisher.publish(WEDNESDAY, "final", facts(case, invalid))
    [correction] = published.corrections
    assert (correction.day, keys(correction.added)) == (TUESDAY, {"A"})
    assert [(row.state, row.since_day) for row in correction.rows] == [("carried_over", MONDAY)]
    assert shown(published) == {"A": ("unrated", "reopened", WEDNESDAY, 2)}
    valid_again = publisher.publish(THURSDAY, "final", facts(case, own))
    assert [(version.day, version.number, keys(version.removed)) for version in valid_again.corrections] == [
        (TUESDAY, 3, {"A"}),
        (WEDNESDAY, 2, {"A"}),
    ]
    assert shown(valid_again) == {}


def test_what_is_older_than_the_days_of_correction_is_not_corrected_and_comes_back_as_reopened() -> None:
    publisher = Publisher(terms=Terms(correction_days=1))
    case, own = finished("A", at(MONDAY, "10:00")), rated("1", "A", at(TUESDAY, "10:00"))
    publisher.publish(MONDAY, "final", facts(case))
    publisher.publish(TUESDAY, "final", facts(case, own))
    # Nothing was published on Wednesday, and on Thursday one looks back to it alone.
    invalid = rated("1", "A", at(TUESDAY, "10:00"), is_effective="no")
    published = publisher.publish(THURSDAY, "final", facts(case, invalid))
    assert published.corrections == ()
    assert shown(published) == {"A": ("unrated", "reopened", THURSDAY, 3)}
    assert shown(publisher.publish(FRIDAY, "working", facts(case, invalid))) == {
        "A": ("unrated", "carried_over", THURSDAY, 4)
    }


def test_finish_that_moves_forward_takes_a_case_from_earlier_lists() -> None:
    publisher = Publisher()
    publisher.publish(MONDAY, "final", facts(finished("A", at(MONDAY, "10:00"))))
    moved = facts(finished("A", at(TUESDAY, "09:00")))
    assert shown(publisher.publish(TUESDAY, "working", moved)) == {"A": ("unrated", "carried_over", MONDAY, 0)}
    gone = finished("A", at(TUESDAY, "09:00"), case_state="withdrawn")
    published = publisher.publish(TUESDAY, "final", facts(gone))
    assert [keys(version.removed) for version in published.corrections] == [{"A"}]
    assert shown(published) == {}
    assert shown(publisher.publish(WEDNESDAY, "working", facts(finished("A", at(WEDNESDAY, "09:00"))))) == {
        "A": ("unrated", "reopened", WEDNESDAY, 0)
    }


def test_content_and_places_are_those_of_the_day_of_the_list() -> None:
    publisher = Publisher()
    publisher.publish(MONDAY, "final", facts(finished("A", at(MONDAY, "10:00"), window="一号")))
    moved = finished("A", at(MONDAY, "10:00"), window="二号", district="gedian")
    published = publisher.publish(TUESDAY, "working", facts(moved))
    assert published.corrections == ()
    assert publisher.versions[MONDAY, "final"][-1].rows[0].window == "一号"
    assert [(row.window, row.district, row.state) for row in published.first.rows] == [
        ("二号", "gedian", "carried_over")
    ]


def test_rows_stand_by_place_then_finish_and_blanks_come_last() -> None:
    places = [("echeng", "乙"), ("echeng", None), (None, "甲"), ("echeng", "甲"), ("gedian", "甲"), ("echeng", "甲")]
    known = facts(
        *(
            finished(str(place), at(MONDAY, f"1{5 - place}:00"), district=district, handling_department=department)
            for place, (district, department) in enumerate(places)
        )
    )
    rows = Publisher().publish(MONDAY, "final", known).first.rows
    assert [row.record_key for row in rows] == ["0|1", "5|1", "3|1", "1|1", "4|1", "2|1"]


def test_never_rated_a_case_is_archived_once_and_for_good() -> None:
    publisher = Publisher(terms=Terms(archive_after_working_days=2))
    old, young = finished("OLD", at(MONDAY, "10:00")), finished("YOUNG", at(TUESDAY, "10:00"))
    default = rated("1", "OLD", at(TUESDAY, "10:00"), is_default="yes")
    publisher.publish(MONDAY, "final", facts(old))
    publisher.publish(TUESDAY, "final", facts(old, young))
    assert shown(publisher.publish(WEDNESDAY, "final", facts(old, young, default))).keys() == {"OLD", "YOUNG"}
    published = publisher.publish(THURSDAY, "working", facts(old, young, default))
    assert shown(published) == {"YOUNG": ("unrated", "carried_over", TUESDAY, 2)}
    assert (published.first.counts.archived, published.first.counts.archived_total) == (1, 1)
    # The final list is compared with yesterday's too.
    published = publisher.publish(THURSDAY, "final", facts(old, young, default))
    assert (published.first.counts.archived, published.first.counts.archived_total) == (1, 1)
    # Rated after all, it comes to no list; where it stood before, it was unrated then and stays.
    own = rated("2", "OLD", at(THURSDAY, "17:00"))
    published = publisher.publish(FRIDAY, "working", facts(old, young, default, own))
    assert published.corrections == ()
    assert (published.first.counts.archived, published.first.counts.archived_total) == (1, 2)
    assert shown(published) == {}


def test_too_old_when_it_comes_a_case_is_archived_and_on_no_list() -> None:
    publisher = Publisher(terms=Terms(archive_after_working_days=2))
    publisher.publish(WEDNESDAY, "final", facts())
    publisher.publish(THURSDAY, "final", facts())
    published = publisher.publish(FRIDAY, "final", facts(finished("A", at(MONDAY, "10:00"))))
    # On Wednesday's list it would have been two working days old.
    assert [(version.day, keys(version.added)) for version in published.corrections] == [(WEDNESDAY, {"A"})]
    assert shown(published) == {}
    assert (published.first.counts.archived, published.first.counts.archived_total) == (0, 1)


def test_who_left_is_counted_by_why() -> None:
    publisher = Publisher()
    ten = at(MONDAY, "10:00")
    stays, rates, leaves = finished("STAYS", ten), finished("RATES", ten), finished("LEAVES", ten)
    publisher.publish(MONDAY, "final", facts(stays, rates, leaves))
    own = rated("1", "RATES", at(TUESDAY, "10:00"))
    withdrawn = finished("LEAVES", ten, case_state="withdrawn")
    published = publisher.publish(TUESDAY, "final", facts(stays, rates, withdrawn, own))
    # The correction has taken it from yesterday's list; but the halls had been shown it there.
    assert [keys(version.removed) for version in published.corrections] == [{"LEAVES"}]
    assert published.corrections[0].counts.withdrawn == 0
    assert (published.first.counts.cleared, published.first.counts.withdrawn) == (1, 1)


def test_lists_are_published_in_their_order() -> None:
    publisher = Publisher()
    publisher.publish(MONDAY, "final", facts())
    with pytest.raises(ValueError, match="later than"):
        publisher.publish(MONDAY, "working", facts())


def test_suspicious_are_ratings_within_seconds_and_bursts() -> None:
    begin = at(MONDAY, "10:00")
    burst = [
        rated(f"D{place}", f"X{place}", begin + timedelta(seconds=place * 100 / 3), device="一") for place in range(10)
    ]
    slow = [rated(f"S{place}", f"Y{place}", begin + timedelta(seconds=place * 34), device="二") for place in range(10)]
    window = [rated(f"W{place}", f"Z{place}", begin, evaluation_window="三") for place in range(10)]
    few = [rated(f"F{place}", f"Q{place}", begin, evaluation_window="四") for place in range(9)]
    found = suspicious_ratings(
        facts(
            finished("A", begin), rated("1", "A", begin + timedelta(seconds=10)),
            finished("B", begin), rated("2", "B", begin + timedelta(seconds=11)),
            finished("C", begin), rated("3", "C", begin - timedelta(seconds=1)),
            finished("D", begin), rated("4", "D", begin, is_default="yes"),
            finished("X3", burst[3].evaluated_at or begin), *burst, *slow, *window, *few,
            rated("5", "V", begin, evaluation_window="四", is_effective="no"),
        )
    )  # fmt: skip
    assert {suspicion.record_key: suspicion.kinds for suspicion in found} == {
        "1": ("seconds_after_finishing",),
        "D3": ("seconds_after_finishing", "device_burst"),
        **{rating.record_key: ("device_burst",) for rating in burst if rating.record_key != "D3"},
        **{rating.record_key: ("window_burst",) for rating in window},
    }


def test_bad_reviews_and_what_is_due_for_them() -> None:
    # Of Friday, 2025-09-26: the call-back is due on Sunday 28, which is worked, the rectification on 2025-10-23.
    made, bad = at(FRIDAY, "10:00"), {"level": "dissatisfied"}
    callback_end, end = at(date(2025, 9, 28), "24:00"), at(date(2025, 10, 23), "24:00")
    called, rectified = (moment - timedelta(seconds=1) for moment in (callback_end, end))
    known = facts(
        rated("IN TIME", "A", made, **bad, called_back_at=called, rectified_at=rectified),
        rated("CALLED LATE", "B", made, **bad, called_back_at=callback_end, rectified_at=rectified),
        rated("RECTIFIED LATE", "C", made, **bad, called_back_at=called, rectified_at=end),
        rated("NEVER", "D", made, **bad),
        rated("CALLED", "E", made, level="very_dissatisfied", called_back_at=called),
        rated("ANONYMOUS", "F", made, **bad, is_real_name="no"),
        rated("INVALID", "G", made, **bad, is_effective="no"),
        rated("BY DEFAULT", "H", made, **bad, is_default="yes"),
        rated("GOOD", "I", made),
    )
    states = {review.record_key: review.state for review in bad_reviews(known, FRIDAY, at(FRIDAY, "24:00"))}
    assert states["NEVER"] == "open"
    reviews = bad_reviews(known, FRIDAY, callback_end)
    assert {(review.callback_due, review.rectification_due) for review in reviews} == {
        (date(2025, 9, 28), date(2025, 10, 23))
    }
    assert {review.record_key: review.state for review in reviews}["NEVER"] == "callback_overdue"
    assert [(review.record_key, review.state) for review in bad_reviews(known, date(2025, 10, 23), end)] == [
        ("NEVER", "callback_overdue"),
        ("CALLED", "rectification_overdue"),
        ("CALLED LATE", "done_late"),
        ("RECTIFIED LATE", "done_late"),
        ("IN TIME", "done"),
    ]
    due = summed(rate_counts(known, date(2025, 10, 23)), "day")
    assert due["callback_and_rectification", date(2025, 10, 23)] == (1, 5)
    assert due["rectification_in_time", date(2025, 10, 23)] == (2, 5)
    assert "rectification_in_time" not in {rate for rate, *_ in summed(rate_counts(known, date(2025, 10, 22)))}


def test_rates_of_a_day() -> None:
    ten = at(MONDAY, "10:00")
    known = facts(
        finished("CLEARED", ten), rated("1", "CLEARED", at(MONDAY, "23:59:59")),
        finished("RATED AT ONCE", ten), rated("2", "RATED AT ONCE", at(MONDAY, "16:30"), level="dissatisfied"),
        finished("TOO LATE", ten), rated("3", "TOO LATE", at(MONDAY, "24:00"), level="basically_satisfied"),
        finished("BY DEFAULT", ten), rated("4", "BY DEFAULT", at(MONDAY, "12:00"), is_default="yes"),
        finished("EVENING", at(MONDAY, "16:30:01")),
        finished("RATED IN THE EVENING", at(MONDAY, "18:00")), rated("5", "RATED IN THE EVENING", at(MONDAY, "18:05")),
        finished("INTERNAL", ten, is_internal="yes"), rated("6", "INTERNAL", ten),
        finished("AT MIDNIGHT", at(MONDAY, "24:00")),
        rated("7", "NO CASE", ten, level="very_dissatisfied"),
        finished("INVALID", ten), rated("8", "INVALID", ten, is_effective="no"),
    )  # fmt: skip
    counts = rate_counts(known, MONDAY)
    assert summed(counts) == {
        # 3 was made on Tuesday: 1, 2, 4, 5, 6 and 7 are of Monday.
        ("satisfaction",): (4, 6),
        ("satisfaction_without_defaults",): (3, 5),
        # CLEARED, RATED AT ONCE, TOO LATE and RATED IN THE EVENING of seven.
        ("active_evaluation",): (4, 7),
        ("evaluation",): (5, 7),
        # CLEARED of itself, TOO LATE, BY DEFAULT, INVALID, and EVENING.
        ("daily_clearance",): (1, 5),
        # EVENING can only be lost.
        ("daily_clearance_before_cutoff",): (1, 4),
    }
    by_place = summed(counts, "district", "handling_department")
    assert by_place["satisfaction", "", ""] == (0, 1)
    assert by_place["satisfaction", "echeng", "局"] == (4, 5)
    assert summed(rate_counts(known, TUESDAY), "month")["satisfaction", date(2025, 9, 1)] == (5, 7)


def test_above_999_is_strict() -> None:
    assert not is_above_999((999, 1000))
    assert is_above_999((9991, 10_000))
    assert not is_above_999((99_896, 100_000))
    assert not is_above_999((0, 0))


# Thirty days

SITUATIONS = {
    # who rates, and when
    "never_rated", "rated_within_the_hour", "rated_before_cutoff", "rated_after_cutoff", "rated_days_later",
    "default_rated", "default_then_own", "default_ruled_invalid_by_own", "default_by_a_hall", "rated_by_message",
    "rated_twice", "two_services_of_one_case", "ruled_invalid", "ruled_invalid_then_valid", "ruled_invalid_much_later",
    "evaluation_removed", "evaluation_moved", "evaluation_without_case",
    # what becomes of a case
    "taken_up_then_finished", "withdrawn", "withdrawn_after_finishing", "terminated", "terminated_after_finishing",
    "internal", "found_internal", "removed", "removed_and_back", "removed_before_it_came", "finish_moved_back",
    "finish_moved_forward", "finish_taken_back", "content_corrected", "district_corrected", "district_outside",
    "archived", "rated_after_being_archived", "archived_on_arrival",
    # what comes late
    "evaluation_before_case", "late_evaluation_next_day", "late_evaluation_second_day", "late_case",
    "late_rated_case", "shown_by_a_correction_alone", "committed_late", "older_version_late",
    # exactly at the cut-off
    "finished_at_working_cutoff", "finished_after_working_cutoff", "finished_in_the_last_second",
    "finished_at_midnight", "finished_on_a_day_alone",
    "rated_at_working_cutoff", "rated_after_working_cutoff", "rated_in_the_last_second", "rated_at_midnight",
    # what looks wrong
    "rated_after_ten_seconds", "rated_after_eleven_seconds", "rated_with_the_finish", "rated_before_the_finish",
    "burst_at_a_device", "burst_at_a_window", "no_burst",
    # bad reviews
    "bad_in_time", "bad_called_late", "bad_rectified_late", "bad_never_rectified", "bad_never_called",
    "bad_at_the_last_moment", "bad_a_moment_too_late", "bad_anonymous",
    # rows
    "changed_twice", "wrong_version_late", "wrong_case_corrected", "wrong_evaluation_corrected", "wrong_change",
    "wrong_rows",
}  # fmt: skip


@pytest.fixture(scope="module")
def city() -> ServiceCity:
    return ServiceCity(seed=7, cases_per_day=20)


@pytest.fixture(scope="module")
def collections(city: ServiceCity) -> list[Collection]:
    return list(city.collections())


@pytest.fixture(scope="module")
def publisher(collections: list[Collection]) -> Publisher:
    publisher = Publisher()
    for collection in collections:
        publisher.publish(collection.day, collection.kind, collection.facts)
    return publisher


def with_keys(city: ServiceCity, name: str) -> list[tuple[date, str]]:
    return [(occurrence.day, occurrence.key) for occurrence in city.situations[name]]


def test_every_situation_occurs_within_thirty_days(city: ServiceCity) -> None:
    assert city.situations.keys() == SITUATIONS
    assert {name for name, found in city.situations.items() if len(found) < 2} == set()
    days = [city.first_day + timedelta(days=place) for place in range(30)]
    assert {day.isoweekday() for day in days if not is_working_day(day)} == set(range(1, 8))
    assert [day for day in days if is_working_day(day) and day.isoweekday() > 5]


def test_another_seed_has_every_situation_too() -> None:
    assert ServiceCity(seed=8, cases_per_day=10).situations.keys() == SITUATIONS


def test_same_arguments_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        for collection in ServiceCity(seed, 8, days=3).collections():
            write_truth(collection.night, tmp_path / name)
            for delivery in collection.deliveries:
                if isinstance(delivery.system.place, HttpPlace):
                    write_state(tmp_path / name, delivery.system, delivery.rows_now)
                else:
                    text = "\n".join(map(repr, delivery.rows_now))
                    (tmp_path / name / f"{delivery.system.name}.{collection.number}").write_text(text)
    contents = {
        name: {
            str(path.relative_to(tmp_path / name)): path.read_bytes()
            for path in sorted((tmp_path / name).rglob("*"))
            if path.is_file()
        }
        for name in ("one", "two", "three")
    }
    assert contents["one"] == contents["two"]
    assert contents["one"].keys() == contents["three"].keys()
    assert all(contents["one"][name] != contents["three"][name] for name in contents["one"])


def test_a_city_of_more_days_begins_alike() -> None:
    short, long = (ServiceCity(5, 8, days=days, outage=False).collections() for days in (8, 14))
    for one, same in zip(short, long, strict=False):
        assert one.deliveries == same.deliveries
        assert one.facts == same.facts
    assert not any(collection.down for collection in long)


def test_too_small_a_city_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 5 cases"):
        ServiceCity(cases_per_day=4)
    with pytest.raises(ValueError, match="at least one day"):
        ServiceCity(days=0)


def test_department_files_name_what_the_systems_deliver() -> None:
    catalog = load_catalog(HOME / "include" / "catalog")
    for system in SERVICE_SYSTEMS:
        feed, dialect = catalog.feed(system.department, system.feed), DIALECTS[system.feed]
        assert feed.dataset == system.dataset
        assert set(system.column_names) == {*feed.required_columns, *feed.ignored_columns}
        assert feed.unexpected_columns(system.column_names) == ()
        assert feed.fields.keys() == dialect.fields
        assert feed.constants == dialect.constants
        window = feed.window
        assert isinstance(window, Watermark)
        assert (window.column, window.overlap_minutes) == (system.time_column, system.overlap_minutes)
        for name, codes in dialect.codes.items():
            assert feed.fields[name].codes == {str(theirs): ours for ours, theirs in codes.items()}, (system.feed, name)
        assert (feed.fields["case_number"].remove_prefix or "") == dialect.case_prefix
        if isinstance(system.place, TablePlace):
            assert isinstance(feed.transport, ExchangeDatabase)
            assert feed.transport.table == system.place.table
        else:
            assert isinstance(feed.transport, HttpApi)
            assert feed.transport.path == system.place.path


def test_dialects_contradict_each_other() -> None:
    for name, feeds in (("case_kind", ("service_cases", "self_built_cases")),
                        ("level", ("evaluations", "terminal_evaluations"))):  # fmt: skip
        one, other = ({str(theirs): ours for ours, theirs in DIALECTS[feed].codes[name].items()} for feed in feeds)
        assert one.keys() == other.keys()
        assert one["1"] != other["1"]
    assert DIALECTS["evaluations"].codes["evaluation_channel"]["system"] == 7
    assert DIALECTS["terminal_evaluations"].codes["evaluation_channel"]["sms"] == "7"


def test_every_code_of_every_system_is_told_so_that_a_wrong_mapping_shows(collections: list[Collection]) -> None:
    for delivery in collections[-1].deliveries:
        dialect = DIALECTS[delivery.system.feed]
        coded = {name: set(codes) for name, codes in dialect.codes.items()}
        if "is_default" in dialect.fields:
            coded["is_default"] = {"yes", "no"}
        for name, codes in coded.items():
            told = {row.fields.get(name) for row in delivery.stored} - {None}
            assert told == codes, (delivery.system.name, name)
        districts = {row.fields.get("district") for row in delivery.stored}
        assert len(districts) == (7 if "district" in dialect.fields else 1)


def test_every_fate_and_every_rule_occurs(collections: list[Collection]) -> None:
    fates = Counter(row.fate for one in collections for delivery in one.deliveries for row in delivery.rows)
    assert set(fates) == {
        "inserted", "updated", "unchanged", "deleted", "superseded", "duplicate", "quarantined",
    }  # fmt: skip
    rules = {rule for one in collections for delivery in one.deliveries for row in delivery.rows for rule in row.rules}
    time_rules = {"source_updated_at.parseable", "source_updated_at.of_delete", "source_updated_at.not_future"}
    all_have = {
        "record_key.present", "record_key.number", "record_key.length", "case_number.present", "codes.mapped",
        "codes.exact", "operation.known", "error_cells.none", *time_rules,
    }  # fmt: skip
    both = {*all_have, "service_number.present"}
    assert rules == {
        "row.nul",
        *(f"service_case.{rule}" for rule in both),
        *(f"evaluation.{rule}" for rule in both),
        *(f"case_result.{rule}" for rule in all_have),
        *(
            f"case_result.{rule}"
            for rule in (
                "result_number.present", "result_type.present", "certificate_name.present_if_certificate",
                "certificate_number.present_if_certificate", "produced_at.present", "produced_at.parseable",
                "produced_at.not_future", "issuing_authority.readable",
            )
        ),
        *(
            f"service_case.{rule}"
            for rule in (
                "case_state.present", "finished_at.parseable", "finished_at.present_if_finished",
                "finished_at.not_future", "accepted_at.parseable", "accepted_at.not_future", "applicant.readable",
                "handling_department.readable",
            )
        ),
        *(
            f"evaluation.{rule}"
            for rule in (
                "level.present", "is_default.present", "is_effective.present", "evaluated_at.present",
                "evaluated_at.parseable", "evaluated_at.not_future", "case_number.length", "service_number.length",
            )
        ),
    }  # fmt: skip


def test_rows_are_quarantined_for_critical_rules_that_the_suites_know(collections: list[Collection]) -> None:
    texts = [
        (HOME / "expectations" / f"{name}.json").read_text(encoding="utf-8")
        for name in {system.dataset for system in SERVICE_SYSTEMS}
    ]
    known = set(re.findall(r'"rule_id": "([^"]+)"', "".join(texts))) | {"row.nul"}
    rules = {rule for one in collections for delivery in one.deliveries for row in delivery.rows for rule in row.rules}
    assert rules - known == set()


def test_no_batch_has_so_many_wrong_rows_that_it_would_be_held(collections: list[Collection]) -> None:
    for one in collections:
        for delivery in one.deliveries:
            wrong = sum(row.fate == "quarantined" for row in delivery.rows)
            assert len(delivery.rows) < 200 or wrong <= len(delivery.rows) / 5


def test_a_collection_reads_from_the_watermark_less_the_overlap(collections: list[Collection]) -> None:
    late = set()
    for one, following in pairwise(collections):
        for delivery, later in zip(one.deliveries, following.deliveries, strict=True):
            name = later.system.name
            if name in following.down:
                assert (later.rows, later.watermark, later.stored) == ([], delivery.watermark, delivery.stored)
                continue
            assert delivery.watermark is not None
            start = delivery.watermark - timedelta(minutes=later.system.overlap_minutes)
            assert {row.row_id for row in later.rows} == {
                row.row_id for row in later.rows_now if row.changed_at is None or row.changed_at >= start
            }
            late |= {name for row in later.added if row.changed_at and row.changed_at < delivery.watermark}
            # What comes late comes within what is read again: nothing is ever missed.
            read = {row.row_id for row in later.rows}
            assert one.down or {row.row_id for row in later.added} <= read
    assert {"unified_acceptance.service_cases", "unified_acceptance.self_built_cases"} <= late


def test_collections_come_twice_a_day_behind_the_cutoffs(collections: list[Collection]) -> None:
    assert len(collections) == 60
    assert [one.number for one in collections] == list(range(1, 61))
    for one in collections:
        assert (one.kind, one.at) in moments(one.day)
        assert timedelta() < one.at - cutoff(one.day, one.kind, Terms()) < timedelta(hours=1)
        assert max(row.changed_at for d in one.deliveries for row in d.rows_now if row.changed_at) <= one.at


def test_one_system_is_down_for_a_day_and_caught_up_the_next(
    city: ServiceCity, collections: list[Collection], publisher: Publisher
) -> None:
    down = [one for one in collections if one.down]
    assert [(one.day, one.kind) for one in down] == [(city.down_day, "working"), (city.down_day, "final")]
    before = collections[down[0].number - 2]
    assert all(one.stale == {DOWN: before.at} for one in down)
    assert all(one.stale == {} for one in collections if not one.down)
    assert city.down_day is not None
    corrected = publisher.versions[city.down_day, "final"][1]
    assert len(corrected.removed) > 5


def test_the_lists_show_what_was_decided(
    city: ServiceCity, collections: list[Collection], publisher: Publisher
) -> None:
    versions = publisher.versions

    def final(day: date) -> list[set[str]]:
        """Return the keys of a final list, version by version."""
        return [set(version.by_key) for version in versions[day, "final"]]

    day_before = timedelta(days=1)
    for day, key in with_keys(city, "late_evaluation_next_day"):
        assert key in final(day - day_before)[0]
        assert key not in final(day - day_before)[-1]
    for day, key in with_keys(city, "late_evaluation_second_day"):
        assert key in final(day - 2 * day_before)[0]
        assert key not in final(day - 2 * day_before)[-1]
        assert key in final(day - day_before)[0]
    for day, key in with_keys(city, "late_case"):
        assert key not in final(day - 2 * day_before)[0]
        assert key in final(day - 2 * day_before)[-1]
        assert versions[day, "final"][0].by_key[key].since_day == day
    for day, key in with_keys(city, "finish_moved_forward"):
        assert versions[day, "working"][0].by_key[key].state == "carried_over"
    for day, key in with_keys(city, "ruled_invalid"):
        assert versions[day, "final"][0].by_key[key].state == "reopened"
    for day, key in with_keys(city, "shown_by_a_correction_alone"):
        assert any(key in version.by_key for known in versions.values() for version in known[1:])
        assert versions[day, "working"][0].by_key[key].state == "reopened"
    for day, key in with_keys(city, "evaluation_moved"):
        assert key not in final(day)[0]
    for name in ("withdrawn_after_finishing", "terminated_after_finishing", "found_internal", "removed"):
        for day, key in with_keys(city, name):
            assert key not in final(day)[0]
            assert key in final(working_days_before(day, 1))[0]
    for name in ("internal", "withdrawn", "terminated", "removed_before_it_came"):
        for _, key in with_keys(city, name):
            assert not any(key in version.by_key for known in versions.values() for version in known)
    for day, key in with_keys(city, "default_rated"):
        # Those of the stock were rated before the first list.
        if day > city.first_day:
            assert versions[day, "final"][-1].by_key[key].section == "default_rated"
    for day, key in with_keys(city, "finished_at_working_cutoff"):
        assert key in versions[day, "working"][0].by_key
    for day, key in with_keys(city, "finished_after_working_cutoff"):
        assert key not in versions[day, "working"][0].by_key
    for day, key in with_keys(city, "finished_in_the_last_second"):
        assert versions[day, "final"][0].by_key[key].age_working_days == 0
    for day, key in with_keys(city, "finished_at_midnight"):
        assert key not in final(day - day_before)[0]
    for name in ("archived", "rated_after_being_archived", "archived_on_arrival"):
        for _, key in with_keys(city, name):
            assert key in publisher.archived
            assert key not in versions[collections[-1].day, "final"][0].by_key


def test_the_warnings_show_what_was_decided(city: ServiceCity, collections: list[Collection]) -> None:
    last = collections[-1]
    kinds = {suspicion.record_key: suspicion.kinds for suspicion in suspicious_ratings(last.facts)}
    for name, kind in (("burst_at_a_device", "device_burst"), ("burst_at_a_window", "window_burst")):
        assert all(kind in kinds.get(key, ()) for _, key in with_keys(city, name))
    assert not any(key in kinds for _, key in with_keys(city, "no_burst"))
    by_service: dict[str, list[str]] = {}
    for rating in last.facts.ratings.values():
        by_service.setdefault(rating.service_key, []).append(rating.record_key)
    for name, is_fast in (
        ("rated_after_ten_seconds", True),
        ("rated_with_the_finish", True),
        ("rated_after_eleven_seconds", False),
        ("rated_before_the_finish", False),
    ):
        for _, key in with_keys(city, name):
            [number] = by_service[key]
            assert ("seconds_after_finishing" in kinds.get(number, ())) is is_fast

    reviews = {
        review.record_key: review for review in bad_reviews(last.facts, last.day, cutoff(last.day, last.kind, Terms()))
    }
    for name, called, rectified in (
        ("bad_in_time", True, True),
        ("bad_called_late", False, True),
        ("bad_rectified_late", True, False),
        ("bad_at_the_last_moment", True, True),
        ("bad_a_moment_too_late", False, False),
        ("bad_never_called", False, False),
    ):
        for _, key in with_keys(city, name):
            review = reviews[key]
            assert (review.is_called_in_time, review.is_rectified_in_time) == (called, rectified), name
    assert not any(key in reviews for _, key in with_keys(city, "bad_anonymous"))
    assert {review.state for review in reviews.values()} == {
        "callback_overdue", "rectification_overdue", "open", "done_late", "done",
    }  # fmt: skip
    rates = summed(rate_counts(last.facts, last.day))
    assert {rate for (rate,) in rates} == {
        "satisfaction", "satisfaction_without_defaults", "active_evaluation", "evaluation", "daily_clearance",
        "daily_clearance_before_cutoff", "callback_and_rectification", "rectification_in_time",
    }  # fmt: skip
    assert all(0 < numerator < denominator for numerator, denominator in rates.values())


def test_every_list_balances_with_yesterdays(collections: list[Collection]) -> None:
    publisher = Publisher()
    reopened = withdrawn = archived = 0
    for collection in collections:
        published = publisher.publish(collection.day, collection.kind, collection.facts)
        for version in (*published.corrections, published.first):
            counts = version.counts
            assert counts.unrated + counts.default_rated == len(version.rows)
            assert counts.new + counts.carried_over + counts.reopened == len(version.rows)
            yesterday = publisher.yesterday(version.day)
            accounted = counts.carried_over + counts.cleared + counts.withdrawn + counts.archived
            assert accounted == (len(yesterday.rows) if yesterday else 0)
        counts = published.first.counts
        reopened += counts.reopened
        withdrawn += counts.withdrawn
        archived += counts.archived
    assert reopened
    assert withdrawn
    assert archived


UNBREAKABLE = {
    f"{dataset}.source_updated_at.present": "Only deletes come without a time, and another rule asks them for it."
    for dataset in ("service_case", "case_result", "evaluation")
}
"""Rules of these suites that no row breaks, each with the reason."""


def test_every_rule_is_broken_within_thirty_days(collections: list[Collection]) -> None:
    catalog = load_catalog(HOME / "include" / "catalog")
    names = {name for system in SERVICE_SYSTEMS for name in catalog.feed(system.department, system.feed).suites}
    rules = {
        rule.rule_id: rule.severity
        for suite in load_suites(HOME / "expectations", sorted(names))
        for rule in suite.rules
    }
    rows = [row for collection in collections for delivery in collection.deliveries for row in delivery.rows]
    assert rules.keys() - {rule for row in rows for rule in (*row.rules, *row.warnings)} == UNBREAKABLE.keys()
    assert {rules.get(rule, "critical") for row in rows for rule in row.rules} == {"critical"}
    assert {rules[rule] for row in rows for rule in row.warnings} == {"warning"}
    assert {row.fate for row in rows if row.warnings and not row.rules} >= {"inserted", "updated", "unchanged"}


def test_people_and_numbers_are_nobodys(collections: list[Collection]) -> None:
    for delivery in collections[-1].deliveries:
        for row in delivery.stored:
            applicant, phone = row.fields.get("applicant"), row.fields.get("phone")
            assert applicant is None or re.fullmatch(r".某某|虚\*\*|鄂州市虚构.+有限公司第[0-9]{6}号", applicant)
            assert phone is None or re.fullmatch(r"1990000[0-9]{1,4}", phone)
