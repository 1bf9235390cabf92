"""Certificates about to expire (临期) and expired (过期), by department and license type.

A certificate is valid on its last day, too. Days are those of Asia/Shanghai. Removed certificates are not counted, nor
those that their department calls cancelled, withdrawn, revoked, replaced or moved away.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from psycopg import sql
from psycopg.rows import class_row

from zhengku.catalog import Catalog
from zhengku.catalog.codes import CODES
from zhengku.catalog.record_masks import field_mask, holder_kind
from zhengku.catalog.review_config import load_review
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.ledger import Connection
from zhengku.report.published_files import record_published
from zhengku.report.sheets import Book, Column, Cover, Sheets, atomic_write
from zhengku.settings import Settings
from zhengku.stock.publishing import snapshot_connection, store_counts, write_lists

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expiry:
    """How long the certificates of a license type are still valid, in a department.

    `endless` are delivered as valid without end, `untold` without a last day; the `unknown` were stored before the two
    were distinguished. Counts of days before that have None for both, and `endless` has all of them. `expired_as_valid`
    are those of `expired` that their department still calls valid. `later` end after the expiring ones.
    """

    department: str
    license_type: str
    later: int
    endless: int
    untold: int | None
    unknown: int | None
    expiring: int
    expired: int
    expired_as_valid: int

    @property
    def total(self) -> int:
        """All counted certificates."""
        return self.in_force + self.expiring + self.expired

    @property
    def in_force(self) -> int:
        """Certificates that neither expire soon nor have expired."""
        return self.later + self.endless + (self.untold or 0) + (self.unknown or 0)


@dataclass(frozen=True)
class ExpiryRecord(Expiry):
    """A stored count with its day and the number of days that counted as soon."""

    day: date
    expiring_days: int


@dataclass(frozen=True)
class ExpiringCertificate:
    """A certificate of the list; personal data is masked when it is written. `valid_to` is the last day."""

    department: str
    is_expired: bool
    license_type: str
    certificate_identifier: str | None
    certificate_number: str | None
    certificate_name: str | None
    holder: str | None
    holder_code_type: str | None
    issuing_authority: str | None
    district: str | None
    valid_to: date | None
    valid_without_end: bool | None
    status: str | None
    record_key: str


def count_expiry(connection: Connection, day: date, expiring_days: int) -> list[Expiry]:
    """Count the present store by validity on a day; reads all of it."""
    values = {"day": day, "last_day": day + timedelta(days=expiring_days)}
    with connection.cursor(row_factory=class_row(Expiry)) as cursor:
        return cursor.execute(_of_counted("stock/expiry.count_expiry"), values).fetchall()


def newest_expiry(connection: Connection) -> list[ExpiryRecord]:
    """Return the newest stored count, by department and license type."""
    with connection.cursor(row_factory=class_row(ExpiryRecord)) as cursor:
        return cursor.execute(statement("stock/expiry.newest_expiry")).fetchall()


def expiry_file(settings: Settings, catalog: Catalog, department: str, day: date) -> Path:
    """Return the path of the list of a department."""
    name = f"到期证照_{catalog.department_name(department)}_{day}.xlsx"
    return settings.report_folder / "expiry" / f"{day}" / name


def publish_expiry(settings: Settings, catalog: Catalog, day: date) -> list[Expiry]:
    """Count, store the counts for `day`, and write a list for each department with expiring or expired certificates.

    Counts and lists show the same state of the store. Safe to repeat: counts and lists of the day are replaced. Raises
    `FileNotWritten` when a list cannot be written; then the counts are not stored.
    """
    config = load_review(settings.catalog_folder)
    with snapshot_connection(settings.database_url) as connection:
        found = count_expiry(connection, day, config.expiring_days)

        def write(path: Path, department: str, rows: Iterator[ExpiringCertificate]) -> None:
            counts = [each for each in found if each.department == department]
            _write_list(path, catalog, department, counts, rows, day, (config.expiring_days, config.expired_days))

        values = {
            "day": day,
            "last_day": day + timedelta(days=config.expiring_days),
            "expired_since": day - timedelta(days=config.expired_days),
        }
        with connection.cursor(name="expiring", row_factory=class_row(ExpiringCertificate)) as cursor:
            cursor.execute(_of_counted("stock/expiry.expiring_certificates"), values)
            lists = write_lists(cursor, lambda department: expiry_file(settings, catalog, department, day), write)
        for path in lists:
            record_published(connection, settings.report_folder, path)
        delete, insert = "stock/expiry.forget_expiry", "stock/expiry.keep_expiry"
        store_counts(connection, delete, insert, day, found, expiring_days=config.expiring_days)
    log.info(
        "%s: %d certificates expire within %d days, %d have expired; %d lists",
        day,
        sum(each.expiring for each in found),
        config.expiring_days,
        sum(each.expired for each in found),
        len(lists),
    )
    return found


def _of_counted(name: str) -> sql.Composed:
    """Return a statement with the query for the counted certificates in place of `{standing}`."""
    return statement(name).format(standing=statement("stock/expiry.standing_certificates"))


def _write_list(
    path: Path,
    catalog: Catalog,
    department: str,
    counts: Iterable[Expiry],
    rows: Iterator[ExpiringCertificate],
    day: date,
    days: tuple[int, int],
) -> None:
    expiring_days, expired_days = days
    name = catalog.department_name(department)
    # The same rows give the same bytes.
    made_at = datetime.combine(day, time(), CITY_TIME_ZONE)
    columns = _columns(catalog, day)
    with atomic_write(path) as aside:
        book = Book(aside, "临期与过期证照", made_at, name, "内部资料")
        expiring, expired = Sheets(book, "临期", columns), Sheets(book, "已过期", columns)
        waiting = {False: expiring, True: expired}
        for is_expired, part in groupby(rows, attrgetter("is_expired")):
            waiting.pop(is_expired).write(part)
        for empty in waiting.values():
            empty.write(())
        cover = Cover(book, "临期与过期证照")
        cover.write_title(f"{name}　{day}")
        cover.write_heading("各类型条数")
        cover.write_header("证照类型", "临期", "已过期", "另有")
        for each in counts:
            breakdown = (
                f"已过期而状态仍为有效 {each.expired_as_valid:,}；在有效期内 {each.in_force:,}，"
                f"其中长期有效 {each.endless:,}、未填截止日期 {each.untold or 0:,}"
            )
            if each.unknown:
                breakdown += f"、是否长期待部门重新报送 {each.unknown:,}"
            cover.write_count(catalog.license_type_name(each.license_type), each.expiring, each.expired, breakdown)
        cover.write_contents(
            [expiring, expired],
            {
                "临期": f"有效期截止日期在 {day} 起 {expiring_days} 日内",
                "已过期": f"有效期截止日期早于 {day}，或状态为过期；列近 {expired_days} 日内到期的和未填截止日期的",
            },
        )
        cover.write_remarks(
            (
                "长期有效指部门写明长期（或永久、2099-12-31等）；空着的、填“-”或0000-00-00的是未填截止日期，请部门补正。",
                "截止日期当日仍有效。注销、撤销、吊销、换发、转出的和已标记删除的不在其内。",
                "已过期而状态仍为有效的，请核对部门系统中的状态。持证主体与证照编号已脱敏，可凭电子证照标识查找。",
                "期限见 include/catalog/review.yaml 的 expiring_days 与 expired_days。",
            )
        )
        book.close()


def _end_note(row: ExpiringCertificate) -> str | None:
    """Return in Chinese why there is no last day; None where there is one."""
    if row.valid_to is not None:
        return None
    return {True: "长期有效", False: "未填", None: "待核"}[row.valid_without_end]


def _columns(catalog: Catalog, day: date) -> tuple[Column[ExpiringCertificate], ...]:
    fields = catalog.standard_fields("certificate")
    districts = catalog.reference.districts

    def number(row: ExpiringCertificate) -> str | None:
        mask = field_mask(fields["certificate_number"].personal)
        return None if row.certificate_number is None else mask(row.certificate_number)

    def holder(row: ExpiringCertificate) -> str | None:
        kind = holder_kind(catalog, row.license_type, row.holder_code_type)
        return None if row.holder is None else field_mask(fields["holder"].personal, kind)(row.holder)

    return (
        Column("证照类型", 26, lambda row: catalog.license_type_name(row.license_type), "wrap"),
        Column("电子证照标识", 40, lambda row: row.certificate_identifier, "wrap"),
        Column("证照编号", 26, number, "wrap"),
        Column("证照名称", 26, lambda row: row.certificate_name, "wrap"),
        Column("持证主体", 30, holder, "wrap"),
        Column("颁发机构", 26, lambda row: row.issuing_authority, "wrap"),
        Column("管辖属地", 14, lambda row: districts[row.district].name if row.district in districts else None, "wrap"),
        Column("有效期截止日期", 16, lambda row: row.valid_to, "day"),
        Column("截止说明", 12, _end_note, "centre"),
        Column("剩余天数", 10, lambda row: (row.valid_to - day).days if row.valid_to else None, "count"),
        Column(
            "证照状态",
            10,
            lambda row: CODES["certificate"]["status"][row.status] if row.status else None,
            "centre",
            lambda row: row.is_expired and row.status == "valid",
        ),
    )
