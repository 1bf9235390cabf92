"""The expected lists of unrated cases, rates and warnings, written from docs/daily-clearance.md.

Plain Python: sets, and loops over all services; from one list to the next only the lists themselves and what was
archived are remembered. Times are naive and of Asia/Shanghai, days are of Asia/Shanghai.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import Final, Literal

from simulator.model import StoredTruth
from simulator.working_days import IsWorkingDay, count_working_days, is_working_day, working_days_after

Kind = Literal["working", "final"]
Section = Literal["unrated", "default_rated"]
RowState = Literal["new", "carried_over", "reopened"]
ListId = tuple[date, Kind]
Rate = Literal[
    "satisfaction",
    "satisfaction_without_defaults",
    "active_evaluation",
    "evaluation",
    "daily_clearance",
    "daily_clearance_before_cutoff",
    "callback_and_rectification",
    "rectification_in_time",
]
Group = Literal["day", "month", "district", "handling_department", "service_item_code"]

_SATISFIED: Final = ("very_satisfied", "satisfied", "basically_satisfied")
_BAD: Final = ("dissatisfied", "very_dissatisfied")


@dataclass(frozen=True)
class Terms:
    """The numbers that docs/daily-clearance.md leaves to configuration, with the shipped values."""

    working_cutoff: time = time(16, 30)
    archive_after_working_days: int = 60
    deadline_working_days: int = 5
    correction_days: int = 7
    suspicious_seconds: int = 10
    burst_ratings: int = 10
    burst_minutes: int = 5
    callback_working_days: int = 1
    rectification_working_days: int = 15


@dataclass(frozen=True)
class Service:
    """A service as the store has it."""

    record_key: str
    case_state: str | None = None
    finished_at: datetime | None = None
    is_internal: str | None = None
    district: str | None = None
    handling_department: str | None = None
    service_item_code: str | None = None
    hall: str | None = None
    window: str | None = None
    handler: str | None = None
    is_removed: bool = False

    @property
    def is_evaluable(self) -> bool:
        """Whether the public may rate it."""
        return (
            self.case_state == "finished"
            and self.finished_at is not None
            and self.is_internal != "yes"
            and not self.is_removed
        )


@dataclass(frozen=True)
class Rating:
    """An evaluation as the store has it."""

    record_key: str
    service_key: str
    evaluated_at: datetime | None = None
    level: str | None = None
    is_default: str | None = None
    is_effective: str | None = None
    is_real_name: str | None = None
    device: str | None = None
    evaluation_window: str | None = None
    called_back_at: datetime | None = None
    rectified_at: datetime | None = None
    is_removed: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is effective."""
        return self.is_effective == "yes" and not self.is_removed

    @property
    def is_own(self) -> bool:
        """Whether it is effective and by the public."""
        return self.counts and self.is_default != "yes"

    @property
    def is_bad(self) -> bool:
        """Whether it needs a call-back."""
        return self.is_own and self.level in _BAD and self.is_real_name == "yes"


@dataclass(frozen=True)
class Facts:
    """All services and evaluations that the store has at a moment, removed ones included; by record key."""

    services: Mapping[str, Service] = field(default_factory=dict)
    ratings: Mapping[str, Rating] = field(default_factory=dict)

    @classmethod
    def of(cls, stored: Iterable[StoredTruth]) -> "Facts":
        """Read the facts from what the store must have."""
        services, ratings = {}, {}
        for row in stored:
            fields, removed = row.fields, row.removal is not None
            if "evaluation_number" not in fields:
                services[row.record_key] = Service(
                    row.record_key,
                    fields.get("case_state"),
                    _moment(fields, "finished_at"),
                    fields.get("is_internal"),
                    fields.get("district"),
                    fields.get("handling_department"),
                    fields.get("service_item_code"),
                    fields.get("hall"),
                    fields.get("window"),
                    fields.get("handler"),
                    removed,
                )
                continue
            ratings[row.record_key] = Rating(
                row.record_key,
                f"{fields.get('case_number')}|{fields.get('service_number')}",
                _moment(fields, "evaluated_at"),
                fields.get("level"),
                fields.get("is_default"),
                fields.get("is_effective"),
                fields.get("is_real_name"),
                fields.get("device"),
                fields.get("evaluation_window"),
                _moment(fields, "called_back_at"),
                _moment(fields, "rectified_at"),
                removed,
            )
        return cls(services, ratings)

    @cached_property
    def _by_service(self) -> Mapping[str, Sequence[Rating]]:
        found: dict[str, list[Rating]] = {}
        for rating in self.ratings.values():
            found.setdefault(rating.service_key, []).append(rating)
        return found

    def section(self, service: Service, at: datetime) -> Section | None:
        """Return the section of the list for a service at a moment; None when it is rated, or not to be rated."""
        if not service.is_evaluable or service.finished_at is None or service.finished_at > at:
            return None
        made = [rating for rating in self._by_service.get(service.record_key, ()) if _made(rating, at)]
        if any(rating.is_own for rating in made):
            return None
        return "default_rated" if any(rating.counts for rating in made) else "unrated"

    def is_rated(self, service: Service, *, own: bool, until: datetime = datetime.max) -> bool:
        """Return whether a service has an effective evaluation made up to a moment; with `own`, by the public."""
        return any(
            _made(rating, until) and (rating.is_own if own else rating.counts)
            for rating in self._by_service.get(service.record_key, ())
        )


def _moment(fields: Mapping[str, str], name: str) -> datetime | None:
    text = fields.get(name)
    return datetime.fromisoformat(text).replace(tzinfo=None) if text else None


def _made(rating: Rating, at: datetime) -> bool:
    return rating.evaluated_at is not None and rating.evaluated_at <= at


def cutoff(day: date, kind: Kind, terms: Terms) -> datetime:
    """Return the moment that a list is about; 24:00 of a day is 00:00 of the next."""
    if kind == "working":
        return datetime.combine(day, terms.working_cutoff)
    return _end_of(day)


def last_moment(day: date, kind: Kind, terms: Terms) -> datetime:
    """Return the last moment that counts for a list: 24:00 belongs to the next day, 16:30 to its own list."""
    at = cutoff(day, kind, terms)
    return at if kind == "working" else at - timedelta(microseconds=1)


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time())


# The lists


@dataclass(frozen=True)
class Row:
    """A row of a list."""

    record_key: str
    section: Section
    state: RowState
    since_day: date
    age_working_days: int
    deadline: date
    finished_at: datetime
    district: str | None
    handling_department: str | None
    hall: str | None
    window: str | None
    handler: str | None


@dataclass(frozen=True)
class Counts:
    """The figures at the top of a list.

    A service of yesterday's list that is not on this one was archived or is too old, or was `cleared` by a rating of
    its own, or else is `withdrawn`. `archived_total` counts all that were ever archived up to this list, also those
    that were never listed.
    """

    unrated: int
    default_rated: int
    new: int
    carried_over: int
    reopened: int
    cleared: int
    withdrawn: int
    archived: int
    archived_total: int


@dataclass(frozen=True)
class Version:
    """A version of a list: its rows in order, and for every later version the difference from the previous one.

    `added`, `removed` and `changed` (to the other section) are record keys.
    """

    day: date
    kind: Kind
    number: int
    rows: tuple[Row, ...]
    counts: Counts
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()

    @cached_property
    def by_key(self) -> Mapping[str, Row]:
        """The rows by record key."""
        return {row.record_key: row for row in self.rows}


@dataclass(frozen=True)
class Publication:
    """The result of one publishing: new versions of earlier final lists, oldest day first, and the list itself."""

    corrections: tuple[Version, ...]
    first: Version


class Publisher:
    """Publishes list after list, each from the facts of its moment."""

    def __init__(self, is_working: IsWorkingDay = is_working_day, terms: Terms | None = None) -> None:
        self.is_working = is_working
        self.terms = terms or Terms()
        self.versions: dict[ListId, list[Version]] = {}
        self.archived: dict[str, ListId] = {}
        self._shown: dict[date, tuple[Version, ...]] = {}

    def publish(self, day: date, kind: Kind, facts: Facts) -> Publication:
        """Publish the list of a day; before a final list, correct those of the last days by the facts.

        Raises `ValueError` for a list that is not later than all before it.
        """
        if self.versions and _place((day, kind)) <= max(map(_place, self.versions)):
            raise ValueError(f"expected a list later than {max(self.versions, key=_place)}, got {(day, kind)}")
        # A day's lists are compared with the list that was published before the first of them and its corrections.
        self._shown.setdefault(day, tuple(version for known in self.versions.values() for version in known))
        corrections = []
        first_day = day - timedelta(days=self.terms.correction_days)
        earlier_finals = (d for d, k in self.versions if k == "final" and first_day <= d < day)
        for earlier in sorted(earlier_finals) if kind == "final" else ():
            corrected = self._corrected(earlier, facts)
            if corrected is not None:
                self.versions[earlier, "final"].append(corrected)
                corrections.append(corrected)
        first = self._first(day, kind, facts)
        self.versions[day, kind] = [first]
        return Publication(tuple(corrections), first)

    def _first(self, day: date, kind: Kind, facts: Facts) -> Version:
        now = self._sections(day, kind, facts)
        archived = set()
        for key in now:
            if self._age(facts.services[key], day) > self.terms.archive_after_working_days:
                self.archived[key] = (day, kind)
                archived.add(key)
        rows = [self._row(facts.services[key], now[key], day) for key in now.keys() - archived]
        return self._version(day, kind, 1, rows, facts)

    def _corrected(self, day: date, facts: Facts) -> Version | None:
        newest = self.versions[day, "final"][-1]
        shown = newest.by_key
        now = self._sections(day, "final", facts)
        added = {
            # What would have been archived before it reached the list is not added. What was on it is not checked
            # again.
            key
            for key in now.keys() - shown.keys()
            if self._age(facts.services[key], day) <= self.terms.archive_after_working_days
        }
        removed = shown.keys() - now.keys()
        changed = {key for key in now.keys() & shown.keys() if now[key] != shown[key].section}
        if not added and not removed and not changed:
            return None
        rows = [
            replace(row, section=now[key]) if key in changed else row
            for key, row in shown.items()
            if key not in removed
        ]
        rows += [self._row(facts.services[key], now[key], day) for key in added]
        version = self._version(day, "final", newest.number + 1, rows, facts)
        return replace(version, added=frozenset(added), removed=frozenset(removed), changed=frozenset(changed))

    def _sections(self, day: date, kind: Kind, facts: Facts) -> dict[str, Section]:
        """Return the services that are unrated at the cut-off of a list, without those archived by an earlier one."""
        at = last_moment(day, kind, self.terms)
        found: dict[str, Section] = {}
        for key, service in facts.services.items():
            section = facts.section(service, at)
            is_archived = key in self.archived and _place(self.archived[key]) <= _place((day, kind))
            if section is not None and not is_archived:
                found[key] = section
        return found

    def _row(self, service: Service, section: Section, day: date) -> Row:
        assert service.finished_at is not None
        key = service.record_key
        yesterday = self.yesterday(day)
        state: RowState
        if yesterday is not None and key in yesterday.by_key:
            state, since = "carried_over", yesterday.by_key[key].since_day
        else:
            state, since = "reopened" if self._was_listed_before(key, day) else "new", day
        return Row(
            key,
            section,
            state,
            since,
            self._age(service, day),
            working_days_after(service.finished_at.date(), self.terms.deadline_working_days, self.is_working),
            service.finished_at,
            service.district,
            service.handling_department,
            service.hall,
            service.window,
            service.handler,
        )

    def _version(self, day: date, kind: Kind, number: int, rows: Iterable[Row], facts: Facts) -> Version:
        ordered = tuple(sorted(rows, key=_order))
        keys = {row.record_key for row in ordered}
        at = last_moment(day, kind, self.terms)
        yesterday = self.yesterday(day)
        left = (set(yesterday.by_key) if yesterday else set()) - keys
        archived = {key for key, by in self.archived.items() if _place(by) <= _place((day, kind))}
        archived_total = len(archived)
        # A service that is unrated and too old for this list left by age, although this list at first counted it as
        # cleared.
        archived |= {
            key
            for key in left
            if facts.section(facts.services[key], at) is not None
            and self._age(facts.services[key], day) > self.terms.archive_after_working_days
        }
        cleared = {key for key in left - archived if facts.is_rated(facts.services[key], own=True, until=at)}
        counts = Counts(
            unrated=sum(row.section == "unrated" for row in ordered),
            default_rated=sum(row.section == "default_rated" for row in ordered),
            new=sum(row.state == "new" for row in ordered),
            carried_over=sum(row.state == "carried_over" for row in ordered),
            reopened=sum(row.state == "reopened" for row in ordered),
            cleared=len(cleared),
            withdrawn=len(left - archived - cleared),
            archived=len(left & archived),
            archived_total=archived_total,
        )
        return Version(day, kind, number, ordered, counts)

    def yesterday(self, day: date) -> Version | None:
        """Return the last final list before a day, in the newest version that was published before that day."""
        finals = [version for version in self._shown[day] if version.kind == "final" and version.day < day]
        return max(finals, key=lambda version: (version.day, version.number), default=None)

    def _was_listed_before(self, key: str, day: date) -> bool:
        return any(key in version.by_key for version in self._shown[day] if version.day < day)

    def _age(self, service: Service, day: date) -> int:
        assert service.finished_at is not None
        return count_working_days(service.finished_at.date(), day, self.is_working)


def _place(list_id: ListId) -> tuple[date, bool]:
    return list_id[0], list_id[1] == "final"


def _order(row: Row) -> tuple[object, ...]:
    # Text sorts by code points, and blanks are last.
    places = (row.district, row.handling_department, row.hall, row.window, row.handler)
    return (*((place is None, place or "") for place in places), row.finished_at, row.record_key)


# Warnings


@dataclass(frozen=True)
class Suspicion:
    """Why an evaluation may not be by the public."""

    record_key: str
    evaluated_at: datetime
    kinds: tuple[Literal["seconds_after_finishing", "device_burst", "window_burst"], ...]


def suspicious_ratings(facts: Facts, terms: Terms | None = None) -> list[Suspicion]:
    """Return the suspicious evaluations among those by the public, by time and number."""
    terms = terms or Terms()
    own = [rating for rating in facts.ratings.values() if rating.is_own and rating.evaluated_at is not None]
    in_bursts = {
        "device_burst": _in_bursts(own, "device", terms),
        "window_burst": _in_bursts(own, "evaluation_window", terms),
    }
    found = []
    for rating in own:
        assert rating.evaluated_at is not None
        kinds: list[str] = []
        service = facts.services.get(rating.service_key)
        if service is not None and service.finished_at is not None:
            seconds = (rating.evaluated_at - service.finished_at).total_seconds()
            if 0 <= seconds <= terms.suspicious_seconds:
                kinds.append("seconds_after_finishing")
        kinds += [kind for kind, members in in_bursts.items() if rating.record_key in members]
        if kinds:
            found.append(Suspicion(rating.record_key, rating.evaluated_at, tuple(kinds)))  # type: ignore[arg-type]
    return sorted(found, key=lambda suspicion: (suspicion.evaluated_at, suspicion.record_key))


def _in_bursts(own: Iterable[Rating], by: Literal["device", "evaluation_window"], terms: Terms) -> set[str]:
    """Return the evaluations that belong to a burst: so many of one place within a span of time."""
    places: dict[str, list[tuple[datetime, str]]] = {}
    for rating in own:
        place = getattr(rating, by)
        if place is not None and rating.evaluated_at is not None:
            places.setdefault(place, []).append((rating.evaluated_at, rating.record_key))
    span = timedelta(minutes=terms.burst_minutes)
    members: set[str] = set()
    for made in places.values():
        for begin, _ in made:
            burst = [key for at, key in made if begin <= at <= begin + span]
            if len(burst) >= terms.burst_ratings:
                members.update(burst)
    return members


ReviewState = Literal["callback_overdue", "rectification_overdue", "open", "done_late", "done"]
_REVIEW_STATES: Final[tuple[ReviewState, ...]] = (
    "callback_overdue",
    "rectification_overdue",
    "open",
    "done_late",
    "done",
)


@dataclass(frozen=True)
class BadReview:
    """A bad review under a name, what is due for it, and the state of that."""

    record_key: str
    service_key: str
    evaluated_at: datetime
    callback_due: date
    rectification_due: date
    is_called_in_time: bool
    is_rectified_in_time: bool
    state: ReviewState


def bad_reviews(
    facts: Facts, day: date, at: datetime, is_working: IsWorkingDay = is_working_day, terms: Terms | None = None
) -> list[BadReview]:
    """Return the bad reviews made up to the end of a day with their state at a moment, overdue ones first.

    What is due on a day and not done is overdue from the end of that day on.
    """
    terms = terms or Terms()
    found = []
    for rating in facts.ratings.values():
        if not rating.is_bad or rating.evaluated_at is None or rating.evaluated_at >= _end_of(day):
            continue
        made = rating.evaluated_at.date()
        callback_due = working_days_after(made, terms.callback_working_days, is_working)
        rectification_due = working_days_after(made, terms.rectification_working_days, is_working)
        called = rating.called_back_at is not None and rating.called_back_at < _end_of(callback_due)
        rectified = rating.rectified_at is not None and rating.rectified_at < _end_of(rectification_due)
        state: ReviewState
        if rating.called_back_at is None and _end_of(callback_due) <= at:
            state = "callback_overdue"
        elif rating.rectified_at is None and _end_of(rectification_due) <= at:
            state = "rectification_overdue"
        elif rating.called_back_at is None or rating.rectified_at is None:
            state = "open"
        else:
            state = "done" if called and rectified else "done_late"
        found.append(
            BadReview(
                rating.record_key,
                rating.service_key,
                rating.evaluated_at,
                callback_due,
                rectification_due,
                called,
                rectified,
                state,
            )
        )
    return sorted(
        found,
        key=lambda review: (
            _REVIEW_STATES.index(review.state),
            review.rectification_due,
            review.evaluated_at,
            review.record_key,
        ),
    )


# The rates


@dataclass(frozen=True)
class Cell:
    """The day, place and item of a count; unknown ones are blank."""

    rate: Rate
    day: date
    district: str
    handling_department: str
    service_item_code: str

    @property
    def month(self) -> date:
        """The first day of the month."""
        return self.day.replace(day=1)


Fraction = tuple[int, int]
"""Numerator and denominator."""


def rate_counts(
    facts: Facts, until: date, is_working: IsWorkingDay = is_working_day, terms: Terms | None = None
) -> dict[Cell, Fraction]:
    """Return numerators and denominators of all rates by cell, for the days up to one."""
    terms = terms or Terms()
    counts: dict[Cell, Fraction] = {}

    def count(rate: Rate, day: date, service: Service | None, is_counted: bool) -> None:
        if day > until:
            return
        places = (
            ("", "", "")
            if service is None
            else (service.district or "", service.handling_department or "", service.service_item_code or "")
        )
        cell = Cell(rate, day, *places)
        numerator, denominator = counts.get(cell, (0, 0))
        counts[cell] = (numerator + is_counted, denominator + 1)

    for rating in facts.ratings.values():
        if not rating.counts or rating.evaluated_at is None:
            continue
        service, day = facts.services.get(rating.service_key), rating.evaluated_at.date()
        count("satisfaction", day, service, rating.level in _SATISFIED)
        if rating.is_own:
            count("satisfaction_without_defaults", day, service, rating.level in _SATISFIED)
    for service in facts.services.values():
        if not service.is_evaluable or service.finished_at is None:
            continue
        day = service.finished_at.date()
        count("active_evaluation", day, service, facts.is_rated(service, own=True))
        count("evaluation", day, service, facts.is_rated(service, own=False))
        working, end = last_moment(day, "working", terms), last_moment(day, "final", terms)
        is_early = service.finished_at <= working
        if facts.section(service, working if is_early else end) is not None:
            is_cleared = facts.is_rated(service, own=True, until=end)
            count("daily_clearance", day, service, is_cleared)
            if is_early:
                count("daily_clearance_before_cutoff", day, service, is_cleared)
    for review in bad_reviews(facts, until, datetime.max, is_working, terms):
        service, day = facts.services.get(review.service_key), review.rectification_due
        count("callback_and_rectification", day, service, review.is_called_in_time and review.is_rectified_in_time)
        count("rectification_in_time", day, service, review.is_rectified_in_time)
    return counts


def summed(counts: Mapping[Cell, Fraction], *by: Group) -> dict[tuple[object, ...], Fraction]:
    """Return the sums by rate and by `by`: a key is the rate, then the values of `by`."""
    sums: dict[tuple[object, ...], Fraction] = {}
    for cell, (numerator, denominator) in counts.items():
        key = (cell.rate, *(getattr(cell, name) for name in by))
        before = sums.get(key, (0, 0))
        sums[key] = (before[0] + numerator, before[1] + denominator)
    return sums


def is_above_999(fraction: Fraction) -> bool:
    """Return whether a rate is above 99.9%: strictly, computed with integers."""
    numerator, denominator = fraction
    return numerator * 1000 > denominator * 999
