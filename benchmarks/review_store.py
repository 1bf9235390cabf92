"""A store for `benchmarks.review`, filled by SQL: certificates of all types, nights of batches, and problem records.

Every feed of the shipped catalogue has a batch per night. A record's payload has all columns of its feed, under their
own names, and its rules are of the feed's suites; a few feeds have most of the records, as in practice.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from psycopg import sql

from zhengku.catalog import Catalog, Feed
from zhengku.clock import CITY_TIME_ZONE
from zhengku.database import open_store
from zhengku.settings import Settings
from zhengku.transports.file_drop.model import FileDrop
from zhengku.validate.suites import BATCH_SUITE, Rule, load_suites

TONIGHT = date(2026, 11, 25)
NIGHTS = 31
"""With the last one: 30 nights are before it."""

_LARGEST = ("market_supervision", "business_license")
_RETURNS_EVERY = 3
"""The nights after which every department gets a return."""

# Shares of all records: those received tonight for the first time, and those received again.
_NEW_TONIGHT = 0.12
_AGAIN_TONIGHT = 0.08

CERTIFICATES = """
insert into certificate_of.{} (
    license_type, record_key, certificate_number, certificate_name, issue_date, issuing_authority, district, holder,
    holder_code, status, source_updated_at, extension, version_at, version_no, row_hash, department, feed, batch_id,
    row_no, loaded_at, removed_at, removal
)
select
    {}, 'C' || lpad(n::text, 12, '0'), 'C' || lpad(n::text, 12, '0'), %(title)s,
    date '2008-01-01' + (n %% 6500)::integer, '鄂州市虚构第' || n %% 40 || '局',
    (array['echeng', 'huarong', 'liangzihu', 'gedian', 'linkong'])[1 + n %% 5],
    '张' || chr((19968 + n %% 5000)::integer) || '某', '42070' || lpad((n * 7919 %% 10000000000000)::text, 13, '0'),
    'valid', %(at)s, '{{}}', %(at)s, 1, n, %(department)s, %(feed)s, %(batch_id)s, n, %(at)s,
    case when n %% 50 = 0 then %(at)s end, case when n %% 50 = 0 then 'disappeared' end
from generate_series(1::bigint, %(count)s) as n
"""

# Problems of a batch: every eleventh of an earlier night was received again tonight, and none of these is solved.
PROBLEMS = """
insert into quarantine.problem_row (
    department, feed, dataset, license_type, record_key, first_batch_id, first_row_no, last_batch_id, last_row_no,
    times_seen, rules, reasons, payload, payload_bytes, payload_length, payload_offset, payload_sha256, fingerprint,
    version_at, status, opened_at, first_opened_at, updated_at, attempts, solution, return_id, due_on, waived_until,
    corrected_by_batch_id, solved_at, closed_at
)
select
    %(department)s, %(feed)s, %(dataset)s, %(license_type)s, case when readable then 'C' || lpad(n::text, 12, '0') end,
    %(batch_id)s, n, last_batch_id, n, case when last_batch_id > %(batch_id)s then 1 + n %% 9 else 1 end,
    case when readable then rules else array['row.ragged'] end,
    case when readable then reasons else array['列数与表头不符'] end,
    case when readable then {payload} end,
    case when not readable then convert_to('鄂州虚构某,' || n || ',42070119900101' || n %% 10000, 'UTF8') end,
    case when not readable then 40 end, case when not readable then n * 100 end,
    case when not readable then md5(n::text) end, md5(n::text), %(at)s, status, %(at)s, %(at)s, now(),
    case when h %% 25 = 0 then 2 else 1 end, solution, return_id,
    case when return_id is not null then %(due_on)s::date end,
    case when status = 'waived' and h %% 2 = 0 then %(due_on)s::date + 90 end,
    case when solution = 'corrected' then last_batch_id end,
    case when solution is not null then now() end, case when status = 'closed' then now() end
from generate_series(%(from)s::bigint, %(from)s::bigint + %(count)s - 1) as n
cross join lateral (
    select
        n * 7919 %% 100 as h,
        not %(is_file)s::boolean or n %% 200 <> 0 as readable,
        -- The first rules of a feed fail most.
        1 + floor(%(rule_count)s * power((hashint8(n) & 65535) / 65536.0, 2))::integer as rule_no,
        n %% 11 = 0 and %(tonight_id)s > %(batch_id)s as came_again
) as one
cross join lateral (
    select
        case when came_again then %(tonight_id)s else (%(batches)s::bigint[])[1 + n %% %(batch_count)s] end
            as last_batch_id,
        case when h %% 5 = 0 then rule_no + 1 else rule_no end as last_rule_no,
        case
            when came_again then case when h < 50 then 'open' when h < 92 then 'returned' else 'waived' end
            when %(batch_id)s >= %(tonight_id)s then case when h < 95 then 'open' else 'waived' end
            when h < 15 then 'open' when h < 35 then 'returned' when h < 40 then 'waived' when h < 55 then 'corrected'
            else 'closed'
        end as state
) as two
cross join lateral (
    select
        case when %(return_id)s::bigint is null and state = 'returned' then 'open' else state end as status,
        (%(rules)s::text[])[rule_no:last_rule_no] as rules,
        (%(reasons)s::text[])[rule_no:last_rule_no] as reasons,
        case
            when state = 'corrected' then 'corrected'
            when state = 'closed' then case when h < 85 then 'corrected' when h < 95 then 'gone' else 'waived' end
        end as solution,
        case when state in ('returned', 'corrected', 'closed') then %(return_id)s::bigint end as return_id
) as three
"""

BATCH = """
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, sha256,
    landing_path, landed_at, recorded_at, config_digest, columns, fetched, staged, inserted, unchanged, quarantined,
    held, warned, repeats_batch_id, rule_id, reason, finished_at
)
values (
    %(department)s, %(feed)s, %(dataset)s, %(license_type)s, gen_random_uuid(), %(status)s, %(source_name)s, 0, %(at)s,
    gen_random_uuid()::text, 'x', %(at)s, %(at)s, 'x', %(columns)s, %(fetched)s, %(fetched)s, %(inserted)s,
    %(unchanged)s, %(quarantined)s, %(held)s, %(warned)s, %(repeats)s, %(rule_id)s, %(reason)s, %(at)s
)
returning batch_id
"""
SHAPES = """
insert into ledger.column_shape (
    batch_id, place, column_name, sampled, filled, digits, dates, han, average_length
)
select
    %(batch_id)s, c.place, c.name, 1000, 990, case when c.place = %(changed)s then 900 else 10 end, 0,
    case when c.place = %(changed)s then 0 else 900 end, 12
from unnest(%(columns)s::text[]) with ordinality as c (name, place)
"""
RETURN = """
insert into quarantine.problem_return (department, made_at, made_by, due_on, files)
values (%(department)s, %(at)s, 'zhang', %(due_on)s, '[]')
returning return_id
"""

# Written after the records: their events, returns, decisions and requests.
FINISH = (
    """
insert into quarantine.problem_event (problem_id, event, happened_at, done_by, return_id)
select q.problem_id, 'returned', r.made_at, r.made_by, r.return_id
from quarantine.problem_row as q
inner join quarantine.problem_return as r on q.return_id = r.return_id
order by r.return_id, q.problem_id
""",
    """
insert into quarantine.problem_event (problem_id, event, batch_id)
select problem_id, solution, corrected_by_batch_id
from quarantine.problem_row
where solution in ('corrected', 'gone')
order by problem_id
""",
    """
insert into quarantine.problem_event (problem_id, event, done_by, reason)
select problem_id, case status when 'waived' then 'waived' else 'closed' end, 'zhang', '虚构事由'
from quarantine.problem_row
where status in ('waived', 'closed')
order by problem_id
""",
    """
update quarantine.problem_return as r
set problems = (select count(*) from quarantine.problem_row as q where q.return_id = r.return_id)
""",
    """
insert into quarantine.hand_over (return_id, channel, item, handed_over_by)
select r.return_id, 'folder', 'file ' || n, 'zhengku'
from quarantine.problem_return as r
cross join generate_series(1, 3) as n
""",
    """
insert into ledger.decision (batch_id, decision, decided_by, reason)
select batch_id, 'rejected', 'zhang', '虚构事由' from ledger.batch where status = 'rejected'
""",
    """
insert into review.request (kind, department, asked_by, reason, finished_at, outcome)
select 'return', department, 'zhang', '虚构事由', case when n > 3 then now() end, case when n > 3 then '虚构结果' end
from (select row_number() over (order by return_id desc) as n, department from quarantine.problem_return) as r
""",
)


@dataclass(frozen=True)
class Stream:
    """A feed with its share of all records, and the form of its records."""

    feed: Feed
    share: float
    columns: list[str]
    payload: sql.Composable
    rules: list[Rule]
    results: list[Rule]

    @property
    def place(self) -> dict[str, Any]:
        """The values that identify the feed: department, feed, data set, license type."""
        feed = self.feed
        kind = {"dataset": feed.dataset, "license_type": feed.license_type}
        return {"department": feed.department, "feed": feed.id, **kind}


def streams(settings: Settings, catalog: Catalog) -> list[Stream]:
    """Return all feeds, the largest first; the share of a feed falls with its rank."""
    feeds = [feed for department in catalog.departments.values() for feed in department.feeds.values()]
    Random(1).shuffle(feeds)
    feeds.sort(key=lambda feed: (feed.department, feed.id) != _LARGEST)
    weights = [1 / (rank + 2) for rank in range(len(feeds))]
    return [
        _stream(settings, catalog, feed, weight / sum(weights)) for feed, weight in zip(feeds, weights, strict=True)
    ]


def _stream(settings: Settings, catalog: Catalog, feed: Feed, share: float) -> Stream:
    standard = catalog.standard_fields(feed.dataset)
    values: dict[str, str] = {}
    for name, mapping in feed.fields.items():
        if mapping.column is not None:
            values.setdefault(mapping.column, _value(standard[name].kind, standard[name].personal))
    for extra in feed.extension.values():
        if extra.column is not None:
            values.setdefault(extra.column, _value("text", extra.personal))
    pairs = [part for name, value in values.items() for part in (sql.Literal(name), sql.SQL(value))]
    rules = [rule for suite in load_suites(settings.suite_folder, feed.suites) for rule in suite.rules]
    batch_rules = [rule for suite in load_suites(settings.suite_folder, [BATCH_SUITE]) for rule in suite.rules]
    return Stream(
        feed,
        share,
        list(values),
        sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pairs)),
        [rule for rule in rules if rule.severity == "critical" and _is_asked(rule, feed)],
        rules + batch_rules,
    )


def _is_asked(rule: Rule, feed: Feed) -> bool:
    return all(field in feed.fields or field.startswith("extension.") for field in rule.meta.fields)


def _value(kind: str, personal: str) -> str:
    """Return an SQL expression of `n` for a value of a field."""
    if personal == "identity":
        return "'42070' || lpad((n * 7919 %% 10000000000000)::text, 13, '0')"
    if personal == "name":
        return "'张' || chr((19968 + n %% 5000)::integer) || '某'"
    if personal == "people":
        return "'张某、李某42070119900101' || n %% 10000"
    if kind in ("date", "end_date"):
        return "(date '2008-01-01' + (n %% 6500)::integer)::text"
    if kind == "timestamp":
        return "(timestamp '2026-10-01' + make_interval(mins => (n %% 70000)::integer))::text"
    return "'虚构内容' || n %% 1000" if kind == "code" else "'鄂州市虚构内容第' || n %% 1000 || '号'"


class StoreMaker:
    """Fills an empty store."""

    def __init__(self, url: str, catalog: Catalog, found: Sequence[Stream], problems: int) -> None:
        self.connection = open_store(url)
        self.connection.autocommit = True
        self.catalog = catalog
        self.streams = found
        self.problems = problems
        self.made = 0
        self.nights = [TONIGHT - timedelta(days=back) for back in range(NIGHTS - 1, -1, -1)]
        self.batches: dict[str, list[int]] = {}
        """Batches with rows of their own, by night and feed."""
        self.results: list[tuple[Any, ...]] = []

    def certificates(self, count: int) -> None:
        """Fill the partitions before building their keys and indexes, as the first load of a type does."""
        delivered = [stream for stream in self.streams if stream.feed.license_type is not None]
        total = sum(stream.share for stream in delivered)
        for stream in delivered:
            license_type = stream.feed.license_type
            assert license_type is not None
            partition, key = sql.Identifier("certificate_of", license_type), sql.Literal(license_type)
            self.connection.execute(
                sql.SQL(
                    "create table {} (like store.certificate including constraints,"
                    " constraint one_type check (license_type = {}))"
                ).format(partition, key)
            )
            values = {**stream.place, "title": stream.feed.title, "count": round(count * stream.share / total)}
            fill = sql.SQL(CERTIFICATES).format(sql.Identifier(license_type), key)
            self.connection.execute(fill, {**values, "batch_id": 1, "at": moment(self.nights[0])})
            self.connection.execute(
                sql.SQL("alter table store.certificate attach partition {} for values in ({})").format(partition, key)
            )
            self.connection.execute(sql.SQL("alter table {} drop constraint one_type").format(partition))
            self.connection.execute(sql.SQL("vacuum analyze {}").format(partition))

    def ledger(self) -> None:
        """Make the batches of all nights with the results of the rules, and batches that were held or rejected."""
        for night_no, night in enumerate(self.nights):
            for place, stream in enumerate(self.streams):
                self._batch(night_no, moment(night, place), stream, place)
            for stream in self.streams[-2:]:
                self._enter(stream, moment(night, 100), "rejected", 0, quarantined=0)
        for stream in self.streams[-7:-2]:
            self._enter(stream, moment(TONIGHT, 110), "held", 20_000, quarantined=0)
        with self.connection.cursor().copy(
            "copy ledger.rule_result (batch_id, rule_id, severity, failed_rows, skipped) from stdin"
        ) as copy:
            for row in self.results:
                copy.write_row(row)

    def _batch(self, night_no: int, at: datetime, stream: Stream, place: int) -> None:
        is_tonight = night_no == NIGHTS - 1
        mine = self.batches.setdefault(stream.feed.id, [])
        # Two feeds deliver tonight the file of yesterday.
        repeats = mine[-1] if is_tonight and place in (20, 30) else None
        quarantined = int(self.problems * stream.share * (0.2 if is_tonight else 0.88 / (NIGHTS - 1))) + 1
        columns = stream.columns[:-1] if is_tonight and place % 7 == 0 else stream.columns
        batch_id = self._enter(
            stream, at, "loaded", quarantined * 24, quarantined=quarantined, columns=columns, repeats=repeats
        )
        mine.append(repeats or batch_id)
        if night_no >= NIGHTS - 2:
            changed = 1 if is_tonight and place % 5 == 0 else 0
            self.connection.execute(SHAPES, {"batch_id": batch_id, "columns": columns, "changed": changed})
        self.results += _rule_results(stream, batch_id, quarantined, is_tonight=is_tonight)

    def _enter(
        self,
        stream: Stream,
        at: datetime,
        status: str,
        fetched: int,
        *,
        quarantined: int,
        columns: Sequence[str] = (),
        repeats: int | None = None,
    ) -> int:
        is_loaded = status == "loaded"
        values = {
            **stream.place,
            "at": at,
            "status": status,
            "source_name": f"虚构_{at:%Y%m%d}.csv",
            "columns": list(columns),
            "fetched": fetched,
            "inserted": fetched - quarantined - quarantined * 3 if is_loaded else 0,
            "unchanged": quarantined * 3,
            "quarantined": quarantined,
            "held": fetched if status == "held" else 0,
            "warned": quarantined * 2,
            "repeats": repeats,
            "rule_id": None if is_loaded else "batch.quarantined_share.held",
            "reason": None if is_loaded else "虚构原因",
        }
        return self._number(BATCH, values)

    def _number(self, statement: str, values: dict[str, Any]) -> int:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        return int(row[0])

    def quarantine(self) -> None:
        """Make the problem records night by night, with their returns and other events."""
        returns: dict[str, int | None] = {}
        for night_no, night in enumerate(self.nights):
            # A return has the records of the nights before it.
            due_on = night + timedelta(days=7 + _RETURNS_EVERY)
            if night_no % _RETURNS_EVERY == 0:
                returns = self._returns(night_no, night)
            if night_no == NIGHTS - 1:
                # The rows of tonight are not in the visibility map yet, as in the morning after a night.
                self.connection.execute("vacuum analyze quarantine.problem_row")
            for stream in self.streams:
                self._problems(night_no, night, stream, returns[stream.feed.department], due_on)
        for statement in FINISH:
            self.connection.execute(statement)
        self.connection.execute("analyze quarantine.problem_row")
        self.connection.execute("vacuum analyze quarantine.problem_event, ledger.batch, ledger.rule_result")

    def _returns(self, night_no: int, night: date) -> dict[str, int | None]:
        departments = {stream.feed.department for stream in self.streams}
        if night_no + _RETURNS_EVERY >= NIGHTS:
            # The newest records are not returned yet.
            return dict.fromkeys(departments)
        at = moment(night + timedelta(days=_RETURNS_EVERY), 600)
        values = {"at": at, "due_on": at.date() + timedelta(days=7)}
        return {name: self._number(RETURN, {**values, "department": name}) for name in sorted(departments)}

    def _problems(self, night_no: int, night: date, stream: Stream, return_id: int | None, due_on: date) -> None:
        is_tonight = night_no == NIGHTS - 1
        batches = self.batches[stream.feed.id]
        share = stream.share * (_NEW_TONIGHT if is_tonight else (1 - _NEW_TONIGHT) / (NIGHTS - 1))
        # Records not seen again tonight were seen last in an earlier night.
        until = batches[night_no : max(night_no + 1, NIGHTS - 2)]
        values = {
            **stream.place,
            "batch_id": batches[night_no],
            "batches": until,
            "batch_count": len(until),
            "tonight_id": batches[-1],
            "from": self.made + 1,
            "count": round(self.problems * share),
            "is_file": isinstance(stream.feed.transport, FileDrop),
            "rules": [rule.rule_id for rule in stream.rules],
            "reasons": [rule.reason for rule in stream.rules],
            "rule_count": len(stream.rules),
            "at": moment(night, 300),
            "return_id": return_id,
            "due_on": due_on,
        }
        self.made += self.connection.execute(sql.SQL(PROBLEMS).format(payload=stream.payload), values).rowcount


def _rule_results(stream: Stream, batch_id: int, quarantined: int, *, is_tonight: bool) -> Iterator[tuple[Any, ...]]:
    failed = {
        rule.rule_id: round(quarantined * (((no + 1) / len(stream.rules)) ** 0.5 - (no / len(stream.rules)) ** 0.5))
        for no, rule in enumerate(stream.rules)
        # The last one is new.
        if is_tonight or no < len(stream.rules) - 1
    }
    for no, rule in enumerate(stream.results):
        number = failed.get(rule.rule_id, 0) if rule.severity == "critical" else quarantined * (no % 5 == 0)
        is_skipped = rule not in stream.rules and not _is_asked(rule, stream.feed)
        yield batch_id, rule.rule_id, rule.severity, 0 if is_skipped else number, is_skipped


def moment(night: date, minutes: int = 0) -> datetime:
    return datetime.combine(night, time(1), CITY_TIME_ZONE) + timedelta(minutes=minutes)
