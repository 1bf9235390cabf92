"""The collection rate (归集率): of the certificates that should be in the store, how many are.

Due are certificates that cases produced since 2019 (办件结果), and those that departments delivered or a comparison
found at the source, if issued since 2019 or still valid. Those of them that are not in the store are listed for their
department (待归集清单). Days are those of Asia/Shanghai. docs/stock.md has the definition with its reasons.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final, Literal

from psycopg.rows import class_row

from zhengku.catalog import Catalog
from zhengku.catalog.record_masks import mask_key_parts
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.operations.backfill import FIRST_MONTH
from zhengku.operations.reconcile.comparison import OWN_RULES
from zhengku.report.published_files import record_published
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write, city_clock
from zhengku.report.templates import percent
from zhengku.settings import Settings
from zhengku.stock.publishing import snapshot_connection, store_counts, write_lists

log = logging.getLogger(__name__)

Kind = Literal["case", "problem", "comparison"]
KIND_NAMES: Final[Mapping[Kind, str]] = {"case": "办件结果", "problem": "问题数据", "comparison": "比对发现"}


@dataclass(frozen=True)
class CollectionRate:
    """Collected and lacking certificates of a department, license type and year of issue (0: unknown).

    The lacking ones are counted by what shows that they should be in the store: a case, a problem record, a comparison.
    """

    department: str
    license_type: str
    year: int
    collected: int
    lacking_of_cases: int
    lacking_of_problems: int
    lacking_of_comparison: int

    @property
    def lacking(self) -> int:
        """Certificates that should be in the store and are not."""
        return self.lacking_of_cases + self.lacking_of_problems + self.lacking_of_comparison

    @property
    def due(self) -> int:
        """The denominator: certificates that should be in the store."""
        return self.collected + self.lacking


@dataclass(frozen=True)
class CollectionRateRecord(CollectionRate):
    """A stored collection rate with the day of the count."""

    day: date


@dataclass(frozen=True)
class LackingCertificate:
    """A certificate that should be in the store and is not.

    `certificate_number` is the key of its record where a problem record shows it.
    """

    department: str
    license_type: str
    year: int
    kind: Kind
    problem_id: int | None
    case_number: str | None
    certificate_name: str | None
    certificate_number: str | None
    issuing_authority: str | None
    produced_at: datetime | None
    reason: str | None


def count_collection(connection: Connection, catalog: Catalog, day: date) -> list[CollectionRate]:
    """Count the present store; lacking certificates stay in the transaction's temporary table `lacking`.

    Reads the entire store once or twice: minutes for ten million certificates.
    """
    types = catalog.license_types
    [any_type] = [key for key, row in types.items() if row.any_type]
    departments = {
        feed.license_type: department_id
        for department_id, department in catalog.departments.items()
        for feed in department.feeds.values()
        if feed.license_type
    }
    named = [row for key, row in types.items() if key != any_type]
    connection.execute(
        statement("stock/collection_rate.produced_certificates"),
        {
            "any_type": any_type,
            "names": [row.name_zh for row in named],
            "license_types": [row.license_type for row in named],
            "since": datetime.combine(FIRST_MONTH, time(), CITY_TIME_ZONE),
        },
    )
    # Without statistics the planner expects the new tables to be almost empty.
    connection.execute("analyze pg_temp.produced")
    connection.execute(statement("stock/collection_rate.found_produced"))
    connection.execute("analyze pg_temp.produced_in_store")
    connection.execute(
        statement("stock/collection_rate.lacking_certificates"),
        {
            "comparison_rules": OWN_RULES,
            "collected_types": list(departments),
            "departments": list(departments.values()),
        },
    )
    with connection.cursor(row_factory=class_row(CollectionRate)) as cursor:
        return cursor.execute(
            statement("stock/collection_rate.count_collection"), {"day": day, "since_day": FIRST_MONTH}
        ).fetchall()


def newest_collection(connection: Connection) -> list[CollectionRateRecord]:
    """Return the newest stored count, by department, license type and year."""
    with connection.cursor(row_factory=class_row(CollectionRateRecord)) as cursor:
        return cursor.execute(statement("stock/collection_rate.newest_collection_rate")).fetchall()


def lacking_file(settings: Settings, catalog: Catalog, department: str, day: date) -> Path:
    """Return the path of the list of lacking certificates of a department."""
    name = f"待归集清单_{catalog.department_name(department)}_{day}.xlsx"
    return settings.report_folder / "collection" / f"{day}" / name


def publish_collection(settings: Settings, catalog: Catalog, day: date) -> list[CollectionRate]:
    """Count, store the counts for `day`, and write a list for each department with lacking certificates.

    Counts and lists show the same state of the store. Safe to repeat: counts and lists of the day are replaced. Raises
    `FileNotWritten` when a list cannot be written; then the counts are not stored.
    """
    with snapshot_connection(settings.database_url) as connection:
        found = count_collection(connection, catalog, day)

        def write(path: Path, department: str, rows: Iterator[LackingCertificate]) -> None:
            counts = [each for each in found if each.department == department]
            _write_list(path, catalog, department, counts, rows, day)

        with connection.cursor(name="lacking", row_factory=class_row(LackingCertificate)) as cursor:
            cursor.execute(statement("stock/collection_rate.lacking_by_department"))
            lists = write_lists(cursor, lambda department: lacking_file(settings, catalog, department, day), write)
        for path in lists:
            record_published(connection, settings.report_folder, path)
        delete, insert = "stock/collection_rate.forget_collection_rate", "stock/collection_rate.keep_collection_rate"
        store_counts(connection, delete, insert, day, found)
    due, collected = sum(each.due for each in found), sum(each.collected for each in found)
    log.info("%s: %d of %d certificates that are due are collected; %d lists", day, collected, due, len(lists))
    return found


def summed(rates: Iterable[CollectionRate], by: str) -> list[tuple[Any, CollectionRate]]:
    """Return the sums by `department`, `license_type` or `year`, in its order."""
    parts: dict[Any, list[CollectionRate]] = {}
    for each in rates:
        parts.setdefault(getattr(each, by), []).append(each)
    return [(key, sum_of(parts[key])) for key in sorted(parts)]


def sum_of(rates: Iterable[CollectionRate]) -> CollectionRate:
    """Return the sum of rates, without department, type and year."""
    parts = list(rates)
    return CollectionRate(
        "",
        "",
        0,
        collected=sum(each.collected for each in parts),
        lacking_of_cases=sum(each.lacking_of_cases for each in parts),
        lacking_of_problems=sum(each.lacking_of_problems for each in parts),
        lacking_of_comparison=sum(each.lacking_of_comparison for each in parts),
    )


def rate(counted: CollectionRate) -> str:
    """Return a rate in per cent; less than all is never shown as 100.00%."""
    return percent(counted.collected / counted.due if counted.due else None)


def _write_list(
    path: Path,
    catalog: Catalog,
    department: str,
    counts: list[CollectionRate],
    rows: Iterator[LackingCertificate],
    day: date,
) -> None:
    name = catalog.department_name(department)
    # The same rows give the same bytes.
    made_at = datetime.combine(day, time(), CITY_TIME_ZONE)

    def masked(row: LackingCertificate) -> str | None:
        return mask_key_parts(row.certificate_number) if row.certificate_number else None

    columns: tuple[Column[LackingCertificate], ...] = (
        Column("证照类型", 28, lambda row: catalog.license_type_name(row.license_type), "wrap"),
        Column("证照名称", 28, lambda row: row.certificate_name, "wrap"),
        Column("证照编号或关键字段", 34, masked, "wrap"),
        Column("出证时间", 18, lambda row: city_clock(row.produced_at), "time"),
        Column("颁发机构", 28, lambda row: row.issuing_authority, "wrap"),
        Column("办件编号", 26, lambda row: row.case_number, "centre", unmasked=True),
        Column("依据", 12, lambda row: KIND_NAMES[row.kind], "centre"),
        Column("问题数据编号", 12, lambda row: row.problem_id, "count"),
        Column("未入库原因", 46, lambda row: row.reason or "库中没有此证照", "wrap"),
    )
    with atomic_write(path) as aside:
        book = Book(aside, "待归集清单", made_at, name, "内部资料")
        sheet = Sheets(book, "待归集", columns, lambda row: catalog.license_type_name(row.license_type))
        sheet.write(rows)
        cover = Cover(book, "待归集清单")
        cover.write_title(f"{name}　{day}")
        cover.write_heading("归集率")
        cover.write_header("证照类型", "应归集", "已归集", "归集率")
        for license_type, counted in summed(counts, "license_type"):
            breakdown = (
                f"{rate(counted)}；待归集 {counted.lacking:,}：办件结果 {counted.lacking_of_cases:,}，"
                f"问题数据 {counted.lacking_of_problems:,}，比对发现 {counted.lacking_of_comparison:,}"
            )
            cover.write_count(catalog.license_type_name(license_type), counted.due, counted.collected, breakdown)
        cover.write_contents([sheet], {"待归集": "应归集而库中没有的证照"})
        cover.write_remarks(
            (
                "应归集：2019年以来办件产生的证照，以及各部门送来或比对发现的、2019年以来颁发或仍在有效期内的证照。",
                "办件结果：办件结果载明的证照，库中同类型下没有该编号；请核对编号，或补送该证照。",
                "问题数据：已送来而校验未通过，详见退回文件；无关键字段的逐条计数。同一证照有问题数据的，不再按办件结果计。",
                "证照编号已脱敏，可凭办件编号或问题数据编号查找。",
            )
        )
        book.close()
