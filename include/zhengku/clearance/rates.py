"""The rates of 好差评: counted for the days that loaded batches touched, and read in groups."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg.rows import dict_row

from zhengku import clock
from zhengku.catalog import Catalog
from zhengku.clearance.clearance_settings import ClearanceSettings
from zhengku.clearance.districts import district_name, district_parameter
from zhengku.clearance.refresh import ServiceState
from zhengku.database import statement, store_connection
from zhengku.ledger import Connection

RateGroup = Literal["city", "day", "month", "district", "department", "item"]

CITY_ZH = "全市"
"""Shown for the entire city."""


@dataclass(frozen=True)
class Rate:
    """A rate: the quotient of two counts. `shown` is the percentage, cut after two places, or why there is none."""

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

    Fields that the rates are not grouped by are None; so are those of the group of rows without a district, department
    or item.
    """

    district: str | None
    district_name: str
    handling_department: str | None
    rates: tuple[Rate, ...]
    service_item_code: str | None = None
    service_item_name: str | None = None
    day: date | None = None


def refresh_rates(settings: ClearanceSettings, now: datetime | None = None) -> int:
    """Recount the rates of the days that loaded batches touched; return how many days."""
    now = now or clock.now()
    with store_connection(settings.settings.database_url) as connection:
        ServiceState(settings).refresh(connection, now)
        # The lock of the publishing is released: lists may be published during the counting.
        connection.commit()
        connection.execute("select pg_advisory_xact_lock(hashtextextended('zhengku.clearance.rates', 0))")
        touched = connection.execute(statement("clearance/rates.take_days")).fetchall()
        days = sorted({row[0] for row in touched})
        basis = connection.execute(statement("clearance/basis.basis")).fetchone()
        if not days or basis is None:
            return 0
        values = {
            "days": days,
            "working_cutoffs": [settings.config.cutoff(day, "working") for day in days],
            "calendar_id": basis[0],
            "callback_working_days": settings.config.callback_working_days,
            "rectification_working_days": settings.config.rectification_working_days,
        }
        connection.execute(statement("clearance/rates.forget_rates"), values)
        connection.execute(statement("clearance/count_rates.count_rates"), values)
        return len(days)


def group_rates(
    connection: Connection,
    catalog: Catalog,
    first_day: date,
    last_day: date,
    by: RateGroup = "city",
    districts: Collection[str] | None = None,
) -> list[GroupRates]:
    """Return the rates of a span of days, of the city or of `districts` together, in groups, as of the last counting.

    Groups without any count are left out, except for the entire city, its days and its months.
    """
    values = {"first_day": first_day, "last_day": last_day, "by": by, "districts": district_parameter(districts)}
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
