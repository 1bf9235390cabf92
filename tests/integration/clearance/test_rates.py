"""Rates, bad reviews, suspicious ratings, and telephone numbers that somebody asks for."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import pytest
from openpyxl import load_workbook
from tests.support.clearance_facts import Case, Evaluation, Store, at, day

from zhengku.clearance import evaluations, list_versions, rates
from zhengku.clearance.delivery import write_part
from zhengku.clearance.rates import Rate
from zhengku.clearance.reveal import RevealRefused, reveal_phone

CLEARED = "日清率"
OWN = "主动评价率"


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store without any case."""
    made = Store(database_url)
    yield made
    made.close()


def rates_of(store: Store, first: str, last: str | None = None) -> dict[str, Rate]:
    store.clearance.refresh_rates()
    [city] = rates.group_rates(store.connection, store.catalog, day(first), day(last or first))
    assert (city.district, city.handling_department, city.district_name) == (None, None, "全市")
    return {rate.name_zh: rate for rate in city.rates}


def shares(store: Store, first: str, last: str | None = None) -> dict[str, tuple[int, int]]:
    return {name: (rate.numerator, rate.denominator) for name, rate in rates_of(store, first, last).items()}


def test_satisfaction_counts_effective_evaluations_of_the_day_with_and_without_defaults(store):
    made = at("03-02 12:00")
    store.load(Case("A", at("03-01 10:00")))
    store.load(
        Evaluation("1", "A", made, level="very_satisfied"),
        Evaluation("2", "A", made, level="satisfied"),
        Evaluation("3", "A", made, level="basically_satisfied", is_default="yes"),
        Evaluation("4", "nobody knows", made, level="dissatisfied"),
        Evaluation("5", "A", made, level="very_dissatisfied", is_effective="no"),
        Evaluation("6", "A", made, level="very_dissatisfied", removal="deleted"),
        Evaluation("7", "A", at("03-02 00:00"), level="dissatisfied"),
        Evaluation("8", "A", at("03-03 00:00"), level="dissatisfied"),
    )
    found = shares(store, "03-02")
    assert found["满意率（含默认）"] == (3, 5)
    assert found["满意率（不含默认）"] == (2, 4)
    assert shares(store, "03-02", "03-03")["满意率（含默认）"] == (3, 6)


def test_evaluation_rates_count_evaluable_services_by_the_day_they_finished(store):
    finished = at("03-02 12:00")
    store.load(
        Case("own", finished),
        Case("default", finished),
        Case("none", finished),
        Case("internal", finished, is_internal="yes"),
        Case("other day", at("03-03 00:00")),
        Evaluation("1", "own", at("03-09 12:00")),
        Evaluation("2", "default", at("03-09 12:00"), is_default="yes"),
        Evaluation("3", "internal", at("03-09 12:00")),
    )
    found = shares(store, "03-02")
    assert (found[OWN], found["评价率"]) == ((1, 3), (2, 3))


def test_same_day_clearance_counts_who_was_unrated_at_the_cutoff_and_rated_by_midnight(store):
    before, after = at("03-02 16:30"), at("03-02 16:30:01")
    store.load(
        Case("rated before the cutoff", before),
        Case("rated after it", before),
        Case("rated in the last second", before),
        Case("rated at midnight", before),
        Case("rated the next day", before),
        Case("never rated", before),
        Case("late, rated the same day", after),
        Case("late, never rated", after),
        Case("rated by default", before),
        Evaluation("1", "rated before the cutoff", at("03-02 16:30")),
        Evaluation("2", "rated after it", at("03-02 16:30:01")),
        Evaluation("3", "rated in the last second", at("03-02 23:59:59")),
        Evaluation("7", "rated at midnight", at("03-03 00:00")),
        Evaluation("4", "rated the next day", at("03-03 00:00:01")),
        Evaluation("5", "late, rated the same day", at("03-02 17:00")),
        Evaluation("6", "rated by default", at("03-02 17:00"), is_default="yes"),
    )
    # Of those finished after the cut-off only who is unrated at midnight counts, in the first reading: it can only lose
    # by them. Midnight belongs to the next day.
    found = shares(store, "03-02")
    assert found[CLEARED] == (2, 7)
    assert found["日清率（截止前办结）"] == (2, 6)


def test_bad_reviews_count_on_the_day_their_rectification_is_due(store):
    # Monday 2 March: the call-back is due on the 3rd, the rectification on the 23rd.
    made = at("03-02 12:00")
    bad = {
        "level": "dissatisfied",
        "called_back_at": at("03-03 23:59:59"),
        "rectified_at": at("03-23 23:59:59"),
    }
    store.load(
        Evaluation("in time", "A", made, **bad),
        Evaluation("called late", "A", made, **{**bad, "called_back_at": at("03-04 00:00")}),
        Evaluation("rectified late", "A", made, **{**bad, "rectified_at": at("03-24 00:00")}),
        Evaluation("nothing done", "A", made, level="very_dissatisfied"),
        Evaluation("without a name", "A", made, level="dissatisfied", is_real_name="no"),
        Evaluation("by default", "A", made, level="dissatisfied", is_default="yes"),
        Evaluation("void", "A", made, level="dissatisfied", is_effective="no"),
        Evaluation("good", "A", made),
    )
    found = shares(store, "03-23")
    assert (found["实名差评回访整改率"], found["按期整改率"]) == ((1, 4), (2, 4))
    assert shares(store, "03-02")["按期整改率"] == (0, 0)


def test_zero_denominators_are_said_and_percentages_are_cut(store):
    store.load(Case("A", at("03-01 10:00")))
    found = rates_of(store, "03-01")
    assert found["按期整改率"].shown == "无差评"
    assert found["满意率（含默认）"].shown == "无数据"
    assert found[OWN].shown == "0.00%"
    rate = rates.Rate("", "", 99_896, 100_000, "")
    assert not rate.is_above_999
    assert not rates.Rate("", "", 999, 1000, "").is_above_999
    assert rates.Rate("", "", 9991, 10_000, "").is_above_999
    assert all(rate.definition_zh for rate in found.values())


@pytest.mark.parametrize(
    ("numerator", "denominator", "shown"),
    [(2, 3, "66.66%"), (99_999, 100_000, "99.99%"), (1, 1, "100.00%"), (0, 5, "0.00%"), (0, 0, "无数据")],
)
def test_percentage_is_never_rounded_up(store, numerator, denominator, shown):
    store.query(
        "insert into clearance.rate_count values ('2026-03-02', 'echeng', 'x', 'y', %s, %s, 0,0,0,0,0,0,0,0,0,0)",
        denominator,
        numerator,
    )
    [city] = rates.group_rates(store.connection, store.catalog, day("03-02"), day("03-02"))
    assert city.rates[0].shown == shown


def test_changed_facts_change_the_counts_of_their_days_alone(store):
    case = Case("A", at("03-02 10:00"))
    rating = Evaluation("1", "A", at("03-05 12:00"), level="dissatisfied")
    store.load(case, rating)
    assert shares(store, "03-05")["满意率（含默认）"] == (0, 1)
    assert shares(store, "03-26")["按期整改率"] == (0, 1)
    assert store.clearance.refresh_rates() == 0
    store.load(replace(rating, level="satisfied", evaluated_at=at("03-06 12:00")), replace(case, finished_at=None))
    # Both days of the evaluation, of the case, and what was due for the bad review.
    assert store.clearance.refresh_rates() == 4
    assert shares(store, "03-05")["满意率（含默认）"] == (0, 0)
    assert shares(store, "03-06")["满意率（含默认）"] == (1, 1)
    assert shares(store, "03-26")["按期整改率"] == (0, 0)
    assert shares(store, "03-02")[OWN] == (0, 0)


def test_rates_day_by_day_are_those_of_each_day_alone(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-04 10:00"), district="gedian"))
    store.load(Evaluation("1", "A", at("03-04 12:00")), Evaluation("2", "B", at("03-04 12:00"), level="dissatisfied"))
    store.clearance.refresh_rates()
    for districts in (None, ["gedian"]):
        found = {
            group.day: list(group.rates)
            for group in rates.group_rates(
                store.connection, store.catalog, day("03-01"), day("03-05"), "day", districts
            )
        }
        assert list(found) == [day(f"03-0{number}") for number in range(1, 6)]
        for on, of_day in found.items():
            [alone] = rates.group_rates(store.connection, store.catalog, on, on, districts=districts)
            assert tuple(of_day) == alone.rates
    assert [rate.denominator for rate in found[day("03-04")]][:3] == [1, 1, 1]


def test_rates_by_item_bear_its_newest_name_and_by_month_all_its_days(store):
    case = Case("A", at("03-02 10:00"), service_item_code="1", service_item_name="旧名")
    store.load(case, Case("B", at("03-31 10:00"), service_item_code="2", service_item_name=None))
    store.load(replace(case, service_item_name="新名"), Case("C", at("04-01 10:00"), service_item_code=None))
    store.load(Evaluation("1", "A", at("03-02 12:00")))
    store.clearance.refresh_rates()
    span = day("02-27"), day("04-02")
    items = rates.group_rates(store.connection, store.catalog, *span, "item")
    own = {group.service_item_code: group.rates[2] for group in items}
    assert {code: (rate.numerator, rate.denominator) for code, rate in own.items()} == {
        "1": (1, 1),
        "2": (0, 1),
        None: (0, 1),
    }
    assert [group.service_item_name for group in items] == ["新名", None, None]
    months = rates.group_rates(store.connection, store.catalog, *span, "month")
    assert [(group.day, group.rates[2].numerator, group.rates[2].denominator) for group in months] == [
        (day("02-01"), 0, 0),
        (day("03-01"), 1, 2),
        (day("04-01"), 0, 1),
    ]


def test_groups_follow_the_service_of_an_evaluation(store):
    case = Case("A", at("03-02 10:00"))
    store.load(case, Evaluation("1", "A", at("03-03 12:00")), Evaluation("2", "X", at("03-03 12:00")))
    store.clearance.refresh_rates()

    def by_department() -> dict[tuple[str | None, str | None], tuple[int, int]]:
        groups = rates.group_rates(store.connection, store.catalog, day("03-03"), day("03-03"), "department")
        return {
            (group.district, group.handling_department): (group.rates[0].numerator, group.rates[0].denominator)
            for group in groups
        }

    assert by_department() == {("echeng", "鄂州市公安局"): (1, 1), (None, None): (1, 1)}
    store.load(replace(case, district="gedian", handling_department="鄂州市医疗保障局"), Case("X", None))
    store.clearance.refresh_rates()
    assert by_department() == {("gedian", "鄂州市医疗保障局"): (1, 1), ("echeng", "鄂州市公安局"): (1, 1)}
    [echeng, gedian] = rates.group_rates(store.connection, store.catalog, day("03-03"), day("03-03"), "district")
    assert (echeng.district_name, gedian.district_name) == ("鄂城区", "葛店开发区")
    [only] = rates.group_rates(store.connection, store.catalog, day("03-03"), day("03-03"), "district", ["gedian"])
    assert only == gedian


def test_other_numbers_or_another_calendar_count_all_days_anew(database_url, store):
    store.load(Evaluation("1", "A", at("03-02 12:00"), level="dissatisfied"))
    assert shares(store, "03-23")["按期整改率"] == (0, 1)
    changed = store.config.model_copy(update={"rectification_working_days": 10})
    other = Store(database_url, changed)
    found = shares(other, "03-16")
    other.close()
    assert found["按期整改率"] == (0, 1)
    assert shares(store, "03-16")["按期整改率"] == (0, 0)


def test_bad_reviews_stand_overdue_first_with_their_deadlines(store):
    made = at("03-02 12:00")
    store.load(
        Case("A", at("03-01 10:00")),
        Evaluation("open", "A", at("03-20 12:00"), level="dissatisfied", reason="电话13800001234, 等候过久"),
        Evaluation("not called", "A", made, level="dissatisfied"),
        Evaluation("not rectified", "A", made, level="very_dissatisfied", called_back_at=at("03-03 12:00")),
        Evaluation("late", "X", made, level="dissatisfied", called_back_at=at("03-05 12:00"), rectified_at=made),
        Evaluation("done", "A", made, level="dissatisfied", called_back_at=at("03-03 23:59:59"), rectified_at=made),
        Evaluation("without a name", "A", made, level="dissatisfied", is_real_name="no"),
        Evaluation("later", "A", at("03-24 00:00"), level="dissatisfied"),
    )
    store.clearance.refresh_rates()
    found = evaluations.bad_reviews(store.connection, store.catalog, day("03-23"))
    assert [(review.evaluation_number, review.state) for review in found] == [
        ("not called", "callback_overdue"),
        ("open", "callback_overdue"),
        ("not rectified", "rectification_overdue"),
        ("late", "done_late"),
        ("done", "done"),
    ]
    [not_called, open_, *_] = found
    assert (not_called.callback_due, not_called.rectification_due) == (day("03-03"), day("03-23"))
    assert (not_called.district_name, not_called.handling_department) == ("鄂城区", "鄂州市公安局")
    assert open_.reason == "电话138****1234, 等候过久"
    # At noon of its last day nothing is overdue yet.
    noon = evaluations.bad_reviews(store.connection, store.catalog, day("03-23"), now=at("03-23 12:00"))
    assert {review.evaluation_number: review.state for review in noon}["not rectified"] == "open"
    assert [review.evaluation_number for review in noon if review.record_key == "X|1"] == ["late"]
    of_district = evaluations.bad_reviews(store.connection, store.catalog, day("03-23"), ["echeng"])
    assert [review for review in found if review.district == "echeng"] == of_district


def test_bad_reviews_of_a_version_are_those_that_were_known_when_it_was_published(store, tmp_path):
    review = Evaluation("1", "A", at("03-02 12:00"), level="dissatisfied", reason="等候过久")
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00")), review)
    first = store.clearance.publish(day("03-02"), "final", at("03-03 06:00"))
    store.load(
        replace(review, called_back_at=at("03-03 09:00"), reason="已沟通"),
        replace(store.cases["A|1"], hall="另一大厅"),
        replace(store.cases["B|1"], case_state="withdrawn"),
        Evaluation("2", "A", at("03-02 13:00"), level="very_dissatisfied"),
    )
    second = store.clearance.publish(day("03-02"), "final", at("03-03 18:00"))
    assert second.version == 2
    store.load(replace(review, called_back_at=at("03-03 09:00"), is_effective="no"))

    def told(known_to: list_versions.ListVersion | None) -> list[tuple[object, ...]]:
        found = evaluations.bad_reviews(store.connection, store.catalog, day("03-02"), known_to=known_to)
        return [(row.evaluation_number, row.state, row.reason, row.hall) for row in found]

    assert told(first) == [("1", "open", "等候过久", "鄂城区虚构政务服务大厅")]
    assert told(second) == [("1", "open", "已沟通", "另一大厅"), ("2", "open", None, "另一大厅")]
    assert [number for number, *_ in told(None)] == ["2"]
    # So do the workbooks, whenever they are written.
    for published, reasons in ((first, ["等候过久"]), (second, ["已沟通", None])):
        with store.connection.transaction():
            write_part(store.connection, store.catalog, published, None, tmp_path / "list.xlsx")
        [header, *lines] = load_workbook(tmp_path / "list.xlsx")["差评整改"].iter_rows(values_only=True)
        assert [line[header.index("差评原因")] for line in lines] == reasons


def test_lists_of_people_to_call_are_empty_before_anything_was_taken_in(store):
    assert evaluations.bad_reviews(store.connection, store.catalog, day("03-23")) == []
    assert evaluations.suspicious_ratings(store.connection, day("03-01"), day("03-31")) == []
    assert list_versions.newest_version(store.connection) is None


def test_ratings_seconds_after_finishing_are_suspicious(store):
    finished = at("03-02 10:00")
    store.load(
        Case("A", finished),
        Evaluation("at once", "A", finished),
        Evaluation("10 s", "A", finished + timedelta(seconds=10)),
        Evaluation("11 s", "A", finished + timedelta(seconds=11)),
        Evaluation("before", "A", finished - timedelta(seconds=1)),
        Evaluation("by default", "A", finished, is_default="yes"),
        Evaluation("void", "A", finished, is_effective="no"),
    )
    store.clearance.refresh_rates()
    found = evaluations.suspicious_ratings(store.connection, day("03-02"), day("03-02"))
    assert [(rating.kind, rating.evaluation_number) for rating in found] == [
        ("seconds_after_finishing", "at once"),
        ("seconds_after_finishing", "10 s"),
    ]


def test_of_days_without_a_time_no_seconds_are_counted(store):
    # As a feed with date_only has them.
    end = at("03-02 23:59:59")
    store.load(
        Case("A", end),
        Evaluation("1", "A", end),
        *(Evaluation(f"d{n}", "X", end, device="D1", evaluation_window="1") for n in range(20)),
    )
    store.clearance.refresh_rates()
    assert evaluations.suspicious_ratings(store.connection, day("03-02"), day("03-02")) == []


def test_bursts_of_a_device_or_a_window_are_suspicious_and_all_of_their_ratings(store):
    begin = at("03-02 23:57")
    burst = [begin + timedelta(seconds=33 * n) for n in range(10)]
    store.load(
        *(Evaluation(f"d{n}", "A", moment, device="D1") for n, moment in enumerate(burst)),
        Evaluation("too late", "A", begin + timedelta(minutes=10), device="D1"),
        *(Evaluation(f"n{n}", "A", moment, device="D2") for n, moment in enumerate(burst[:9])),
        *(Evaluation(f"w{n}", "A", begin, evaluation_window="1") for n in range(10)),
        *(Evaluation(f"x{n}", "A", begin) for n in range(10)),
    )
    store.clearance.refresh_rates()

    def flagged(on: date) -> dict[str, tuple[str, int]]:
        return {
            rating.evaluation_number: (rating.kind, rating.ratings)
            for rating in evaluations.suspicious_ratings(store.connection, on, on)
        }

    monday, tuesday = flagged(day("03-02")), flagged(day("03-03"))
    assert monday == {
        **{f"d{n}": ("device_burst", 10) for n in range(6)},
        **{f"w{n}": ("window_burst", 10) for n in range(10)},
    }
    # A burst over midnight is one.
    assert tuesday == {f"d{n}": ("device_burst", 10) for n in range(6, 10)}


def test_phone_is_shown_after_who_and_why_were_recorded(store):
    store.load(Case("A", at("03-02 10:00")), Case("B", at("03-02 10:00"), phone=None))
    published = store.clearance.publish(day("03-02"), "final", at("03-03 06:00"))
    store.load(Case("A", at("03-02 10:00"), phone="19900000000"))

    def reveal(key: str = "A|1", districts: list[str] | None = None, by: str = "li", reason: str = "催评") -> str:
        return reveal_phone(store.connection, published, key, districts, by, reason, 60)

    assert reveal() == "13800001234"
    assert reveal(districts=["echeng"]) == "13800001234"
    recorded = store.query("select list_id, record_key, revealed_by, reason from clearance.reveal")
    assert recorded == [(published.list_id, "A|1", "li", "催评")] * 2
    for refused in (
        {"key": "X|1"},
        {"districts": ["gedian"]},
        {"districts": []},
        {"reason": " \n"},
        {"by": ""},
        {"key": "B|1"},
    ):
        with pytest.raises(RevealRefused):
            reveal(**refused)
    assert store.query("select count(*) from clearance.reveal where refusal is null") == [(2,)]
