"""The rows of a list of daily clearance: the services on it, those that left it, and how its versions differ.

Personal data is returned masked, except by `unmasked_row`. Moments carry their zone; days are those of Asia/Shanghai.
Districts are keys of the catalogue; None is a row without one, and as a filter all rows.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from itertools import count
from typing import Any, Final, Literal

from psycopg.rows import class_row, dict_row

from zhengku.catalog import Catalog
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.districts import district_name, district_parameter
from zhengku.clearance.list_versions import ListRecord, ListVersion, list_record, record_of
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.masking import mask_holder, mask_identity

Section = Literal["unrated", "default_rated"]
State = Literal["new", "carried_over", "reopened"]

_STREAMED_ROWS: Final = 5_000


@dataclass(frozen=True)
class ListRow:
    """A row of a list, as recorded when it was listed; applicant and phone are masked.

    Working days are counted with the list's own calendar. After the day `deadline` the system rates by default.
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
    """How many rows of a list one hall of a department in a district has, by section and by state."""

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
    """A service that was rated; `rated_at` is the time of its earliest own effective evaluation (本人有效评价)."""

    rated_at: datetime


@dataclass(frozen=True)
class ChangedService(ListedService):
    """A service whose section differs from that in an earlier version.

    `section` is the new one; of a removed service the one that it had.
    """

    change: Literal["added", "removed", "changed"]
    section: Section


@dataclass(frozen=True)
class LeftService(ListedService):
    """A service that was on yesterday's list in `section` and has left it.

    It was rated (cleared), is no longer to be rated (withdrawn), or is too old for a list (archived).
    """

    section: Section
    reason: Literal["cleared", "withdrawn", "archived"]


def listed_rows(
    connection: Connection,
    catalog: Catalog,
    list_version: ListVersion,
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

    Texts sort by code point, blanks last. A department or hall of "" selects the rows without one. `archived_within`
    selects the rows that become too old for a list within that many working days after the list's day. Without a limit
    the rows are streamed, a few thousand in memory at a time, and the transaction must stay open until the last one.
    """
    filters = _filters(districts, section, handling_department, hall, state)
    record = record_of(connection, list_version)
    page = {**filters, "skipped": offset, "limit": limit}
    if archived_within is not None:
        page["finished_before"] = _finished_before(connection, record, archived_within)
    for row in _selected(connection, "clearance/list_rows.rows_listed", record, page, streamed=limit is None):
        yield _list_row(row, record.day, catalog)


def _finished_before(connection: Connection, record: ListRecord, within: int) -> datetime:
    values = {
        "calendar_id": record.calendar_id,
        "day": record.day,
        "archive_after_working_days": record.archive_after_working_days,
        "within": within,
    }
    row = connection.execute(statement("clearance/list_rows.archived_soon"), values).fetchone()
    assert row is not None
    found: datetime = row[0]
    return found


def cleared_services(
    connection: Connection, list_version: ListVersion, districts: Collection[str] | None = None
) -> list[ClearedService]:
    """Return the services of a list that have an own effective evaluation by now, in the list's order.

    Evaluations count as far as the last publishing of a list or counting of rates processed them.
    """
    found = _selected(
        connection, "clearance/list_rows.rows_cleared", record_of(connection, list_version), _filters(districts)
    )
    return [ClearedService(**_service(row), rated_at=row["rated_at"]) for row in found]


def changed_services(
    connection: Connection,
    list_version: ListVersion,
    districts: Collection[str] | None = None,
    since: int | None = None,
) -> list[ChangedService]:
    """Return how a version differs from an earlier one: from version `since`, or else from the one before it.

    In the list's order; nothing for a first version. A service that was added and removed between the two is left out.
    """
    record = record_of(connection, list_version)
    values = {"day": record.day, "kind": record.kind, "version": record.version, "since": since}
    earlier = list_record(connection, "clearance/lists.earlier_version", values)
    if earlier is None:
        return []
    changed_lists = record.corrections[len(earlier.corrections) :]
    found = _selected(
        connection, "clearance/list_rows.rows_changed", record, {**_filters(districts), "changed_lists": changed_lists}
    )
    return [ChangedService(**_service(row), change=row["change"], section=row["section"]) for row in found]


def left_services(
    connection: Connection, list_version: ListVersion, districts: Collection[str] | None = None
) -> list[LeftService]:
    """Return the services of yesterday's list that are not on this version, with the reasons, in the list's order.

    The reasons are those recorded when the version was published. Older versions recorded only counts: for them nothing
    is returned.
    """
    record = record_of(connection, list_version)
    yesterday = list_record(connection, "clearance/lists.list_by_id", {"list_id": record.yesterday_list})
    if yesterday is None:
        return []
    against = {"yesterday_base": yesterday.base_list, "yesterday_corrections": yesterday.corrections}
    found = _selected(connection, "clearance/list_rows.rows_left", record, {**_filters(districts), **against})
    return [LeftService(**_service(row), section=row["section"], reason=row["change"]) for row in found]


def count_rows(
    connection: Connection,
    list_version: ListVersion,
    *,
    section: Section | None = None,
    districts: Collection[str] | None = None,
    handling_department: str | None = None,
    hall: str | None = None,
    state: State | None = None,
    archived_within: int | None = None,
) -> int:
    """Return how many rows of a list pass the filters (those of `listed_rows`)."""
    filters = _filters(districts, section, handling_department, hall, state)
    record = record_of(connection, list_version)
    values = {**record.members, **filters, "finished_before": None}
    if archived_within is not None:
        values["finished_before"] = _finished_before(connection, record, archived_within)
    row = connection.execute(statement("clearance/list_rows.count_rows"), values).fetchone()
    assert row is not None
    return int(row[0])


def group_counts(
    connection: Connection, list_version: ListVersion, districts: Collection[str] | None = None
) -> list[GroupCount]:
    """Return the numbers of rows of a list by district, department and hall, in the list's order."""
    values = {**record_of(connection, list_version).members, "districts": district_parameter(districts)}
    with connection.cursor(row_factory=class_row(GroupCount)) as cursor:
        return cursor.execute(statement("clearance/list_rows.group_counts"), values).fetchall()


def district_counts(connection: Connection, catalog: Catalog, list_version: ListVersion) -> dict[str, Counter[str]]:
    """Return how many rows each district has (by its name), by section and by state, in the list's order."""
    sums: dict[str, Counter[str]] = {}
    for group in group_counts(connection, list_version):
        of_district = sums.setdefault(district_name(catalog, group.district), Counter())
        of_district.update({name: getattr(group, name) for name in _COUNTED})
    return sums


_COUNTED = ("unrated", "default_rated", "new", "carried_over", "reopened")


def unmasked_row(
    connection: Connection, list_version: ListVersion, record_key: str, districts: Collection[str] | None
) -> dict[str, Any] | None:
    """Return a row of a list by column, NOT masked; None when the list has no such row in `districts`."""
    values = {**_filters(districts), "record_key": record_key, "limit": 1}
    found = _selected(connection, "clearance/list_rows.rows_listed", record_of(connection, list_version), values)
    return next(found, None)


def _filters(
    districts: Collection[str] | None,
    section: Section | None = None,
    handling_department: str | None = None,
    hall: str | None = None,
    state: State | None = None,
) -> dict[str, Any]:
    return {
        "districts": district_parameter(districts),
        "section": section,
        "handling_department": handling_department,
        "hall": hall,
        "state": state,
    }


_stream_numbers = count(1)


def _selected(
    connection: Connection, listed: str, record: ListRecord, filters: Mapping[str, Any], *, streamed: bool = False
) -> Iterator[dict[str, Any]]:
    """Run `list_rows` over the rows that the statement `listed` finds; with `streamed` it needs an open transaction."""
    values = {
        "list_id": record.list_id,
        **record.members,
        "calendar_id": record.calendar_id,
        "calendar_begin": WorkingCalendar.first_day,
        "deadline_working_days": record.deadline_working_days,
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
    # All rows are read: a plan that returns the first of a million rows quickly takes minutes for the rest.
    connection.execute("set local cursor_tuple_fraction = 1")
    # Each stream has a cursor name of its own, since two may be read at the same time.
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
