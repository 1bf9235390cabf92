"""Problem records (问题数据) and their life: open → returned → corrected, or waived → closed (销号).

The load itself finds what came right (`sql/load/settle.sql`); here is what people decide, and what time does. Whatever
happens to a record stands in `quarantine.problem_event`. Days are those of Asia/Shanghai.
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
from zhengku.errors import CatalogError, ConfigurationError
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
"""States in which the record is still wrong."""

_BYTES_SHOWN = 400


@dataclass(frozen=True)
class ProblemFilter:
    """Which records are meant; a part that is None leaves all.

    `batch_id` are those first or last seen in a batch, `night` those that stood in what was collected on that day,
    `overdue_on` those whose term was over before it.
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
        begin, end = night_bounds(night) if night else (None, None)
        statuses = None if self.statuses is None else list(self.statuses)
        return {**values, "statuses": statuses, "night_begin": begin, "night_end": end}


def about_chosen(name: str, chosen: ProblemFilter) -> sql.Composed:
    """Return a statement about the records that a filter lets through (`{chosen}`); it takes the filter's parameters.

    Only when a night is asked for the batches are looked at: as one condition among others they would be for each row.
    """
    stood = sql.SQL("({})").format(statement("review/problems.stood_in_night"))
    everything = sql.Identifier("quarantine", "problem_row")
    rows = statement("review/problems.chosen_problems").format(problems=stood if chosen.night else everything)
    return statement(name).format(chosen=rows)


def night_bounds(night: date) -> tuple[datetime, datetime]:
    """Return the begin of a day and of the next (Asia/Shanghai): what is entered between belongs to that night."""
    begin = datetime.combine(night, time(), CITY_TIME_ZONE)
    return begin, datetime.combine(night + timedelta(days=1), time(), CITY_TIME_ZONE)


@dataclass(frozen=True)
class ProblemRecord:
    """A problem record as it may be seen: `payload` is masked; None where no columns could be told apart.

    `text` then tells what came, masked, as far as it can be read.
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
    """Something that happened to a record; `done_by` is None for the pipeline itself."""

    event: str
    happened_at: datetime
    done_by: str | None
    reason: str | None
    batch_id: int | None
    return_id: int | None
    until_on: date | None


@dataclass(frozen=True)
class Tally:
    """How many records a feed has in a state, and since when the oldest waits.

    `overdue` are past their term, `due_soon` near it, `unreturned` are open for longer than they may be.
    """

    department: str
    feed: str
    status: Status
    number: int
    overdue: int
    due_soon: int
    unreturned: int
    oldest: datetime | None


def problems(
    connection: Connection,
    catalog: Catalog,
    chosen: ProblemFilter,
    *,
    offset: int = 0,
    limit: int | None = 100,
) -> Iterator[ProblemRecord]:
    """Read the records that a filter lets through, the newest first, masked."""
    query = about_chosen("review/problems.problems", chosen)
    values = {**chosen.parameters(), "skipped": offset, "limit": limit}
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, values)
        for row in cursor:
            yield _masked(row, catalog)


def count_problems(connection: Connection, chosen: ProblemFilter) -> int:
    """Count the records that a filter lets through."""
    query = about_chosen("review/problems.count_problems", chosen)
    row = connection.execute(query, chosen.parameters()).fetchone()
    assert row is not None
    return int(row[0])


def tally(connection: Connection, today: date, config: ReviewConfig, calendar: WorkingCalendar) -> list[Tally]:
    """Count all records by department, feed and state, with the terms of the review that matter on a day."""
    last_in_time, _ = night_bounds(day_before(calendar, today, config.return_within_working_days))
    values = {
        "today": today,
        "due_soon_until": calendar.add_working_days(today, config.remind_before_working_days),
        "return_before": last_in_time,
    }
    with connection.cursor(row_factory=class_row(Tally)) as cursor:
        return cursor.execute(statement("review/problems.tally"), values).fetchall()


def day_before(calendar: WorkingCalendar, today: date, working_days: int) -> date:
    """Return the last day since which as many working days have passed."""
    day = today
    while calendar.working_days_between(day, today) < working_days:
        day -= timedelta(days=1)
    return day


def unsolved_rules(connection: Connection, department: str | None, feed: str | None) -> dict[str, int]:
    """Return the rules by which unsolved records stand, with how many each, most first."""
    values = {"department": department, "feed": feed}
    return dict(connection.execute(statement("review/problems.rules_of"), values).fetchall())


def events(connection: Connection, problem_id: int) -> list[ProblemEvent]:
    """Return what happened to a record, the oldest first."""
    with connection.cursor(row_factory=class_row(ProblemEvent)) as cursor:
        return cursor.execute(statement("review/problems.events"), {"problem_id": problem_id}).fetchall()


def waive(
    connection: Connection, problem_ids: Sequence[int], done_by: str, reason: str, until_on: date | None, today: date
) -> int:
    """Waive open or returned records to the end of a day (None: for good); return how many were.

    Raises `ConfigurationError` without a name and a reason, or when the day is over.
    """
    _expect_said(done_by, reason)
    if until_on is not None and until_on < today:
        raise ConfigurationError(
            f"Expected a waiver that ends today ({today}) or later, got {until_on}. Name a later day, or none."
        )
    values = {"problem_ids": list(problem_ids), "done_by": done_by, "reason": reason, "until_on": until_on}
    return connection.execute(statement("review/problems.waive"), values).rowcount


def close(connection: Connection, problem_ids: Sequence[int], done_by: str, reason: str) -> int:
    """Write records off (销号): those that came right, and those that are waived for good; return how many were.

    Raises `ConfigurationError` without a name and a reason.
    """
    _expect_said(done_by, reason)
    values = {"problem_ids": list(problem_ids), "done_by": done_by, "reason": reason}
    return connection.execute(statement("review/problems.close"), values).rowcount


def end_waivers(connection: Connection, today: date) -> int:
    """Open the records anew whose waiver ended before `today`; return how many were."""
    return connection.execute(statement("review/problems.end_waivers"), {"today": today}).rowcount


def close_corrected(connection: Connection, solved_before: datetime) -> int:
    """Write off what came right before a moment; return how many were."""
    return connection.execute(statement("review/problems.close_corrected"), {"solved_before": solved_before}).rowcount


def _expect_said(done_by: str, reason: str) -> None:
    if not done_by.strip() or not reason.strip():
        raise ConfigurationError("Expected who decides and why, got a blank. Both are kept as evidence: say them.")


def _masked(row: dict[str, Any], catalog: Catalog) -> ProblemRecord:
    payload, content = row.pop("payload"), row.pop("payload_bytes")
    length = row.pop("payload_length")
    row.pop("record_key")
    try:
        feed = catalog.feed(row["department"], row["feed"])
        masked = None if payload is None else mask_payload(payload, feed, catalog)
    except CatalogError:
        # Of a feed that is no longer in the catalogue nobody knows what its columns mean.
        masked = None if payload is None else dict.fromkeys(payload)
    text = None if content is None else _shown(bytes(content), length)
    return ProblemRecord(**row, payload=masked, text=text)


def _shown(content: bytes, length: int) -> str:
    """Return the begin of a line that is no row, with every text in it that may name a person masked."""
    text = content[:_BYTES_SHOWN].decode("utf-8", "replace")
    if "\ufffd" in text[:-1]:
        text = content[:_BYTES_SHOWN].decode("gb18030", "replace")
    kept = mask_text(text)
    # Names cannot be told in it: of each run of Chinese characters the first one stays.
    covered = "".join(
        character if not "\u4e00" <= character <= "\u9fff" or not "\u4e00" <= before <= "\u9fff" else "*"
        for before, character in zip(" " + kept, kept, strict=False)
    )
    return f"{covered}…（共{length}字节）" if length > _BYTES_SHOWN else covered
