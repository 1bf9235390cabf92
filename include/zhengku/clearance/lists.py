"""Reading the lists of daily clearance (日清清单), bad reviews (差评) and suspicious ratings; docs/daily-clearance.md.

Personal data leaves this module masked, but for `reveal_phone`. Moments carry their zone; days are those of
Asia/Shanghai. Districts are keys of the catalogue; None stands for a row without one, and as a filter for all rows.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from itertools import count
from typing import Any, Literal

import psycopg
from psycopg.rows import class_row, dict_row

from zhengku import clock
from zhengku.catalog import Catalog
from zhengku.catalog.clearance_config import ListKind
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import ZhengkuError
from zhengku.masking import mask_holder, mask_identity, mask_text

Connection = psycopg.Connection[Any]

Section = Literal["unrated", "default_rated"]
State = Literal["new", "carried_over", "reopened"]
RateGroup = Literal["city", "day", "month", "district", "department", "item"]

NO_DISTRICT_ZH = "本市以外或未填区划"
"""Shown where a row has no district of the city."""

CITY_ZH = "全市"
"""Shown for the city as a whole."""

_STREAMED_ROWS = 5_000


class RevealRefused(ZhengkuError):
    """A telephone number is not shown: nobody said why, or the row is none of the list or of the reader's districts."""

    final = True


@dataclass(frozen=True)
class StaleSource:
    """A source (`name`: department/feed) that was not read since a list's cut-off; `read_at` None: never."""

    name: str
    title: str
    read_at: datetime | None


@dataclass(frozen=True)
class ListCounts:
    """Rows by section and by state, and who left since yesterday's final list, and why.

    `archived_total` counts all services archived up to the list, also those that were never on one.
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
class ListVersion:
    """One version of a list; it never changes. `calendar_note` is Chinese, where days had to be assumed."""

    list_id: int
    day: date
    kind: ListKind
    version: int
    cutoff_at: datetime
    published_at: datetime
    counts: ListCounts
    stale: tuple[StaleSource, ...]
    calendar_note: str | None


@dataclass(frozen=True)
class ListRow:
    """A row of a list as it was known when it was listed, on the list's own calendar; applicant and phone are masked.

    `deadline` is the day after which the system would rate by default.
    """

    record_key: str
    section: Section
    state: State
    district: str | None
    district_name: str
    handling_department: str | None
    hall: str | None
    window: str | None
    handler: str | None
    case_number: str
    service_number: str
    service_item_code: str | None
    service_item_name: str | None
    applicant: str | None
    phone: str | None
    finished_at: datetime
    age_working_days: int
    deadline: date
    overdue: bool
    default_at: datetime | None


@dataclass(frozen=True)
class GroupCount:
    """Rows of one hall of a department in a district, by section and by state."""

    district: str | None
    handling_department: str | None
    hall: str | None
    unrated: int
    default_rated: int
    new: int
    carried_over: int
    reopened: int


@dataclass(frozen=True)
class ListedService:
    """A service of a list without personal data."""

    record_key: str
    district: str | None
    handling_department: str | None
    hall: str | None
    window: str | None
    handler: str | None
    case_number: str
    service_number: str
    service_item_name: str | None
    finished_at: datetime


@dataclass(frozen=True)
class ClearedService(ListedService):
    """A service that was rated; `rated_at` is the time of its earliest own effective evaluation."""

    rated_at: datetime


@dataclass(frozen=True)
class ChangedService(ListedService):
    """How a version differs from an earlier one: `section` is the new one, of a removed row the one it had."""

    change: Literal["added", "removed", "changed"]
    section: Section


@dataclass(frozen=True)
class OpenedVersion:
    """A version of a list that somebody opened, and when he did so first."""

    version: int
    opened_at: datetime


@dataclass(frozen=True)
class LeftService(ListedService):
    """A service that was on yesterday's list, in `section`, and left: rated, archived, or no longer to be rated."""

    section: Section
    reason: Literal["cleared", "withdrawn", "archived"]


@dataclass(frozen=True)
class BadReview:
    """A real-name bad review with what is due for it, each until the end of its day; `reason` is masked."""

    evaluation_number: str
    record_key: str
    district: str | None
    district_name: str
    handling_department: str | None
    hall: str | None
    window: str | None
    handler: str | None
    case_number: str
    service_number: str
    service_item_name: str | None
    level: str
    evaluated_at: datetime
    reason: str | None
    callback_due: date
    called_back_at: datetime | None
    rectification_due: date
    rectified_at: datetime | None
    state: Literal["callback_overdue", "rectification_overdue", "open", "done_late", "done"]


@dataclass(frozen=True)
class SuspiciousRating:
    """An own effective evaluation that looks made up, once for each way; `ratings` counts those of its burst."""

    kind: Literal["seconds_after_finishing", "device_burst", "window_burst"]
    ratings: int
    evaluation_number: str
    record_key: str
    case_number: str
    service_number: str
    level: str
    evaluation_channel: str | None
    evaluated_at: datetime
    finished_at: datetime | None
    device: str | None
    evaluation_window: str | None
    district: str | None
    handling_department: str | None
    hall: str | None
    window: str | None
    handler: str | None
    service_item_name: str | None


@dataclass(frozen=True)
class Rate:
    """A rate as the quotient of two counts; `shown` is a percentage, cut after two places, or why there is none."""

    name_zh: str
    definition_zh: str
    numerator: int
    denominator: int
    shown: str

    @property
    def is_above_999(self) -> bool:
        """Whether it is strictly above 99.9 %, in whole numbers."""
        return self.numerator * 1000 > self.denominator * 999


@dataclass(frozen=True)
class GroupRates:
    """The rates of the city, a district, a department in it, a service item, a day, or a month (its first day).

    What it is not grouped by is None; a group may be that of rows without a district, department or item.
    """

    district: str | None
    district_name: str
    handling_department: str | None
    rates: tuple[Rate, ...]
    service_item_code: str | None = None
    service_item_name: str | None = None
    day: date | None = None


@dataclass(frozen=True)
class ListRecord(ListCounts):
    """All that the store keeps of a version of a list: `clearance.list`."""

    list_id: int
    day: date
    kind: ListKind
    version: int
    cutoff_at: datetime
    published_at: datetime
    is_trunk: bool
    base_list: int | None
    corrections: list[int]
    yesterday_list: int | None
    last_shown: int
    oldest_finish: datetime
    calendar_id: int
    calendar_note: str | None
    archive_after_working_days: int
    deadline_working_days: int
    stale: list[dict[str, Any]]

    @property
    def published(self) -> ListVersion:
        """The list as others see it."""
        return ListVersion(
            list_id=self.list_id,
            day=self.day,
            kind=self.kind,
            version=self.version,
            cutoff_at=self.cutoff_at.astimezone(CITY_TIME_ZONE),
            published_at=self.published_at.astimezone(CITY_TIME_ZONE),
            counts=ListCounts(**{count.name: getattr(self, count.name) for count in fields(ListCounts)}),
            stale=tuple(
                StaleSource(
                    name=source["name"],
                    title=source["title"],
                    read_at=None if source["read_at"] is None else datetime.fromisoformat(source["read_at"]),
                )
                for source in self.stale
            ),
            calendar_note=self.calendar_note,
        )

    @property
    def members(self) -> dict[str, Any]:
        """The parameters by which a statement finds the rows of this version."""
        return {"base_list": self.base_list, "corrections": self.corrections, "day": self.day}

    @property
    def limits(self) -> dict[str, Any]:
        """The parameters by which a statement judges who belongs on this list."""
        return {"cutoff_at": self.cutoff_at, "kind": self.kind, "oldest_finish": self.oldest_finish}


def list_record(connection: Connection, name: str, values: Mapping[str, Any]) -> ListRecord | None:
    """Run a statement of `sql/clearance/` that finds one version of a list at most."""
    with connection.cursor(row_factory=class_row(ListRecord)) as cursor:
        return cursor.execute(statement(name), values).fetchone()


def list_records(connection: Connection, name: str, values: Mapping[str, Any]) -> list[ListRecord]:
    """Run a statement of `sql/clearance/` that finds versions of lists."""
    with connection.cursor(row_factory=class_row(ListRecord)) as cursor:
        return cursor.execute(statement(name), values).fetchall()


def published(connection: Connection, day: date, kind: ListKind, version: int | None = None) -> ListVersion | None:
    """Return a version of a list, the newest when none is asked for; None when there is none."""
    found = list_record(connection, "clearance/lists.list_by_version", {"day": day, "kind": kind, "version": version})
    return None if found is None else found.published


def newest(connection: Connection) -> ListVersion | None:
    """Return the list of the latest cut-off in its newest version; None before the first list."""
    found = list_record(connection, "clearance/lists.newest_list", {})
    return None if found is None else found.published


def versions(connection: Connection, day: date) -> list[ListVersion]:
    """Return all versions of the lists of a day: the working list's, then the final list's, oldest first."""
    return [found.published for found in list_records(connection, "clearance/lists.list_versions", {"day": day})]


def rows(
    connection: Connection,
    catalog: Catalog,
    published: ListVersion,
    *,
    section: Section | None = None,
    districts: Collection[str] | None = None,
    handling_department: str | None = None,
    hall: str | None = None,
    state: State | None = None,
    offset: int = 0,
    limit: int | None = None,
    archived_within: int | None = None,
) -> Iterator[ListRow]:
    """Yield rows of a list in its order: district, department, hall, window, handler, time of finishing, key.

    Texts sort by code point, blanks last. A department or hall of "" means those without one. With `archived_within`
    only rows that leave by age within so many working days after the list's day. Without a limit the rows are streamed,
    a few thousand in memory at a time, and the transaction must stay open until the last.
    """
    filters = _filters(districts, section, handling_department, hall, state)
    kept = _kept(connection, published)
    page = {**filters, "skipped": offset, "limit": limit}
    if archived_within is not None:
        page["finished_before"] = _archived_before(connection, kept, archived_within)
    for row in _found(connection, "clearance/list_rows.rows_listed", kept, page, streamed=limit is None):
        yield _list_row(row, kept.day, catalog)


def _archived_before(connection: Connection, kept: ListRecord, within: int) -> datetime:
    values = {
        "calendar_id": kept.calendar_id,
        "day": kept.day,
        "archive_after_working_days": kept.archive_after_working_days,
        "within": within,
    }
    row = connection.execute(statement("clearance/list_rows.archived_soon"), values).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def cleared_since(
    connection: Connection, published: ListVersion, districts: Collection[str] | None = None
) -> list[ClearedService]:
    """Return the rows of a list whose service has an own effective evaluation by now, in the list's order.

    As of the batches that the last publishing or counting of rates took in.
    """
    found = _found(connection, "clearance/list_rows.rows_cleared", _kept(connection, published), _filters(districts))
    return [ClearedService(**_service(row), rated_at=row["rated_at"]) for row in found]


def difference(
    connection: Connection,
    published: ListVersion,
    districts: Collection[str] | None = None,
    since: int | None = None,
) -> list[ChangedService]:
    """Return how a version differs from an earlier one, the one before it unless `since` names another.

    In the list's order; nothing for a first version. Who came and went between the two is not told.
    """
    if published.version == 1:
        return []
    kept = _kept(connection, published)
    named = {"day": kept.day, "kind": kept.kind, "version": since or kept.version - 1}
    earlier = list_record(connection, "clearance/lists.list_by_version", named)
    assert earlier is not None
    assert earlier.version < kept.version
    changed_lists = kept.corrections[len(earlier.corrections) :]
    found = _found(
        connection, "clearance/list_rows.rows_changed", kept, {**_filters(districts), "changed_lists": changed_lists}
    )
    return [ChangedService(**_service(row), change=row["change"], section=row["section"]) for row in found]


def opened(connection: Connection, published: ListVersion, login: str) -> OpenedVersion | None:
    """Remember that a login opened a version of a list; return the newest one before it that he had opened, if any.

    Commits.
    """
    connection.execute(statement("clearance/lists.record_opened"), {"list_id": published.list_id, "login": login})
    connection.commit()
    asked = {"login": login, "day": published.day, "kind": published.kind, "version": published.version}
    with connection.cursor(row_factory=class_row(OpenedVersion)) as cursor:
        return cursor.execute(statement("clearance/lists.opened_before"), asked).fetchone()


def left(connection: Connection, published: ListVersion, districts: Collection[str] | None = None) -> list[LeftService]:
    """Return who was on yesterday's list and is not on this version, and why, in the list's order.

    As it was told when the version came out. Versions from before this was kept have counts alone: nothing is returned.
    """
    kept = _kept(connection, published)
    yesterday = list_record(connection, "clearance/lists.list_by_id", {"list_id": kept.yesterday_list})
    if yesterday is None:
        return []
    against = {"yesterday_base": yesterday.base_list, "yesterday_corrections": yesterday.corrections}
    found = _found(connection, "clearance/list_rows.rows_left", kept, {**_filters(districts), **against})
    return [LeftService(**_service(row), section=row["section"], reason=row["change"]) for row in found]


def count_rows(
    connection: Connection,
    published: ListVersion,
    *,
    section: Section | None = None,
    districts: Collection[str] | None = None,
    handling_department: str | None = None,
    hall: str | None = None,
    state: State | None = None,
    archived_within: int | None = None,
) -> int:
    """Return how many rows of a list the filters of `rows` leave."""
    filters = _filters(districts, section, handling_department, hall, state)
    kept = _kept(connection, published)
    values = {**kept.members, **filters, "finished_before": None}
    if archived_within is not None:
        values["finished_before"] = _archived_before(connection, kept, archived_within)
    row = connection.execute(statement("clearance/list_rows.count_rows"), values).fetchone()
    assert row is not None
    return int(row[0])


def group_counts(
    connection: Connection, published: ListVersion, districts: Collection[str] | None = None
) -> list[GroupCount]:
    """Return the rows of a list by district, department and hall, in the list's order."""
    values = {**_kept(connection, published).members, "districts": _array(districts)}
    with connection.cursor(row_factory=class_row(GroupCount)) as cursor:
        return cursor.execute(statement("clearance/list_rows.group_counts"), values).fetchall()


def district_counts(connection: Connection, catalog: Catalog, published: ListVersion) -> dict[str, Counter[str]]:
    """Return how many rows of a list each district has, by section and by state; in the list's order, by names."""
    sums: dict[str, Counter[str]] = {}
    for group in group_counts(connection, published):
        of_district = sums.setdefault(district_name(catalog, group.district), Counter())
        of_district.update({name: getattr(group, name) for name in _COUNTED})
    return sums


_COUNTED = ("unrated", "default_rated", "new", "carried_over", "reopened")


def bad_reviews(
    connection: Connection,
    catalog: Catalog,
    day: date,
    districts: Collection[str] | None = None,
    *,
    now: datetime | None = None,
    known_to: ListVersion | None = None,
) -> list[BadReview]:
    """Return the bad reviews made up to the end of a day, overdue first, then by what is due.

    What is overdue is judged at the end of the day, or `now` (the present) where that is earlier. With a list they are
    those that were known when it was published, as they stood then, and the present is that moment. Calendar and terms
    are those of the last publishing or counting of rates; there is nothing before the first.
    """
    basis = _basis(connection)
    if basis is None:
        return []
    calendar_id, numbers = basis
    end = datetime.combine(day + timedelta(days=1), time(), CITY_TIME_ZONE)
    values = {
        "calendar_id": calendar_id,
        "calendar_begin": WorkingCalendar.first_day,
        "callback_working_days": numbers["callback_working_days"],
        "rectification_working_days": numbers["rectification_working_days"],
        "day": day,
        "moment": min(now or (clock.now() if known_to is None else known_to.published_at), end),
        "known_to": None if known_to is None else known_to.list_id,
        "districts": _array(districts),
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement("clearance/evaluations.bad_reviews"), values).fetchall()
    return [
        BadReview(
            **{
                **row,
                "district_name": district_name(catalog, row["district"]),
                "reason": None if row["reason"] is None else mask_text(row["reason"]),
            }
        )
        for row in found
    ]


def suspicious(connection: Connection, first_day: date, last_day: date) -> list[SuspiciousRating]:
    """Return the suspicious ratings made from one day to another, by kind and time.

    By the numbers of the last publishing or counting of rates; there is nothing before the first.
    """
    basis = _basis(connection)
    if basis is None:
        return []
    _, numbers = basis
    values = {
        "first_day": first_day,
        "last_day": last_day,
        "seconds": timedelta(seconds=numbers["suspicious_seconds"]),
        "burst": timedelta(minutes=numbers["burst_minutes"]),
        "burst_ratings": numbers["burst_ratings"],
    }
    with connection.cursor(row_factory=class_row(SuspiciousRating)) as cursor:
        return cursor.execute(statement("clearance/evaluations.suspicious_ratings"), values).fetchall()


def rates(
    connection: Connection,
    catalog: Catalog,
    first_day: date,
    last_day: date,
    by: RateGroup = "city",
    districts: Collection[str] | None = None,
) -> list[GroupRates]:
    """Return the rates of a span of days, of the city or of `districts` together, as counted last, in groups.

    Groups without any count are left out, but for the city as a whole, its days and its months.
    """
    values = {"first_day": first_day, "last_day": last_day, "by": by, "districts": _array(districts)}
    with connection.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(statement("clearance/sum_rates.sum_rates"), values).fetchall()
    groups: dict[tuple[Any, ...], list[Rate]] = {}
    for row in found:
        groups.setdefault(tuple(row[name] for name in _GROUPED_BY), []).append(_rate(row))
    return [
        GroupRates(
            **dict(zip(_GROUPED_BY, key, strict=True)),
            district_name=district_name(catalog, key[0]) if by in ("district", "department") else CITY_ZH,
            rates=tuple(of_group),
        )
        for key, of_group in groups.items()
    ]


_GROUPED_BY = ("district", "handling_department", "service_item_code", "service_item_name", "day")


def _rate(row: Mapping[str, Any]) -> Rate:
    numerator, denominator = row["numerator"], row["denominator"]
    return Rate(
        name_zh=row["name_zh"],
        definition_zh=row["definition_zh"],
        numerator=numerator,
        denominator=denominator,
        shown=percentage(numerator, denominator) if denominator else row["without_zh"],
    )


def percentage(part: int, whole: int) -> str:
    """Return a share of a whole that is not 0, cut after two places and never rounded up: `99.89%`."""
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d}%"


def reveal_phone(
    connection: Connection,
    published: ListVersion,
    record_key: str,
    districts: Collection[str] | None,
    revealed_by: str,
    reason: str,
) -> str:
    """Return the telephone number of a row as it was listed; who sees it and why is recorded first, and committed.

    Raises `RevealRefused` when `revealed_by` or `reason` is blank, when the list has no such row in `districts`, or the
    row has no number: then nothing is recorded.
    """
    if not revealed_by.strip() or not reason.strip():
        raise RevealRefused("Expected who asks for the telephone number and why, got a blank. Say both.")
    kept = _kept(connection, published)
    values = {**_filters(districts), "record_key": record_key, "limit": 1}
    row = next(_found(connection, "clearance/list_rows.rows_listed", kept, values), None)
    place = f"{published.kind} list of {published.day}, version {published.version}"
    if row is None:
        raise RevealRefused(f"Expected a row of the {place}, within the reader's districts; there is none of that key.")
    if row["phone"] is None:
        raise RevealRefused(f"Expected a telephone number in a row of the {place}; the case has none.")
    connection.execute(
        statement("clearance/lists.record_reveal"),
        {
            "list_id": kept.list_id,
            "record_key": record_key,
            "revealed_by": revealed_by.strip(),
            "reason": reason.strip(),
        },
    )
    connection.commit()
    return str(row["phone"])


def _kept(connection: Connection, published: ListVersion) -> ListRecord:
    kept = list_record(connection, "clearance/lists.list_by_id", {"list_id": published.list_id})
    assert kept is not None
    return kept


def _basis(connection: Connection) -> tuple[int, dict[str, Any]] | None:
    return connection.execute(statement("clearance/basis.basis")).fetchone()


def _array(districts: Collection[str] | None) -> list[str] | None:
    return None if districts is None else sorted(districts)


def _filters(
    districts: Collection[str] | None,
    section: Section | None = None,
    handling_department: str | None = None,
    hall: str | None = None,
    state: State | None = None,
) -> dict[str, Any]:
    return {
        "districts": _array(districts),
        "section": section,
        "handling_department": handling_department,
        "hall": hall,
        "state": state,
    }


_stream_numbers = count(1)


def _found(
    connection: Connection, listed: str, kept: ListRecord, filters: Mapping[str, Any], *, streamed: bool = False
) -> Iterator[dict[str, Any]]:
    """Run `list_rows` over the rows that the statement `listed` finds; `streamed`, it needs an open transaction."""
    values = {
        "list_id": kept.list_id,
        **kept.members,
        "calendar_id": kept.calendar_id,
        "calendar_begin": WorkingCalendar.first_day,
        "deadline_working_days": kept.deadline_working_days,
        "record_key": None,
        "finished_before": None,
        "skipped": 0,
        "limit": None,
        **filters,
    }
    query = statement("clearance/list_rows.list_rows").format(listed=statement(listed))
    if not streamed:
        with connection.cursor(row_factory=dict_row) as cursor:
            yield from cursor.execute(query, values)
        return
    # All rows are read: a plan that is quick for the first of a million takes minutes for the rest.
    connection.execute("set local cursor_tuple_fraction = 1")
    # Two may be read at once.
    with connection.cursor(f"clearance_{next(_stream_numbers)}", row_factory=dict_row) as stream:
        stream.itersize = _STREAMED_ROWS
        yield from stream.execute(query, values)


def _service(row: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: row[field.name] for field in fields(ListedService)}


def _list_row(row: Mapping[str, Any], day: date, catalog: Catalog) -> ListRow:
    return ListRow(
        record_key=row["record_key"],
        section=row["section"],
        state=row["state"],
        district=row["district"],
        district_name=district_name(catalog, row["district"]),
        handling_department=row["handling_department"],
        hall=row["hall"],
        window=row["window"],
        handler=row["handler"],
        case_number=row["case_number"],
        service_number=row["service_number"],
        service_item_code=row["service_item_code"],
        service_item_name=row["service_item_name"],
        applicant=None if row["applicant"] is None else mask_holder(row["applicant"]),
        phone=None if row["phone"] is None else mask_identity(row["phone"]),
        finished_at=row["finished_at"],
        age_working_days=row["age_working_days"],
        deadline=row["deadline"],
        overdue=row["deadline"] < day,
        default_at=row["default_at"],
    )


def district_name(catalog: Catalog, district: str | None) -> str:
    """Return a district's name as it is shown; None, or "" as in a filter, stands for rows without one."""
    if not district:
        return NO_DISTRICT_ZH
    known = catalog.districts.get(district)
    return known.name if known else district
