"""Problem records (问题数据) and their states: open → returned → corrected, or waived → closed (销号).

The load finds the records that later rows correct (`sql/load/settle.sql`). This module reads records, waives and closes
them, and ends waivers. All changes are in `quarantine.problem_event`. Days are those of Asia/Shanghai.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from psycopg import sql
from psycopg.rows import class_row, dict_row

from zhengku.catalog import Catalog
from zhengku.catalog.record_masks import mask_payload
from zhengku.catalog.review_config import ReviewConfig
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement
from zhengku.errors import CatalogError, ConfigurationError, RecordNotFound
from zhengku.ledger import Connection
from zhengku.masking import mask_text

Status = Literal["open", "returned", "corrected", "waived", "closed"]
Solution = Literal["corrected", "deleted", "gone", "replaced", "waived"]

STATUS_NAMES: Mapping[Status, str] = {
    "open": "待退回",
    "returned": "已退回",
    "corrected": "已更正",
    "waived": "已豁免",
    "closed": "已销号",
}
SOLUTION_NAMES: Mapping[Solution, str] = {
    "corrected": "部门更正后入库",
    "deleted": "部门已删除",
    "gone": "全量数据中不再出现",
    "replaced": "改后仍有问题，另立新号",
    "waived": "豁免",
}
EVENT_NAMES = {
    "returned": "退回部门",
    "corrected": "更正后入库",
    "deleted": "部门删除",
    "gone": "全量数据中不再出现",
    "replaced": "改后仍有问题，另立新号",
    "waived": "豁免",
    "waiver_ended": "豁免到期，重新待退回",
    "closed": "销号",
    "redriven": "重新处理",
}
UNSOLVED: tuple[Status, ...] = ("open", "returned", "waived")
"""States of records whose row is still wrong."""

_BYTES_SHOWN = 400


@dataclass(frozen=True)
class ProblemFilter:
    """A selection of records; a field that is None does not filter.

    `batch_id` selects records first or last seen in a batch, `night` those of rows that were collected on that day,
    `overdue_on` returned ones that were due before that day.
    """

    problem_id: int | None = None
    batch_id: int | None = None
    department: str | None = None
    feed: str | None = None
    license_type: str | None = None
    statuses: Sequence[Status] | None = None
    rule_id: str | None = None
    return_id: int | None = None
    night: date | None = None
    overdue_on: date | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the parameters of the statement `chosen_problems`."""
        values = asdict(self)
        night = values.pop("night")
        start, end = night_bounds(night) if night else (None, None)
        statuses = None if self.statuses is None else list(self.statuses)
        return {**values, "statuses": statuses, "night_begin": start, "night_end": end}


def filtered_statement(name: str, chosen: ProblemFilter) -> sql.Composed:
    """Return a statement with the query of a filter in place of `{chosen}`; it takes the filter's parameters.

    Batches are joined only for a filter by night: as one more condition they would be searched for every record.
    """
    stood = sql.SQL("({})").format(statement("review/problems.stood_in_night"))
    everything = sql.Identifier("quarantine", "problem_row")
    rows = statement("review/problems.chosen_problems").format(problems=stood if chosen.night else everything)
    return statement(name).format(chosen=rows)


def night_bounds(night: date) -> tuple[datetime, datetime]:
    """Return the start of a day and of the next (Asia/Shanghai): batches recorded between them belong to that night."""
    start = datetime.combine(night, time(), CITY_TIME_ZONE)
    return start, datetime.combine(night + timedelta(days=1), time(), CITY_TIME_ZONE)


@dataclass(frozen=True)
class ProblemRecord:
    """A problem record with masked personal data.

    `payload` is the row by column; None where the row could not be split into columns: `text` has the start of it then.
    """

    problem_id: int
    department: str
    feed: str
    dataset: str
    license_type: str | None
    rules: list[str]
    reasons: list[str]
    payload: dict[str, str | None] | None
    text: str | None
    status: Status
    solution: Solution | None
    replaced_by_problem_id: int | None
    attempts: int
    times_seen: int
    first_batch_id: int
    last_batch_id: int
    last_row_no: int
    corrected_by_batch_id: int | None
    first_opened_at: datetime
    opened_at: datetime
    return_id: int | None
    due_on: date | None
    waived_until: date | None
    solved_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True)
class ProblemEvent:
    """A change of a record; `done_by` is None for the pipeline itself."""

    event: str
    happened_at: datetime
    done_by: str | None
    reason: str | None
    batch_id: int | None
    return_id: int | None
    until_on: date | None


@dataclass(frozen=True)
class Tally:
    """How many records a feed has in a state, and when the oldest was found.

    `overdue` are past their due day, `due_soon` near it; `unreturned` are open and were not returned in time.
    """

    department: str
    feed: str
    status: Status
    number: int
    overdue: int
    due_soon: int
    unreturned: int
    oldest: datetime | None


def problem_records(
    connection: Connection,
    catalog: Catalog,
    chosen: ProblemFilter,
    *,
    offset: int = 0,
    limit: int | None = 100,
) -> Iterator[ProblemRecord]:
    """Yield the records that a filter selects, the newest first, masked."""
    query = filtered_statement("review/problems.problems", chosen)
    values = {**chosen.parameters(), "skipped": offset, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, values)
        for row in cursor:
            yield _masked(row, catalog)


def count_problems(connection: Connection, chosen: ProblemFilter) -> int:
    """Return how many records a filter selects."""
    query = filtered_statement("review/problems.count_problems", chosen)
    row = connection.execute(query, chosen.parameters()).fetchone()
    assert row is not None
    return int(row[0])


def tally(connection: Connection, today: date, config: ReviewConfig, calendar: WorkingCalendar) -> list[Tally]:
    """Count all records by department, feed and state; overdue, due soon and unreturned ones as of a day."""
    last_in_time, _ = night_bounds(working_days_ago(calendar, today, config.return_within_working_days))
    values = {
        "today": today,
        "due_soon_until": calendar.add_working_days(today, config.remind_before_working_days),
        "return_before": last_in_time,
    }
    with connection.cursor(row_factory=class_row(Tally)) as cursor:
        return cursor.execute(statement("review/problems.tally"), values).fetchall()


def working_days_ago(calendar: WorkingCalendar, today: date, working_days: int) -> date:
    """Return the last day since which that many working days have passed."""
    day = today
    while calendar.working_days_between(day, today) < working_days:
        day -= timedelta(days=1)
    return day


def unsolved_rules(connection: Connection, department: str | None, feed: str | None) -> dict[str, int]:
    """Return how many unsolved records each rule has, by rule id, most first."""
    values = {"department": department, "feed": feed}
    return dict(connection.execute(statement("review/problems.rules_of"), values).fetchall())


def problem_events(connection: Connection, problem_id: int) -> list[ProblemEvent]:
    """Return the changes of a record, the oldest first."""
    with connection.cursor(row_factory=class_row(ProblemEvent)) as cursor:
        return cursor.execute(statement("review/problems.events"), {"problem_id": problem_id}).fetchall()


def check_known(connection: Connection, problem_ids: Sequence[int]) -> None:
    """Raise `RecordNotFound` unless there is a problem record of every number."""
    rows = connection.execute(statement("review/problems.unknown"), {"problem_ids": list(problem_ids)}).fetchall()
    if rows:
        numbers = ", ".join(f"{row[0]}" for row in rows)
        raise RecordNotFound(f"There is no problem record {numbers}. `zhengku problems list` lists them.")


def waive(
    connection: Connection, problem_ids: Sequence[int], done_by: str, reason: str, until_on: date | None, today: date
) -> int:
    """Waive open or returned records until the end of a day (None: for good); return how many were waived.

    Raises `ConfigurationError` without a name and a reason, or when the day is in the past; `RecordNotFound`, and then
    none is waived, when a record does not exist.
    """
    _check_named(done_by, reason)
    if until_on is not None and until_on < today:
        raise ConfigurationError(
            f"Expected a waiver that ends today ({today}) or later, got {until_on}. Name a later day, or none."
        )
    check_known(connection, problem_ids)
    values = {"problem_ids": list(problem_ids), "done_by": done_by, "reason": reason, "until_on": until_on}
    row = connection.execute(statement("review/problems.waive"), values).fetchone()
    assert row is not None
    return int(row[0])


def close(connection: Connection, problem_ids: Sequence[int], done_by: str, reason: str) -> int:
    """Write off (销号) corrected records and those waived for good; return how many were written off.

    Raises `ConfigurationError` without a name and a reason; `RecordNotFound`, and then none is written off, when a
    record does not exist.
    """
    _check_named(done_by, reason)
    check_known(connection, problem_ids)
    values = {"problem_ids": list(problem_ids), "done_by": done_by, "reason": reason}
    row = connection.execute(statement("review/problems.close"), values).fetchone()
    assert row is not None
    return int(row[0])


def end_waivers(connection: Connection, today: date) -> int:
    """Reopen the records whose waiver ended before `today`; return how many were reopened."""
    return connection.execute(statement("review/problems.end_waivers"), {"today": today}).rowcount


def close_corrected(connection: Connection, solved_before: datetime) -> int:
    """Write off the records that were corrected before a moment; return how many were written off."""
    return connection.execute(statement("review/problems.close_corrected"), {"solved_before": solved_before}).rowcount


def _check_named(done_by: str, reason: str) -> None:
    if not done_by.strip() or not reason.strip():
        raise ConfigurationError("Expected who decides and why, got a blank. Both are recorded: give both.")


def _masked(row: dict[str, Any], catalog: Catalog) -> ProblemRecord:
    payload, content = row.pop("payload"), row.pop("payload_bytes")
    length = row.pop("payload_length")
    row.pop("record_key")
    try:
        feed = catalog.feed(row["department"], row["feed"])
        masked = None if payload is None else mask_payload(payload, feed, catalog)
    except CatalogError:
        # The meaning of the columns of a feed that is no longer in the catalogue is unknown.
        masked = None if payload is None else dict.fromkeys(payload)
    text = None if content is None else _shown(bytes(content), length)
    return ProblemRecord(**row, payload=masked, text=text)


def _shown(content: bytes, length: int) -> str:
    """Return the start of a line that could not be read as a row; text in it that may name a person is masked."""
    text = content[:_BYTES_SHOWN].decode("utf-8", "replace")
    if "\ufffd" in text[:-1]:
        text = content[:_BYTES_SHOWN].decode("gb18030", "replace")
    masked = mask_text(text)
    # Names cannot be recognised in it: of each run of Chinese characters only the first one is shown.
    covered = "".join(
        character if not "\u4e00" <= character <= "\u9fff" or not "\u4e00" <= before <= "\u9fff" else "*"
        for before, character in zip(" " + masked, masked, strict=False)
    )
    return f"{covered}…（共{length}字节）" if length > _BYTES_SHOWN else covered
