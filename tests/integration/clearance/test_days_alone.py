"""A system that sends days alone as finish times: its cases are on the lists, and in the rates, of their day."""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.support.clearance_facts import CONFIG, at, day
from tests.support.small_city import write_small_catalog

from zhengku.catalog import load_catalog
from zhengku.clearance import list_rows, list_versions, rates
from zhengku.clearance.publish import DailyClearance
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home

FEED = """
department: bureau
name: 市虚构局
owner: big-data-section
schedule: "0 0 29 2 *"
pool: {name: bureau, slots: 1}

feeds:
  cases:
    title: 虚构局办件
    dataset: service_case
    transport: {kind: file_drop, connection: bureau_drop, pattern: "*.csv", settle_seconds: 0, manifest: none}
    deliveries: increments
    key: [case_number, service_number]
    version: source_updated_at
    suites: [service_case]
    fields:
      case_number: {column: 办件编号}
      service_number: {constant: "1"}
      service_item_code: {constant: 11420700MB0000000A4000100001000}
      service_item_name: {constant: 虚构事项}
      case_kind: {constant: instant}
      case_state: {constant: finished}
      finished_at: {column: 办结日期FINISHED}
      district: {constant: echeng}
      handling_department: {constant: 虚构局}
      hall: {constant: 虚构大厅}
      window: {constant: 1号}
      handler: {constant: 李某}
      source_updated_at: {column: 更新时间}
    absent: [is_internal, case_channel, applicant, phone, accepted_at]
"""


class Bureau:
    """An installation that collects the bureau's cases alone."""

    def __init__(self, tmp_path: Path, url: str, finished: str) -> None:
        write_small_catalog(tmp_path / "catalog", {})
        path = tmp_path / "catalog" / "departments" / "bureau.yaml"
        path.write_text(FEED.replace("FINISHED", finished), encoding="utf-8")
        self.drop = tmp_path / "drop"
        self.drop.mkdir()
        environment = {
            "ZHENGKU_DATABASE_URL": url,
            "ZHENGKU_CATALOG_DIR": str(tmp_path / "catalog"),
            "ZHENGKU_LANDING_URL": str(tmp_path / "landing"),
            "ZHENGKU_REPORT_DIR": str(tmp_path / "reports"),
            "ZHENGKU_CONN_BUREAU_DROP": str(self.drop),
        }
        self.settings = Settings(home=project_home(), environment=environment)
        self.catalog = load_catalog(self.settings.catalog_folder)
        config = CONFIG.model_copy(update={"sources": ("bureau/cases",)})
        self.clearance = DailyClearance(self.settings, self.catalog, config)
        self.connection: psycopg.Connection[Any] = psycopg.connect(
            url.replace("+psycopg", ""), autocommit=True, options="-c timezone=Asia/Shanghai"
        )

    def load(self, *finished: str) -> Batch:
        lines = [
            f"{number:018d},{text},2026-03-04 08:00:00" for number, text in enumerate(finished, 420700202603020001)
        ]
        (self.drop / f"{secrets.token_hex(4)}.csv").write_text(
            "\n".join(["办件编号,办结日期,更新时间", *lines]) + "\n", encoding="utf-8"
        )
        pipeline = Pipeline(self.settings)
        [batch] = pipeline.collect("bureau", "cases", secrets.token_hex(4))
        return pipeline.load(batch.batch_id)

    def publish(self, on: str, kind: str) -> dict[str, tuple[str, int]]:
        """Publish a list; return state and age of its rows, by the last four digits of the case."""
        found = self.clearance.publish(day(on), kind, at("03-31 12:00"))
        with self.connection.transaction():
            rows = list(list_rows.listed_rows(self.connection, self.catalog, found))
        return {row.case_number[-4:]: (row.state, row.age_working_days) for row in rows}


@pytest.fixture
def bureau(tmp_path: Path, database_url: str, request: pytest.FixtureRequest) -> Iterator[Bureau]:
    made = Bureau(tmp_path, database_url, request.param)
    yield made
    made.connection.close()


@pytest.mark.parametrize("bureau", [", date_only: true"], indirect=True)
@pytest.mark.parametrize("form", ["2026-03-{:02d}", "2026-03-{:02d} 00:00:00", "2026年3月{}日"])
def test_days_alone_count_at_their_end(bureau, form):
    loaded = bureau.load(form.format(2), form.format(3))
    assert (loaded.status, loaded.inserted) == ("loaded", 2)
    assert not [note for note in loaded.notes if "date_only" in note]
    # Tuesday's case is neither on Monday's final list nor on Tuesday's working list: who knows when it finished?
    assert bureau.publish("03-02", "working") == {}
    assert bureau.publish("03-02", "final") == {"0001": ("new", 0)}
    assert bureau.publish("03-03", "working") == {"0001": ("carried_over", 1)}
    assert bureau.publish("03-03", "final") == {"0001": ("carried_over", 1), "0002": ("new", 0)}
    assert [len(list_versions.versions_of_day(bureau.connection, day(on))) for on in ("03-02", "03-03")] == [2, 2]
    bureau.clearance.refresh_rates(at("03-31 12:00"))
    for on in ("03-02", "03-03"):
        [city] = rates.group_rates(bureau.connection, bureau.catalog, day(on), day(on))
        assert {rate.name_zh: rate.denominator for rate in city.rates}["主动评价率"] == 1


@pytest.mark.parametrize("bureau", [""], indirect=True)
def test_days_alone_that_nobody_declared_are_of_their_day_and_told(bureau):
    loaded = bureau.load(*["2026-03-03"] * 12)
    assert bureau.publish("03-02", "final") == {}
    assert len(bureau.publish("03-03", "working")) == 12
    [note] = [note for note in loaded.notes if "date_only" in note]
    assert "办结时间" in note
    assert "12" in note


@pytest.mark.parametrize("bureau", [""], indirect=True)
def test_times_with_a_time_of_day_are_not_told_of(bureau):
    loaded = bureau.load(*["2026-03-03 00:00:00"] * 11, "2026-03-03 10:00:00")
    assert not [note for note in loaded.notes if "date_only" in note]
