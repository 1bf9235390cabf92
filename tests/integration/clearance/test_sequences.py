"""Lists published in any order, late, again and corrected, against an account of another shape.

`tests.support.clearance_facts.Lists` keeps lists as the product does, one set of rows after the other, and both once
had the same blind spots: no sequence of its few made a row that a correction or a late list alone had shown. Here
nothing is kept but a diary, one line for each service on each version that came out; what a row must be is read back
out of the diary and of the facts, service by service.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from random import Random

import pytest
from tests.support.clearance_facts import CONFIG, Case, Evaluation, Store, at, day

from zhengku.clearance import list_rows, list_versions
from zhengku.clearance.list_versions import ListVersion

SEQUENCES = int(os.environ.get("ZHENGKU_CLEARANCE_SEQUENCES", "6"))
ARCHIVE_AFTER, CORRECTION_DAYS = 5, 4
CONFIGURED = CONFIG.model_copy(
    update={
        "deadline_working_days": 1,
        "archive_after_working_days": ARCHIVE_AFTER,
        "correction_days": CORRECTION_DAYS,
    }
)
FIRST_DAY = day("03-02")
DAYS, STEPS, SERVICES = 14, 30, 16


@dataclass(frozen=True)
class Line:
    """That a version showed a service."""

    serial: int
    on: date
    kind: str
    number: int
    key: str
    section: str
    since: date
    state: str


@dataclass(frozen=True)
class Out:
    """That a version came out, with who left since yesterday's by reason."""

    serial: int
    on: date
    kind: str
    number: int
    left: tuple[tuple[str, int], ...]
    archived_total: int


class Diary:
    """What came out, and what must come out next."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.works = {known.day for known in store.clearance.calendar(FIRST_DAY).days if known.is_working}
        self.lines: list[Line] = []
        self.out: list[Out] = []
        self.gone: dict[str, tuple[date, int]] = {}
        self.until: dict[date, int] = {}

    # The facts, of one service and one list

    def standing(self, key: str, on: date, kind: str) -> str | None:
        """Return the section in which a service stands by the facts alone; `rated`, or None for what is not asked."""
        case = self.store.cases[key]
        if case.case_state != "finished" or case.is_internal == "yes" or case.removal or case.finished_at is None:
            return None
        if not counts(case.finished_at, on, kind):
            return None
        found = "unrated"
        for rating in self.store.evaluations.values():
            if f"{rating.case_number}|{rating.service_number}" != key or rating.is_effective != "yes" or rating.removal:
                continue
            if rating.evaluated_at is None or not counts(rating.evaluated_at, on, kind):
                continue
            if rating.is_default != "yes":
                return "rated"
            found = "default_rated"
        return found

    def too_old(self, key: str, on: date) -> bool:
        finished_at = self.store.cases[key].finished_at
        assert finished_at is not None
        passed = finished_at.date() + timedelta(days=1)
        worked = 0
        while passed <= on:
            worked += passed in self.works
            passed += timedelta(days=1)
        return worked > ARCHIVE_AFTER

    def had_gone(self, key: str, on: date, kind: str) -> bool:
        return key in self.gone and self.gone[key] <= place(on, kind)

    # The diary

    def shown_before(self, key: str, on: date, until: int) -> list[Line]:
        return [line for line in self.lines if line.key == key and line.serial < until and line.on < on]

    def yesterday(self, on: date, until: int) -> Out | None:
        finals = [out for out in self.out if out.kind == "final" and out.on < on and out.serial < until]
        return max(finals, key=lambda out: (out.on, out.number), default=None)

    def rows_of(self, out: Out | None) -> dict[str, Line]:
        return {line.key: line for line in self.lines if out is not None and line.serial == out.serial}

    def enter(
        self, on: date, kind: str, number: int, sections: dict[str, str], until: int, archived_total: int
    ) -> None:
        """Write down a version with these services; who was on the version before keeps state and since."""
        serial = len(self.out)
        before = {(line.on, line.kind, line.number, line.key): line for line in self.lines}
        yesterday = self.rows_of(self.yesterday(on, until))
        for key, section in sections.items():
            known = before.get((on, kind, number - 1, key))
            if known is not None:
                state, since = known.state, known.since
            elif key in yesterday:
                state, since = "carried_over", yesterday[key].since
            else:
                state, since = "reopened" if self.shown_before(key, on, until) else "new", on
            self.lines.append(Line(serial, on, kind, number, key, section, since, state))
        left: Counter[str] = Counter()
        for key in yesterday.keys() - sections.keys():
            stands = self.standing(key, on, kind)
            if self.had_gone(key, on, kind):
                left["archived"] += 1
            elif stands == "rated":
                left["cleared"] += 1
            elif stands is not None and self.too_old(key, on):
                left["archived"] += 1
            elif self.rated_whatever(key, on, kind):
                left["cleared"] += 1
            else:
                left["withdrawn"] += 1
        self.out.append(Out(serial, on, kind, number, tuple(sorted(left.items())), archived_total))

    def rated_whatever(self, key: str, on: date, kind: str) -> bool:
        """Tell whether there is an own rating by then, of a service that is not to be rated, too."""
        return any(
            f"{rating.case_number}|{rating.service_number}" == key
            and rating.is_effective == "yes"
            and not rating.removal
            and rating.is_default != "yes"
            and rating.evaluated_at is not None
            and counts(rating.evaluated_at, on, kind)
            for rating in self.store.evaluations.values()
        )

    def correct(self, on: date, kind: str, until: int) -> None:
        """Write down one more version of a list where it is not what the facts say."""
        newest = max((out for out in self.out if (out.on, out.kind) == (on, kind)), key=lambda out: out.number)
        shown = self.rows_of(newest)
        sections = {}
        for key in self.store.cases:
            stands = self.standing(key, on, kind)
            if stands not in ("unrated", "default_rated") or self.had_gone(key, on, kind):
                continue
            if key in shown or not self.too_old(key, on):
                sections[key] = stands
        if sections != {key: line.section for key, line in shown.items()}:
            self.enter(on, kind, newest.number + 1, sections, until, newest.archived_total)

    def publish(self, on: date, kind: str) -> None:
        known = {(out.on, out.kind) for out in self.out}
        # What a day is judged against was out before its first list, and before what was corrected with that.
        until = self.until.setdefault(on, len(self.out))
        latest = max([on, *(of_day for of_day, _ in known)])
        is_first_working = kind == "working" and (on, kind) not in known
        for of_day in sorted(of_day for of_day, of_kind in known if of_kind == "final"):
            if not is_first_working and (latest - of_day).days <= CORRECTION_DAYS:
                self.correct(of_day, "final", self.until[of_day])
        if (on, kind) in known:
            self.correct(on, kind, until)
            return
        is_late = any(place(of_day, of_kind) > place(on, kind) for of_day, of_kind in known)
        sections, old = {}, set()
        for key in self.store.cases:
            stands = self.standing(key, on, kind)
            if stands not in ("unrated", "default_rated") or self.had_gone(key, on, kind):
                continue
            if self.too_old(key, on):
                old.add(key)
            else:
                sections[key] = stands
        total = sum(self.had_gone(key, on, kind) for key in self.gone) + len(old)
        if not is_late:
            self.gone |= {key: place(on, kind) for key in old if key not in self.gone}
        self.enter(on, kind, 1, sections, until, total)


def place(on: date, kind: str) -> tuple[date, int]:
    return on, ["working", "final"].index(kind)


def counts(moment: datetime, on: date, kind: str) -> bool:
    """Tell whether a moment counts for a list: by the calendar's day, and by the clock for a working list."""
    if moment.date() != on:
        return moment.date() < on
    return kind == "final" or (moment.hour, moment.minute, moment.second) <= (16, 30, 0)


def some_moment(random: Random, around: date) -> datetime:
    on = at("03-01 00:00").replace(month=around.month, day=around.day) - timedelta(
        days=random.choice([0, 0, 0, 1, 1, 2, 3, 6])
    )
    clock = random.choice([(0, 0, 0), (9, 0, 0), (12, 0, 0), (16, 30, 0), (16, 30, 1), (18, 0, 0), (23, 59, 59)])
    return on + timedelta(hours=clock[0], minutes=clock[1], seconds=clock[2])


def some_facts(random: Random, store: Store, around: date) -> list[Case | Evaluation]:
    """New cases, some of them long finished; ratings made, ruled invalid, or valid again; cases withdrawn and back."""
    rows: dict[str, Case | Evaluation] = {}
    for _ in range(random.choice([1, 2, 3, 4])):
        number = str(random.randrange(SERVICES))
        known = store.cases.get(f"{number}|1")
        if known is None:
            rows[number] = Case(number, some_moment(random, around), handler=random.choice(["李某", None]))
        else:
            turn = random.choice(["withdrawn", "finished", "finished", "finished", "moved", "renamed"])
            if turn == "moved":
                rows[number] = replace(known, finished_at=some_moment(random, around))
            elif turn == "renamed":
                rows[number] = replace(known, handler=random.choice(["王某", "孙某"]))
            else:
                rows[number] = replace(known, case_state=turn)
    for _ in range(random.choice([1, 2, 3, 4])):
        number = f"E{random.randrange(SERVICES)}"
        rating = store.evaluations.get(number)
        if rating is not None and random.random() < 0.75:
            rows[number] = replace(rating, is_effective="no" if rating.is_effective == "yes" else "yes")
        else:
            rows[number] = Evaluation(
                number,
                str(random.randrange(SERVICES)),
                some_moment(random, around),
                is_default=random.choice(["no", "no", "no", "yes"]),
            )
    return list(rows.values())


def steps(random: Random) -> list[tuple[date, str]]:
    """Which list is published when: forward mostly, some late, out of order, again, with gaps."""
    chosen, today = [], 0
    for _ in range(STEPS):
        kind = random.choice(["working", "final", "final"])
        if random.random() < 0.3 and today:
            chosen.append((FIRST_DAY + timedelta(days=today - random.randrange(min(today + 1, 5))), kind))
            continue
        today = min(DAYS, today + random.choice([0, 1, 1, 1, 2]))
        chosen.append((FIRST_DAY + timedelta(days=today), kind))
    return chosen


def as_shown(store: Store, found: ListVersion) -> dict[str, tuple[str, str, date]]:
    with store.connection.transaction():
        rows = list(list_rows.listed_rows(store.connection, store.catalog, found))
    since = dict(
        store.query(
            "select record_key, since_day from clearance.list as l, clearance.rows_of(l.base_list, l.corrections)"
            " where l.list_id = %s",
            found.list_id,
        )
    )
    return {row.record_key: (row.section, row.state, since[row.record_key]) for row in rows}


def check(store: Store, diary: Diary) -> Counter[str]:
    """Compare all that came out with the diary; return how often each state and reason occurred."""
    assert store.query("select day, kind, version from clearance.list order by list_id") == [
        (out.on, out.kind, out.number) for out in diary.out
    ]
    met: Counter[str] = Counter()
    for out in diary.out:
        found = list_versions.published_version(store.connection, out.on, out.kind, out.number)
        assert found is not None
        rows = diary.rows_of(out)
        assert as_shown(store, found) == {key: (row.section, row.state, row.since) for key, row in rows.items()}, out
        is_counted = Counter({"unrated": 0, "default_rated": 0, "new": 0, "carried_over": 0, "reopened": 0})
        is_counted.update(row.section for row in rows.values())
        is_counted.update(row.state for row in rows.values())
        left = dict(out.left)
        shown = found.counts
        assert {name: getattr(shown, name) for name in is_counted} == is_counted, out
        assert {name: getattr(shown, name) for name in ("cleared", "withdrawn", "archived")} == {
            name: left.get(name, 0) for name in ("cleared", "withdrawn", "archived")
        }, out
        assert shown.archived_total == out.archived_total, out
        gone = list_rows.left_services(store.connection, found)
        assert Counter(row.reason for row in gone) == left, out
        yesterday_rows = diary.rows_of(diary.yesterday(out.on, diary.until[out.on]))
        assert {row.record_key: row.section for row in gone} == {
            key: line.section for key, line in yesterday_rows.items() if key not in rows
        }, out
        assert len(yesterday_rows) - sum(left.values()) + shown.new + shown.reopened == len(rows), out
        met.update(row.state for row in rows.values())
        met.update(left)
        met["corrected"] += out.number > 1
    return met


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, SEQUENCES + 1))])
def test_lists_published_in_any_order_are_those_of_the_diary(database_url, seed):
    random = Random(seed)
    store = Store(database_url, CONFIGURED)
    diary = Diary(store)
    store.load(*some_facts(random, store, FIRST_DAY), *some_facts(random, store, FIRST_DAY))
    for on, kind in steps(random):
        if random.random() < 0.75:
            store.load(*{row.key: row for row in some_facts(random, store, on)}.values())
        store.clearance.publish(on, kind, at("03-31 12:00"))
        diary.publish(on, kind)
    met = check(store, diary)
    # What did not occur is not proved.
    assert min(met[name] for name in ("new", "carried_over", "reopened", "cleared", "archived", "corrected")) > 0, met
    store.close()
