"""A chain of lists, each from what changed since the one before, equals lists from scratch, for facts of any kind."""

import os
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from tests.support.clearance_facts import CONFIG, Case, Evaluation, Kept, Lists, Store, at, day

from zhengku.catalog.clearance_config import KINDS
from zhengku.clearance import list_rows, list_versions
from zhengku.clearance.verification import discrepancies
from zhengku.clock import CITY_TIME_ZONE

CHAINS = int(os.environ.get("ZHENGKU_CLEARANCE_CHAINS", "6"))
CONFIGURED = CONFIG.model_copy(
    update={"deadline_working_days": 1, "archive_after_working_days": 4, "correction_days": 3}
)
FIRST_DAY = day("03-02")
DAYS = 14


def random_moment(random: Random) -> object:
    moment = at("02-24 00:00") + timedelta(days=random.randrange(22))
    # Cut-offs themselves, and moments just beside them, are as frequent as any other.
    return moment + timedelta(
        minutes=random.choice([0, 0, 16 * 60 + 30, 16 * 60 + 30, random.randrange(1440)]),
        seconds=random.choice([0, 0, 1, -1]),
    )


def random_rows(random: Random, store: Store) -> list[Case | Evaluation]:
    """Some new facts, and some that change what was known."""
    rows: dict[tuple[type, str], Case | Evaluation] = {}
    for _ in range(random.randrange(5)):
        case = Case(
            str(random.randrange(8)),
            random.choice([random_moment(random)] * 9 + [None]),
            service_number=random.choice("112"),
            case_state=random.choice(["finished"] * 9 + ["accepted", "withdrawn"]),
            is_internal=random.choice(["no"] * 9 + ["yes", None]),
            handler=random.choice(["李某", "王某", None]),
            removal=random.choice([None] * 9 + ["deleted", "disappeared"]),
        )
        known = store.cases.get(case.key)
        rows[Case, case.key] = replace(known, handler=case.handler) if known and random.random() < 0.3 else case
    for _ in range(random.randrange(5)):
        evaluation = Evaluation(
            str(random.randrange(20)),
            str(random.randrange(8)),
            random_moment(random),
            service_number=random.choice("112"),
            is_default=random.choice(["no", "no", "yes", None]),
            is_effective=random.choice(["yes"] * 5 + ["no"]),
            removal=random.choice([None] * 9 + ["deleted"]),
        )
        known = store.evaluations.get(evaluation.key)
        if known and random.random() < 0.5:
            evaluation = replace(known, is_effective=evaluation.is_effective)
        rows[Evaluation, evaluation.key] = evaluation
    return list(rows.values())


def check(store: Store, truth: Lists) -> None:
    """Compare every version of every list with what it must hold."""
    for (on, kind), kept in truth.lists.items():
        for version, expected in enumerate(kept.versions, 1):
            found = list_versions.published_version(store.connection, on, kind, version)
            assert found is not None, (on, kind, version)
            with store.connection.transaction():
                rows = list(list_rows.listed_rows(store.connection, store.catalog, found))
            assert {row.record_key: (row.section, row.state) for row in rows} == {
                key: (row.section, row.state) for key, row in expected.items()
            }, (on, kind, version)
            check_counts(found, kept, version)
            since = store.query(
                "select record_key, since_day from clearance.list l, clearance.rows_of(base_list, corrections)"
                " where list_id = %s",
                found.list_id,
            )
            assert dict(since) == {key: row.since for key, row in expected.items()}
        assert list_versions.published_version(store.connection, on, kind, len(kept.versions) + 1) is None


def check_counts(found: list_versions.ListVersion, kept: Kept, version: int) -> None:
    rows = kept.versions[version - 1].values()
    counts = found.counts
    assert (counts.unrated, counts.default_rated) == (
        sum(row.section == "unrated" for row in rows),
        sum(row.section == "default_rated" for row in rows),
    )
    for state in ("new", "carried_over", "reopened"):
        assert getattr(counts, state) == sum(row.state == state for row in rows), (found, state)
    assert (counts.cleared, counts.withdrawn, counts.archived) == kept.counts[version - 1], found


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, CHAINS))])
def test_chain_equals_lists_from_scratch(database_url, seed):
    random = Random(seed)
    store = Store(database_url, CONFIGURED)
    truth = Lists(CONFIGURED, store.clearance.calendar(FIRST_DAY))
    regular = random.random() < 0.5
    store.load(*random_rows(random, store), *random_rows(random, store))
    for offset in range(DAYS):
        for kind in KINDS:
            on = FIRST_DAY + timedelta(days=offset)
            if not regular and random.random() < 0.3:
                continue
            if not regular and random.random() < 0.15:
                on -= timedelta(days=random.randrange(6))
            if random.random() < 0.7:
                store.load(*random_rows(random, store))
            published = store.clearance.publish(on, kind, at("03-31 12:00"))
            expected = truth.publish(store, on, kind)
            assert len(expected.versions) == published.version
            assert discrepancies(store.connection, published) == []
            assert published.counts.archived_total == expected.archived_total
    check(store, truth)
    assert published.cutoff_at.tzinfo == CITY_TIME_ZONE
    store.close()
