"""Whatever the order in which deliveries are loaded, released, replayed and redriven, the store says what they said.

Random lives of one feed: registers or increments that come, are held, are released late, go through the pipeline again
alone or by period, and wrong rows that are redriven. In the end the store is that of a fresh installation to which
the same deliveries came one after another, and no certificate's history tells of anything that this one's does not; of
increments with times, of anything that no delivery said.
"""

import csv
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.changed_department import change_department
from tests.support.changes_feed import COLUMNS
from tests.support.installation import HEADER, Installation, license_row
from tests.support.temporary_database import temporary_database

from zhengku.database import store_connection
from zhengku.load.merge import hold
from zhengku.operations.redrive import redrive
from zhengku.operations.replay import replay, replayable
from zhengku.settings import Settings

FEED = ("market_supervision", "business_license")
NUMBERS = range(7)
DELIVERIES = 7


@dataclass
class Life:
    """A feed's life: what came, by the name of its file, and what waits for a release."""

    installation: Installation
    rng: random.Random
    has_times: bool
    is_whole: bool
    contents: list[str] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    registered: dict[int, str] = field(default_factory=dict)
    """Of a register with times, each certificate's row of the last delivery that held it."""

    def row(self, number: int, *, may_be_wrong: bool) -> str:
        values = {}
        if self.rng.random() < 0.5:
            values["企业名称"] = f"鄂州市虚构改名{self.rng.randrange(3)}有限公司"
        if may_be_wrong and self.rng.random() < 0.1:
            values["企业名称"] = ""
        row = license_row(number, **values)
        if not self.has_times:
            return row
        if self.is_whole:
            # A register says a row again as it was, or a change with its time, which is later than that of the last.
            if number not in self.registered or self.rng.random() < 0.4:
                self.registered[number] = f"{row},U,2024-05-{len(self.contents) + 1:02d} 08:00"
            return self.registered[number]
        # What an increment says may be older than what came before.
        operation = "D" if self.rng.random() < 0.2 else "U"
        return f"{row},{operation},2024-05-{self.rng.randrange(1, 10):02d} 08:00"

    def content(self) -> str:
        """Make a delivery. Of a register, a certificate that is wrong somewhere is there all the time."""
        wrong_ones = NUMBERS[:2] if self.is_whole else NUMBERS
        rows = [
            self.row(number, may_be_wrong=number in wrong_ones)
            for number in NUMBERS
            if (self.is_whole and number in wrong_ones) or self.rng.random() < 0.65
        ]
        # No two deliveries are one file, and none is empty.
        rows.append(self.row(100 + len(self.contents), may_be_wrong=False))
        self.rng.shuffle(rows)
        header = f"{HEADER},{COLUMNS}" if self.has_times else HEADER
        return "\n".join([header, *rows]) + "\n"

    def deliver(self, content: str, *, may_wait: bool) -> None:
        number = len(self.contents)
        self.contents.append(content)
        self.installation.deliver(f"{number}.csv", content, minutes_ago=300 - number)
        [batch_id] = [
            batch.batch_id for batch in self.installation.pipeline.collect(*FEED, f"run{number}") if not batch.finished
        ]
        if may_wait and self.rng.random() < 0.35:
            batch = self.installation.pipeline.validate(batch_id)
            if not batch.finished:
                with store_connection(self.installation.settings.database_url) as connection:
                    batch = hold(connection, batch, "batch.volume.not_shrunk", "暂扣", "held by the test")
        else:
            batch = self.installation.pipeline.load(batch_id)
        self.done.append(f"deliver {number}: {batch.status}")
        if batch.status == "held":
            self.held.append(batch_id)
            if not may_wait:
                self.release()

    def release(self) -> None:
        batch_id = self.held.pop(self.rng.randrange(len(self.held)))
        self.done.append(f"release {batch_id}")
        assert self.installation.pipeline.release(batch_id, "大数据科", "核对过").status == "loaded"

    def replay(self) -> None:
        with store_connection(self.installation.settings.database_url) as connection:
            chosen = replayable(connection)
        begin = self.rng.randrange(len(chosen) + 1)
        some = chosen[begin : begin + self.rng.choice([1, 1, 2, 4])]
        self.done.append(f"replay {[batch.batch_id for batch in some]}")
        replay(self.installation.pipeline, some, "虚构甲", "核对")

    def redrive(self) -> None:
        self.done.append("redrive")
        unsolved = self.installation.query(
            "select count(*) from quarantine.problem_row where status in ('open', 'returned', 'waived')"
        )
        if unsolved != [(0,)]:
            redrive(self.installation.pipeline, *FEED, "虚构甲", "核对")

    def live(self) -> None:
        for _ in range(DELIVERIES):
            self.deliver(self.content(), may_wait=True)
            for act, share in ((self.release, 0.35), (self.replay, 0.3), (self.redrive, 0.1)):
                if self.rng.random() < share and (self.held or act != self.release):
                    act()
        while self.held:
            self.release()
        self.replay()

    def came(self) -> list[Any]:
        """Return when each delivery came, in their order."""
        return [
            at
            for (at,) in self.installation.query(
                "select landed_at from ledger.batch where origin = 'delivery' order by batch_id"
            )
        ]

    def store(self) -> dict[str, tuple[Any, ...]]:
        """Return what stands, with all that is known of it, and what is gone, with the delivery that showed it."""
        came = self.came()
        rows = self.installation.query(
            "select record_key, removal, removed_at, holder, issue_date, extension::text, version_at"
            " from store.certificate order by record_key"
        )
        return {
            key: (known, at if self.has_times else None)
            if removal is None
            else (removal, f"delivery {came.index(removed_at)}" if removal == "disappeared" else removed_at)
            for key, removal, removed_at, *known, at in rows
        }

    def said(self) -> set[tuple[str, str]]:
        """Return with which holders the deliveries name each certificate."""
        return {
            (row["统一社会信用代码"], row["企业名称"])
            for content in self.contents
            for row in csv.DictReader(content.splitlines())
        }

    def stood(self) -> set[tuple[str, str]]:
        """Return with which holders each certificate ever stood."""
        return set(
            self.installation.query(
                "select record_key, holder from store.certificate_history where removal is null"
                " union select record_key, holder from store.certificate where removal is null"
            )
        )


@contextmanager
def fresh(installation: Installation, tmp_path: Path, server_url: str, template: str) -> Iterator[Installation]:
    with temporary_database(server_url, template) as url:
        drop = tmp_path / "fresh_drop" / "business_license"
        drop.mkdir(parents=True)
        environment = {
            **installation.settings.environment,
            "ZHENGKU_DATABASE_URL": url,
            "ZHENGKU_LANDING_URL": str(tmp_path / "fresh_landing"),
            "ZHENGKU_CONN_MARKET_SUPERVISION_DROP": str(drop.parent),
        }
        yield replace(
            installation, settings=Settings(home=installation.settings.home, environment=environment), drop=drop
        )


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, pytest.param(range(3, 15), marks=pytest.mark.soak)])
@pytest.mark.parametrize(("is_whole", "has_times"), [(True, False), (True, True), (False, False), (False, True)])
def test_store_is_that_of_the_deliveries_in_the_order_in_which_they_were_true(
    installation, tmp_path, server_url, template_database, is_whole, has_times, seed
):
    def change(text: str) -> str:
        if is_whole:
            text = text.replace("deliveries: increments", "deliveries: snapshots")
        if has_times:
            text = text.replace("    version: delivery ", "    version: source_updated_at ")
            text = text.replace("    fields:\n", "    operation: {column: 操作}\n    fields:\n", 1)
            text = text.replace(
                "      district: {column: 地区}",
                "      district: {column: 地区}\n      source_updated_at: {column: 更新时间}",
            )
            text = text.replace("      - source_updated_at\n", "")
        return text

    if is_whole or has_times:
        change_department(installation, tmp_path, change)
    for place, each in enumerate([seed] if isinstance(seed, int) else seed):
        folder = tmp_path / f"seed{place}"
        with (
            fresh(installation, folder / "lived", server_url, template_database) as lived,
            fresh(installation, folder / "plain", server_url, template_database) as plain,
        ):
            life = Life(lived, random.Random(f"{each} {is_whole} {has_times}"), has_times, is_whole)
            life.live()
            order = Life(plain, random.Random(each), has_times, is_whole)
            for content in life.contents:
                order.deliver(content, may_wait=False)
            told = "\n".join([f"seed {each}", *life.done])
            assert life.store() == order.store(), told
            # Of increments with times, an older row may stand for a while where the newer one waited: both were said.
            could_stand = order.said() if has_times and not is_whole else order.stood()
            assert life.stood() <= could_stand, told
            # Every version is there once, and the newest is the one in the store.
            numbers = lived.query(
                "select record_key, array_agg(version_no order by version_no) from ("
                "select record_key, version_no from store.certificate"
                " union all select record_key, version_no from store.certificate_history) as v group by record_key"
            )
            assert all(found == list(range(1, len(found) + 1)) for _, found in numbers), told
