"""Compare what a night left in the store, the quarantine and the ledger with the simulator's truth, row by row."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from simulator import text_habits
from simulator.drops import STRAY_LINK, STRAY_PIPE, STRAYS
from simulator.model import FilePlace, Night, NightDelivery
from zhengku.landed.loose_json import read_value

FATES = ("inserted", "updated", "unchanged", "deleted", "superseded", "duplicate", "quarantined", "held")
BOOKKEEPING = {
    "license_type", "record_key", "district_delivered", "extension", "version_at", "version_no", "row_hash",
    "row_no", "department", "feed", "batch_id", "loaded_at", "removed_at", "removal", "received_hash", "warning_set",
}  # fmt: skip


def differences(url: str, night: Night, batches_before: int, *, counts: bool = True) -> list[str]:
    """Return what is not as the truth says, a line each; `batches_before` is the newest batch before the night.

    Without `counts`, what each batch did, and which rules its rows failed, is not compared: where a run was killed, the
    rows may have come more than once, as unchanged ones.
    """
    found: list[str] = []
    with psycopg.connect(url.replace("+psycopg", ""), row_factory=dict_row) as connection:
        connection.execute("set timezone = 'Asia/Shanghai'")
        for delivery in night.deliveries:
            name = delivery.system.name
            batches = _batches(connection, delivery, batches_before)
            if counts:
                found += [f"{name}: {line}" for line in _counts(delivery, batches)]
                found += [f"{name}: {line}" for line in _rules(connection, delivery, batches)]
            found += [f"{name}: {line}" for line in _watermark(connection, delivery)]
            found += [f"{name}: {line}" for line in _store(connection, delivery)]
            found += [f"{name}: {line}" for line in _quarantine(connection, delivery, batches)]
            found += [f"{name}: {line}" for line in _untaken(connection, delivery)]
        found += [
            f"batch {row['batch_id']} does not balance"
            for row in connection.execute(
                "select batch_id from ledger.batch where status in ('loaded', 'held') and fetched <>"
                " inserted + updated + unchanged + deleted + superseded + duplicate + quarantined + held"
            )
        ]
        leftover = connection.execute("select nspname from pg_namespace where nspname like 'batch\\_%'").fetchall()
        found += [f"schema {row['nspname']} was left behind" for row in leftover]
    return found


def newest_batch(url: str) -> int:
    """Return the number of the newest batch, 0 when there is none."""
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("select coalesce(max(batch_id), 0) from ledger.batch").fetchone()
    assert row is not None
    return int(row[0])


def _batches(
    connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery, before: int
) -> list[dict[str, Any]]:
    return connection.execute(
        "select * from ledger.batch where department = %s and feed = %s and batch_id > %s order by batch_id",
        (delivery.system.department, delivery.system.feed, before),
    ).fetchall()


def _counts(delivery: NightDelivery, batches: Sequence[dict[str, Any]]) -> Iterable[str]:
    status = "held" if delivery.held else "loaded"
    broken_off = [
        batch for batch in batches if (batch["status"], batch["rule_id"]) == ("rejected", "file.not_workbook")
    ]
    if len(broken_off) != delivery.broken_off:
        yield f"expected {int(delivery.broken_off)} files to be rejected as broken off, got {len(broken_off)}"
    batches = [batch for batch in batches if batch not in broken_off]
    if [batch["status"] for batch in batches] != [status]:
        states = [(batch["batch_id"], batch["status"], batch["detail"]) for batch in batches]
        yield f"expected one {status} batch, got {states}"
        return
    [batch] = batches
    expected = Counter(row.fate for row in delivery.rows)
    got = {fate: batch[fate] for fate in FATES}
    if batch["dataset"] != delivery.system.dataset:
        yield f"expected a batch of {delivery.system.dataset}, got one of {batch['dataset']}"
    if batch["fetched"] != len(delivery.rows) or got != {fate: expected[fate] for fate in FATES}:
        yield f"expected {len(delivery.rows)} rows {dict(expected)}, got {batch['fetched']} rows {got}"
    if isinstance(delivery.system.place, FilePlace):
        footers = 0
        if "footers" in delivery.system.place.habits:
            names = [column.name for column in delivery.system.columns]
            footers = len(text_habits.footers(names)) + (delivery.system.place.form != "xlsx")
        if batch["footers"] != footers and batch["repeats_batch_id"] is None:
            yield f"expected {footers} footers, got {batch['footers']}"
    whole = getattr(delivery.system.place, "whole", False)
    if whole and (batch["compared"] == "compared") != delivery.compared:
        yield f"expected compared {delivery.compared}, got {batch['compared']}"


def _rules(
    connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery, batches: Sequence[dict[str, Any]]
) -> Iterable[str]:
    """Compare how many rows failed each rule, critical or not."""
    results = connection.execute(
        "select rule_id, sum(failed_rows)::int as failed_rows from ledger.rule_result"
        " where batch_id = any(%s) and failed_rows > 0 group by rule_id",
        ([batch["batch_id"] for batch in batches],),
    )
    got = {result["rule_id"]: result["failed_rows"] for result in results}
    expected = Counter(rule for row in delivery.rows for rule in (*row.rules, *row.warnings))
    expected.update(delivery.batch_rules)
    for rule in sorted(got.keys() | expected.keys()):
        if got.get(rule, 0) != expected[rule]:
            yield f"{rule}: {expected[rule]} rows must fail it, {got.get(rule, 0)} did"


def _watermark(connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery) -> Iterable[str]:
    row = connection.execute(
        "select position_at::timestamp from ledger.watermark where department = %s and feed = %s",
        (delivery.system.department, delivery.system.feed),
    ).fetchone()
    got = row and row["position_at"]
    if got != delivery.watermark:
        yield f"the watermark must stand at {delivery.watermark}, got {got}"


def _store(connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery) -> Iterable[str]:
    system = delivery.system
    rows = connection.execute(
        sql.SQL("select to_jsonb(s) as row from {} as s where department = %s and feed = %s").format(
            sql.Identifier("store", system.dataset)
        ),
        (system.department, system.feed),
    )
    kept = [row["row"] for row in rows]
    store = {row["record_key"]: row for row in kept if row.get("license_type", "") == system.license_type}
    truth = {stored.record_key: stored for stored in delivery.stored}
    for key in sorted(truth.keys() - store.keys())[:5]:
        yield f"record {key} is missing ({len(truth.keys() - store.keys())} in all)"
    for key in sorted(store.keys() - truth.keys())[:5]:
        yield f"record {key} should not be there ({len(store.keys() - truth.keys())} in all)"
    wrong: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for key in truth.keys() & store.keys():
        expected, got = truth[key], store[key]
        pairs: dict[str, tuple[object, object]] = {
            name: (expected.fields.get(name), _plain(name, got[name])) for name in got.keys() - BOOKKEEPING
        }
        pairs["extension"] = (dict(expected.extension), got["extension"])
        pairs["removal"] = (expected.removal, got["removal"])
        if expected.removed_at is not None:
            pairs["removed_at"] = (expected.removed_at, _plain("removed_at", got["removed_at"]))
        for name in expected.fields.keys() - got.keys():
            pairs[name] = (expected.fields[name], "no such column")
        for name, (wanted, came) in pairs.items():
            if wanted != came:
                wrong[name] += 1
                examples.setdefault(name, f"{key}: expected {wanted!r}, got {came!r}")
    for name, count in wrong.items():
        yield f"{name} differs in {count} records; {examples[name]}"


def _untaken(connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery) -> Iterable[str]:
    """Compare what was told of other files in the drop."""
    place = delivery.system.place
    if not isinstance(place, FilePlace):
        return
    rows = connection.execute(
        "select name from ledger.untaken_file where department = %s and starts_with(name, %s)",
        (delivery.system.department, f"{place.folder}/"),
    )
    got = {row["name"].removeprefix(f"{place.folder}/") for row in rows}
    told = {STRAY_LINK, STRAY_PIPE, *(name for name in STRAYS if not name.startswith((".", "~")))}
    wanted = told if "strays" in place.habits else set()
    if got != wanted:
        yield f"files that no feed takes: expected {sorted(wanted)} to be told, got {sorted(got)}"


def _plain(name: str, value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else None
    return str(value).replace("T", " ") if name.endswith("_at") and value else value


def _quarantine(
    connection: psycopg.Connection[dict[str, Any]], delivery: NightDelivery, batches: Sequence[dict[str, Any]]
) -> Iterable[str]:
    # What comes again byte for byte is not loaded again: its problem rows are still those of the first time.
    problems = connection.execute(
        "select p.* from quarantine.problem_row as p inner join ledger.batch as b on b.batch_id = p.last_batch_id"
        " where b.department = %s and b.feed = %s and b.sha256 = any(%s) order by p.last_batch_id, p.last_row_no",
        (delivery.system.department, delivery.system.feed, [batch["sha256"] for batch in batches]),
    ).fetchall()
    expected = sorted((row for row in delivery.rows if row.fate == "quarantined"), key=lambda row: row.row_id)
    if isinstance(delivery.system.place, FilePlace):
        # A file has no row numbers of its own: the order tells.
        wanted = [(place, sorted(row.rules)) for place, row in enumerate(expected)]
        got = [(place, sorted(problem["rules"])) for place, problem in enumerate(problems)]
    else:
        wanted = [(int(row.row_id), sorted(row.rules)) for row in expected]
        got = sorted((_row_id(problem, delivery), sorted(problem["rules"])) for problem in problems)
    for row, rules in [pair for pair in wanted if pair not in got][:4]:
        yield f"row {row} must be quarantined by {rules}, got {[r for n, r in got if n == row]}"
    open_rows = connection.execute(
        "select problem_id, payload, payload_bytes from quarantine.problem_row"
        " where department = %s and feed = %s and status in ('open', 'returned', 'waived')",
        (delivery.system.department, delivery.system.feed),
    )
    if delivery.corrected:
        standing = {_row_id(problem, delivery) for problem in open_rows}
        for row_id in sorted(standing & set(map(int, delivery.corrected))):
            yield f"row {row_id} was put right in its place, and its problem is still open"
    for row, rules in [pair for pair in got if pair not in wanted][:4]:
        yield f"row {row} was quarantined by {rules}, must be {[r for n, r in wanted if n == row]}"


def _row_id(problem: dict[str, Any], delivery: NightDelivery) -> int:
    assert delivery.system.row_id is not None
    # A row that is no record is kept as the bytes that came; they may be JSON that is nearly right.
    payload = problem["payload"] or read_value(bytes(problem["payload_bytes"]).decode())
    return int(payload[delivery.system.row_id])
