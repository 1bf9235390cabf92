"""Cases and evaluations written straight into the store, as batches would, for the tests of daily clearance.

`Store` keeps them in the database, with versions and history; `Lists` says in plain Python what the lists must hold.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from zhengku.catalog import load_catalog
from zhengku.catalog.clearance_config import ClearanceConfig
from zhengku.catalog.working_days import WorkingCalendar
from zhengku.clearance.publish import DailyClearance
from zhengku.clock import CITY_TIME_ZONE
from zhengku.load.store_table import StoreTable
from zhengku.settings import Settings, project_home

CASES = "unified_acceptance/service_cases"
EVALUATIONS = "service_evaluation/evaluations"

CONFIG = ClearanceConfig(
    working_cutoff="16:30",  # type: ignore[arg-type]
    working_latest="16:50",  # type: ignore[arg-type]
    final_latest="06:00",  # type: ignore[arg-type]
    deadline_working_days=5,
    archive_after_working_days=60,
    correction_days=7,
    suspicious_seconds=10,
    burst_ratings=10,
    burst_minutes=5,
    callback_working_days=1,
    rectification_working_days=15,
    reveals_per_hour=60,
    sources=(CASES, EVALUATIONS),
)


def at(text: str) -> datetime:
    """Read a moment of Asia/Shanghai in 2026: `03-02 10:00`."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CITY_TIME_ZONE)


def day(text: str) -> date:
    """Read a day of 2026: `03-02`."""
    return date.fromisoformat(f"2026-{text}")


@dataclass(frozen=True)
class Case:
    case_number: str
    finished_at: datetime | None
    service_number: str = "1"
    service_item_code: str | None = "421000000001"
    service_item_name: str | None = "居住证申领"
    case_kind: str | None = "instant"
    case_state: str | None = "finished"
    is_internal: str | None = "no"
    case_channel: str | None = "window"
    applicant: str | None = "张某某"
    phone: str | None = "13800001234"
    accepted_at: datetime | None = None
    district: str | None = "echeng"
    handling_department: str | None = "鄂州市公安局"
    hall: str | None = "鄂城区虚构政务服务大厅"
    window: str | None = "1号"
    handler: str | None = "李某"
    removal: str | None = None

    @property
    def key(self) -> str:
        return f"{self.case_number}|{self.service_number}"


@dataclass(frozen=True)
class Evaluation:
    evaluation_number: str
    case_number: str | None
    evaluated_at: datetime | None
    service_number: str | None = "1"
    level: str | None = "very_satisfied"
    evaluation_channel: str | None = "terminal"
    is_default: str | None = "no"
    is_effective: str | None = "yes"
    is_real_name: str | None = "yes"
    reason: str | None = None
    device: str | None = None
    evaluation_window: str | None = None
    called_back_at: datetime | None = None
    rectified_at: datetime | None = None
    removal: str | None = None

    @property
    def key(self) -> str:
        return self.evaluation_number


class Store:
    """The store of one test's database, and the publishing over it."""

    def __init__(self, url: str, config: ClearanceConfig = CONFIG, calendar: WorkingCalendar | None = None) -> None:
        self.settings = Settings(
            home=project_home(),
            environment={"ZHENGKU_DATABASE_URL": url},
        )
        self.config = config
        self.catalog = load_catalog(self.settings.catalog_folder)
        self.clearance = DailyClearance(self.settings, self.catalog, config, calendar)
        self.connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        self.connection.execute("set timezone to 'Asia/Shanghai'")
        self.cases: dict[str, Case] = {}
        self.evaluations: dict[str, Evaluation] = {}

    def close(self) -> None:
        self.connection.close()

    def batch(self, source: str, read_at: datetime, status: str = "loaded", window_end: datetime | None = None) -> int:
        """Enter a batch without rows, as read at a moment."""
        department, _, feed = source.partition("/")
        row = self.connection.execute(
            "insert into ledger.batch (department, feed, dataset, run_id, status, source_name, source_bytes,"
            " source_modified_at, window_end, sha256, landing_path, landed_at, config_digest, fetched, finished_at,"
            " rule_id, reason)"
            " values (%s, %s, %s, gen_random_uuid(), %s, 'made up', 0, %s, %s, 'x', 'x', %s, 'x', 0, now(), 'x', 'x')"
            " returning batch_id",
            [
                department,
                feed,
                "service_case" if source == CASES else "evaluation",
                status,
                read_at,
                window_end,
                read_at,
            ],
        ).fetchone()
        assert row is not None
        return int(row[0])

    def load(self, *rows: Case | Evaluation, read_at: datetime | None = None) -> None:
        """Load rows as one batch of each data set; a row of a key that is known becomes its next version."""
        read_at = read_at or at("01-01 00:00")
        with self.connection.transaction():
            for kind, source, table in ((Case, CASES, "service_case"), (Evaluation, EVALUATIONS, "evaluation")):
                chosen = [row for row in rows if isinstance(row, kind)]
                if not chosen:
                    continue
                batch_id = self.batch(source, read_at)
                for row in chosen:
                    self._write(row, table, batch_id)
        for row in rows:
            (self.cases if isinstance(row, Case) else self.evaluations)[row.key] = row  # type: ignore[assignment]

    def _write(self, row: Case | Evaluation, table: str, batch_id: int) -> None:
        store = sql.Identifier("store", table)
        names = StoreTable(table, None, tuple(self.catalog.standard_fields(table))).names
        self.connection.execute(
            sql.SQL(
                "insert into {history} ({kept}, replaced_by_batch_id, replaced_at)"
                " select {kept_of_store}, %s, now() from {store} as s where record_key = %s"
            ).format(**names),
            [batch_id, row.key],
        )
        known = self.connection.execute(
            sql.SQL("delete from {} where record_key = %s returning version_no").format(store), [row.key]
        ).fetchone()
        values: dict[str, Any] = {
            **vars(row),
            "record_key": row.key,
            "removed_at": None if row.removal is None else at("01-01 00:00"),
            "extension": Jsonb({}),
            "version_at": at("01-01 00:00"),
            "version_no": known[0] + 1 if known else 1,
            "row_hash": 0,
            "department": "x",
            "feed": "x",
            "batch_id": batch_id,
            "row_no": 1,
            "loaded_at": at("01-01 00:00"),
        }
        self.connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                store,
                sql.SQL(", ").join(map(sql.Identifier, values)),
                sql.SQL(", ").join(map(sql.Placeholder, values)),
            ),
            values,
        )

    def rewrite(self, statement: str) -> None:
        """Change evidence, as somebody who switches off what guards it: for a past that a test needs."""
        with self.connection.transaction():
            self.connection.execute("set local session_replication_role to replica")
            self.connection.execute(statement.encode())

    def query(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        result = self.connection.execute(statement.encode(), parameters or None)
        return result.fetchall() if result.description else []


@dataclass
class Listed:
    section: str
    state: str
    since: date


@dataclass
class Kept:
    """A list in the memory of `Lists`: its versions, each as key → row; `yesterday` of each version."""

    day: date
    kind: str
    cutoff_at: datetime
    archive_after: int
    archived_total: int = 0
    versions: list[dict[str, Listed]] = field(default_factory=list)
    counts: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def last_moment(self) -> datetime:
        """The last moment that counts for it: 24:00 of a day belongs to the next."""
        return self.cutoff_at - timedelta(microseconds=1) if self.kind == "final" else self.cutoff_at

    @property
    def newest(self) -> dict[str, Listed]:
        return self.versions[-1]


class Lists:
    """What the lists must hold, by the words of docs/daily-clearance.md, computed from all facts each time."""

    def __init__(self, config: ClearanceConfig, calendar: WorkingCalendar) -> None:
        self.config = config
        self.calendar = calendar
        self.lists: dict[tuple[date, str], Kept] = {}
        self.archived: dict[str, datetime] = {}
        self._shown: dict[date, list[tuple[date, str, int]]] = {}

    def unrated(self, store: Store, moment: datetime) -> dict[str, str]:
        """Key → section of every service that is unrated at a moment."""
        found: dict[str, str] = {}
        for case in store.cases.values():
            if (
                case.case_state != "finished"
                or case.finished_at is None
                or case.is_internal == "yes"
                or case.removal is not None
                or case.finished_at > moment
            ):
                continue
            made = [
                evaluation
                for evaluation in store.evaluations.values()
                if (evaluation.case_number, evaluation.service_number) == (case.case_number, case.service_number)
                and evaluation.is_effective == "yes"
                and evaluation.removal is None
                and evaluation.evaluated_at is not None
                and evaluation.evaluated_at <= moment
            ]
            if any(evaluation.is_default != "yes" for evaluation in made):
                continue
            found[case.key] = "default_rated" if made else "unrated"
        return found

    def age(self, store: Store, key: str, on: date) -> int:
        finished_at = store.cases[key].finished_at
        assert finished_at is not None
        return self.calendar.working_days_between(finished_at.astimezone(CITY_TIME_ZONE).date(), on)

    def publish(self, store: Store, on: date, kind: str) -> Kept:
        known = self.lists.get((on, kind))
        reference = max([on, *(kept.day for kept in self.lists.values())])
        first = reference - timedelta(days=self.config.correction_days)
        finals = [kept for (_, of_kind), kept in self.lists.items() if of_kind == "final" and kept.day >= first]
        # How many versions of each list were out before the first list of the day.
        if all(of_day != on for of_day, _ in self.lists):
            self._shown[on] = [(kept.day, kept.kind, len(kept.versions)) for kept in self.lists.values()]
        # A working list that is published for the first time leaves corrections to the night's final list.
        for kept in sorted(finals, key=lambda kept: kept.day) if known or kind == "final" else ():
            self._correct(store, kept)
        if known is not None:
            self._correct(store, known)
            return known
        cutoff_at = self.config.cutoff(on, kind)  # type: ignore[arg-type]
        is_trunk = all(kept.cutoff_at < cutoff_at for kept in self.lists.values())
        kept = Kept(on, kind, cutoff_at, self.config.archive_after_working_days)
        rows: dict[str, Listed] = {}
        for key, section in self.unrated(store, kept.last_moment).items():
            if self.archived.get(key, cutoff_at + timedelta(1)) <= cutoff_at:
                continue
            if self.age(store, key, on) > kept.archive_after:
                if is_trunk and key not in self.archived:
                    self.archived[key] = cutoff_at
                # What is late archives nothing, and counts what it would have.
                kept.archived_total += not is_trunk
                continue
            rows[key] = self._new_row(key, section, on)
        kept.archived_total += sum(archived_at <= cutoff_at for archived_at in self.archived.values())
        self._add(store, kept, rows)
        self.lists[on, kind] = kept
        return kept

    def _yesterday(self, on: date) -> dict[str, Listed]:
        shown = {of_day: count for of_day, kind, count in self._shown[on] if kind == "final" and of_day < on}
        return self.lists[max(shown), "final"].versions[shown[max(shown)] - 1] if shown else {}

    def _new_row(self, key: str, section: str, on: date) -> Listed:
        yesterday = self._yesterday(on)
        if key in yesterday:
            return Listed(section, "carried_over", yesterday[key].since)
        earlier = [
            self.lists[of_day, of_kind].versions[:shown] for of_day, of_kind, shown in self._shown[on] if of_day < on
        ]
        if any(key in rows for versions in earlier for rows in versions):
            return Listed(section, "reopened", on)
        return Listed(section, "new", on)

    def _correct(self, store: Store, kept: Kept) -> None:
        now = {
            key: section
            for key, section in self.unrated(store, kept.last_moment).items()
            if self.archived.get(key, kept.cutoff_at + timedelta(1)) > kept.cutoff_at
            and (key in kept.newest or self.age(store, key, kept.day) <= kept.archive_after)
        }
        if now == {key: row.section for key, row in kept.newest.items()}:
            return
        rows = {
            key: replace(kept.newest[key], section=section)
            if key in kept.newest
            else self._new_row(key, section, kept.day)
            for key, section in now.items()
        }
        self._add(store, kept, rows)

    def _add(self, store: Store, kept: Kept, rows: dict[str, Listed]) -> None:
        yesterday = self._yesterday(kept.day)
        reasons = [0, 0, 0]
        for key in yesterday.keys() - rows.keys():
            # Whoever is too old for this list left by age, whether it, a later one or none has archived it.
            is_archived = self.archived.get(key, kept.cutoff_at + timedelta(1)) <= kept.cutoff_at or (
                key in self.unrated(store, kept.last_moment) and self.age(store, key, kept.day) > kept.archive_after
            )
            reasons[2 if is_archived else 0 if self._is_rated(store, key, kept.last_moment) else 1] += 1
        kept.versions.append(rows)
        kept.counts.append((reasons[0], reasons[1], reasons[2]))

    @staticmethod
    def _is_rated(store: Store, key: str, moment: datetime) -> bool:
        case = store.cases[key]
        return any(
            (evaluation.case_number, evaluation.service_number) == (case.case_number, case.service_number)
            and evaluation.is_effective == "yes"
            and evaluation.removal is None
            and evaluation.is_default != "yes"
            and evaluation.evaluated_at is not None
            and evaluation.evaluated_at <= moment
            for evaluation in store.evaluations.values()
        )
