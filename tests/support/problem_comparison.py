"""Compare the problem records after a night, and what the store holds, with the simulator's truth, one by one."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.rows import dict_row

from simulator.problem_lives import ProblemNight
from simulator.problem_truth import Event, Problem, Stored

Connection = psycopg.Connection[dict[str, Any]]

_PROBLEMS = """
with numbered as (
    select batch_id, row_number() over (order by batch_id) as number from ledger.batch
)

select
    q.*, f.number as batch, l.number as last_batch, convert_from(q.payload_bytes, 'UTF8') as text,
    q.opened_at::date as opened_on, q.first_opened_at::date as first_opened_on,
    q.solved_at::date as solved_on, q.closed_at::date as closed_on
from quarantine.problem_row as q
inner join numbered as f on q.first_batch_id = f.batch_id
inner join numbered as l on q.last_batch_id = l.batch_id
"""


def problem_ids(url: str, night: ProblemNight) -> dict[int, int]:
    """Return the ids of the records that are there already, by the numbers that they have in the truth."""
    with _connect(url) as connection:
        rows = _rows(connection)
    return {
        problem.number: rows[_place(problem)]["problem_id"] for problem in night.problems if _place(problem) in rows
    }


def differences(url: str, night: ProblemNight) -> list[str]:
    """Return what is not as the truth says, a line each."""
    with _connect(url) as connection:
        return [*_problems(connection, night), *_stored(connection, night)]


def _connect(url: str) -> Connection:
    options = "-c timezone=Asia/Shanghai"
    return psycopg.connect(url.replace("+psycopg", ""), row_factory=dict_row, options=options)


def _place(problem: Problem) -> tuple[int, int]:
    """Return the batch, counted from 1, and the line that opened a record: by these it is known here and there."""
    return problem.batch, problem.line_no


def _rows(connection: Connection) -> dict[tuple[int, int], dict[str, Any]]:
    return {(row["batch"], row["first_row_no"]): row for row in connection.execute(_PROBLEMS)}


def _problems(connection: Connection, night: ProblemNight) -> Iterable[str]:
    rows = _rows(connection)
    truth = {_place(problem): problem for problem in night.problems}
    for place in sorted(rows.keys() - truth.keys()):
        row = rows[place]
        yield f"{place} should not be there: {row['status']} {row['rules']} {row['payload'] or row['text']}"
    for place in sorted(truth.keys() - rows.keys()):
        yield f"{place} is missing: {truth[place]}"
    events: dict[int, list[Event]] = {}
    for row in connection.execute(
        "select problem_id, event, happened_at::date as on, done_by, until_on from quarantine.problem_event"
        " order by event_id"
    ):
        events.setdefault(row.pop("problem_id"), []).append(Event(**row))
    numbers = {rows[place]["problem_id"]: truth[place].number for place in rows.keys() & truth.keys()}
    for place in sorted(rows.keys() & truth.keys()):
        problem, row = truth[place], rows[place]
        columns = None if problem.row.torn else dict(problem.row.values)
        text = problem.row.line if problem.row.torn else None
        pairs: dict[str, tuple[object, object]] = {
            **{name: (getattr(problem, name), row[name]) for name in _SAME},
            "record_key": (problem.row.key, row["record_key"]),
            "payload": (columns, row["payload"]),
            "text": (text, row["text"]),
            "rules": (list(problem.rules), sorted(row["rules"])),
            "times_seen": (len(problem.seen_on), row["times_seen"]),
            "last_row_no": (problem.last_line_no, row["last_row_no"]),
            "return_id": (problem.returned_with, row["return_id"]),
            "replaced_by": (problem.replaced_by, numbers.get(row["replaced_by_problem_id"])),
            "events": (list(problem.events), events.get(row["problem_id"], [])),
        }
        for name, (wanted, came) in pairs.items():
            if wanted != came:
                yield f"{place}, record {row['problem_id']}: {name} must be {wanted!r}, is {came!r}"


_SAME = (
    "last_batch", "status", "solution", "attempts", "opened_on", "first_opened_on", "due_on", "waived_until",
    "solved_on", "closed_on",
)  # fmt: skip


def _stored(connection: Connection, night: ProblemNight) -> Iterable[str]:
    store = {
        row["record_key"]: Stored(row["holder"], row["issue_date"], row["address"], row["removal"] == "disappeared")
        for row in connection.execute(
            "select record_key, holder, issue_date, extension ->> '住所' as address, removal from store.certificate"
        )
    }
    for key in sorted(store.keys() | night.stored.keys()):
        if store.get(key) != night.stored.get(key):
            yield f"certificate {key} must be {night.stored.get(key)}, is {store.get(key)}"
    loaded = {
        row["record_key"]
        for row in connection.execute(
            "select c.record_key from store.certificate as c inner join ledger.batch as b on c.batch_id = b.batch_id"
            " where b.origin <> 'delivery' and c.loaded_at::date = %s",
            (night.day,),
        )
    }
    if loaded != night.loaded:
        yield f"the redrive must load {sorted(night.loaded)}, it loaded {sorted(loaded)}"
