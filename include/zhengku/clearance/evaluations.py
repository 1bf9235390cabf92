"""What is known of evaluations: bad reviews (差评) with what is due for them, and suspicious ratings.

Personal data is returned masked. Moments carry their zone; days are those of Asia/Shanghai. Both are counted with the
calendar and the numbers of the last publishing or counting of rates; there is nothing before the first.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from psycopg.rows import class_row, dict_row

from zhengku import clock
from zhengku.catalog import Catalog
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.districts import district_name, district_parameter
from zhengku.clearance.list_versions import ListVersion
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.masking import mask_text


@dataclass(frozen=True)
class BadReview:
    """A real-name bad review; callback and rectification are due by the end of their days. `reason` is masked."""

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
    """An own effective evaluation that looks made up, once for each `kind`; `ratings` counts those of its burst."""

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


def bad_reviews(
    connection: Connection,
    catalog: Catalog,
    day: date,
    districts: Collection[str] | None = None,
    *,
    now: datetime | None = None,
    known_to: ListVersion | None = None,
) -> list[BadReview]:
    """Return the bad reviews made up to the end of a day, overdue ones first, then by due day.

    Whether one is overdue is decided at the end of the day, or at `now` (None: the present) where that is earlier. With
    `known_to` the reviews are those known when that list was published, in their state of then, and `now` is that time.
    """
    basis = _calendar_and_numbers(connection)
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
        "districts": district_parameter(districts),
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


def suspicious_ratings(connection: Connection, first_day: date, last_day: date) -> list[SuspiciousRating]:
    """Return the suspicious ratings made from one day to another (inclusive), by kind and time."""
    basis = _calendar_and_numbers(connection)
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


def _calendar_and_numbers(connection: Connection) -> tuple[int, dict[str, Any]] | None:
    return connection.execute(statement("clearance/basis.basis")).fetchone()
