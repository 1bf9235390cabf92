"""Compare two stores that got the same nights: each version of each record, and the life of each problem record.

Numbers and times of batches differ: a batch is named by its run, a time that is the landing of a batch by that run.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql
from tests.support.seals import seal_everything

from zhengku.audit import verify

_TABLES = """
select c.relname, c.relname like '%\\_history'
from pg_catalog.pg_class as c
where c.relnamespace = 'store'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
order by c.relname
"""

# The same for a table of the store and for its history, of which only the latter knows what replaced a version.
_VERSIONS = sql.SQL("""
select (to_jsonb(v) - array['batch_id', 'replaced_by_batch_id', 'loaded_at', 'replaced_at', 'warning_set']
    || jsonb_build_object(
        'written by', regexp_replace(b.run_id, '-again$', ''),
        'replaced by', regexp_replace(r.run_id, '-again$', ''),
        'warnings', w.rules,
        'version_at', coalesce(a.run_id, v.version_at::text),
        'removed_at', coalesce(g.run_id, v.removed_at::text)
    ))::text
from {} as v
left join ledger.batch as b on v.batch_id = b.batch_id
left join ledger.batch as r on r.batch_id = (to_jsonb(v) ->> 'replaced_by_batch_id')::bigint
left join ledger.warning_set as w on w.warning_set = (to_jsonb(v) ->> 'warning_set')::integer
left join landing as a on (v.department, v.feed, v.version_at) = (a.department, a.feed, a.landed_at)
left join landing as g on (v.department, v.feed, v.removed_at) = (g.department, g.feed, g.landed_at)
""")

# The same wrong row may come again after its problem was settled: its problem records are counted.
_PROBLEMS = """
with numbered as (
    select
        *,
        row_number() over (partition by department, feed, fingerprint order by problem_id) as occurrence
    from quarantine.problem_row
)

select (to_jsonb(q) - array[
        'problem_id', 'first_batch_id', 'last_batch_id', 'corrected_by_batch_id', 'replaced_by_problem_id', 'return_id',
        'opened_at', 'first_opened_at', 'updated_at', 'solved_at', 'closed_at'
    ]
    || jsonb_build_object(
        'opened by', regexp_replace(f.run_id, '-again$', ''),
        'seen by', regexp_replace(l.run_id, '-again$', ''),
        'solved by', regexp_replace(s.run_id, '-again$', ''),
        'replaced by', jsonb_build_array(n.fingerprint, n.occurrence),
        'version_at', coalesce(a.run_id, q.version_at::text),
        'returned by', t.made_by,
        'events', (
            select jsonb_agg(
                jsonb_build_array(
                    e.event, e.done_by, e.reason, e.until_on, e.return_id = q.return_id,
                    regexp_replace(b.run_id, '-again$', '')
                ) order by e.event_id
            )
            from quarantine.problem_event as e
            left join ledger.batch as b on e.batch_id = b.batch_id
            where e.problem_id = q.problem_id
        )
    ))::text
from numbered as q
left join ledger.batch as f on q.first_batch_id = f.batch_id
left join ledger.batch as l on q.last_batch_id = l.batch_id
left join ledger.batch as s on q.corrected_by_batch_id = s.batch_id
left join numbered as n on q.replaced_by_problem_id = n.problem_id
left join quarantine.problem_return as t on q.return_id = t.return_id
left join landing as a on (q.department, q.feed, q.version_at) = (a.department, a.feed, a.landed_at)
"""

_LANDING = """
create temporary table landing as
select department, feed, landed_at, regexp_replace(min(run_id), '-again$', '') as run_id
from ledger.batch
group by department, feed, landed_at
"""

# What a batch counts as written must be the versions that bear its number, in the store and in the history; and it must
# have replaced a version for each that is not the first of its record.
_BALANCE = sql.SQL("""
with version as ({}),

found as (
    select
        b.batch_id,
        b.status,
        b.inserted + b.updated + b.deleted + b.disappeared as counted,
        (select count(*) from version as v where v.batch_id = b.batch_id) as written,
        (select count(*) from version as v where v.batch_id = b.batch_id and v.version_no > 1) as later,
        (select count(*) from version as v where v.replaced_by = b.batch_id) as replaced
    from ledger.batch as b
)

select format(
    'batch %s (%s) counts %s versions: there are %s, %s of them not the first, and %s that it replaced',
    batch_id, status, counted, written, later, replaced
)
from found
where written <> counted or replaced <> later or status not in ('loaded', 'held', 'rejected')
""")


def differences_between(url: str, undisturbed_url: str) -> list[str]:
    """Return what a store has otherwise than one that got the same nights without kills, a line each."""
    with _connect(url) as ours, _connect(undisturbed_url) as theirs:
        for connection in (ours, theirs):
            connection.execute(_LANDING)
        found = []
        for table, _ in ours.execute(_TABLES).fetchall():
            versions = _VERSIONS.format(sql.Identifier("store", table))
            found += _differing(table, ours.execute(versions), theirs.execute(versions))
        found += _differing("problem record", ours.execute(_PROBLEMS.encode()), theirs.execute(_PROBLEMS.encode()))
        return found


def compared_rows(url: str) -> dict[str, int]:
    """Return how many rows of each kind `differences_between` compares."""
    with _connect(url) as connection:
        tables = connection.execute(_TABLES).fetchall()
        sizes: Counter[str] = Counter()
        for table, is_history in tables:
            sizes["replaced versions" if is_history else "records"] += _count(connection, "store", table)
        sizes["problem records"] = _count(connection, "quarantine", "problem_row")
        sizes["problem events"] = _count(connection, "quarantine", "problem_event")
        return dict(sizes)


def evidence_faults(url: str) -> list[str]:
    """Seal the evidence; return what is not as it was sealed, and which batches do not balance with their versions."""
    with _connect(url) as connection:
        seal = seal_everything(connection)
        found = [f"evidence: {finding}" for finding in verify(connection)]
        if not seal.sealed_rows:
            found.append(f"the night left no evidence: {seal}")
        parts = [
            sql.SQL("select batch_id, version_no, {} as replaced_by from {}").format(
                sql.SQL("replaced_by_batch_id" if is_history else "null::bigint"), sql.Identifier("store", table)
            )
            for table, is_history in connection.execute(_TABLES).fetchall()
        ]
        found += [row[0] for row in connection.execute(_BALANCE.format(sql.SQL(" union all ").join(parts)))]
        return found


def _connect(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), options="-c timezone=Asia/Shanghai")


def _count(connection: psycopg.Connection[tuple[Any, ...]], schema: str, table: str) -> int:
    [row] = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table)))
    return int(row[0])


def _differing(what: str, ours: Iterable[tuple[Any, ...]], theirs: Iterable[tuple[Any, ...]]) -> list[str]:
    got, wanted = Counter(row[0] for row in ours), Counter(row[0] for row in theirs)
    return [
        *(f"{what}: without kills there is not: {row}" for row in sorted((got - wanted).elements())[:3]),
        *(f"{what}: only without kills there is: {row}" for row in sorted((wanted - got).elements())[:3]),
    ]
