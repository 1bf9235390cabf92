"""What happens to cases, their results and evaluations: who finishes, who rates. Decided before rows are written.

Every life consists of a few changes of records, each with the stamp of its row and the moment from which a reading can
see it. Times are naive and of Asia/Shanghai.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Final, Literal

from simulator.service_records import (
    BAD,
    CaseFeed,
    Evaluation,
    EvaluationFeed,
    Halls,
    Level,
    Record,
    ServiceCase,
    handler,
    phone,
    reason,
)
from simulator.service_sources import LAST_SECOND
from simulator.working_days import is_working_day, working_days_after, working_days_before

ARCHIVE_AFTER: Final = 60
DEFAULT_AFTER: Final = 5
"""Working days after which a case leaves the lists unrated, and after which the system rates by default."""

CALLBACK_WITHIN: Final = 1
RECTIFIED_WITHIN: Final = 15
"""Working days after a bad review until the call-back and the rectification are due."""

_DELAY: Final = timedelta(seconds=20)
_STOCK_DAYS: Final = 20
_COMMITTED_LATE: Final = timedelta(minutes=10)
_RESULTS: Final = 8
_ODD_EVALUATION: Final = 19
"""One of so many results, and one of so many evaluations, is odd."""


@dataclass(frozen=True)
class Change:
    """A state of a record that a row delivers: `stamp` is the row's time of change, `visible_at` when readings find it.

    A `broken` row is written so that it must be quarantined; with `broken_keeps_key` its key is still right.
    """

    record: Record
    stamp: datetime
    visible_at: datetime
    what: Literal["insert", "update", "delete", "broken", "broken_keeps_key"]


@dataclass(frozen=True)
class Occurrence:
    """An occurrence of a situation: the day and the record."""

    day: date
    key: str


Life = Callable[["Lives", date], None]


class Lives:
    """The lives of all cases of `days` days from `first_day` on, and of the stock before it.

    `changes` are in the order in which they become visible. `situations` are named by what happened, each with the
    occurrences whose last event is visible before the end.
    """

    def __init__(
        self, seed: int, cases_per_day: int, first_day: date, days: int, issued: Mapping[str, Sequence[str]]
    ) -> None:
        self.chance = Random(f"{seed}/services")
        self.halls = Halls(self.chance, issued)
        self.first_day = first_day
        self.end = datetime.combine(first_day + timedelta(days=days), time(0, 35))
        self.changes: list[Change] = []
        self.situations: dict[str, list[Occurrence]] = {}
        self._known: set[tuple[str, str]] = set()
        self._stock(cases_per_day)
        worked = 0
        for day in (first_day + timedelta(days=place) for place in range(days)):
            if is_working_day(day):
                self._rare(day, worked)
                worked += 1
                self._ordinary(day, cases_per_day)
            else:
                self._ordinary(day, max(1, cases_per_day // 8))
        self.changes.sort(key=lambda change: change.visible_at)

    def _rare(self, day: date, worked: int) -> None:
        for lives, every in ((DAILY, 1), (RARE, 5), (BURSTS, 9)):
            for place, life in enumerate(lives):
                if (place + worked) % every == 0:
                    life(self, day)

    def _ordinary(self, day: date, cases: int) -> None:
        for life in self.chance.choices(list(ORDINARY), list(ORDINARY.values()), k=cases):
            life(self, day)

    # Building blocks of lives

    def at(self, day: date, begin: str, end: str) -> datetime:
        """Return a random moment of a day between two times such as 08:30."""
        first, last = (datetime.combine(day, time.fromisoformat(text)) for text in (begin, end))
        return first + timedelta(seconds=self.chance.randrange(int((last - first).total_seconds())))

    def case(self, finished_at: datetime, feed: CaseFeed | None = None) -> ServiceCase:
        """Return a new finished case that the system has not delivered yet."""
        return self.halls.case(finished_at, feed)

    def deliver(self, record: Record, stamp: datetime, visible_at: datetime | None = None) -> None:
        """Let the system deliver the present state of a record."""
        name = (record.dataset, record.key)
        word: Literal["insert", "update"] = "update" if name in self._known else "insert"
        self._known.add(name)
        self.changes.append(Change(record, stamp, visible_at or stamp, word))

    def delete(self, record: Record, stamp: datetime) -> None:
        """Let the system deliver that a record is deleted."""
        self.changes.append(Change(record, stamp, stamp, "delete"))

    def spoil(
        self, record: Record, stamp: datetime, visible_at: datetime | None = None, *, keeps_key: bool = False
    ) -> None:
        """Let the system deliver a record wrongly."""
        self.changes.append(Change(record, stamp, visible_at or stamp, "broken_keeps_key" if keeps_key else "broken"))

    def finish(self, day: date, begin: str = "08:30", end: str = "17:00") -> ServiceCase:
        """Let a case finish between two times of a day, and its system deliver it at once."""
        case = self.case(self.at(day, begin, end))
        self.deliver(case, _finish(case) + _DELAY)
        self._produce(case)
        return case

    def _produce(self, case: ServiceCase) -> None:
        """Let the case have a result, which the system delivers a little later; every few of them are odd."""
        result = self.halls.result(case)
        delivered = _finish(case) + 2 * _DELAY
        number, place = self.halls.results, self.halls.results % _RESULTS
        if place == 1:
            self.spoil(result, delivered)
            # Corrected the next day, or never.
            if number % (2 * _RESULTS) == 1:
                self.deliver(result, delivered + timedelta(days=1))
            return
        self.deliver(result, delivered)
        if place == 2 and result.certificate_number:
            self.deliver(
                replace(result, certificate_number=f"{result.certificate_number}X"), delivered + timedelta(hours=5)
            )
        elif place == 3:
            self.delete(result, delivered + timedelta(days=1))
        elif place == 4:
            # The same once more, and an older version that was committed late.
            self.deliver(result, delivered)
            self.deliver(
                replace(result, issuing_authority="（虚构）旧名称"), delivered - _DELAY, delivered + _COMMITTED_LATE
            )

    def rate(
        self,
        case: ServiceCase,
        at: datetime,
        *,
        delivered_at: datetime | None = None,
        feed: EvaluationFeed | None = None,
        level: Level | None = None,
    ) -> Evaluation:
        """Let the public rate a case; the system delivers it at once, or at `delivered_at`."""
        evaluation = self.halls.evaluation(case, at, feed)
        if level is not None:
            evaluation = replace(evaluation, level=level, reason=reason(self.halls.evaluations))
        elif evaluation.level not in BAD and self.halls.evaluations % _ODD_EVALUATION == 0:
            # A call-back before there was a reason for one.
            evaluation = replace(evaluation, called_back_at=at - _DELAY, rectified_at=at - _DELAY)
        self.deliver(evaluation, delivered_at or at + _DELAY)
        return evaluation

    def default(self, case: ServiceCase) -> Evaluation:
        """Let the system rate a case by default at 02:00 of the night after the deadline."""
        assert case.finished_at is not None
        deadline = working_days_after(case.finished_at.date(), DEFAULT_AFTER)
        at = datetime.combine(deadline + timedelta(days=1), time(2))
        evaluation = self.halls.default(case, at)
        self.deliver(evaluation, at + _DELAY)
        return evaluation

    def note(self, name: str, record: Record, last_act: datetime) -> None:
        """Record that a situation occurred, unless its last event is after the end."""
        if last_act <= self.end:
            self.situations.setdefault(name, []).append(Occurrence(last_act.date(), record.key))

    # Ordinary lives

    def _rated_within_the_hour(self, day: date) -> None:
        case = self.finish(day)
        at = _finish(case) + timedelta(minutes=3 + self.chance.randrange(50))
        self.rate(case, at)
        self.note("rated_within_the_hour", case, at)

    def _rated_before_cutoff(self, day: date) -> None:
        case = self.finish(day, "08:30", "11:00")
        at = self.at(day, "13:00", "16:25")
        self.rate(case, at)
        self.note("rated_before_cutoff", case, at)

    def _rated_after_cutoff(self, day: date) -> None:
        case = self.finish(day, "08:30", "16:00")
        at = self.at(day, "16:40", "23:30")
        self.rate(case, at)
        self.note("rated_after_cutoff", case, at)

    def _rated_days_later(self, day: date) -> None:
        case = self.finish(day, "08:30", "17:30")
        at = self.at(day + timedelta(days=1 + self.chance.randrange(4)), "09:00", "20:00")
        self.rate(case, at)
        self.note("rated_days_later", case, at)

    def _never_rated(self, day: date) -> None:
        case = self.finish(day, "08:30", "22:00")
        self.note("never_rated", case, _finish(case))

    def _default_rated(self, day: date) -> None:
        case = self.finish(day)
        self.note("default_rated", case, self.default(case).evaluated_at)

    def _taken_up(self, day: date) -> None:
        """A promised case is delivered when it is accepted, and finishes days later, or not before the end."""
        taken = self.at(day, "08:30", "17:00")
        finish = self.at(working_days_after(day, 1 + self.chance.randrange(3)), "09:00", "17:00")
        case = replace(self.case(finish), accepted_at=taken, case_kind="promised")
        self.deliver(replace(case, case_state="accepted", finished_at=None), taken + _DELAY)
        self.deliver(case, finish + _DELAY)
        if self.chance.random() < 0.5:
            self.rate(case, finish + timedelta(minutes=5))
        self.note("taken_up_then_finished", case, finish)

    # Rare lives: who rates

    def _default_then_own(self, day: date) -> None:
        case = self.finish(day)
        default = self.default(case)
        at = default.evaluated_at + timedelta(hours=32)
        self.rate(case, at)
        self.note("default_then_own", case, at)

    def _default_ruled_invalid(self, day: date) -> None:
        case = self.finish(day)
        default = self.default(case)
        at = default.evaluated_at + timedelta(hours=9)
        self.rate(case, at)
        self.deliver(replace(default, is_effective="no"), at + timedelta(minutes=10))
        self.note("default_ruled_invalid_by_own", case, at + timedelta(minutes=10))

    def _rated_twice(self, day: date) -> None:
        case = self.finish(day, "08:30", "11:00")
        self.rate(case, _finish(case) + timedelta(minutes=10), feed="terminal_evaluations")
        again = _finish(case) + timedelta(hours=3)
        self.rate(case, again, feed="evaluations")
        self.note("rated_twice", case, again)

    def _two_services(self, day: date) -> None:
        first = self.finish(day, "08:30", "11:00")
        second = replace(first, service_number="2", finished_at=self.at(day, "13:00", "16:00"))
        self.deliver(second, _finish(second) + _DELAY)
        self.rate(first, _finish(first) + timedelta(minutes=20))
        if self.chance.random() < 0.5:
            self.rate(second, self.at(working_days_after(day, 2), "09:00", "16:00"))
        self.note("two_services_of_one_case", second, _finish(second))

    def _ruled_invalid(self, day: date) -> None:
        case = self.finish(day)
        rated = self.rate(case, self.at(day + timedelta(days=1), "09:00", "12:00"))
        at = self.at(working_days_after(day, 3), "09:00", "16:00")
        self.deliver(replace(rated, is_effective="no"), at)
        self.note("ruled_invalid", case, at)

    def _ruled_invalid_then_valid(self, day: date) -> None:
        case = self.finish(day)
        rated = self.rate(case, _finish(case) + timedelta(minutes=30))
        self.deliver(replace(rated, is_effective="no"), self.at(working_days_after(day, 1), "09:00", "16:00"))
        at = self.at(working_days_after(day, 3), "09:00", "16:00")
        self.deliver(rated, at)
        self.note("ruled_invalid_then_valid", case, at)

    def _ruled_invalid_much_later(self, day: date) -> None:
        """It happens after the days whose lists are corrected."""
        case = self.finish(day)
        rated = self.rate(case, self.at(day + timedelta(days=1), "09:00", "12:00"))
        at = self.at(working_days_after(day + timedelta(days=10), 1), "09:00", "16:00")
        self.deliver(replace(rated, is_effective="no"), at)
        self.note("ruled_invalid_much_later", case, at)

    def _evaluation_removed(self, day: date) -> None:
        """The two systems in turn delete an evaluation."""
        case = self.finish(day)
        by_terminal = len(self.situations.get("evaluation_removed", ())) % 2
        feed: EvaluationFeed = "terminal_evaluations" if by_terminal else "evaluations"
        rated = self.rate(case, _finish(case) + timedelta(minutes=30), feed=feed)
        at = self.at(working_days_after(day, 2), "09:00", "16:00")
        self.delete(rated, at)
        self.note("evaluation_removed", case, at)

    def _evaluation_moved(self, day: date) -> None:
        """It belongs to another case than its first row says."""
        meant, said = self.finish(day, "08:30", "12:00"), self.finish(day, "08:30", "12:00")
        rated = self.rate(said, self.at(day, "14:00", "15:00"), feed="evaluations")
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(replace(rated, case_number=meant.case_number), at)
        self.note("evaluation_moved", meant, at)

    def _default_by_a_hall(self, day: date) -> None:
        """A terminal's default rating has a channel like any other, and says in its own column that it is a default."""
        case = self.finish(day)
        rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=40), "terminal_evaluations")
        self.deliver(replace(rated, is_default="yes", evaluation_channel="window"), rated.evaluated_at + _DELAY)
        self.note("default_by_a_hall", case, rated.evaluated_at)

    def _rated_by_message(self, day: date) -> None:
        """Channel 7 of the terminals: a rating by the public, where the other system has default ratings."""
        case = self.finish(day)
        rated = self.halls.evaluation(case, _finish(case) + timedelta(hours=2), "terminal_evaluations")
        rated = replace(rated, evaluation_channel="sms", device=None, evaluation_window=None)
        self.deliver(rated, rated.evaluated_at + _DELAY)
        self.note("rated_by_message", case, rated.evaluated_at)

    # Rare lives: late rows

    def _evaluation_before_case(self, day: date) -> None:
        case = self.case(self.at(day, "09:00", "11:00"), "self_built_cases")
        self.rate(case, _finish(case) + timedelta(minutes=15))
        delivered = self.at(day + timedelta(days=1), "09:00", "12:00")
        self.deliver(case, delivered)
        self.note("evaluation_before_case", case, delivered)

    def _evaluation_without_case(self, day: date) -> None:
        case = self.case(self.at(day, "09:00", "11:00"))
        rated = self.rate(case, _finish(case) + timedelta(minutes=15))
        self.note("evaluation_without_case", rated, rated.evaluated_at)

    def _late_evaluation_next_day(self, day: date) -> None:
        self._late_evaluation(day, 1)

    def _late_evaluation_second_day(self, day: date) -> None:
        self._late_evaluation(day, 2)

    def _late_evaluation(self, day: date, days: int) -> None:
        case = self.finish(day)
        delivered = self.at(day + timedelta(days=days), "09:00", "12:00")
        self.rate(case, self.at(day, "22:00", "22:30"), delivered_at=delivered)
        self.note(f"late_evaluation_{('next', 'second')[days - 1]}_day", case, delivered)

    def _late_case(self, day: date) -> None:
        case = self.case(self.at(day, "09:00", "16:00"))
        delivered = self.at(day + timedelta(days=2), "09:00", "12:00")
        self.deliver(case, delivered)
        self.note("late_case", case, delivered)

    def _late_rated_case(self, day: date) -> None:
        """Only a correction has it: rated before the next list, it is listed again when the rating is ruled invalid."""
        case = self.case(self.at(day, "09:00", "16:00"))
        delivered = self.at(day + timedelta(days=2), "09:00", "12:00")
        self.deliver(case, delivered)
        rated = self.rate(case, self.at(day + timedelta(days=1), "17:00", "20:00"), delivered_at=delivered + _DELAY)
        self.note("late_rated_case", case, delivered)
        at = datetime.combine(working_days_after(delivered.date(), 2), time(10))
        self.deliver(replace(rated, is_effective="no"), at)
        self.note("shown_by_a_correction_alone", case, at)

    def _archived_on_arrival(self, day: date) -> None:
        case = self.case(self.at(working_days_before(day, ARCHIVE_AFTER + 10), "09:00", "16:00"))
        delivered = self.at(day, "09:00", "16:00")
        self.deliver(case, delivered)
        self.note("archived_on_arrival", case, delivered)

    def _committed_late(self, day: date) -> None:
        """Its stamp is before the reading that did not see it."""
        case = self.case(self.at(day, "16:00", "16:25"))
        seen = datetime.combine(day, time(16, 50))
        self.deliver(case, _finish(case) + _DELAY, seen)
        self.note("committed_late", case, seen)

    def _older_version_late(self, day: date) -> None:
        """An older version of a row that was already read."""
        case = self.case(self.at(day, "16:10", "16:25"))
        seen = datetime.combine(day, time(16, 50))
        self.deliver(replace(case, phone=phone(self.halls.cases + 5000)), _finish(case) + _DELAY, seen)
        self.deliver(case, _finish(case) + 2 * _DELAY)
        self.note("older_version_late", case, seen)

    def _wrong_version_late(self, day: date) -> None:
        """An older version of a row that was already read, and a wrong one: it changes nothing."""
        case = self.case(self.at(day, "16:10", "16:25"))
        seen = datetime.combine(day, time(16, 50))
        self.spoil(case, _finish(case) + _DELAY, seen, keeps_key=True)
        self.deliver(case, _finish(case) + 2 * _DELAY)
        self.note("wrong_version_late", case, seen)

    # Rare lives: what happens to a case

    def _withdrawn_after_finishing(self, day: date) -> None:
        self._turns("withdrawn_after_finishing", day, case_state="withdrawn")

    def _terminated_after_finishing(self, day: date) -> None:
        self._turns("terminated_after_finishing", day, case_state="terminated")

    def _found_internal(self, day: date) -> None:
        self._turns("found_internal", day, is_internal="yes")

    def _turns(self, name: str, day: date, **changed: object) -> None:
        case = self.case(self.at(day, "09:00", "16:00"), "service_cases")
        self.deliver(case, _finish(case) + _DELAY)
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(replace(case, **changed), at)  # type: ignore[arg-type]
        self.note(name, case, at)

    def _withdrawn(self, day: date) -> None:
        self._never_finishes("withdrawn", day)

    def _terminated(self, day: date) -> None:
        self._never_finishes("terminated", day)

    def _never_finishes(self, state: Literal["withdrawn", "terminated"], day: date) -> None:
        feeds: tuple[CaseFeed, ...] = ("service_cases", "self_built_cases")
        for feed in feeds:
            taken = self.at(day, "08:30", "16:00")
            case = replace(self.case(taken, feed), accepted_at=taken, finished_at=None, case_state="accepted")
            self.deliver(case, taken + _DELAY)
            at = self.at(working_days_after(day, 1), "09:00", "16:00")
            self.deliver(replace(case, case_state=state), at)
            self.note(state, case, at)

    def _internal(self, day: date) -> None:
        case = replace(self.case(self.at(day, "09:00", "16:00"), "service_cases"), is_internal="yes")
        self.deliver(case, _finish(case) + _DELAY)
        self.note("internal", case, _finish(case))

    def _removed(self, day: date) -> None:
        case = self.finish(day)
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.delete(case, at)
        self.delete(case, at + timedelta(days=1))
        self.note("removed", case, at)

    def _removed_and_back(self, day: date) -> None:
        case = self.finish(day)
        self.delete(case, self.at(working_days_after(day, 1), "09:00", "16:00"))
        at = self.at(working_days_after(day, 3), "09:00", "16:00")
        self.deliver(case, at)
        self.note("removed_and_back", case, at)

    def _removed_before_it_came(self, day: date) -> None:
        case = self.case(self.at(day, "09:00", "16:00"))
        self.delete(case, _finish(case) + _DELAY)
        self.note("removed_before_it_came", case, _finish(case))

    def _finish_moved_back(self, day: date) -> None:
        case = self.finish(day)
        at = self.at(working_days_after(day, 2), "09:00", "16:00")
        self.deliver(replace(case, finished_at=self.at(working_days_before(day, 1), "14:00", "17:00")), at)
        self.note("finish_moved_back", case, at)

    def _finish_moved_forward(self, day: date) -> None:
        """It was delivered as finished too early: it is on the lists of the days between, and then again."""
        case = self.finish(day, "09:00", "11:00")
        finish = self.at(working_days_after(day, 2), "09:00", "15:00")
        self.deliver(replace(case, finished_at=finish), finish + _DELAY)
        self.note("finish_moved_forward", case, finish)

    def _finish_taken_back(self, day: date) -> None:
        case = self.finish(day, "09:00", "11:00")
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(replace(case, case_state="accepted", finished_at=None), at)
        self.note("finish_taken_back", case, at)

    def _content_corrected(self, day: date) -> None:
        case = self.finish(day)
        once, twice = (self.at(working_days_after(day, days), "09:00", "16:00") for days in (1, 3))
        other = replace(case, phone=phone(self.halls.cases + 5000), handler=handler(self.halls.cases + 1))
        self.deliver(other, once)
        self.deliver(replace(other, window="综合窗口09号"), twice)
        self.note("content_corrected", case, twice)

    def _district_corrected(self, day: date) -> None:
        case = self.finish(day)
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(replace(case, district="gedian" if case.district != "gedian" else "huarong"), at)
        self.note("district_corrected", case, at)

    def _district_outside(self, day: date) -> None:
        case = replace(self.case(self.at(day, "09:00", "16:00")), district=None)
        self.deliver(case, _finish(case) + _DELAY)
        if self.chance.random() < 0.5:
            self.rate(case, _finish(case) + timedelta(minutes=10))
        self.note("district_outside", case, _finish(case))

    # Rare lives: exactly at the cut-off

    def _finished_at_working_cutoff(self, day: date) -> None:
        self._finished_at("finished_at_working_cutoff", datetime.combine(day, time(16, 30)))

    def _finished_after_working_cutoff(self, day: date) -> None:
        self._finished_at("finished_after_working_cutoff", datetime.combine(day, time(16, 30, 1)))

    def _finished_in_the_last_second(self, day: date) -> None:
        self._finished_at("finished_in_the_last_second", datetime.combine(day, LAST_SECOND))

    def _finished_at_midnight(self, day: date) -> None:
        # In a bureau's own system it would be a day without a time.
        self._finished_at("finished_at_midnight", datetime.combine(day + timedelta(days=1), time()), "service_cases")

    def _finished_on_a_day_only(self, day: date) -> None:
        """The bureau delivers it by noon with only the day: it counts as finished at the day's end."""
        case = self.case(datetime.combine(day, LAST_SECOND), "self_built_cases")
        self.deliver(case, self.at(day, "10:00", "12:00"))
        self.note("finished_on_a_day_alone", case, _finish(case))

    def _finished_at(self, name: str, moment: datetime, feed: CaseFeed | None = None) -> None:
        case = self.case(moment, feed)
        self.deliver(case, moment + _DELAY)
        self.note(name, case, moment)

    def _rated_at_working_cutoff(self, day: date) -> None:
        self._rated_at("rated_at_working_cutoff", day, datetime.combine(day, time(16, 30)))

    def _rated_after_working_cutoff(self, day: date) -> None:
        self._rated_at("rated_after_working_cutoff", day, datetime.combine(day, time(16, 30, 1)))

    def _rated_in_the_last_second(self, day: date) -> None:
        self._rated_at("rated_in_the_last_second", day, datetime.combine(day, time(23, 59, 59)))

    def _rated_at_midnight(self, day: date) -> None:
        self._rated_at("rated_at_midnight", day, datetime.combine(day + timedelta(days=1), time()))

    def _rated_at(self, name: str, day: date, moment: datetime) -> None:
        case = self.finish(day, "09:00", "16:00")
        self.rate(case, moment)
        self.note(name, case, moment)

    # Rare lives: suspicious ratings

    def _rated_after_ten_seconds(self, day: date) -> None:
        self._rated_after("rated_after_ten_seconds", day, 10)

    def _rated_after_eleven_seconds(self, day: date) -> None:
        self._rated_after("rated_after_eleven_seconds", day, 11)

    def _rated_with_the_finish(self, day: date) -> None:
        self._rated_after("rated_with_the_finish", day, 0)

    def _rated_before_the_finish(self, day: date) -> None:
        self._rated_after("rated_before_the_finish", day, -30)

    def _rated_after(self, name: str, day: date, seconds: int) -> None:
        case = self.finish(day)
        at = _finish(case) + timedelta(seconds=seconds)
        self.rate(case, at)
        self.note(name, case, at)

    def _burst_at_a_device(self, day: date) -> None:
        self._burst("burst_at_a_device", day, ratings=12, seconds=20, one="device")

    def _burst_at_a_window(self, day: date) -> None:
        """Ten within exactly five minutes."""
        self._burst("burst_at_a_window", day, ratings=10, seconds=100 / 3, one="evaluation_window")

    def _no_burst(self, day: date) -> None:
        """Nine, and ten within one second more than five minutes."""
        self._burst("no_burst", day, ratings=9, seconds=10, one="device")
        self._burst("no_burst", day, ratings=10, seconds=301 / 9, one="device")

    def _burst(
        self, name: str, day: date, *, ratings: int, seconds: float, one: Literal["device", "evaluation_window"]
    ) -> None:
        begin = self.at(day, "14:30", "15:30")
        serial = self.halls.evaluations
        at = begin
        for place in range(ratings):
            case = self.finish(day, "13:00", "14:20")
            at = begin + timedelta(seconds=int(place * seconds + 0.5))
            rated = self.halls.evaluation(case, at, "terminal_evaluations")
            places = {"device": f"XND{serial:06d}{place:02d}", "evaluation_window": f"XNW{serial:06d}{place:02d}"}
            self.deliver(replace(rated, **{**places, one: f"XN{serial:06d}"}), at + _DELAY)  # type: ignore[arg-type]
            self.note(name, rated, at)

    # Rare lives: bad reviews

    def _bad_in_time(self, day: date) -> None:
        self._bad("bad_in_time", day, called=CALLBACK_WITHIN, rectified=RECTIFIED_WITHIN - 5)

    def _bad_called_late(self, day: date) -> None:
        self._bad("bad_called_late", day, called=CALLBACK_WITHIN + 1, rectified=RECTIFIED_WITHIN - 5)

    def _bad_rectified_late(self, day: date) -> None:
        self._bad("bad_rectified_late", day, called=CALLBACK_WITHIN, rectified=RECTIFIED_WITHIN + 2)

    def _bad_never_rectified(self, day: date) -> None:
        self._bad("bad_never_rectified", day, called=CALLBACK_WITHIN, rectified=None)

    def _bad_never_called(self, day: date) -> None:
        self._bad("bad_never_called", day, called=None, rectified=None)

    def _bad_at_the_last_moment(self, day: date) -> None:
        """Both are done in the last second of the day on which they are due."""
        self._bad(
            "bad_at_the_last_moment", day, called=CALLBACK_WITHIN, rectified=RECTIFIED_WITHIN, in_last_second=True
        )

    def _bad_a_moment_too_late(self, day: date) -> None:
        self._bad(
            "bad_a_moment_too_late",
            day,
            called=CALLBACK_WITHIN,
            rectified=RECTIFIED_WITHIN,
            in_last_second=True,
            late=1,
        )

    def _bad_anonymous(self, day: date) -> None:
        case = self.finish(day, "09:00", "15:00")
        rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=30))
        rated = replace(rated, level="dissatisfied", is_real_name="no", reason=reason(self.halls.evaluations))
        self.deliver(rated, rated.evaluated_at + _DELAY)
        self.note("bad_anonymous", rated, rated.evaluated_at)

    def _bad(
        self,
        name: str,
        day: date,
        *,
        called: int | None,
        rectified: int | None,
        in_last_second: bool = False,
        late: int = 0,
    ) -> None:
        """Let somebody rate badly under a name; `called` and `rectified` are the working days until these are done."""
        case = self.finish(day, "09:00", "15:00")
        rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=30))
        level: Level = "dissatisfied" if self.halls.evaluations % 2 else "very_dissatisfied"
        rated = replace(rated, level=level, is_real_name="yes", reason=reason(self.halls.evaluations))
        self.deliver(rated, rated.evaluated_at + _DELAY)
        last = rated.evaluated_at
        for field, days in (("called_back_at", called), ("rectified_at", rectified)):
            if days is None:
                continue
            done = working_days_after(day, days)
            if in_last_second:
                last = datetime.combine(done, time(23, 59, 59)) + timedelta(seconds=late)
            else:
                last = self.at(done, "09:00", "17:00")
            rated = replace(rated, **{field: last})  # type: ignore[arg-type]
            self.deliver(rated, last + _DELAY)
        self.note(name, rated, last)

    # Rare lives: rows

    def _changed_twice(self, day: date) -> None:
        """Twice between two readings: the newer row counts."""
        case = self.finish(day, "09:00", "12:00")
        self.deliver(replace(case, phone=phone(self.halls.cases + 5000)), self.at(day, "13:00", "16:00"))
        self.note("changed_twice", case, datetime.combine(day, time(16)))

    def _wrong_case_corrected(self, day: date) -> None:
        case = self.case(self.at(day, "09:00", "16:00"))
        self.spoil(case, _finish(case) + _DELAY)
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(case, at)
        self.note("wrong_case_corrected", case, at)

    def _wrong_evaluation_corrected(self, day: date) -> None:
        """Until it is corrected, the lists show its case as unrated."""
        case = self.finish(day, "09:00", "15:00")
        rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=30))
        self.spoil(rated, rated.evaluated_at + _DELAY)
        at = self.at(working_days_after(day, 1), "09:00", "16:00")
        self.deliver(rated, at)
        self.note("wrong_evaluation_corrected", case, at)

    def _wrong_change(self, day: date) -> None:
        """A change of a known record is wrong: the known state stays."""
        case = self.finish(day, "09:00", "15:00")
        self.spoil(
            replace(case, handler=handler(self.halls.cases + 7)), self.at(working_days_after(day, 1), "09:00", "16:00")
        )
        self.note("wrong_change", case, _finish(case))

    def _wrong_rows(self, day: date) -> None:
        """Wrong rows of every system, of cases that no other row delivers."""
        feeds: tuple[CaseFeed, ...] = ("service_cases", "self_built_cases")
        for case in [self.case(self.at(day, "09:00", "16:00"), feed) for feed in feeds]:
            self.spoil(case, _finish(case) + _DELAY)
            rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=30), "evaluations")
            self.spoil(rated, rated.evaluated_at + _DELAY)
            rated = self.halls.evaluation(case, _finish(case) + timedelta(minutes=40), "terminal_evaluations")
            self.spoil(rated, rated.evaluated_at + _DELAY)
            self.note("wrong_rows", case, rated.evaluated_at)

    # The stock before the first day

    def _stock(self, cases_per_day: int) -> None:
        first = self.first_day
        for age in range(ARCHIVE_AFTER - _STOCK_DAYS, ARCHIVE_AFTER + 4):
            case = self.finish(working_days_before(first, age), "09:00", "16:00")
            archived = working_days_after(_finish(case).date(), ARCHIVE_AFTER + 1)
            if age % 3 == 0:
                self.default(case)
            if age % 4 == 0:
                at = self.at(max(archived, first) + timedelta(days=2), "09:00", "16:00")
                self.rate(case, at)
                self.note("rated_after_being_archived", case, at)
            else:
                self.note("archived", case, datetime.combine(max(archived, first), time(16, 30)))
        kinds = (
            Lives._never_rated, Lives._default_rated, Lives._rated_within_the_hour, Lives._rated_days_later,
            Lives._bad_in_time, Lives._bad_called_late, Lives._bad_rectified_late, Lives._bad_never_rectified,
            Lives._bad_never_called, Lives._bad_at_the_last_moment, Lives._bad_a_moment_too_late, Lives._bad_anonymous,
        )  # fmt: skip
        for age in range(_STOCK_DAYS, 0, -1):
            for place in range(max(2, cases_per_day // 8)):
                kinds[(age * 5 + place) % len(kinds)](self, working_days_before(first, age))


def _finish(case: ServiceCase) -> datetime:
    assert case.finished_at is not None
    return case.finished_at


ORDINARY: Final[Mapping[Life, int]] = {
    Lives._rated_within_the_hour: 34,
    Lives._rated_before_cutoff: 12,
    Lives._rated_after_cutoff: 10,
    Lives._rated_days_later: 12,
    Lives._never_rated: 12,
    Lives._default_rated: 12,
    Lives._taken_up: 8,
}
"""The kinds of lives of a hundred ordinary cases."""

DAILY: Final[tuple[Life, ...]] = (Lives._wrong_rows,)
RARE: Final[tuple[Life, ...]] = (
    Lives._default_then_own, Lives._default_ruled_invalid, Lives._rated_twice, Lives._two_services,
    Lives._ruled_invalid, Lives._ruled_invalid_then_valid, Lives._ruled_invalid_much_later,
    Lives._evaluation_removed, Lives._evaluation_moved, Lives._default_by_a_hall, Lives._rated_by_message,
    Lives._evaluation_before_case, Lives._evaluation_without_case, Lives._late_evaluation_next_day,
    Lives._late_evaluation_second_day, Lives._late_case, Lives._late_rated_case, Lives._archived_on_arrival,
    Lives._committed_late, Lives._older_version_late, Lives._wrong_version_late,
    Lives._withdrawn_after_finishing, Lives._terminated_after_finishing, Lives._found_internal,
    Lives._withdrawn, Lives._terminated, Lives._internal, Lives._removed, Lives._removed_and_back,
    Lives._removed_before_it_came, Lives._finish_moved_back, Lives._finish_moved_forward,
    Lives._finish_taken_back, Lives._content_corrected, Lives._district_corrected, Lives._district_outside,
    Lives._finished_at_working_cutoff, Lives._finished_after_working_cutoff, Lives._finished_in_the_last_second,
    Lives._finished_at_midnight, Lives._finished_on_a_day_only, Lives._rated_at_working_cutoff,
    Lives._rated_after_working_cutoff, Lives._rated_in_the_last_second, Lives._rated_at_midnight,
    Lives._rated_after_ten_seconds, Lives._rated_after_eleven_seconds, Lives._rated_with_the_finish,
    Lives._rated_before_the_finish,
    Lives._bad_in_time, Lives._bad_called_late, Lives._bad_rectified_late, Lives._bad_never_rectified,
    Lives._bad_never_called, Lives._bad_at_the_last_moment, Lives._bad_a_moment_too_late, Lives._bad_anonymous,
    Lives._changed_twice, Lives._wrong_case_corrected, Lives._wrong_evaluation_corrected, Lives._wrong_change,
)  # fmt: skip
BURSTS: Final[tuple[Life, ...]] = (Lives._burst_at_a_device, Lives._burst_at_a_window, Lives._no_burst)
"""On every working day, on every fifth, and on every ninth."""
