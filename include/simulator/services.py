"""The city's cases, their results and evaluations: what five systems show, and what the store must have.

Every day has two collections: at 16:35 for the working list of 16:30, and at 00:35 of the next day for the final list.
`service_lives` decides what happens, `service_truth` computes what the lists must contain.
"""

from collections.abc import Collection as AnyOf
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import chain
from random import Random
from types import MappingProxyType
from typing import Final, Literal

from simulator.city import City
from simulator.model import HttpPlace, Night, NightDelivery, SourceRow, SourceSystem, Value
from simulator.service_dirt import BREAKS, make_unclear, warnings, write, write_untidily
from simulator.service_lives import Change, Lives, Occurrence
from simulator.service_records import district_form, fields_of_a_delete, stored_fields
from simulator.service_sources import DIALECTS, SERVICE_SYSTEMS
from simulator.service_truth import Facts
from simulator.sources import TYPES
from simulator.truth import Content, Decided, Store
from simulator.working_days import is_working_day

Kind = Literal["working", "final"]

SMALLEST: Final = 5
"""The least ordinary cases of a working day with which every ordinary life occurs."""

DOWN: Final = "service_evaluation.evaluations"
"""The system that is down for a whole day: neither of the day's collections can read it."""

_DOWN_AFTER: Final = 6
_ROWS_TO_A_CASE: Final = 10
_UNTIDY: Final = 0.4


@dataclass(frozen=True)
class Collection:
    """One reading of the five systems, and the list that is published after it.

    `number` counts from 1; `day` and `kind` are those of the list. `at` is the moment of the reading (naive,
    Asia/Shanghai). `down` are the names of systems that cannot be reached: nothing of their deliveries is read. `stale`
    has for each of them when it was last read, None for never. `facts` are what the store has afterwards.
    """

    number: int
    day: date
    kind: Kind
    at: datetime
    deliveries: tuple[NightDelivery, ...]
    down: frozenset[str]
    stale: Mapping[str, datetime | None]
    facts: Facts

    @property
    def night(self) -> Night:
        """The same as `publish` and `write_truth` take it."""
        return Night(self.number, self.day, self.deliveries)


class ServiceCity:
    """The cases and evaluations of a city: the same arguments give the same bytes.

    `cases_per_day` ordinary cases finish on a working day, an eighth of it on any other; rare cases are added. The days
    must be in the past, and in the two years whose holidays `working_days` has; ages reach back four months.
    With `outage`, one system is down on the seventh working day. `issued` are the numbers of the certificates that the
    departments have, by the name of the license type: results of cases have these numbers.
    """

    def __init__(
        self,
        seed: int = 1,
        cases_per_day: int = 40,
        first_day: date = date(2025, 9, 22),
        days: int = 30,
        *,
        outage: bool = True,
        issued: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        if cases_per_day < SMALLEST:
            raise ValueError(
                f"expected at least {SMALLEST} cases a day to hold every kind of case, got {cases_per_day}"
            )
        if days < 1:
            raise ValueError(f"expected at least one day, got {days}")
        self.seed = seed
        self.first_day = first_day
        self.number_of_days = days
        self.systems = SERVICE_SYSTEMS
        self._lives = Lives(seed, cases_per_day, first_day, days, issued)
        worked = [day for day in self._days() if is_working_day(day)]
        self.down_day = worked[_DOWN_AFTER] if outage and len(worked) > _DOWN_AFTER else None

    @property
    def situations(self) -> Mapping[str, list[Occurrence]]:
        """Name of a situation → its occurrences; see `Lives`."""
        return self._lives.situations

    def collections(self, first: int = 1) -> Iterator[Collection]:
        """Yield the collections in order; the `first` one also reads all earlier rows."""
        registers = [_Register(self.seed, system, self._lives.changes) for system in self.systems]
        read_at: dict[str, datetime | None] = dict.fromkeys((system.name for system in self.systems), None)
        number = 0
        for day in self._days():
            down = frozenset({DOWN} if day == self.down_day else ())
            for kind, at in moments(day):
                number += 1
                if number < first:
                    continue
                deliveries = tuple(register.collect(number, at, down) for register in registers)
                stale = {name: read_at[name] for name in sorted(down)}
                read_at.update({name: at for name in read_at if name not in down})
                facts = Facts.of(
                    stored
                    for delivery in deliveries
                    if delivery.system.dataset != "case_result"
                    for stored in delivery.stored
                )
                yield Collection(number, day, kind, at, deliveries, down, stale, facts)

    def _days(self) -> list[date]:
        return [self.first_day + timedelta(days=place) for place in range(self.number_of_days)]


def moments(day: date) -> tuple[tuple[Kind, datetime], ...]:
    """Return the lists of a day, each with the moment of the collection before it (naive, Asia/Shanghai)."""
    return (
        ("working", datetime.combine(day, time(16, 35))),
        ("final", datetime.combine(day + timedelta(days=1), time(0, 35))),
    )


def with_services(city: City) -> Iterator[tuple[Night, Collection]]:
    """Yield the nights of the departments together with the collections of cases and evaluations.

    On a day so many cases finish as a tenth of the certificates of a feed; each night has one of the two collections of
    a day. None of their systems is down. Most certificates that cases produced are among those of the first night.
    """
    nights = city.nights()
    first = next(nights)
    services = ServiceCity(
        city.seed,
        max(SMALLEST, city.rows_per_feed // _ROWS_TO_A_CASE),
        days=(city.number_of_nights + 1) // 2,
        outage=False,
        issued=issued_numbers(first),
    )
    for night, collection in zip(chain([first], nights), services.collections(), strict=False):
        yield replace(night, deliveries=(*night.deliveries, *collection.deliveries)), collection


def issued_numbers(night: Night) -> dict[str, list[str]]:
    """Return the numbers of the certificates that the store must have after a night, by their license type's name."""
    numbers: dict[str, list[str]] = {}
    for delivery in night.deliveries:
        name = TYPES[delivery.system.department][delivery.system.license_type].name
        numbers.setdefault(name, []).extend(
            stored.fields["certificate_number"] for stored in delivery.stored if stored.removal is None
        )
    return numbers


class _Register:
    """One system: a row for every change, read from a watermark on, less an overlap."""

    def __init__(self, seed: int, system: SourceSystem, changes: Iterable[Change]) -> None:
        self.system = system
        self.dialect = DIALECTS[system.feed]
        self.chance = Random(f"{seed}/{system.name}")
        self.store = Store("")
        self.log: list[Decided] = []
        self.watermark: datetime | None = None
        self.rows_made = 0
        self.waiting = [change for change in reversed(list(changes)) if change.record.feed == system.feed]
        self.breaks = list(BREAKS[system.dataset])

    def collect(self, number: int, at: datetime, down: AnyOf[str]) -> NightDelivery:
        """Show what is visible at a moment, and read it unless the system is down."""
        added = []
        while self.waiting and self.waiting[-1].visible_at <= at:
            added.append(self._row(self.waiting.pop(), number))
        self.log = sorted([*self.log, *added], key=_order)
        read = [] if self.system.name in down else self._read()
        truths = self.store.collect(read)
        return NightDelivery(
            self.system,
            [decided.row for decided in self.log],
            [decided.row for decided in added],
            truths,
            self.store.truths(),
            self.watermark,
        )

    def _read(self) -> list[Decided]:
        start = None
        if self.watermark is not None:
            start = self.watermark - timedelta(minutes=self.system.overlap_minutes)
        # A row without a time is in no window: every reading returns it.
        read = [
            decided
            for decided in self.log
            if start is None or decided.row.changed_at is None or decided.row.changed_at >= start
        ]
        # A row with an unreadable time moves no watermark.
        stamps = [
            decided.row.changed_at
            for decided in read
            if decided.row.changed_at is not None and decided.version == decided.row.changed_at
        ]
        self.watermark = max(stamps, default=self.watermark)
        return read

    def _row(self, change: Change, number: int) -> Decided:
        """Write the row of a change."""
        if change.what == "broken" or change.what == "broken_keeps_key":
            return self._broken(change, number)
        record, stamp = change.record, change.stamp
        written = write(self.system, record, stamp)
        removes = change.what == "delete"
        only = None
        blurred: frozenset[str] = frozenset()
        if removes and self.chance.random() < 0.5:
            # Many systems deliver only which record is deleted.
            only = fields_of_a_delete(record)
            written.values = {name: value if name in only else None for name, value in written.values.items()}
        elif self.chance.random() < _UNTIDY:
            write_untidily(written, record, self.chance)
        else:
            blurred = make_unclear(written, record, self.rows_made)
        written.values["operation"] = self.dialect.operations[change.what]
        fields = stored_fields(record, stamp, only)
        form = None if only else district_form(record)
        return Decided(
            self._numbered(written.columns(self.system), stamp, number),
            record.key,
            stamp,
            Content(fields, {}, form),
            removes=removes,
            warnings=warnings(record) | blurred,
        )

    def _broken(self, change: Change, number: int) -> Decided:
        """Write the row wrongly, in each way in turn; a way that does not fit waits for a row that it fits."""
        record, stamp = change.record, change.stamp
        for how in list(self.breaks):
            written = write(self.system, record, stamp)
            written.values["operation"] = self.dialect.operations["insert"]
            broken = how(self.system, record, written, self.chance)
            if broken is not None and (change.what == "broken" or broken.keeps(record)):
                self.breaks.remove(how)
                self.breaks.append(how)
                break
        else:
            raise AssertionError(f"{self.system.name}: none of the ways to be wrong fits {change}")
        shown_at = None if broken.timeless else stamp
        return Decided(
            self._numbered(written.columns(self.system), shown_at, number),
            broken.key,
            broken.version or stamp,
            None,
            "quarantined" if change.what == "broken" else None,
            removes=broken.removes,
            rules=broken.rules,
            warnings=frozenset() if broken.torn else warnings(record, broken.reads) | frozenset(broken.warns),
            torn=broken.torn,
        )

    def _numbered(self, values: Mapping[str, Value], at: datetime | None, number: int) -> SourceRow:
        self.rows_made += 1
        row_id = f"{self.rows_made:010d}"
        filled: dict[str, Value] = {
            column.name: f"{number:04d}" if column.source is None else values[column.name]
            for column in self.system.columns
        }
        assert self.system.row_id is not None
        filled[self.system.row_id] = row_id if isinstance(self.system.place, HttpPlace) else self.rows_made
        return SourceRow(row_id, filled, at, number)


def _order(decided: Decided) -> tuple[bool, datetime, str]:
    at = decided.row.changed_at
    return at is None, at or datetime.min, decided.row.row_id
