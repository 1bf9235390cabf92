"""Returns (退回): problem records sent back to their department, in files and, where configured, in its database.

The files are NOT masked, since the department must find its own rows: they are stored only in that department's folder,
which only the pipeline's account can read, and each hand-over is recorded. A return is recorded before its files are
written; when the process crashes in between, `Returns.finish` writes them.
"""

import logging
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from psycopg.types.json import Jsonb

from zhengku.catalog import Catalog, Feed
from zhengku.catalog.review_config import ReviewConfig, load_review
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, RecordNotFound, ZhengkuError
from zhengku.ledger import Connection
from zhengku.report.published_files import open_unchanged
from zhengku.report.sheets import atomic_write
from zhengku.review.return_files import ReturnFiles, file_record
from zhengku.review.return_records import ProblemReturn, list_returns, return_by_id
from zhengku.settings import Settings
from zhengku.transports.registry import connector_of

log = logging.getLogger(__name__)


class Returns:
    """Makes and writes the returns of one installation."""

    def __init__(self, settings: Settings, catalog: Catalog, config: ReviewConfig | None = None) -> None:
        self.settings = settings
        self.catalog = catalog
        self._config = config
        self._files = ReturnFiles(settings, catalog)

    @cached_property
    def config(self) -> ReviewConfig:
        """The settings of the review (`review.yaml`)."""
        return self._config or load_review(self.settings.catalog_folder)

    def folder(self, department: str) -> Path:
        """Return the folder of a department's returns."""
        return self.settings.return_folder / department

    def make(
        self,
        department: str,
        made_by: str,
        now: datetime,
        problem_ids: Sequence[int] | None = None,
        *,
        reason: str | None = None,
        request_id: int | None = None,
    ) -> ProblemReturn:
        """Return the open problem records of a department (or only `problem_ids`), write its files, and hand them over.

        The due day counts from the day of `now` (with a zone). `reason` is recorded in the records' events,
        `request_id` is the request that the return is made for. Raises `ConfigurationError` without a name or when
        no record is open, and what `write` raises.
        """
        if not made_by.strip():
            raise ConfigurationError(
                "Expected who returns the problem records, got a blank. The name is recorded: give it."
            )
        self.catalog.department(department)
        today = now.astimezone(CITY_TIME_ZONE).date()
        calendar = WorkingCalendar.load(self.settings.catalog_folder, today)
        due_on = calendar.add_working_days(today, self.config.correct_within_working_days)
        values: dict[str, Any] = {
            "department": department,
            "made_by": made_by.strip(),
            "reason": reason,
            "request_id": request_id,
            "due_on": due_on,
            "problem_ids": None if problem_ids is None else list(problem_ids),
        }
        with store_connection(self.settings.database_url) as connection:
            row = connection.execute(statement("review/returns.begin_return"), values).fetchone()
            assert row is not None
            values["return_id"] = row[0]
            number = connection.execute(statement("review/returns.return_open"), values).rowcount
            if not number:
                raise ConfigurationError(
                    f"{department} has no open problem records"
                    f"{' among those that are named' if problem_ids is not None else ''}: nothing is returned. "
                    "`zhengku problems list` shows what there is."
                )
            connection.execute(statement("review/returns.count_return"), {**values, "problems": number})
        return self.write(int(values["return_id"]))

    def finish(self) -> list[ProblemReturn]:
        """Write the files of the returns that have none because their process crashed; return these returns.

        One that cannot be written does not stop the others; the first error is raised at the end.
        """
        with store_connection(self.settings.database_url) as connection:
            unwritten = list_returns(connection, unwritten=True, limit=1_000)
        finished: list[ProblemReturn] = []
        failures: list[ZhengkuError | OSError] = []
        for one in unwritten:
            try:
                finished.append(self.write(one.return_id))
            except (ZhengkuError, OSError) as error:
                log.warning("Return %d: %s", one.return_id, error)
                failures.append(error)
        if failures:
            raise failures[0]
        return finished

    def write(self, return_id: int) -> ProblemReturn:
        """Write (or overwrite) the files of a return, and its rows in the exchange databases; return it.

        The same return gives the same rows. Raises `ConfigurationError` when there is no such return, `SourceRefused`
        when an exchange database does not take the rows, `DeliveryUnavailable` when one cannot be reached,
        `FileNotWritten`.
        """
        with store_connection(self.settings.database_url) as connection:
            made = return_by_id(connection, return_id)
            feeds = connection.execute(statement("review/returns.returned_feeds"), {"return_id": return_id}).fetchall()
            counts = {feed: int(number) for feed, number in feeds}
            folder = self.folder(made.department) / f"{return_id:06d}"
            workbook = folder / f"问题数据退回_{self.catalog.department(made.department).name}_第{return_id}号.xlsx"
            files = [workbook]
            self._files.write_workbook(connection, made, counts, workbook)
            for feed_id in counts:
                path = folder / f"问题数据退回_第{return_id}号_{feed_id}.csv"
                self._files.write_csv(connection, made, feed_id, path)
                files.append(path)
            written = [file_record(path) for path in files]
            for one in written:
                _record_hand_over(connection, return_id, "folder", one.name, one.sha256)
            # The hand-over of the files is valid even where an exchange database fails.
            connection.commit()
            for feed_id in counts:
                feed = self.catalog.feed(made.department, feed_id)
                if (place := feed.transport.returns_to) is not None:
                    self._write_at_source(connection, made, feed)
                    _record_hand_over(connection, return_id, "exchange_table", place)
            connection.execute(
                statement("review/returns.finish_return"),
                {"return_id": return_id, "files": Jsonb([vars(one) for one in written])},
            )
            return return_by_id(connection, return_id)

    def hand_over(self, return_id: int, name: str, handed_over_by: str) -> BinaryIO:
        """Open a file of a return for a person's download, and record the hand-over.

        Raises `RecordNotFound` when the return has no such file, `FileChanged` when it is not the file that was
        written.
        """
        with store_connection(self.settings.database_url) as connection:
            made = return_by_id(connection, return_id)
            path = self.folder(made.department) / f"{return_id:06d}" / name
            digests = {file["name"]: file["sha256"] for file in made.files or ()}
            if name not in digests or not path.is_file():
                raise RecordNotFound(
                    f"Return {return_id} has no file {name!r} in {self.folder(made.department)}. "
                    f"`zhengku problems return --again {return_id}` writes its files again."
                )
            file = open_unchanged(path, digests[name])
            values = {
                "return_id": return_id,
                "item": name,
                "handed_over_by": handed_over_by,
                "sha256": digests[name],
            }
            connection.execute(statement("review/returns.record_download"), values)
        return file

    def remind(self, now: datetime) -> list[str]:
        """Remind the departments whose returned problems are overdue or due soon; return these departments.

        A reminder is a file in the department's folder; the next one replaces it; it is removed when nothing is due.
        """
        today = now.astimezone(CITY_TIME_ZONE).date()
        calendar = WorkingCalendar.load(self.settings.catalog_folder, today)
        soon = calendar.add_working_days(today, self.config.remind_before_working_days)
        with store_connection(self.settings.database_url) as connection:
            waiting = [one for one in list_returns(connection, limit=100_000) if one.waiting and one.due_on <= soon]
        reminded: list[str] = []
        for department in self.catalog.departments.values():
            path = self.folder(department.department) / "整改提醒.txt"
            mine = [one for one in waiting if one.department == department.department]
            if not mine:
                path.unlink(missing_ok=True)
                continue
            lines = [f"{department.name}：", "", f"截至 {today}，贵单位下列问题数据尚未更正："]
            lines += [
                f"    第{one.return_id}号退回单：{one.waiting:,} 条，整改期限 {one.due_on}"
                f"（{'已逾期' if one.due_on < today else '即将到期'}）"
                for one in sorted(mine, key=lambda one: one.due_on)
            ]
            lines += ["", "请按退回单更正后，按原渠道重新提供；更正的数据通过校验即自动销号。"]
            with atomic_write(path) as aside:
                aside.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8-sig")
            reminded.append(department.department)
        return reminded

    def _write_at_source(self, connection: Connection, made: ProblemReturn, feed: Feed) -> None:
        """Write the rows of a return to the table that the feed's transport names for them."""
        address = self.settings.connection(feed.transport.connection)
        row_id = feed.transport.row_columns
        rows = [
            {
                "return_id": made.return_id,
                "problem_id": line.problem_id,
                "feed": feed.id,
                "row_key": "|".join(f"{column}={line.payload.get(column) or ''}" for column in row_id),
                "wrong_columns": line.columns,
                "wrong_values": line.values,
                "reason": line.reason,
                "expected": line.expected,
                "example": line.example,
                "due_on": made.due_on,
                "returned_at": made.made_at.astimezone(CITY_TIME_ZONE).replace(tzinfo=None),
            }
            for line in self._files.rows(connection, made, feed)
        ]
        # Rows of an earlier attempt are replaced.
        mine = {"return_id": made.return_id, "feed": feed.id}
        connector_of(feed).write_returned(address, RETURN_COLUMNS, rows, mine)


RETURN_COLUMNS = (
    "return_id",
    "problem_id",
    "feed",
    "row_key",
    "wrong_columns",
    "wrong_values",
    "reason",
    "expected",
    "example",
    "due_on",
    "returned_at",
)
"""Columns of the table of an exchange database that returned records are written to."""


def _record_hand_over(
    connection: Connection, return_id: int, channel: str, item: str, sha256: str | None = None
) -> None:
    values = {"return_id": return_id, "channel": channel, "item": item, "sha256": sha256}
    connection.execute(statement("review/returns.record_hand_over"), values)
