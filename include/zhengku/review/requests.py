"""Requests (处理请求): actions that the section requests on the pages and a worker executes, as they take time.

A failed request has the reason in its outcome. One whose worker crashed is executed again and continues what was done.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from zhengku import clock
from zhengku.database import statement, store_connection
from zhengku.errors import ConfigurationError, ZhengkuError
from zhengku.ledger import Connection
from zhengku.operations.reconcile import Reconciliation
from zhengku.operations.redrive import redrive
from zhengku.pipeline.pipeline import Pipeline
from zhengku.review import decisions
from zhengku.review.returns import Returns

log = logging.getLogger(__name__)

RequestKind = Literal["return", "redrive", "release", "reject", "mend"]
"""As stored in `review.request`; `mend` fixes differences that a reconciliation found."""

DECISIONS: tuple[RequestKind, ...] = ("release", "reject")
"""The kinds that are decisions about a held batch."""

REQUEST_NAMES: Mapping[RequestKind, str] = {
    "return": "退回部门",
    "redrive": "重新处理",
    "release": "放行批次",
    "reject": "退回批次",
    "mend": "比对补正",
}


@dataclass(frozen=True)
class Request:
    """A request; `problem_ids` None means all, `outcome` is its result in Chinese."""

    request_id: int
    kind: RequestKind
    department: str
    feed: str | None
    batch_id: int | None
    problem_ids: list[int] | None
    asked_by: str
    reason: str
    asked_at: datetime
    finished_at: datetime | None
    failed: bool
    outcome: str | None


def enter_request(
    connection: Connection,
    kind: RequestKind,
    department: str,
    asked_by: str,
    reason: str,
    *,
    feed: str | None = None,
    batch_id: int | None = None,
    problem_ids: Sequence[int] | None = None,
) -> int:
    """Record a request; return its number. Raises `ConfigurationError` without a name and a reason."""
    if not asked_by.strip() or not reason.strip():
        raise ConfigurationError("Expected who asks and why, got a blank. Both are recorded: give both.")
    values = {
        "kind": kind,
        "department": department,
        "feed": feed,
        "batch_id": batch_id,
        "problem_ids": None if problem_ids is None else list(problem_ids),
        "asked_by": asked_by.strip(),
        "reason": reason.strip(),
    }
    row = connection.execute(statement("review/requests.ask"), values).fetchone()
    assert row is not None
    return int(row[0])


def list_requests(connection: Connection, *, waiting: bool = False, limit: int = 50) -> list[Request]:
    """Return requests, the newest first; with `waiting` only those not executed yet."""
    with connection.cursor(row_factory=class_row(Request)) as cursor:
        return cursor.execute(statement("review/requests.requests"), {"waiting": waiting, "limit": limit}).fetchall()


def execute_requests(pipeline: Pipeline) -> list[Request]:
    """Execute the waiting requests, the oldest first; return them in their new state.

    A failed request does not stop the others. After a temporary error (a `ZhengkuError` that is not final) a request
    keeps waiting and is not returned; the first such error is raised at the end.
    """
    done: list[int] = []
    temporary: ZhengkuError | None = None
    with store_connection(pipeline.settings.database_url) as lock:
        # A lock of the session, so that no transaction stays open while files are written.
        lock.execute("select pg_advisory_lock(hashtextextended('zhengku.review.requests', 0))")
        waiting = list_requests(lock, waiting=True, limit=1_000)
        lock.commit()
        for request in reversed(waiting):
            try:
                outcome, failed = _execute(pipeline, request), False
            except ZhengkuError as error:
                log.warning("Request %d (%s of %s): %s", request.request_id, request.kind, request.department, error)
                if not error.final:
                    temporary = temporary or error
                    continue
                outcome, failed = f"未能执行：{error}", True
            values = {"request_id": request.request_id, "failed": failed, "outcome": outcome}
            lock.execute(statement("review/requests.finish_request"), values)
            lock.commit()
            done.append(request.request_id)
        if temporary is not None:
            raise temporary
        return [request for request in list_requests(lock, limit=1_000) if request.request_id in done]


def _execute(pipeline: Pipeline, request: Request) -> str:
    if request.kind == "return":
        return _return(pipeline, request)
    if request.kind == "redrive":
        assert request.feed is not None
        batches = redrive(
            pipeline, request.department, request.feed, request.asked_by, request.reason, request.problem_ids
        )
        counts: dict[str, int] = {}
        for batch in batches:
            for name, count in batch.counts().items():
                counts[name] = counts.get(name, 0) + count
        loaded = counts["inserted"] + counts["updated"] + counts["deleted"]
        return f"重新处理 {counts['fetched']:,} 行：入库 {loaded:,}，仍未通过 {counts['quarantined']:,}"
    if request.kind == "mend":
        return _fix(pipeline, request)
    assert request.batch_id is not None
    if request.kind == "reject":
        decisions.reject(pipeline.settings, pipeline.catalog, request.batch_id, request.asked_by, request.reason)
        return f"批次 {request.batch_id} 已整批退回"
    batch = decisions.release(pipeline, request.batch_id, request.asked_by, request.reason)
    return f"批次 {batch.batch_id} 已放行：入库 {batch.written:,} 行，隔离 {batch.quarantined:,} 行"


def _fix(pipeline: Pipeline, request: Request) -> str:
    assert request.feed is not None
    batches, withdrawn = Reconciliation(pipeline).fix_problems(
        request.department, request.feed, request.problem_ids or [], request.asked_by, request.reason
    )
    collected = f"补采 {len(batches)} 批，入库 {sum(batch.written for batch in batches):,} 行；" if batches else ""
    return f"{collected}撤下来源已无的 {withdrawn:,} 条" if withdrawn or not batches else collected.rstrip("；")


def _return(pipeline: Pipeline, request: Request) -> str:
    returns = Returns(pipeline.settings, pipeline.catalog)
    with store_connection(pipeline.settings.database_url) as connection:
        earlier = connection.execute(
            statement("review/requests.return_made_for"), {"request_id": request.request_id}
        ).fetchone()
    made = (
        returns.write(earlier[0])
        if earlier is not None
        else returns.make(
            request.department,
            request.asked_by,
            clock.now(),
            request.problem_ids,
            reason=request.reason,
            request_id=request.request_id,
        )
    )
    return f"第 {made.return_id} 号退回单：{made.problems:,} 条，{made.due_on} 前整改"
